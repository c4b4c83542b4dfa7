"""The deformable engine: 1x1 convolution, line buffer, 3x3 depthwise deformable convolution."""
