"""CoDeNet: ShuffleNetV2 with a deformable CenterNet decoder, as a list of operators.

Source: arXiv 2006.08357, section 5, and the public network, github.com/Zhen-Dong/CoDeNet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from dovetail.models.conv_ops import ConvOp, MoveOp

Stem = Literal["stride4", "maxpool"]
_CHANNELS = {1: (24, 116, 232, 464, 1024), 2: (24, 244, 488, 976, 2153)}
"""Stem, three stages and last layer of the backbone, for each width."""
_UNITS = (4, 8, 4)
_STEM_KERNEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CodenetConfig:
    """One configuration.

    Attributes
    ----------
    name : str
    image : int
        Height and width of the input; a multiple of 32.
    width : int
        1 or 2, of the backbone.
    stem : str
        ``stride4``: one 3x3 convolution of stride 4.  ``maxpool``: one of stride 2, then 3x3
        maximum pooling of stride 2.
    classes : int
        20 for Pascal VOC, 80 for COCO.
    up_filters : tuple of int
        Channels after each of the three upsampling blocks.
    head_channels : int
        Between the convolutions of each of the three heads.
    offsets : str
        Of the upsampling blocks' 3x3 convolutions: ``square``, one number a pixel; ``free``, one
        for each direction of each tap; ``none``.
    full : bool
        Those convolutions sum over all channels, in place of a depthwise and a 1x1 one.
    """

    name: str
    image: int
    width: Literal[1, 2]
    stem: Stem
    classes: int = 20
    up_filters: tuple[int, ...] = (256, 128, 64)
    head_channels: int = 64
    offsets: Literal["square", "free", "none"] = "square"
    full: bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        return _CHANNELS[self.width]


CODENETS = MappingProxyType(
    {
        config.name: config
        for config in (
            CodenetConfig(name="codenet-a", image=256, width=1, stem="stride4"),
            CodenetConfig(name="codenet-b", image=256, width=1, stem="maxpool"),
            CodenetConfig(name="codenet-c", image=512, width=1, stem="stride4"),
            CodenetConfig(name="codenet-d", image=512, width=2, stem="stride4"),
            CodenetConfig(name="codenet-e", image=512, width=2, stem="maxpool"),
            CodenetConfig(name="codenet-coco-1x", image=512, width=1, stem="stride4", classes=80),
            # Its published size comes out only with these wider filters and heads.
            CodenetConfig(
                name="codenet-coco-2x",
                image=512,
                width=2,
                stem="stride4",
                classes=80,
                up_filters=(256, 128, 128),
                head_channels=128,
            ),
        )
    }
)
"""The five configurations of the paper on Pascal VOC, and the two on COCO."""

VARIANTS = MappingProxyType(
    {
        config.name: config
        for config in (
            replace(CODENETS["codenet-c"], name="codenet-c-plain", offsets="none"),
            replace(CODENETS["codenet-c"], name="codenet-c-free", offsets="free"),
            replace(CODENETS["codenet-c"], name="codenet-c-full-plain", offsets="none", full=True),
            replace(CODENETS["codenet-c"], name="codenet-c-full-free", offsets="free", full=True),
            replace(CODENETS["codenet-c"], name="codenet-c-full-square", full=True),
        )
    }
)
"""Configuration c with other 3x3 convolutions in its upsampling blocks, as in the ablations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """An operator, and what it has beside the weights.

    Attributes
    ----------
    op : ConvOp or MoveOp
    batch_norm, bias : bool
        Batch normalisation has a scale and a shift for each output channel, and is folded into
        the convolution when the network runs.
    """

    op: ConvOp | MoveOp
    batch_norm: bool = False
    bias: bool = False

    @property
    def parameters(self) -> int:
        """Weights, scales, shifts and biases."""
        if isinstance(self.op, MoveOp):
            return 0
        return self.op.weights + self.op.out_channels * (2 * self.batch_norm + self.bias)


