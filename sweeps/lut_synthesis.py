"""LUT arrays and their baselines as sums of measured parts: area and power, library by library.

``sweeps/measured/lut_synthesis.csv`` holds one line for each part in each library: a unit without a
drain chain, a row's head, the registers of a row's or a column's operand, synthesised alone for the
library's clock and run on real operands.  ``python -m dovetail.lut_synthesis`` makes its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import pandas as pd

from dovetail.errors import ConfigError
from dovetail.models.lut.tables import table_entry_bits

Tables = Literal["made", "loaded"]

LANES = 512
"""One-bit multiply-accumulates of a tensor core in one cycle."""

ARRAY_ROWS, ARRAY_COLS = 2, 8
"""Of the small array that is measured as a whole."""

WEIGHT_BITS = (1, 2, 4, 8)
"""At which bit-serial units are measured; figures between them are interpolated."""

POWERED = {"int8": (1, 2, 4), "int16": (1,), "fp16": (1, 2)}
"""Weight bits at which the energy of all kinds of units is measured, by activation."""

_BITS = {"int8": 8, "int16": 16, "fp16": 16}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What some logic takes.

    Attributes
    ----------
    area_um2 : float
    energy_pj : float
        Of one cycle with operands.
    leakage_nw : float
    """

    area_um2: float = 0.0
    energy_pj: float = 0.0
    leakage_nw: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            area_um2=self.area_um2 + other.area_um2,
            energy_pj=self.energy_pj + other.energy_pj,
            leakage_nw=self.leakage_nw + other.leakage_nw,
        )

    def __mul__(self, count: float) -> Cost:
        return Cost(
            area_um2=self.area_um2 * count,
            energy_pj=self.energy_pj * count,
            leakage_nw=self.leakage_nw * count,
        )

    def power_mw(self, clock_mhz: float) -> float:
        """Power at a clock, dynamic and leakage."""
        # pJ x MHz = uW
        return self.energy_pj * clock_mhz * 1e-3 + self.leakage_nw * 1e-6


@dataclass(frozen=True, kw_only=True)
class Array:
    """``rows`` x ``cols`` units of one kind, ``lut_k`` activations each.

    Attributes
    ----------
    kind, activation, sums : str
        As of :class:`dovetail.rtl.lut.design.DotDesign`; ``sums`` is ``exact`` for integers.
    rows, cols, lut_k : int
    weight_bits : int
        Planes, and cycles, of a weight; of ``mac`` units what weights were dequantised from.
    tables : str
        ``made``: a head a row, inside; ``loaded``: the operand comes in.
    registers : bool
        Registers of tables, of activations and of weights are counted.
    """

    kind: str
    activation: str
    rows: int = 1
    cols: int = 1
    lut_k: int = 4
    weight_bits: int = 1
    sums: str = "exact"
    tables: Tables = "loaded"
    registers: bool = True

    @property
    def cycles(self) -> int:
        """Cycles of one step."""
        return 1 if self.kind == "mac" else self.weight_bits

    @property
    def row_bits(self) -> int:
        """Width of what a row broadcasts."""
        bits, k = _BITS[self.activation], self.lut_k
        floating = self.activation == "fp16"
        if self.kind in ("lookup", "plain"):
            return (1 << (k - 1)) * (bits if floating else table_entry_bits(bits, k))
        if self.kind in ("full", "full_signed"):
            # The sum of nothing needs no register.
            return ((1 << k) - 1) * (bits if floating else ((k << (bits - 1)) - 1).bit_length() + 1)
        return k * bits

    @property
    def column_bits(self) -> int:
        """Width of a column's slice."""
        return self.lut_k * (_BITS[self.activation] if self.kind == "mac" else 1)


@cache
def measured() -> pd.DataFrame:
    """Every measured part."""
    path = files("dovetail.sweeps") / "measured" / "lut_synthesis.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)


def libraries() -> tuple[str, ...]:
    """Libraries of the table, in its order."""
    return tuple(measured()["library"].unique())


def clock_mhz(library: str) -> float:
    """The clock that a library's parts were sized for."""
    table = measured()
    return float(table[table["library"] == library]["clock_mhz"].iloc[0])


