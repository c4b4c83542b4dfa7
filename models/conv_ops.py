"""Operators of a convolutional network in a trace: convolutions, and maps put in another order."""

from __future__ import annotations

from dataclasses import dataclass

from dovetail.errors import TraceError
from dovetail.models.checks import MAX_COUNT, check_count


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvOp:
    """A convolution over one image; padding keeps the size, but for the stride.

    Attributes
    ----------
    name : str
        Operator, such as ``branch_pw1``.
    layer : int
        Index of the block that it belongs to.
    height, width, in_channels, out_channels : int
        Of the input, and channels of the output.
    kernel, stride : int
        Alike in both directions.
    groups : int
        With as many as input channels it is depthwise.
    deform : bool
        A square offset displaces the taps of each output pixel; ``Trace.data`` holds them as
        ``<layer>.<name>.s``.
    free : bool
        Of a deformable one: each tap has an offset of its own, 18 numbers a pixel, of which the
        data hold one distance.
    """

    name: str
    layer: int
    height: int
    width: int
    in_channels: int
    out_channels: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    deform: bool = False
    free: bool = False

    def __post_init__(self) -> None:
        sizes = ("height", "width", "in_channels", "out_channels", "kernel", "stride", "groups")
        for name in sizes:
            check_count(
                getattr(self, name),
                what=f"{self.name}: {name}",
                most=MAX_COUNT,
                advice="correct the operator",
            )
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise TraceError(
                f"{self.name}: groups={self.groups} must divide in_channels={self.in_channels} and "
                f"out_channels={self.out_channels}; correct the operator"
            )

    @property
    def offsets(self) -> int:
        """Numbers that displace the taps of a pixel."""
        return (2 * self.kernel**2 if self.free else 1) if self.deform else 0

    @property
    def depthwise(self) -> bool:
        return self.groups == self.in_channels == self.out_channels > 1

    @property
    def out_height(self) -> int:
        return -(-self.height // self.stride)

    @property
    def out_width(self) -> int:
        return -(-self.width // self.stride)

    @property
    def weights(self) -> int:
        """How many weights it has, without biases."""
        return self.kernel**2 * self.in_channels // self.groups * self.out_channels

    @property
    def macs(self) -> int:
        """Multiply-accumulates, taps on padding included."""
        return self.out_height * self.out_width * self.weights


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOp:
    """A map written again in another order, without arithmetic.

    Attributes
    ----------
    name, layer : str, int
        As in :class:`ConvOp`.
    kind : str
        ``shuffle`` (concatenate two halves, interleave their channels) or ``upsample``.
    channels, height, width : int
        Of the map that is written.
    """

    name: str
    layer: int
    kind: str
    channels: int
    height: int
    width: int

    def __post_init__(self) -> None:
        for name in ("channels", "height", "width"):
            check_count(
                getattr(self, name),
                what=f"{self.name}: {name}",
                most=MAX_COUNT,
                advice="correct the operator",
            )
