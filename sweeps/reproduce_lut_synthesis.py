"""Rows 3 to 11 and 21 of LUT Tensor Core: units and arrays, synthesised here, in each library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dovetail.sweeps.lut_synthesis import (
    LANES,
    Array,
    Cost,
    area_power,
    array_cost,
    break_even,
    clock_mhz,
    libraries,
    lut_tensor_core,
    part,
    shapes,
    tensor_core,
    unit_cost,
    unpu_steps,
)
from dovetail.sweeps.reproduction import ReproductionRow, compare

Figure = dict[str, Any]

ONE_BIT = ("int8", "int16", "fp16")
"""Activations of row 9; the paper's FP8 MAC is not built."""

LUT_KS = range(2, 9)

_DP4_UM2 = 2360.0
"""A DP4 MAC unit by the published density of row 8, at 1 GHz and 8 operations a cycle."""

_UNIT_UM2 = 272.0
"""A unit of the W1A16 array by the published area of row 6: 14.3 % of 0.975 mm2 / 4, over 128."""


def rows(published: Figure) -> list[ReproductionRow]:
    """Compute the rows of ``published/lut-tensor-core.toml`` that synthesis answers."""
    return [row for library in libraries() for row in _library(published, library)]


def _library(published: Figure, library: str) -> Iterator[ReproductionRow]:
    yield from _unpu_steps(published, library)
    yield from _absolute(published, library)
    yield from _areas_over_fp16(published, library)
    yield from _dp4(published, library)
    yield from _one_bit(published, library)
    yield _best_k(published["best_k"], library)
    yield _best_shape(published["best_shape"], library)
    yield from _break_evens(published, library)
    yield _efficiency(published["w1a8_efficiency"], library)


def _row(
    figure: Figure, library: str, *, ours: float | None, why: str, what: str = "", value: float
) -> ReproductionRow:
    return compare(
        paper="lut-tensor-core",
        row=figure["row"],
        what=f"{figure['what']}{what}, {library}",
        published=value,
        ours=ours,
        scale=figure["scale"],
        tolerance=figure["tolerance"],
        accounting="dovetail",
        why=f"{library}: {why}",
        source=figure["source"],
    )


def _unpu_steps(published: Figure, library: str) -> Iterator[ReproductionRow]:
    first, *others = unpu_steps()
    without = {step.name: array_cost(library, step.array) for step in unpu_steps(registers=False)}
    before = array_cost(library, first.array)
    clock = clock_mhz(library)
    area, power = published["unpu_area"], published["unpu_power"]
    last = before
    for index, step in enumerate(others):
        cost = array_cost(library, step.array)
        saved_um2 = 1 - cost.area_um2 / last.area_um2
        saved_mw = 1 - cost.power_mw(clock) / last.power_mw(clock)
        last = cost
        bare = without[first.name].area_um2 / without[step.name].area_um2
        yield _row(
            area,
            library,
            what=f": {area['steps'][index]}",
            value=area["values"][index],
            ours=before.area_um2 / cost.area_um2,
            why=f"{before.area_um2:.5g} over {cost.area_um2:.5g} um2, this step alone "
            f"{saved_um2:.1%}; {bare:.3f} where registers of tables and weights are not counted",
        )
        yield _row(
            power,
            library,
            what=f": {power['steps'][index]}",
            value=power["values"][index],
            ours=before.power_mw(clock) / cost.power_mw(clock),
            why=f"{before.power_mw(clock):.4g} over {cost.power_mw(clock):.4g} mW at {clock:g} "
            f"MHz, this step alone {saved_mw:.1%}",
        )


def _absolute(published: Figure, library: str) -> Iterator[ReproductionRow]:
    cost = lut_tensor_core(library, "int8", 2, registers=True)
    area, power = published["array_area"], published["array_power"]
    reported = "another node, so only reported"
    yield _row(
        area | {"tolerance": None},
        library,
        value=area["value"],
        ours=cost.area_um2,
        why=f"{reported}: published at 28 nm",
    )
    yield _row(
        power | {"tolerance": None},
        library,
        value=power["value"],
        ours=cost.power_mw(1000.0),
        why=f"{reported}: sized for {clock_mhz(library):g} MHz, its energy a cycle at 1 GHz",
    )


def _areas_over_fp16(published: Figure, library: str) -> Iterator[ReproductionRow]:
    for name, activation, bits, count in (
        ("w1a16_area", "fp16", 1, 1),
        ("w2a8_8x_area", "int8", 2, 8),
    ):
        figure = published[name]
        ours, bare = (
            lut_tensor_core(library, activation, bits, registers=counted).area_um2
            * count
            / tensor_core(library, "fp16", bits, registers=counted).area_um2
            for counted in (True, False)
        )
        yield _row(
            figure,
            library,
            value=figure["value"],
            ours=ours,
            why=f"{count} of M2 N64 K4 over 64 DP4 units, sums in FP16 on both sides; {bare:.3f} "
            f"without registers of operands, since a DP4 MAC is {2 * count / bare:.1f} lookup "
            f"units here and {2 * count / figure['value']:.1f} in the published areas",
        )