@cache
def part(
    library: str,
    *,
    part: str,
    kind: str,
    activation: str,
    lut_k: int = 4,
    weight_bits: int | None = None,
    sums: str = "exact",
) -> pd.Series:
    """The line of one part; of any weight bits where none are given.

    Raises
    ------
    ConfigError
        Where it is not measured.
    """
    table = measured()
    given: dict[str, str | int] = {
        "library": library,
        "part": part,
        "kind": kind,
        "activation": activation,
        "lut_k": lut_k,
        "sums": sums,
    }
    if weight_bits is not None:
        given["weight_bits"] = weight_bits
    for name, value in given.items():
        table = table[table[name] == value]
    if table.empty:
        what = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ConfigError(f"no measurement of {what}; measure it with dovetail.lut_synthesis")
    return table.iloc[0]


def _cost(line: pd.Series) -> Cost:
    return Cost(
        area_um2=float(line["area_um2"]),
        energy_pj=float(line["energy_pj_per_cycle"]),
        leakage_nw=float(line["leakage_nw"]),
    )


def unit_cost(library: str, array: Array) -> Cost:
    """Of one unit; between two measured weight bits, in proportion."""

    def of(weight_bits: int | None) -> Cost:
        return _cost(
            part(
                library,
                part="unit",
                kind=array.kind,
                activation=array.activation,
                lut_k=array.lut_k,
                weight_bits=weight_bits,
                sums=array.sums,
            )
        )

    if array.kind == "mac":  # one circuit, whose operands differ; run with those of few weight bits
        return of(array.weight_bits if array.weight_bits in POWERED[array.activation] else None)
    if array.weight_bits in WEIGHT_BITS:
        return of(array.weight_bits)
    below = max(bits for bits in WEIGHT_BITS if bits < array.weight_bits)
    above = min(bits for bits in WEIGHT_BITS if bits > array.weight_bits)
    share = (array.weight_bits - below) / (above - below)
    return of(below) * (1 - share) + of(above) * share


def _changing(line: pd.Series, cycles: int) -> Cost:
    """Of what gets new operands once in ``cycles`` cycles; measured once in ``weight_bits``."""
    cost = _cost(line)
    clock = float(line["clock_pj_per_cycle"])
    held = 1 if line["part"] == "head" or line["kind"] == "mac" else int(line["weight_bits"])
    return Cost(
        area_um2=cost.area_um2,
        energy_pj=clock + (cost.energy_pj - clock) * held / cycles,
        leakage_nw=cost.leakage_nw,
    )


def _row_registers(library: str, array: Array) -> Cost:
    """Of one row's operand, in proportion to that of a step of 4."""
    kind = {"plain": "lookup", "full_signed": "full", "add_binary": "add"}.get(
        array.kind, array.kind
    )
    sums = "fp16" if array.activation == "fp16" else "exact"
    line = part(library, part="row_register", kind=kind, activation=array.activation, sums=sums)
    of_four = Array(kind=kind, activation=array.activation, lut_k=4).row_bits
    if kind == "full":  # measured with a register for the sum of nothing
        of_four = of_four * 16 // 15
    return _changing(line, array.cycles) * (array.row_bits / of_four)


def _column_registers(library: str, array: Array) -> Cost:
    """Of one column's slice, in proportion to that of a step of 4; a new one comes each cycle."""
    kind, activation = ("mac", array.activation) if array.kind == "mac" else ("lookup", "int8")
    sums = "fp16" if activation == "fp16" else "exact"
    line = part(library, part="column_register", kind=kind, activation=activation, sums=sums)
    of_four = Array(kind=kind, activation=activation, lut_k=4).column_bits
    return _cost(line) * (array.column_bits / of_four)


