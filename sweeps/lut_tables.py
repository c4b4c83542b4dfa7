"""The tables of docs/lut-hardware.md; ``python -m dovetail.sweeps.lut_tables`` prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dovetail.sweeps.lut_synthesis import (
    POWERED,
    Array,
    Tables,
    area_per_mac,
    array_cost,
    break_even,
    clock_mhz,
    energy_per_mac,
    libraries,
    lut_tensor_core,
    part,
    tensor_core,
    unit_cost,
    unpu_steps,
    whole_and_parts,
)
from dovetail.sweeps.reproduce_lut_synthesis import ONE_BIT, k_costs, shape_costs

SERIAL: tuple[tuple[str, Tables], ...] = (("lookup", "loaded"), ("add", "loaded"), ("full", "made"))
"""Bit-serial units, and whether their tables are made inside."""

NAMES = {"lookup": "LUT", "add": "ADD", "full": "conventional LUT", "mac": "MAC"}


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def steps() -> str:
    """What each step from the UNPU-like array gains, library by library."""
    head = ["library", "array", "um2", "gain", "without registers", "mW", "gain"]
    rows = []
    for library in libraries():
        clock = clock_mhz(library)
        bare = unpu_steps(registers=False)
        first = array_cost(library, unpu_steps()[0].array)
        first_bare = array_cost(library, bare[0].array).area_um2
        for step, without in zip(unpu_steps(), bare, strict=True):
            cost = array_cost(library, step.array)
            without_um2 = array_cost(library, without.array).area_um2
            rows.append(
                [
                    library,
                    step.name,
                    f"{cost.area_um2:,.0f}",
                    f"{first.area_um2 / cost.area_um2:.3f}",
                    f"{first_bare / without_um2:.3f}",
                    f"{cost.power_mw(clock):.3g}",
                    f"{first.power_mw(clock) / cost.power_mw(clock):.3f}",
                ]
            )
    return _markdown(head, rows)


def weight_bits(activation: str) -> str:
    """Area of a multiply-accumulate a cycle by weight bits, four columns to a table."""
    bits = range(1, 9)
    head = ["library", "unit", *(f"W{b}" for b in bits), "below MAC up to", "without registers"]
    sums = "fp16" if activation == "fp16" else "exact"
    rows = []
    for library in libraries():
        mac = Array(kind="mac", activation=activation, cols=4, sums=sums)
        rows.append(
            [library, NAMES["mac"], *[f"{area_per_mac(library, mac):,.0f}"] * len(bits), "", ""]
        )
        for kind, tables in SERIAL:
            areas = [
                area_per_mac(
                    library,
                    Array(
                        kind=kind,
                        activation=activation,
                        cols=4,
                        weight_bits=b,
                        sums=sums,
                        tables=tables,
                    ),
                )
                for b in bits
            ]
            limits = [
                break_even(library, kind, activation, tables=tables, registers=counted)
                for counted in (True, False)
            ]
            rows.append(
                [
                    library,
                    NAMES[kind],
                    *(f"{area:,.0f}" for area in areas),
                    *(f"{limit} bits" for limit in limits),
                ]
            )
    return _markdown(head, rows)


def energies() -> str:
    """Energy of a multiply-accumulate in units alone, pJ, by weight bits."""
    columns = [
        (activation, bits) for activation in ("int8", "fp16") for bits in POWERED[activation]
    ]
    head = ["library", "unit", *(f"W{bits}A{8 if a == 'int8' else 16}" for a, bits in columns)]
    rows = []
    for library in libraries():
        for kind, name in NAMES.items():
            values = [energy_per_mac(library, kind, a, bits) for a, bits in columns]
            rows.append([library, name, *(f"{value:.3g}" for value in values)])
    return _markdown(head, rows)


def best_k() -> str:
    """Area times power of a unit by the activations of its table, over the best."""
    ks = range(2, 9)
    head = ["library", "unit", *(f"k = {k}" for k in ks)]
    rows = []
    for library in libraries():
        for name, activation, counted in (
            ("W2A8, table in registers", "int8", True),
            ("W2A8, table not counted", "int8", False),
            ("W1A16, table in registers", "fp16", True),
            ("W1A16, table not counted", "fp16", False),
        ):
            costs = k_costs(library, activation, registers=counted)
            best = min(costs.values())
            rows.append([library, name, *(f"{costs[k] / best:.2f}" for k in ks)])
    return _markdown(head, rows)


def best_shapes() -> str:
    """The best shapes of 512 lanes, W2A8: area times power over the best of all."""
    head = ["library", "K", *(f"N = {1 << p}" for p in range(2, 9))]
    rows = []
    for library in libraries():
        costs = shape_costs(library)
        best = min(costs.values())
        for k in (2, 4, 8):
            by_n = {n: (m, cost / best) for (m, n, size), cost in costs.items() if size == k}
            cells = [by_n.get(1 << p) for p in range(2, 9)]
            rows.append(
                [library, str(k), *("" if c is None else f"{c[1]:.3f} (M {c[0]})" for c in cells)]
            )
    return _markdown(head, rows)


def one_bit() -> str:
    """MAC tensor cores over LUT arrays of as many MACs a cycle, 1-bit weights."""
    head = ["library", "activations", "MAC um2", "LUT um2", "gain", "MAC mW", "LUT mW", "gain"]
    rows = []
    for library in libraries():
        clock = clock_mhz(library)
        for activation in ONE_BIT:
            mac = tensor_core(library, activation, 1, registers=True)
            if activation == "fp16":
                mac = mac * 2
            lut = lut_tensor_core(library, activation, 1, registers=True)
            rows.append(
                [
                    library,
                    activation.upper(),
                    f"{mac.area_um2:,.0f}",
                    f"{lut.area_um2:,.0f}",
                    f"{mac.area_um2 / lut.area_um2:.2f}",
                    f"{mac.power_mw(clock):.3g}",
                    f"{lut.power_mw(clock):.3g}",
                    f"{mac.power_mw(clock) / lut.power_mw(clock):.2f}",
                ]
            )
    return _markdown(head, rows)


def units() -> str:
    """A DP4 unit of each kind, and what makes a table."""
    head = ["library", "LUT W1A16", "MAC W16A16", "ratio", "with FP32 sums", "ratio"]
    rows = []
    for library in libraries():
        cells = []
        for sums in ("fp16", "fp32"):
            lut, mac = (
                unit_cost(library, Array(kind=kind, activation="fp16", sums=sums)).area_um2
                for kind in ("lookup", "mac")
            )
            if sums == "fp16":
                cells += [f"{lut:,.0f}", f"{mac:,.0f}", f"{mac / lut:.2f}"]
            else:
                cells += [f"{lut:,.0f} and {mac:,.0f}", f"{mac / lut:.2f}"]
        rows.append([library, *cells])
    return _markdown(head, rows)


def quantised() -> str:
    """Units and heads with INT8 entries beside exact ones, W2, um2."""
    head = ["library", "unit A8", "INT8 entries", "head A8", "quantising"]
    head += ["unit A16", "INT8 entries"]
    rows = []
    for library in libraries():
        areas = [
            part(library, part=which, kind=kind, activation=activation, weight_bits=2, sums=sums)[
                "area_um2"
            ]
            for which, kind, activation, sums in (
                ("unit", "lookup", "int8", "exact"),
                ("unit", "quantised", "int8", "exact"),
                ("head", "lookup", "int8", "exact"),
                ("head", "quantised", "int8", "exact"),
                ("unit", "lookup", "fp16", "fp16"),
                ("unit", "quantised", "fp16", "fp16"),
            )
        ]
        rows.append([library, *(f"{area:,.0f}" for area in areas)])
    return _markdown(head, rows)


def whole() -> str:
    """A small array synthesised as one, beside the sum of its parts."""
    head = ["library", "whole um2", "parts um2", "gap", "whole pJ", "parts pJ", "gap"]
    rows = []
    for library in libraries():
        one, parts = whole_and_parts(library)
        rows.append(
            [
                library,
                f"{one.area_um2:,.0f}",
                f"{parts.area_um2:,.0f}",
                f"{parts.area_um2 / one.area_um2 - 1:+.1%}",
                f"{one.energy_pj:.4g}",
                f"{parts.energy_pj:.4g}",
                f"{parts.energy_pj / one.energy_pj - 1:+.1%}",
            ]
        )
    return _markdown(head, rows)


TABLES: dict[str, Callable[[], str]] = {
    "steps": steps,
    "weight bits, INT8 activations": lambda: weight_bits("int8"),
    "weight bits, FP16 activations": lambda: weight_bits("fp16"),
    "energy": energies,
    "k": best_k,
    "shapes": best_shapes,
    "one bit": one_bit,
    "units": units,
    "quantised tables": quantised,
    "whole and parts": whole,
}
"""Each table of the page."""


def _lines() -> Iterator[str]:
    for name, table in TABLES.items():
        yield f"{name}\n\n{table()}\n"


if __name__ == "__main__":
    print("\n".join(_lines()))