def codenet_layers(config: CodenetConfig) -> tuple[Layer, ...]:
    """Every operator in program order; ``op.layer`` counts the blocks from the stem, 0."""
    builder = _Builder()
    builder.add_network(config)
    return tuple(builder.layers)


class _Builder:
    """Appends layers; ``size`` is the height and width of the map at hand, ``block`` its number."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.block = 0
        self.size = 0

    def add_network(self, config: CodenetConfig) -> None:
        stem, *stages, last = config.channels
        stride = 4 if config.stem == "stride4" else 2
        self.size = config.image
        self._conv("stem", 3, stem, kernel=_STEM_KERNEL, stride=stride)
        self.size = config.image // 4
        channels = stem
        for wider, units in zip(stages, _UNITS, strict=True):
            self._down_unit(channels, wider)
            for _ in range(units - 1):
                self._unit(wider)
            channels = wider
        self.block += 1
        self._conv("conv5", channels, last)
        channels = last
        for filters in config.up_filters:
            self._up(channels, filters, config)
            channels = filters
        for name, outputs in (("classes", config.classes), ("size", 2), ("shift", 2)):
            self.block += 1
            self._conv(f"{name}_pw1", channels, config.head_channels)
            self._depthwise(f"{name}_dw", config.head_channels)
            self._conv(f"{name}_pw2", config.head_channels, outputs, batch_norm=False, bias=True)

    def _down_unit(self, channels: int, wider: int) -> None:
        """Halves the size: both branches see all channels, and each makes half of the wider map."""
        self.block += 1
        half, size = wider // 2, self.size
        self._depthwise("short_dw", channels, stride=2)
        self.size = size // 2
        self._conv("short_pw", channels, half)
        self.size = size
        self._conv("branch_pw1", channels, half)
        self._depthwise("branch_dw", half, stride=2)
        self.size = size // 2
        self._conv("branch_pw2", half, half)
        self._move("shuffle", wider)

    def _unit(self, channels: int) -> None:
        """One half passes, the other is convolved, then their channels interleave."""
        self.block += 1
        half = channels // 2
        self._conv("branch_pw1", half, half)
        self._depthwise("branch_dw", half)
        self._conv("branch_pw2", half, half)
        self._move("shuffle", channels)

    def _up(self, channels: int, filters: int, config: CodenetConfig) -> None:
        self.block += 1
        deform, free = config.offsets != "none", config.offsets == "free"
        if deform:
            numbers = 2 * 3 * 3 if free else 1
            self._conv("offset", channels, numbers, batch_norm=False, bias=True)
        name = "deform" if deform else "conv3" if config.full else "dw"
        if config.full:
            self._conv(name, channels, filters, kernel=3, deform=deform, free=free)
        else:
            self._depthwise(name, channels, deform=deform, free=free)
            self._conv("pw", channels, filters)
        self.size *= 2
        self._move("upsample", filters)

    def _depthwise(
        self,
        name: str,
        channels: int,
        *,
        stride: int = 1,
        deform: bool = False,
        free: bool = False,
    ) -> None:
        self._conv(
            name,
            channels,
            channels,
            kernel=3,
            stride=stride,
            groups=channels,
            deform=deform,
            free=free,
            batch_norm=not deform,
        )

    def _conv(
        self,
        name: str,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        deform: bool = False,
        free: bool = False,
        batch_norm: bool = True,
        bias: bool = False,
    ) -> None:
        op = ConvOp(
            name=name,
            layer=self.block,
            height=self.size,
            width=self.size,
            in_channels=in_channels,
            out_channels=out_channels,
            kernel=kernel,
            stride=stride,
            groups=groups,
            deform=deform,
            free=free,
        )
        self.layers.append(Layer(op=op, batch_norm=batch_norm, bias=bias))

    def _move(self, kind: str, channels: int) -> None:
        op = MoveOp(
            name=kind,
            layer=self.block,
            kind=kind,
            channels=channels,
            height=self.size,
            width=self.size,
        )
        self.layers.append(Layer(op=op))