def array_cost(library: str, array: Array) -> Cost:
    """Of a whole array: units, heads or the rows' registers, the columns' registers."""
    total = unit_cost(library, array) * (array.rows * array.cols)
    if array.tables == "made":
        sums = "exact" if array.sums == "exact" else "fp16"
        kind = {"plain": "lookup"}.get(array.kind, array.kind)
        head = part(library, part="head", kind=kind, activation=array.activation, sums=sums)
        cost = _changing(head, array.cycles)
        if not array.registers:
            held = _row_registers(library, array)
            cost = cost + held * -1
        total = total + cost * array.rows
    elif array.registers:
        total = total + _row_registers(library, array) * array.rows
    if array.registers:
        total = total + _column_registers(library, array) * array.cols
    return total


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step from the UNPU-like array to LUT Tensor Core.

    Attributes
    ----------
    name : str
    array : Array
    """

    name: str
    array: Array


def unpu_steps(*, registers: bool = True) -> tuple[Step, ...]:
    """The four arrays of the paper's table 2: M2 N64 K4, 2-bit weights, INT8 activations."""

    def array(kind: str, tables: Tables) -> Array:
        return Array(
            kind=kind,
            activation="int8",
            rows=2,
            cols=64,
            weight_bits=2,
            tables=tables,
            registers=registers,
        )

    return (
        Step(name="UNPU-like", array=array("full_signed", "made")),
        Step(name="+ weight reinterpretation", array=array("plain", "made")),
        Step(name="+ negation removed", array=array("lookup", "made")),
        Step(name="+ precompute moved out", array=array("lookup", "loaded")),
    )


def shapes(lanes: int = LANES, ks: tuple[int, ...] = (2, 4, 8)) -> Iterator[tuple[int, int, int]]:
    """Every M, N, K in powers of two with ``lanes`` lanes."""
    for k in ks:
        for power in range((lanes // k).bit_length()):
            yield 1 << power, lanes // k >> power, k


def area_power(library: str, array: Array) -> float:
    """Area times power, um2 x mW, of one multiply-accumulate a cycle, squared."""
    cost = array_cost(library, array)
    rate = array.rows * array.cols * array.lut_k / array.cycles
    return cost.area_um2 / rate * cost.power_mw(clock_mhz(library)) / rate


def area_per_mac(library: str, array: Array) -> float:
    """Area of one multiply-accumulate a cycle, um2."""
    return (
        array_cost(library, array).area_um2 * array.cycles / (array.rows * array.cols * array.lut_k)
    )


def energy_per_mac(library: str, kind: str, activation: str, weight_bits: int) -> float:
    """Energy of a multiply-accumulate in a unit alone, pJ, with the clock's share.

    Neither tables nor registers of operands are in it.
    """
    sums = "fp16" if activation == "fp16" else "exact"
    array = Array(kind=kind, activation=activation, weight_bits=weight_bits, sums=sums)
    return unit_cost(library, array).energy_pj * array.cycles / array.lut_k


def break_even(library: str, kind: str, activation: str, *, tables: Tables, registers: bool) -> int:
    """Most weight bits, up to 8, at which a kind of unit takes less area a MAC than ``mac``; 0.

    As in the paper's figure 13, four columns share a row's operand.
    """
    sums = "fp16" if activation == "fp16" else "exact"

    def area(kind: str, tables: Tables, weight_bits: int) -> float:
        array = Array(
            kind=kind,
            activation=activation,
            cols=4,
            weight_bits=weight_bits,
            sums=sums,
            tables=tables,
            registers=registers,
        )
        return area_per_mac(library, array)

    mac = area("mac", "loaded", 1)
    return max((bits for bits in range(1, 9) if area(kind, tables, bits) < mac), default=0)


def tensor_core(library: str, activation: str, weight_bits: int, *, registers: bool) -> Cost:
    """A MAC tensor core of :data:`LANES` MACs, or of 256 in FP16; weights had ``weight_bits``."""
    floating = activation == "fp16"
    array = Array(
        kind="mac",
        activation=activation,
        rows=8,
        cols=8 if floating else 16,
        weight_bits=weight_bits,
        sums="fp16" if floating else "exact",
        registers=registers,
    )
    return array_cost(library, array)


def lut_tensor_core(library: str, activation: str, weight_bits: int, *, registers: bool) -> Cost:
    """M2 N64 K4 with tables that are loaded."""
    array = Array(
        kind="lookup",
        activation=activation,
        rows=2,
        cols=64,
        weight_bits=weight_bits,
        sums="fp16" if activation == "fp16" else "exact",
        registers=registers,
    )
    return array_cost(library, array)


def whole_and_parts(library: str) -> tuple[Cost, Cost]:
    """A small array, W2A8, synthesised as one, and the sum of its parts."""
    whole = part(library, part="array", kind="lookup", activation="int8", weight_bits=2)
    array = Array(kind="lookup", activation="int8", rows=ARRAY_ROWS, cols=ARRAY_COLS, weight_bits=2)
    return _cost(whole), array_cost(library, array)
