"""The deformable-convolution system: what its operators and its engine compute."""
