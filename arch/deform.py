"""The deformable engine: 1x1 convolution, line buffer and 3x3 depthwise deformable convolution.

Source: CoDeNet (arXiv 2006.08357, section 4.2) and its public HLS code; docs/deform-engine.md says
where this engine differs from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.designs import Design, DesignFamily
from dovetail.arch.engine import PositiveInt
from dovetail.arch.spad import is_power_of_two, power_of_two

ACTIVATION_BITS = 8  # two's complement of the unsigned value - 128
WEIGHT_BITS = 4  # symmetric, -8..7
SUM_BITS = 24  # of products, before it is scaled
SCALE_BITS = 16  # of a channel, signed, and as many of its bias
ZERO = -128  # stored activation that stands for 0: what lies outside the image
TAPS = 9  # of a 3 x 3 window
WIDEST = 31  # offset of an engine that gathers its taps
SECOND_WORDS = 512  # of weights of a window, in a second engine: the depth of its block RAMs
SecondEngine = Literal["none", "gather", "full", "full-gather", "full-1-port", "full-3-ports"]
_SECOND_PORTS: Mapping[SecondEngine, Literal[1, 3, 9]] = {
    "gather": 9,
    "full": 9,
    "full-gather": 9,
    "full-1-port": 1,
    "full-3-ports": 3,
}
SECTIONS = ("weight1", "quant1", "weight3", "quant3", "offset", "feature")
"""What a call reads, in this order; all but the features before it computes."""

# Cycles between the parts, which RTL and simulator share.
QUEUE_BEATS = 16  # of the queue behind each requantiser
POINTWISE_CYCLES = 5  # from a last k entering to its sum: memory, operand, product, tree, sum
REQUANTISE_CYCLES = 3  # product, rounding with bias, clamp
WINDOW_ADDRESS_CYCLES = 2  # from a window's step to its read of the line buffer
WINDOW_CYCLES = 6  # from a window's last step to its sum: address, memory, taps, product, sum


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class DeformEngineConfig:
    """A deformable engine with buffers and one DRAM port of ``8 * lanes`` bits each way.

    Attributes
    ----------
    lanes : int
        Channels in a beat; the 1x1 array has ``lanes`` x ``lanes`` multipliers, the 3x3 unit
        ``lanes`` x 9.  A power of two.
    bound : int
        Largest offset N.  The line buffer has 2N + 1 rows, so that an offset of N is exact.
    window_ports : int
        Beats of a 3 x 3 window that the line buffer gives in a cycle: 1; 3, of different rows; or
        9, with each row in banks of columns.
    core : str
        ``depthwise``: each channel of a window meets its own nine weights.  ``full``: a window of
        ``lanes`` channels meets those of ``lanes`` outputs, ``lanes**2 * 9`` multipliers, without a
        1x1 convolution; for comparison.
    memory : str
        ``line_buffer``, or ``gather``: each tap of a window is read from DRAM, and the 1x1
        convolution cannot come before the 3x3 in one call.
    gather_bursts : int
        Taps that may be asked for before the data of the first have come.
    packed_products : bool
        One multiplication gives the products of one activation with the weights of two outputs of
        the 1x1 array: half as many DSPs of an FPGA.  Values and times are the same.
    lead : str
        ``exact``: the writer of the line buffer never overtakes a reader.  ``public``: it leads by
        N + 1 rows as in the public code, and overwrites what an offset of N still needs.
    line_row_bytes : int
        Longest row of the line buffer: width times channels.
    pointwise_weight_bytes : int
        Weights of the 1x1 convolution, four bits each; of the 3x3 one with a full core.
    pixel_buffer_bytes : int
        Ring of pixels that wait for the 1x1 array; a power of two.
    max_channels : int
        Most channels of the 3x3 convolution, and most outputs of the 1x1.
    offset_buffer_bytes : int
        Offsets of a call, one byte for each pixel that it writes.
    dram_latency_cycles : int
        From a read command to its first beat.
    clock_mhz : float
    """

    lanes: PositiveInt = 16
    bound: Annotated[int, Field(gt=0, le=31)] = 7
    window_ports: Literal[1, 3, 9] = 3
    core: Literal["depthwise", "full"] = "depthwise"
    memory: Literal["line_buffer", "gather"] = "line_buffer"
    gather_bursts: Annotated[int, Field(gt=0, le=16)] = 1
    packed_products: bool = False
    lead: Literal["exact", "public"] = "exact"
    line_row_bytes: PositiveInt = 16384
    pointwise_weight_bytes: PositiveInt = 262144
    pixel_buffer_bytes: PositiveInt = 2048
    max_channels: PositiveInt = 1024
    offset_buffer_bytes: PositiveInt = 16384
    dram_latency_cycles: Annotated[int, Field(gt=0, le=4096)] = 64
    clock_mhz: Annotated[float, Field(gt=0, le=10000, allow_inf_nan=False)] = 250.0

    @model_validator(mode="after")
    def _check(self) -> DeformEngineConfig:
        if not is_power_of_two(self.lanes) or not 2 <= self.lanes <= 64:
            raise ValueError(
                f"lanes={self.lanes} must be a power of two from 2 to 64; "
                f"set it to {min(64, max(2, power_of_two(self.lanes)))}"
            )
        if self.core == "full" and self.packed_products:
            raise ValueError(
                "packed_products belongs to the 1x1 array, which core=full has not; set it to false"
            )
        if not is_power_of_two(self.pixel_buffer_bytes) or self.pixel_beats < 2:
            raise ValueError(
                f"pixel_buffer_bytes={self.pixel_buffer_bytes} must be a power of two that holds "
                f"two beats of {self.lanes} bytes; set it to "
                f"{max(2 * self.lanes, power_of_two(self.pixel_buffer_bytes))}"
            )
        if self.memory == "gather" and (self.window_ports != TAPS or self.lead != "exact"):
            raise ValueError(
                "memory=gather has a memory for each tap and no line buffer; set window_ports to 9 "
                "and lead to exact"
            )
        if self.core == "full" and not self.full_words:
            raise ValueError(
                f"pointwise_weight_bytes={self.pointwise_weight_bytes} cannot hold the weights of "
                f"one window; set it to at least {self.lanes**2 * TAPS * WEIGHT_BITS // 8}"
            )
        for name, unit in (
            ("line_row_bytes", self.lanes),
            ("pointwise_weight_bytes", self.lanes * self.lanes * WEIGHT_BITS // 8),
            ("max_channels", self.lanes),
            ("offset_buffer_bytes", self.lanes),
        ):
            value = getattr(self, name)
            if value % unit:
                raise ValueError(
                    f"{name}={value} must be a multiple of {unit} where lanes={self.lanes}; "
                    f"set it to {-(-value // unit) * unit}"
                )
        return self

    @property
    def port_bits(self) -> int:
        """One beat: ``lanes`` channels of one pixel."""
        return self.lanes * ACTIVATION_BITS

    @property
    def buffer_rows(self) -> int:
        """Rows of the line buffer."""
        return 2 * self.bound + 1

    @property
    def row_beats(self) -> int:
        return self.line_row_bytes // self.lanes

    @property
    def pixel_beats(self) -> int:
        return self.pixel_buffer_bytes // self.lanes

    @property
    def pointwise_words(self) -> int:
        """Words of ``lanes`` x ``lanes`` weights, one for each cycle of a pixel."""
        return self.pointwise_weight_bytes * 8 // (self.lanes * self.lanes * WEIGHT_BITS)

    @property
    def full_words(self) -> int:
        """Words of nine times as many weights, one for each window of a full core."""
        return self.pointwise_words // TAPS

    @property
    def weight3_beats_per_word(self) -> int:
        """Of the nine weights of each channel; for a full core of each pair of channels."""
        channels = self.lanes if self.core == "full" else 1
        return -(-TAPS * channels * WEIGHT_BITS // ACTIVATION_BITS)

    @property
    def max_groups(self) -> int:
        """Groups of ``lanes`` channels for which there are scales and 3x3 weights."""
        return self.max_channels // self.lanes

    @property
    def offset_beats(self) -> int:
        return self.offset_buffer_bytes // self.lanes

    @property
    def steps(self) -> int:
        """Cycles in which the line buffer gives one window."""
        return TAPS // self.window_ports

    @property
    def column_banks(self) -> int:
        """Banks that hold a row of the line buffer.

        For nine ports the least odd number above N: an odd number divides 2s only where it divides
        s, so columns c - s, c and c + s lie in three banks, or for s = 0 all in one.
        """
        return 1 if self.window_ports < TAPS else (self.bound + 1) | 1

    @property
    def bank_beats(self) -> int:
        """Depth of one bank: its share of the longest row, and one pixel more."""
        if self.column_banks == 1:
            return self.row_beats
        return -(-self.row_beats // self.column_banks) + self.max_groups

    @property
    def weight1_beats_per_word(self) -> int:
        return self.lanes * WEIGHT_BITS // ACTIVATION_BITS

    @property
    def described(self) -> dict[str, str | int]:
        """What tells one engine from another at a glance."""
        return {"lanes": self.lanes, "bound": self.bound, "window_ports": self.window_ports}

    @property
    def peak_macs_per_cycle(self) -> int:
        """Of the 1x1 array and the 3x3 unit together."""
        if self.core == "full":
            return self.lanes * self.lanes * TAPS
        return self.lanes * self.lanes + self.lanes * TAPS


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class DeformDesign(Design):
    """One deformable accelerator.

    Attributes
    ----------
    engine : DeformEngineConfig
        Runs every convolution, or with a second engine those that are neither deformable nor full
        3x3.
    second : str
        Engine beside it for the others; the two take turns.  ``none``; ``gather``: depthwise, taps
        from DRAM, offsets up to :data:`WIDEST`; ``full``: a full 3x3 convolution without offsets;
        ``full-gather``; ``full-1-port`` and ``full-3-ports``: with a line buffer.
    second_lanes, second_bound : int
        Of that engine; the bound is that of its line buffer.
    second_offset_bytes : int
        Its offset buffer.
    """

    engine: DeformEngineConfig
    second: SecondEngine = "none"
    second_lanes: PositiveInt = 8
    second_bound: Annotated[int, Field(gt=0, le=31)] = 7
    second_offset_bytes: PositiveInt = 16384

    @property
    def second_engine(self) -> DeformEngineConfig | None:
        """The engine that ``second`` names, with the clock, port and buffers of this one's kind."""
        if self.second == "none":
            return None
        lanes, gathers = self.second_lanes, "gather" in self.second
        full = "full" in self.second
        words = SECOND_WORDS if full else 1
        return replace(
            self.engine,
            lanes=lanes,
            bound=WIDEST if gathers else 1 if self.second == "full" else self.second_bound,
            window_ports=_SECOND_PORTS[self.second],
            core="full" if full else "depthwise",
            memory="gather" if gathers else "line_buffer",
            packed_products=False,
            pointwise_weight_bytes=words * lanes**2 * TAPS * WEIGHT_BITS // 8,
            pixel_buffer_bytes=2 * lanes,
            offset_buffer_bytes=self.second_offset_bytes,
        )

    @property
    def engines(self) -> tuple[DeformEngineConfig, ...]:
        """All engines of the design."""
        return (self.engine,) if self.second_engine is None else (self.engine, self.second_engine)


_FAMILY = DesignFamily(DeformDesign, title="a deformable design", folder="deform")
deform_design = _FAMILY.design
presets = _FAMILY.presets
preset = _FAMILY.preset
