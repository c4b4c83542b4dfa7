"""The deformable convolution in floating point: bilinear sampling at arbitrary offsets.

``y[o, p] = sum over c, k of w[o, c, k] x(c, stride p - padding + dilation k + offset[k, p])``,
where ``x`` at a fractional place is the sum over its four integer neighbours ``q`` of
``max(0, 1 - |q - place|)`` in each direction.  A neighbour outside the image counts as zero, so a
sample fades out over the last pixel beyond the border and is zero one pixel further; torchvision
and ONNX do the same.

Source: Dai et al., Deformable Convolutional Networks, arXiv 1703.06211, section 2.1; layout of
the operands: ONNX operator DeformConv, opset 19.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ShapeError, TraceError

Pair = tuple[int, int]


def output_size(size: Pair, kernel: Pair, *, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Height and width of a convolution's output."""
    height, width = (
        (s + 2 * p - d * (k - 1) - 1) // t + 1
        for s, k, t, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    return height, width


def deform_conv(
    x: NDArray[np.floating],
    weights: NDArray[np.floating],
    offsets: NDArray[np.floating],
    *,
    groups: int = 1,
    offset_groups: int = 1,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
) -> NDArray[np.floating]:
    """Convolve with taps displaced by offsets that differ from output pixel to output pixel.

    Parameters
    ----------
    x : float, shape (n, channels, height, width)
    weights : float, shape (out_channels, channels / groups, kernel_height, kernel_width)
    offsets : float, shape (n, 2 * offset_groups * taps, out_height, out_width)
        Of each offset group, for each tap row by row: downwards, then to the right, in pixels.
    groups : int
        Of the convolution; with as many as channels it is depthwise.
    offset_groups : int
        Groups of input channels, each displaced alike.
    stride, padding, dilation : (int, int)
        Downwards and to the right; padding is the same on both sides.

    Returns
    -------
    float, shape (n, out_channels, out_height, out_width)

    Raises
    ------
    ShapeError
        Where the shapes do not fit together.
    TraceError
        Where an offset is NaN or infinite.
    """
    n, channels, *size = x.shape
    out_channels, per_group, *kernel = weights.shape
    taps = kernel[0] * kernel[1]
    out = output_size(
        (size[0], size[1]),
        (kernel[0], kernel[1]),
        stride=stride,
        padding=padding,
        dilation=dilation,
    )
    _check(x, weights, offsets, groups=groups, offset_groups=offset_groups, out=out)
    sampled = np.empty((n, channels, taps, *out), dtype=np.result_type(x, np.float32))
    share = channels // offset_groups
    by_group = offsets.reshape(n, offset_groups, taps, 2, *out)
    for image, group in np.ndindex(n, offset_groups):
        part = slice(group * share, (group + 1) * share)
        for tap in range(taps):
            down, right = by_group[image, group, tap]
            rows = stride[0] * np.arange(out[0])[:, None] - padding[0]
            columns = stride[1] * np.arange(out[1])[None, :] - padding[1]
            sampled[image, part, tap] = bilinear(
                x[image, part],
                rows + dilation[0] * (tap // kernel[1]) + down,
                columns + dilation[1] * (tap % kernel[1]) + right,
            )
    grouped = sampled.reshape(n, groups, per_group * taps, out[0] * out[1])
    matrices = weights.reshape(groups, out_channels // groups, per_group * taps)
    result: NDArray[np.floating] = np.matmul(matrices[None], grouped)
    return result.reshape(n, out_channels, *out)


def bilinear(
    image: NDArray[np.floating], rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Sample every channel at fractional places; neighbours outside the image are zero.

    Parameters
    ----------
    image : float, shape (channels, height, width)
    rows, columns : float, shape (...)

    Returns
    -------
    float, shape (channels, ...)
    """
    _, height, width = image.shape
    # Beyond these all four neighbours lie outside, however far; and integers must hold the place.
    rows, columns = np.clip(rows, -2, height + 1), np.clip(columns, -2, width + 1)
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    total = np.zeros((image.shape[0], *rows.shape), dtype=np.result_type(image, np.float32))
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        weight = inside * (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
        total += weight * image[:, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return total


def check_finite(offsets: NDArray[np.floating]) -> None:
    """Raise TraceError where an offset is NaN or infinite."""
    bad = np.argwhere(~np.isfinite(offsets))
    if bad.size:
        where = ", ".join(str(index) for index in bad[0])
        raise TraceError(
            f"offsets[{where}] = {offsets[tuple(bad[0])]}; every offset must be a finite number, "
            f"so correct what made it"
        )


def _check(
    x: NDArray[np.floating],
    weights: NDArray[np.floating],
    offsets: NDArray[np.floating],
    *,
    groups: int,
    offset_groups: int,
    out: Pair,
) -> None:
    channels, out_channels = x.shape[1], weights.shape[0]
    if channels != weights.shape[1] * groups or out_channels % groups:
        raise ShapeError(
            f"x has {channels} channels and weights the shape {weights.shape}; with "
            f"groups={groups} weights must be (a multiple of {groups}, channels / {groups}, ...)"
        )
    if channels % offset_groups:
        raise ShapeError(
            f"offset_groups={offset_groups} must divide the {channels} channels; change it"
        )
    if min(out) < 1:
        raise ShapeError(
            f"the output would be {out[0]} x {out[1]}; the kernel must fit the padded image, so "
            f"use more padding or less dilation"
        )
    taps = weights.shape[2] * weights.shape[3]
    expected = (x.shape[0], 2 * offset_groups * taps, *out)
    if offsets.shape != expected:
        raise ShapeError(f"offsets have shape {offsets.shape}; they must be {expected}")
    check_finite(offsets)
