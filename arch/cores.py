"""Compute cores of the GEMM engine: formats, where each dequantises, how it multiplies.

A core is one entry of ``CORES``; simulator, RTL, layout and prices ask it for its properties and
never for its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Core = Literal[
    "mixpe_w4a8",
    "int8",
    "mixpe_w4a16",
    "fp16",
    "multiply_w4a8",
    "shift_add_int8",
    "int4",
    "dequant_w4a8",
    "dequant_w4a16",
    "lut_int8",
    "lut_int16",
    "lut_fp16",
    "lut_fp8",
    "unpu_int8",
    "conventional_lut_int8",
    "add_int8",
    "add_fp16",
    "mac_int8",
    "mac_fp16",
    "linear_w16a32",
]
Placement = Literal["after_group", "column_head", "pe", "never", "bias"]
WeightFormat = Literal[
    "int4",
    "uint4_zero",
    "int8",
    "fp16",
    "int8_scaled",
    "odd",
    "twos_complement",
    "zero_point",
    "int16",
    "int16_bias",
]
UnitKind = Literal["lookup", "full_table", "conventional", "add", "mac"]

MAX_WEIGHT_BITS = 8
"""Most bit planes of a weight."""

OUTPUT_BITS = 16
"""Of a result that is rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSpec:
    """What distinguishes one compute core from another.

    Attributes
    ----------
    title : str
        For legends and tables.
    activation_bits : int
    floating : bool
        Activations and sums are floating point.
    dequantise : str
        ``after_group``: one unit a column scales each group's sum.  ``column_head``: one unit a
        column dequantises each weight before it enters.  ``pe``: every PE does.  ``never``: FP16
        weights have no scale.  ``bias``: fixed-point weights have none either; in its place they
        have a bias of 16 bits, which one unit a column shifts and adds to the group's sum, and
        results are truncated.
    stored, computed : tuple of str, str
        Formats of weights that are stored (quantised offline), and of operands that are computed
        at run time (keys and values of attention) unless these are quantised to 4 bits.
    unit : str, optional
        What takes a step of ``lut_k`` k that reaches all units in one cycle; None where one k a
        cycle moves through a systolic array.  ``lookup``: a symmetric table of the step's
        activations, made once a row.  ``full_table``: the same with every sum in the table and
        weights in two's complement.  ``conventional``: every unit makes a full table.  ``add``: an
        adder tree.  ``mac``: whole weights, with multipliers.
    slice_bits : int
        Smallest part of a weight that the scratchpads address.
    slices_per_word : int
        Slices of one weight that the core reads in a cycle.
    nibble_passes : bool
        INT8 weights take two passes over their nibbles, and twice the time.
    wait_cycles : int
        For which activations wait for their weights before a systolic array.
    product_cycles : int
        Registers between the operands of a PE, or of a unit that multiplies integers, and its
        accumulator.
    dequant_cycles : int
        Registers of the unit that scales a group's sum; of a core that broadcasts they follow from
        its format, as all its latencies do (``GemmEngineConfig``).
    most_lut_k, most_group : int
        Most k of a step, where one has several, and of a group.
    output_bits : int
        Of a result.
    output_cycles : int
        Registers between the one that rounds a result and the beat that carries it.
    """

    title: str
    activation_bits: int
    dequantise: Placement
    floating: bool = False
    unit: UnitKind | None = None
    stored: tuple[WeightFormat, ...] = ("int4", "uint4_zero")
    computed: WeightFormat = "int8"
    slice_bits: int = 4
    slices_per_word: int = 1
    nibble_passes: bool = False
    wait_cycles: int = 0
    product_cycles: int = 0
    dequant_cycles: int = 0
    most_lut_k: int = 8
    most_group: int = 1024
    output_bits: int = OUTPUT_BITS
    output_cycles: int = 0

    @property
    def broadcast(self) -> bool:
        return self.unit is not None

    @property
    def bit_serial(self) -> bool:
        """Weights come plane by plane of their bits, as many as a run-time register says, while the
        activations of a step are held.
        """
        return self.unit is not None and self.unit != "mac"

    @property
    def tables(self) -> bool:
        """What is broadcast are tables of a step's activations."""
        return self.unit in ("lookup", "full_table")

    @property
    def group_sums(self) -> bool:
        """Sums of activations correct for the zero points of the weights."""
        return self.after_group and self.unit != "mac"

    @property
    def after_group(self) -> bool:
        """A unit at the foot of each column takes the sums of groups."""
        return self.dequantise in ("after_group", "bias")

    @property
    def biased(self) -> bool:
        return self.dequantise == "bias"

    @property
    def group_segments(self) -> bool:
        """The PEs drain after each group; else after a whole k tile.

        Floating-point cores do so wherever they dequantise, so that the order of their sums, and
        with it every rounding, is the same under any mapping.
        """
        return self.after_group or self.floating

    @property
    def formats(self) -> tuple[WeightFormat, ...]:
        """Every weight format that the core runs."""
        return tuple(dict.fromkeys((*self.stored, self.computed)))