def _dp4(published: Figure, library: str) -> Iterator[ReproductionRow]:
    figure = published["dp4_density"]
    lookup = unit_cost(library, Array(kind="lookup", activation="fp16", sums="fp16"))
    mac = unit_cost(library, Array(kind="mac", activation="fp16", sums="fp16"))
    yield _row(
        figure,
        library,
        value=figure["value"],
        ours=mac.area_um2 / lookup.area_um2,
        why=f"{mac.area_um2:.5g} um2 of MAC over {lookup.area_um2:.5g} um2 of lookup, neither with "
        f"registers of operands; four products aligned and rounded once share what four "
        f"multiply-adds each have. The published density makes a lookup unit 130 um2, the 14.3 % "
        f"of row 6 make it 272, of which the ratio would be {_DP4_UM2 / _UNIT_UM2:.1f}",
    )


def _one_bit(published: Figure, library: str) -> Iterator[ReproductionRow]:
    area, power = published["one_bit_area"], published["one_bit_power"]
    clock = clock_mhz(library)
    for activation in ONE_BIT:
        # 512 MACs on both sides.
        count = 2 if activation == "fp16" else 1
        mac = tensor_core(library, activation, 1, registers=True) * count
        lut = lut_tensor_core(library, activation, 1, registers=True)
        yield _row(
            area,
            library,
            what=f": {activation.upper()}",
            value=area["value"],
            ours=mac.area_um2 / lut.area_um2,
            why=_both(mac, lut, "um2", [mac.area_um2, lut.area_um2]),
        )
        yield _row(
            power,
            library,
            what=f": {activation.upper()}",
            value=power["value"],
            ours=mac.power_mw(clock) / lut.power_mw(clock),
            why=_both(mac, lut, "mW", [mac.power_mw(clock), lut.power_mw(clock)]),
        )


def _both(mac: Cost, lut: Cost, unit: str, values: list[float]) -> str:
    return f"{LANES} MACs of {values[0]:.5g} {unit} over M2 N64 K4 of {values[1]:.5g} {unit}"


def k_costs(library: str, activation: str, *, registers: bool = True) -> dict[int, float]:
    """Area times power of one multiply-accumulate a cycle, squared, of one unit, by ``lut_k``."""
    integer = activation == "int8"
    return {
        lut_k: area_power(
            library,
            Array(
                kind="lookup",
                activation=activation,
                lut_k=lut_k,
                weight_bits=2 if integer else 1,
                sums="exact" if integer else "fp16",
                registers=registers,
            ),
        )
        for lut_k in LUT_KS
    }


def shape_costs(library: str) -> dict[tuple[int, int, int], float]:
    """Area times power of an INT8 array with 2-bit weights, by M, N and K."""
    return {
        (m, n, k): area_power(
            library,
            Array(kind="lookup", activation="int8", rows=m, cols=n, lut_k=k, weight_bits=2),
        )
        for m, n, k in shapes()
    }


def _best_k(figure: Figure, library: str) -> ReproductionRow:
    # The published RTL has its table as input ports.
    costs = k_costs(library, "int8", registers=False)
    counted = k_costs(library, "int8")
    floating = k_costs(library, "fp16", registers=False)
    best = min(costs, key=costs.__getitem__)
    return _row(
        figure,
        library,
        value=figure["value"],
        ours=costs[figure["k"]] / costs[best] - 1,
        why=f"the best k is {best} for INT8 and {min(floating, key=floating.__getitem__)} for FP16 "
        f"where the table is not counted, as in the published RTL; "
        f"{min(counted, key=counted.__getitem__)} where a unit alone pays for its table",
    )


def _best_shape(figure: Figure, library: str) -> ReproductionRow:
    costs = shape_costs(library)
    best = min(costs, key=costs.__getitem__)
    m, n, k = figure["shape"]
    return _row(
        figure,
        library,
        value=figure["value"],
        ours=costs[m, n, k] / costs[best] - 1,
        why="the best is M{} N{} K{}; sums of parts, so without the buffers and wires of a "
        "broadcast".format(*best),
    )


def _break_evens(published: Figure, library: str) -> Iterator[ReproductionRow]:
    for name, kind in (("break_even", "lookup"), ("conventional_break_even", "full")):
        figure = published[name]
        tables: Any = "loaded" if kind == "lookup" else "made"
        counted, bare = (
            break_even(library, kind, "fp16", tables=tables, registers=registers)
            for registers in (True, False)
        )
        integer = break_even(library, kind, "int8", tables=tables, registers=True)
        yield _row(
            figure,
            library,
            value=figure["value"],
            ours=counted,
            why=f"area of a multiply-accumulate a cycle, four columns to a table; {bare} without "
            f"registers of operands, {integer} with INT8 activations",
        )


def _efficiency(figure: Figure, library: str) -> ReproductionRow:
    cost = lut_tensor_core(library, "int8", 1, registers=True)
    # pJ x MHz = uW; 2 operations a lane and cycle.
    watts = cost.power_mw(clock_mhz(library)) * 1e-3
    tops = 2 * LANES * clock_mhz(library) * 1e-6
    voltage = {"asap7": 0.7, "nangate45": 1.1, "sky130hd": 1.8}.get(library)
    return _row(
        figure | {"tolerance": None},
        library,
        value=figure["value"],
        ours=tops / watts,
        why=f"another node, at {voltage:g} V, so only reported; published at 28 nm and 0.9 V"
        if voltage
        else "another node, so only reported",
    )


__all__ = ["k_costs", "part", "rows", "shape_costs"]
