"""Design points of the GEMM engine: the one place where its hardware parameters are declared.

An engine is a compute core with scratchpads, a DRAM port and control.  Units are part of the name
(``_bits``, ``_bytes``, ``_cycles``, ``_mhz``).  What can be computed is a property, never a field,
so two fields cannot contradict each other.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.cores import CORES, MAX_WEIGHT_BITS, Core, CoreSpec
from dovetail.arch.number_formats import FP16, float_format
from dovetail.arch.spad import SpadShape, is_power_of_two, power_of_two

PositiveInt = Annotated[int, Field(gt=0)]

WEIGHT_BITS = 4  # of a quantised weight
SCALE_BITS = 12  # unsigned integer scale of one group
ZERO_BITS = 4  # unsigned zero point of one group; with the scale it fills a 16-bit lane
SCALE_LANE_BITS = SCALE_BITS + ZERO_BITS
FIXED_ACCUMULATOR_BITS = 48  # of the sum over groups, in integers
WIDE_ACCUMULATOR_BITS = 56  # where activations are wider than 8 bits
FLOATING_ACCUMULATOR_BITS = 32  # FP32
LEAST_LUT_K = 2  # k of a step of a broadcast core
K_TILE_SUM_BITS = 32  # inside a PE that sums INT8 products over a whole k tile
TABLE_TRAILER_BITS = 32  # of a table of INT8: exponent (7), NaN (1), the exact first entry (24)
MAX_K = 1 << 16  # 2^16 products of two INT8 fill K_TILE_SUM_BITS


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class GemmEngineConfig:
    """A GEMM engine: ``rows`` x ``cols`` output-stationary PEs, scratchpads and a DRAM port.

    The constructor raises pydantic's error; inside
    :func:`dovetail.arch.validation.refused_in_one_line` that becomes one line.

    Attributes
    ----------
    core : str
        Name of a compute core in :data:`dovetail.arch.cores.CORES`.
    rows, cols : int
        PEs along M and along N; 1 to 256.
    max_group : int
        Longest quantisation group, a power of two; sets the width of integer sums of a group.
    lut_k : int
        k of a step, 2 to 8 (16 of a core with biases), of a core that broadcasts whole steps; 1 for
        the others.
    table : str
        ``exact`` entries, or ``int8``: rounded to 8 bits with one power of two a table.
    tables : str
        ``made`` at the head of each row, from activations; or ``loaded`` from DRAM instead of them.
        Both only of cores with symmetric tables.
    zero_bits : int
        Of a group's zero point, 4 or 8.  With 4 a scale's lane has 16 bits, with 8 it has 32, and
        weights of 5 to 8 bits may have zero points; only bit-serial cores take 8.
    sum_format : str
        ``fp32`` or ``fp16``: format in which a PE of a floating-point core sums a group; integer
        cores do not have one.
    activation_buffer_bytes, weight_buffer_bytes, scale_buffer_bytes : int
        Capacity of each operand scratchpad, both halves together.
    accumulator_buffer_bytes : int
        Capacity of the buffer of sums over groups, both halves together.
    port_bits : int
        Width of the DRAM port: one beat each of read and write data a cycle; a power of two.
    dram_latency_cycles : int
        From a read command to its first beat.
    clock_mhz : float
        Clock of the whole engine.
    """

    core: Core = "mixpe_w4a8"
    rows: Annotated[int, Field(gt=0, le=256)]
    cols: Annotated[int, Field(gt=0, le=256)]
    max_group: PositiveInt = 128
    lut_k: int = 1
    table: Literal["exact", "int8"] = "exact"
    tables: Literal["made", "loaded"] = "made"
    zero_bits: Literal[4, 8] = 4
    sum_format: Literal["fp16", "fp32"] = "fp32"
    activation_buffer_bytes: PositiveInt = 262144
    weight_buffer_bytes: PositiveInt = 131072
    scale_buffer_bytes: PositiveInt = 16384
    accumulator_buffer_bytes: PositiveInt = 131072
    port_bits: PositiveInt = 1024
    dram_latency_cycles: Annotated[int, Field(gt=0, le=4096)] = 64
    clock_mhz: Annotated[float, Field(gt=0, le=10000, allow_inf_nan=False)] = 500.0

    @model_validator(mode="after")
    def _check(self) -> GemmEngineConfig:
        longest = self.spec.most_group
        if not is_power_of_two(self.max_group) or self.max_group > longest:
            raise ValueError(
                f"max_group={self.max_group} must be a power of two up to {longest}; "
                f"set it to {min(longest, power_of_two(self.max_group))}"
            )
        least, most = (LEAST_LUT_K, self.spec.most_lut_k) if self.spec.broadcast else (1, 1)
        if not least <= self.lut_k <= most:
            allowed = f"from {least} to {most}" if most > 1 else "1"
            raise ValueError(
                f"lut_k={self.lut_k} must be {allowed} for core={self.core}; "
                f"set it to {4 if most > 1 else 1}"
            )
        for name, default in (("table", "exact"), ("tables", "made")):
            if getattr(self, name) != default and self.spec.unit != "lookup":
                raise ValueError(
                    f"{name}={getattr(self, name)} needs a core with symmetric tables; core="
                    f"{self.core} has none: remove {name}"
                )
        if self.max_group < self.lut_k:
            raise ValueError(
                f"max_group={self.max_group} is shorter than a step of lut_k={self.lut_k}; "
                f"set it to at least {power_of_two(self.lut_k)}"
            )
        if self.zero_bits != ZERO_BITS and not self.spec.bit_serial:
            raise ValueError(
                f"zero_bits={self.zero_bits} needs a bit-serial core; weights of core={self.core} "
                f"have 4 bits: remove zero_bits"
            )
        if not is_power_of_two(self.port_bits) or not 8 <= self.port_bits <= 4096:
            raise ValueError(
                f"port_bits={self.port_bits} must be a power of two from 8 to 4096; "
                f"set it to {min(4096, max(8, power_of_two(self.port_bits)))}"
            )
        for name in ("activation", "weight", "scale"):
            spad: SpadShape = getattr(self, name)
            if spad.half_rows < 1:
                raise ValueError(
                    f"{name}_buffer_bytes={getattr(self, f'{name}_buffer_bytes')} cannot hold two "
                    f"rows of {spad.row_bits} bits (the wider of array word and port); "
                    f"set it to at least {spad.row_bits // 4}"
                )
        if self.accumulator_half_tiles < 1:
            need = -(-2 * self.rows * self.cols * self.accumulator_bits // 8)
            raise ValueError(
                f"accumulator_buffer_bytes={self.accumulator_buffer_bytes} cannot hold two tiles "
                f"of rows={self.rows} x cols={self.cols} accumulators of {self.accumulator_bits} "
                f"bits; set it to at least {need}"
            )
        if self.sum_format != "fp32" and not self.spec.floating:
            raise ValueError(
                f"sum_format={self.sum_format} needs a floating-point core; core={self.core} sums "
                f"integers: remove sum_format"
            )
        return self

    @property
    def spec(self) -> CoreSpec:
        """Properties of the compute core."""
        return CORES[self.core]

    @property
    def chained(self) -> bool:
        """The engine runs chains of GEMMs (:class:`dovetail.arch.chained.ChainedEngineConfig`)."""
        return False

    # scratchpads

    @property
    def rows_padded(self) -> int:
        """Rows in DRAM and scratchpad words: a power of two, so that words pack into beats.

        At least two where an activation has 4 bits, so that a slice fills a byte.
        """
        return max(8 // self.activation_step_bits, power_of_two(self.rows))

    @property
    def cols_padded(self) -> int:
        """Columns in DRAM and scratchpad words; enough that a slice fills a byte."""
        return max(2, 8 // self.weight_step_bits, power_of_two(self.cols))

    @property
    def activation_step_bits(self) -> int:
        """What a step of one row takes in DRAM and scratchpad: a power of two."""
        if self.tables == "loaded":
            return power_of_two(self.table_bits)
        return power_of_two(self.lut_k * self.spec.activation_bits)

    @property
    def table_entry_bits(self) -> int:
        """One entry of a step's exact table: FP16, or the sum of ``lut_k`` integers."""
        if self.spec.floating:
            return FP16.bits
        return (self.lut_k << (self.spec.activation_bits - 1)).bit_length() + 1

    @property
    def table_bits(self) -> int:
        """A step's table in DRAM; of INT8 entries with what belongs to all of them."""
        entries = 1 << (self.lut_k - 1)
        if self.table == "int8":
            return 8 * entries + TABLE_TRAILER_BITS
        return self.table_entry_bits * entries

    @property
    def weight_step_bits(self) -> int:
        """What a slice of a step of one column takes in DRAM and scratchpad: a power of two."""
        return power_of_two(self.lut_k * self.spec.slice_bits)

    def _spad(self, capacity_bytes: int, slice_bits: int, slices_per_word: int = 1) -> SpadShape:
        word_bits = slice_bits * slices_per_word
        row_bits = max(word_bits, self.port_bits)
        return SpadShape(
            slice_bits=slice_bits,
            word_bits=word_bits,
            row_bits=row_bits,
            half_rows=capacity_bytes * 8 // row_bits // 2,
            beat_bits=self.port_bits,
        )

    @property
    def activation(self) -> SpadShape:
        """One slice is one step of ``rows`` activations."""
        return self._spad(
            self.activation_buffer_bytes, self.rows_padded * self.activation_step_bits
        )

    @property
    def weight(self) -> SpadShape:
        """One slice is one nibble or bit plane of a step of ``cols`` weights, or all of FP16."""
        slice_bits = self.cols_padded * self.weight_step_bits
        return self._spad(self.weight_buffer_bytes, slice_bits, self.spec.slices_per_word)

    @property
    def scale(self) -> SpadShape:
        """One slice is the scale and zero point of one group of ``cols`` columns."""
        return self._spad(self.scale_buffer_bytes, self.cols_padded * self.scale_lane_bits)

    @property
    def scale_lane_bits(self) -> int:
        """A scale with its zero point: a power of two."""
        return power_of_two(SCALE_BITS + self.zero_bits)

    @property
    def accumulator_half_rows(self) -> int:
        """Rows of ``cols`` accumulators in each half of the accumulator buffer."""
        return self.accumulator_buffer_bytes * 8 // (self.cols * self.accumulator_bits) // 2

    @property
    def accumulator_half_tiles(self) -> int:
        """Array tiles (``rows`` x ``cols`` outputs) that each half can hold."""
        return self.accumulator_half_rows // self.rows

    @property
    def output_row_bits(self) -> int:
        """One row of an array tile's results in DRAM."""
        return self.cols_padded * self.spec.output_bits

    # compute

    @property
    def weight_slices(self) -> int:
        """Slices of a step without group scales: two nibbles of INT8, others as a whole.

        The planes of a bit-serial core are not among them.
        """
        return 1 if self.spec.computed == "fp16" or self.spec.broadcast else 2

    @property
    def makes_tables(self) -> bool:
        """Tables of the activations are made at the heads of the rows."""
        return self.spec.tables and self.tables == "made"

    @property
    def accumulator_bits(self) -> int:
        """One sum over groups: integer of 48 bits, or more for wide activations, or FP32.

        Where biases are added, no more than 48 bits modulo a power of two are ever used.
        """
        if self.spec.floating:
            return FLOATING_ACCUMULATOR_BITS
        if self.spec.biased:
            return FIXED_ACCUMULATOR_BITS
        return WIDE_ACCUMULATOR_BITS if self.spec.activation_bits > 8 else FIXED_ACCUMULATOR_BITS

    @property
    def pe_accumulator_bits(self) -> int:
        """Sum of ``max_group`` products with a nibble, or with 8 bits where ``broadcast``; of a
        whole k tile; ``sum_format``; or the accumulator's own width.
        """
        if self.spec.floating:
            return float_format(self.sum_format).bits
        if self.spec.biased:
            return self.accumulator_bits
        if not self.spec.group_segments:
            return K_TILE_SUM_BITS
        weight_bits = MAX_WEIGHT_BITS if self.spec.broadcast else WEIGHT_BITS
        return self.spec.activation_bits + weight_bits + (self.max_group - 1).bit_length()

    @property
    def group_sum_bits(self) -> int:
        if self.spec.floating:
            return float_format(self.sum_format).bits
        return self.spec.activation_bits + (self.max_group - 1).bit_length()

    @property
    def peak_macs_per_cycle(self) -> int:
        """MACs at the PE's own widths: a nibble for cores with ``nibble_passes``, a bit of a weight
        where bit-serial.
        """
        return self.rows * self.cols * self.lut_k

    @property
    def head_cycles(self) -> int:
        """Registers between a step's activations and what is broadcast.

        An exact table of integers is made in one cycle, one of FP16 with an addition a cycle; INT8
        entries take a cycle for their rounding, and those of FP16 one more for the largest entry.
        """
        if not self.makes_tables:
            return 0
        rounding = (2 if self.spec.floating else 1) if self.table == "int8" else 0
        return (self.lut_k - 1 if self.spec.floating else 1) + rounding

    @property
    def product_cycles(self) -> int:
        """Registers between a unit's operands and its accumulator."""
        spec = self.spec
        if not spec.broadcast or not spec.floating:
            return spec.product_cycles
        # An entry is registered, so is each level of an adder tree; or products, and their sum.
        return {"add": (self.lut_k - 1).bit_length(), "mac": 2}.get(spec.unit or "", 1)

    @property
    def dequant_cycles(self) -> int:
        """Registers of the unit that scales a group's sum."""
        if self.spec.broadcast:
            return 2 if self.spec.floating else 1
        return self.spec.dequant_cycles

    @property
    def drain_cycles(self) -> int:
        """Cycles for which one segment occupies the columns' drain chains.

        One row a cycle, and two at least: an accumulator is read in one cycle and written in the
        next, so the same row must not come back sooner.
        """
        return max(self.rows, 2)

    @property
    def result_latency_cycles(self) -> int:
        """From the cycle after a tile's last k enters until its results can be written back.

        Scratchpad and input register (2), skew down the rows and the drain of ``rows`` results
        (2 rows - 1), skew across the columns (cols), then what the core adds: the column of group
        sums, the wait for dequantised weights, and registers of PEs and dequantisers.

        Where operands are broadcast there is no skew: scratchpad and input register (2), the
        accumulators' own cycle, the drain (rows), the same registers, and the accumulation.
        """
        spec = self.spec
        if spec.broadcast:
            return self.rows + 3 + self.head_cycles + self.product_cycles + self.dequant_cycles
        extra = spec.after_group + spec.wait_cycles + self.product_cycles + self.dequant_cycles
        return 2 * self.rows + self.cols + 1 + extra

    @property
    def segments_in_flight(self) -> int:
        """Segments that have entered the array and still need their scales, at most."""
        return (self.result_latency_cycles - 1) // self.drain_cycles + 2

    @property
    def described(self) -> dict[str, str | int]:
        """What tells one engine from another at a glance."""
        return {"core": self.core, "rows": self.rows, "cols": self.cols}

    @property
    def design_id(self) -> str:
        """Twelve hex digits that name this design point; equal configurations have equal ids."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]