MIXPE_CORES: Mapping[Core, CoreSpec] = {
    "mixpe_w4a8": CoreSpec(
        title="MixPE W4A8",
        activation_bits=8,
        dequantise="after_group",
        nibble_passes=True,
        dequant_cycles=1,
    ),
    "int8": CoreSpec(
        title="INT8",
        activation_bits=8,
        dequantise="column_head",
        slices_per_word=2,
        wait_cycles=2,
    ),
    "mixpe_w4a16": CoreSpec(
        title="MixPE W4A16",
        activation_bits=16,
        floating=True,
        dequantise="after_group",
        nibble_passes=True,
        product_cycles=1,
        dequant_cycles=2,
    ),
    "fp16": CoreSpec(
        title="FP16",
        activation_bits=16,
        floating=True,
        dequantise="never",
        stored=("fp16",),
        computed="fp16",
        slice_bits=16,
        product_cycles=1,
    ),
    "multiply_w4a8": CoreSpec(
        title="W4A8 multiplier, after the group",
        activation_bits=8,
        dequantise="after_group",
        nibble_passes=True,
        dequant_cycles=1,
    ),
    "shift_add_int8": CoreSpec(
        title="INT8 shift-and-add",
        activation_bits=8,
        dequantise="column_head",
        slices_per_word=2,
        wait_cycles=2,
    ),
    "int4": CoreSpec(
        title="INT4 x INT4",
        activation_bits=4,
        dequantise="after_group",
        nibble_passes=True,
        dequant_cycles=1,
    ),
    "dequant_w4a8": CoreSpec(
        title="INT4 x INT8, dequantised in the PE",
        activation_bits=8,
        dequantise="pe",
        slices_per_word=2,
        product_cycles=2,
    ),
    "dequant_w4a16": CoreSpec(
        title="INT4 x FP16, dequantised in the PE",
        activation_bits=16,
        floating=True,
        dequantise="pe",
        slices_per_word=2,
        product_cycles=3,
    ),
}
"""MixPE and the cores that it is compared with."""


def _bit_serial(
    title: str, activation_bits: int, *, unit: UnitKind, floating: bool = False
) -> CoreSpec:
    return CoreSpec(
        title=title,
        activation_bits=activation_bits,
        dequantise="after_group",
        floating=floating,
        unit=unit,
        stored=("odd", "twos_complement", "zero_point"),
        slice_bits=1,
    )


LUT_CORES: Mapping[Core, CoreSpec] = {
    "lut_int8": _bit_serial("LUT INT8", 8, unit="lookup"),
    "lut_int16": _bit_serial("LUT INT16", 16, unit="lookup"),
    "lut_fp16": _bit_serial("LUT FP16", 16, unit="lookup", floating=True),
    "lut_fp8": _bit_serial("LUT FP8", 8, unit="lookup", floating=True),
    "unpu_int8": _bit_serial("UNPU-like INT8", 8, unit="full_table"),
    "conventional_lut_int8": _bit_serial("conventional LUT INT8", 8, unit="conventional"),
    "add_int8": _bit_serial("bit-serial adders INT8", 8, unit="add"),
    "add_fp16": _bit_serial("bit-serial adders FP16", 16, unit="add", floating=True),
    "mac_int8": CoreSpec(
        title="MAC INT8",
        activation_bits=8,
        dequantise="after_group",
        unit="mac",
        stored=("int8_scaled",),
        slice_bits=8,
    ),
    "mac_fp16": CoreSpec(
        title="MAC FP16",
        activation_bits=16,
        floating=True,
        dequantise="after_group",
        unit="mac",
        stored=("fp16",),
        computed="fp16",
        slice_bits=16,
    ),
}
"""LUT Tensor Core and the cores that it is compared with."""

M3VIT_CORES: Mapping[Core, CoreSpec] = {
    "linear_w16a32": CoreSpec(
        title="linear W16A32",
        activation_bits=32,
        dequantise="bias",
        unit="mac",
        stored=("int16_bias", "int16"),
        computed="int16",
        slice_bits=16,
        product_cycles=3,
        most_lut_k=16,
        most_group=4096,
        output_bits=32,
        output_cycles=3,
    ),
}
"""M3ViT's unified linear unit."""

CORES: Mapping[Core, CoreSpec] = {**MIXPE_CORES, **LUT_CORES, **M3VIT_CORES}
"""Every core, by the name that a configuration gives."""
