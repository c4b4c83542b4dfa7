"""One call of the deformable engine: its shape, and the run-time registers that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.errors import ConfigError

MOST_PIXELS = (1 << 12) - 1
"""Largest height, width, and number of channels that the registers hold."""

__all__ = ["DeformCall", "DeformDescriptor", "call_problem", "describe_call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformCall:
    """A 1x1 convolution, a 3x3 depthwise one, or the second after the first.

    Attributes
    ----------
    height, width : int
        Of the input image.
    in_channels, out_channels : int
        Equal without ``pointwise``.  Channels are padded to whole beats.
    pointwise, depthwise : bool
        Which convolutions run; one at least.
    full : bool
        The 3x3 convolution sums over all input channels; of engines with a full core.
    stride : int
        Of the 3x3 convolution, whose padding is 1: output row r stands over input row
        ``stride * r``.
    deform : bool
        The nine taps of a window lie ``s`` rows and columns apart, an offset for each output
        pixel from 0 to N; else s = 1.
    relu1, relu3 : bool
        After the 1x1 and after the 3x3 convolution.
    """

    height: int
    width: int
    in_channels: int
    out_channels: int
    pointwise: bool = True
    depthwise: bool = True
    full: bool = False
    stride: Literal[1, 2] = 1
    deform: bool = False
    relu1: bool = True
    relu3: bool = True

    @property
    def out_height(self) -> int:
        return -(-self.height // self.stride)

    @property
    def out_width(self) -> int:
        return -(-self.width // self.stride)

    @property
    def pointwise_macs(self) -> int:
        return self.height * self.width * self.in_channels * self.out_channels * self.pointwise

    @property
    def depthwise_macs(self) -> int:
        channels = self.out_channels * (self.in_channels if self.full else 1)
        return self.out_height * self.out_width * channels * TAPS * self.depthwise

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates, without those of padded channels."""
        return self.pointwise_macs + self.depthwise_macs

    def in_groups(self, lanes: int) -> int:
        """Beats of one input pixel."""
        return -(-self.in_channels // lanes)

    def out_groups(self, lanes: int) -> int:
        """Beats of one pixel after the 1x1 convolution, and of one output pixel."""
        return -(-self.out_channels // lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformDescriptor:
    """Run-time registers of the engine for one call; every field is a non-negative integer.

    Attributes
    ----------
    height, width, pixels, out_height, out_width : int
    in_groups, out_groups : int
        Beats of a pixel before and after the 1x1 convolution.
    image_groups, row_beats : int
        Beats of a pixel and of a row before the 3x3 convolution.
    stride2, pointwise, depthwise, deform, relu1, relu3 : int
        Flags.
    weight1_beats, quant1_beats, weight3_beats, quant3_beats, offset_beats, feature_beats : int
        What is read, in this order; 0 for what the call has not, and for features whose taps are
        gathered.
    weight1_address, quant1_address, weight3_address, quant3_address, offset_address : int
    feature_address, output_address : int
        First beat of each.
    output_beats : int
        What is written.
    """

    height: int
    width: int
    pixels: int
    out_height: int
    out_width: int
    in_groups: int
    out_groups: int
    image_groups: int
    row_beats: int
    stride2: int
    pointwise: int
    depthwise: int
    deform: int
    relu1: int
    relu3: int
    weight1_beats: int
    quant1_beats: int
    weight3_beats: int
    quant3_beats: int
    offset_beats: int
    feature_beats: int
    weight1_address: int
    quant1_address: int
    weight3_address: int
    quant3_address: int
    offset_address: int
    feature_address: int
    output_address: int
    output_beats: int


def call_problem(config: DeformEngineConfig, call: DeformCall) -> str | None:
    """Why ``config`` cannot run ``call``, in one line; None where it can."""
    for name in ("height", "width", "in_channels", "out_channels"):
        if getattr(call, name) < 1:
            return f"{name}={getattr(call, name)} must be at least 1; change it"
        if getattr(call, name) > MOST_PIXELS:
            return f"{name}={getattr(call, name)} must be at most {MOST_PIXELS}; split the call"
    if not (call.pointwise or call.depthwise):
        return "a call without pointwise and depthwise computes nothing; set one of them"
    if call.full and (call.pointwise or not call.depthwise):
        return "full belongs to a 3x3 convolution alone; unset pointwise and set depthwise"
    if call.depthwise and call.full != (config.core == "full"):
        return f"full={call.full} does not fit an engine of core={config.core}; change one of them"
    if call.pointwise and config.core == "full":
        return "an engine of core=full has no 1x1 convolution; use one of core=depthwise"
    if not (call.pointwise or call.full) and call.in_channels != call.out_channels:
        return (
            f"in_channels={call.in_channels} and out_channels={call.out_channels} differ, and "
            f"without pointwise nothing changes their number; make them equal"
        )
    if call.stride not in (1, 2):
        return f"stride={call.stride} must be 1 or 2; change it"
    if not call.depthwise and (call.stride == 2 or call.deform):
        return "stride 2 and deform belong to the 3x3 convolution; set depthwise, or leave them out"
    lanes = config.lanes
    groups_in, groups_out = call.in_groups(lanes), call.out_groups(lanes)
    if call.full and groups_in > config.max_groups:
        return (
            f"in_channels={call.in_channels} exceeds max_channels={config.max_channels}; use a "
            f"larger engine"
        )
    if call.full and groups_in * groups_out > config.full_words:
        return (
            f"9 x in_channels={call.in_channels} x out_channels={call.out_channels} weights "
            f"exceed pointwise_weight_bytes={config.pointwise_weight_bytes}; split the call by "
            f"output channels"
        )
    if groups_out > config.max_groups:
        return (
            f"out_channels={call.out_channels} exceeds max_channels={config.max_channels}; split "
            f"the call by output channels"
        )
    if call.pointwise and groups_in * groups_out > config.pointwise_words:
        return (
            f"in_channels={call.in_channels} times out_channels={call.out_channels} weights exceed "
            f"pointwise_weight_bytes={config.pointwise_weight_bytes}; split the call by output "
            f"channels"
        )
    if call.pointwise and groups_in > config.pixel_beats:
        return (
            f"a pixel of in_channels={call.in_channels} exceeds pixel_buffer_bytes="
            f"{config.pixel_buffer_bytes}; use a larger buffer"
        )
    gathers = call.depthwise and config.memory == "gather"
    if gathers and call.pointwise:
        return (
            "memory=gather reads the image of the 3x3 convolution from DRAM; run the 1x1 "
            "convolution in a call of its own"
        )
    if call.depthwise and not gathers:
        columns = -(-call.width // config.column_banks)
        groups = groups_in if call.full else groups_out
        if call.width * groups > config.row_beats or columns * groups > config.bank_beats:
            name, cure = "out_channels", "split the call by output channels"
            if call.full:
                name, cure = "in_channels", "use a larger buffer"
            return (
                f"a row of width={call.width} pixels of {name}={getattr(call, name)} exceeds "
                f"line_row_bytes={config.line_row_bytes}; {cure}"
            )
    if call.deform and call.out_height * call.out_width > config.offset_buffer_bytes:
        return (
            f"{call.out_height} x {call.out_width} offsets exceed offset_buffer_bytes="
            f"{config.offset_buffer_bytes}; split the image"
        )
    return None


def describe_call(config: DeformEngineConfig, call: DeformCall) -> DeformDescriptor:
    """Registers of ``call``; what it reads lies in DRAM from beat 0 on, then what it writes.

    Raises
    ------
    ConfigError
        Where the engine cannot run the call.
    """
    problem = call_problem(config, call)
    if problem:
        raise ConfigError(problem)
    lanes = config.lanes
    groups_in, groups_out = call.in_groups(lanes), call.out_groups(lanes)
    quant = 4 * groups_out  # two bytes of scale, two of bias
    image_groups = groups_out if call.pointwise else groups_in
    weight3 = config.weight3_beats_per_word * (groups_in if call.full else 1)
    beats = {
        "weight1": groups_in * groups_out * config.weight1_beats_per_word * call.pointwise,
        "quant1": quant * call.pointwise,
        "weight3": groups_out * weight3 * call.depthwise,
        "quant3": quant * call.depthwise,
        "offset": -(-call.out_height * call.out_width // lanes) * call.deform,
        "feature": call.height * call.width * groups_in,
    }
    addresses, at = {}, 0
    for name, count in beats.items():
        addresses[f"{name}_address"] = at
        at += count
    if call.depthwise and config.memory == "gather":
        beats["feature"] = 0  # the image is there and is not read as a whole
    return DeformDescriptor(
        height=call.height,
        width=call.width,
        pixels=call.height * call.width,
        out_height=call.out_height,
        out_width=call.out_width,
        in_groups=groups_in,
        out_groups=groups_out,
        image_groups=image_groups,
        row_beats=call.width * image_groups,
        stride2=int(call.stride == 2),
        pointwise=int(call.pointwise),
        depthwise=int(call.depthwise),
        deform=int(call.deform),
        relu1=int(call.relu1),
        relu3=int(call.relu3),
        **{f"{name}_beats": count for name, count in beats.items()},
        **addresses,
        output_address=at,
        output_beats=call.out_height * call.out_width * groups_out,
    )
