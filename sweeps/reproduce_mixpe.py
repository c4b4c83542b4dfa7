"""The published figures of MixPE (arXiv 2411.16158) beside ours."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import product
from math import prod
from typing import Any

import pandas as pd

from dovetail.arch.authors import authors_model
from dovetail.arch.technology import technologies, technology
from dovetail.models.authors import authors_network, dequant_share
from dovetail.sim.authors import AuthorsResult, simulate_authors
from dovetail.sweeps.mixpe_design_space import (
    PeComparison,
    compare_pes,
    compare_units,
    design_space,
)
from dovetail.sweeps.mixpe_functional import Kind, Order, compare_with_integers
from dovetail.sweeps.reproduction import ReproductionRow, compare

Figure = dict[str, Any]


@cache
def published() -> dict[str, Any]:
    """The published figures, as ``published/mixpe.toml`` holds them."""
    path = files("dovetail.sweeps") / "published" / "mixpe.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def rows() -> list[ReproductionRow]:
    """Compute every figure again and compare, in the order of the paper's list."""
    return _rows(published())


def _rows(published: dict[str, Any]) -> list[ReproductionRow]:
    return [
        *_cycles(published, published["cycles"]),
        *_normalised_time(published, published["normalised_time"]),
        *_energy_shares(published, published["energy_shares"]),
        *_ratios(published, published["time_ratios"], _time),
        *_ratios(published, published["energy_ratios"], _energy),
        *_ratios(published, published["w4a16_time"], _time),
        *_ratios(published, published["w4a16_energy"], _energy),
        *_equal_pe(published, published["equal_pe"]),
        *_cycles(published, published["equal_pe_cycles"]),
        _dequant_share(published, published["conventional_dequant_share"]),
        _dequant_share(published, published["mixpe_dequant_share"]),
        *_pe_ratios(published, published["pe_w4a8"]),
        *_pe_ratios(published, published["pe_w4a16"]),
        *_pe_ratios(published, published["pe_int8"]),
        _headline(published, published["headline_time"], _time),
        _headline(published, published["headline_energy"], _energy),
        *_functional(published, published["functional"]),
    ]


_simulate = cache(simulate_authors)


def _time(result: AuthorsResult) -> float:
    return result.cycles


def _energy(result: AuthorsResult) -> float:
    return result.energy.total_pj


def _row(
    published: Figure, figure: Figure, *, what: str, value: float, ours: float
) -> ReproductionRow:
    return compare(
        paper=published["paper"],
        row=figure["row"],
        what=what,
        published=value,
        ours=ours,
        scale=figure.get("scale", "relative"),
        tolerance=figure.get("tolerance"),
        accounting="authors",
        why=figure["why"],
        source=figure["source"],
    )


def _cycles(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    for design, values in figure["values"].items():
        for network, label, value in zip(
            published["networks"], published["labels"], values, strict=True
        ):
            what = f"{figure['what']}: {_label(design)}, {label}"
            ours = _simulate(design, network).cycles
            yield _row(published, figure, what=what, value=value, ours=ours)


def _normalised_time(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    for design, values in figure["values"].items():
        ours = [_over_fp16(design, network, _time) for network in published["networks"]]
        for label, value, our in zip(published["labels"], values, ours, strict=True):
            what = f"{figure['what']}: {_label(design)}, {label}"
            yield _row(published, figure, what=what, value=value, ours=our)
        what = f"{figure['what']}: {_label(design)}, mean"
        mean = sum(ours) / len(ours)
        yield _row(published, figure, what=what, value=figure["means"][design], ours=mean)


def _energy_shares(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    for design, values in figure["values"].items():
        for network, label, shares in zip(
            published["networks"], published["labels"], values, strict=True
        ):
            total_pj = _simulate("fp16", network).energy.total_pj
            energy = _simulate(design, network).energy
            ours = (energy.static_pj, energy.dram_pj, energy.buffer_pj, energy.core_pj)
            for part, value, our in zip(figure["parts"], shares, ours, strict=True):
                what = f"{figure['what']}: {_label(design)}, {label}, {part}"
                yield _row(published, figure, what=what, value=value, ours=our / total_pj)


def _ratios(
    published: Figure, figure: Figure, measure: Callable[[AuthorsResult], float]
) -> Iterator[ReproductionRow]:
    for baseline, value in figure["values"].items():
        yield _row(
            published,
            figure,
            what=f"{figure['what']}: over {_label(baseline)}",
            value=value,
            ours=_mean_ratio(published, baseline, figure["design"], measure),
        )


def _equal_pe(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    for network, label, value in zip(
        published["networks"], published["labels"], figure["values"], strict=True
    ):
        ours = (
            _simulate(figure["design"], network).cycles
            / _simulate(figure["baseline"], network).cycles
        )
        yield _row(published, figure, what=f"{figure['what']}: {label}", value=value, ours=ours)


def _dequant_share(published: Figure, figure: Figure) -> ReproductionRow:
    design = authors_model().design(figure["design"])
    ours = dequant_share(design, authors_network(figure["network"]))
    return _row(published, figure, what=figure["what"], value=figure["value"], ours=ours)


def _headline(
    published: Figure, figure: Figure, measure: Callable[[AuthorsResult], float]
) -> ReproductionRow:
    ours = _mean_ratio(published, "olaccel", "mixpe-w4a8", measure)
    return _row(published, figure, what=figure["what"], value=figure["value"], ours=ours)


def _pe_ratios(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    for label, name in published["libraries"].items():
        compared = compare_pes(pes_of(name), name, figure["pe"], figure["baseline"])
        gains = adder_gains(figure, name) if compared else None
        yield pe_ratio_row(published, figure, label, compared, gains)


def pe_ratio_row(
    published: Figure,
    figure: Figure,
    library: str,
    compared: PeComparison | None,
    sums: tuple[float, float] | None = None,
) -> ReproductionRow:
    """Make the row of one ratio of PEs in one library; its reason comes from the figures.

    ``sums`` is what :func:`adder_gains` found.
    """
    return compare(
        paper=published["paper"],
        row=figure["row"],
        what=f"{figure['what']}, {library}",
        published=figure["value"],
        ours=None if compared is None else compared.gain,
        scale=figure["scale"],
        tolerance=figure.get("tolerance"),
        accounting="dovetail",
        why=f"{library}: {_pe_reason(figure, compared, sums)}",
        source=figure["source"],
    )


def _pe_reason(
    figure: Figure, compared: PeComparison | None, sums: tuple[float, float] | None
) -> str:
    if compared is None:
        return f"not measured yet: no table has both {figure['pe']} and {figure['baseline']}"
    gap = figure["value"] / compared.gain
    distance = f"{gap:.3g} times less" if gap > 1 else f"{1 / gap:.3g} times more"
    return (
        f"{figure['pe']} has {compared.area_um2[0]:.4g} um2 against {compared.area_um2[1]:.4g} "
        f"({compared.area_gain:.3g}x in area) and takes {compared.power_uw[0]:.4g} uW against "
        f"{compared.power_uw[1]:.4g} ({compared.power_gain:.3g}x in power), "
        f"{distance} than published in all; "
        f"{adder_sentence(figure, [sums]) + '; ' if sums else ''}{figure['why']}"
    )


def adder_gains(figure: Figure, name: str) -> tuple[float, float] | None:
    """What the sums of a floating-point PE leave to gain in one table; None for other PEs.

    Returns
    -------
    tuple of float
        (1/area) x (1/power) over the baseline: of the unit that sums and multiplies nothing, with
        FP32 sums, and of the PE with FP16 sums.
    """
    if "adder" not in figure:
        return None
    table, baseline = technology(name), figure["baseline"]
    return (
        compare_units(table, figure["adder"], baseline, sums="fp32").gain,
        compare_units(table, figure["pe"], baseline, sums="fp16").gain,
    )


def adder_sentence(figure: Figure, gains: Iterable[tuple[float, float]]) -> str:
    """Say it of one or several tables."""
    adder, narrow = (", ".join(f"{gain:.3g}" for gain in each) for each in zip(*gains, strict=True))
    return (
        f"FP32 sums decide it: {figure['adder']}, which sums FP16 numbers and multiplies nothing, "
        f"comes to {adder}; with FP16 sums {figure['pe']} comes to {narrow}"
    )


@cache
def pes_of(name: str) -> pd.DataFrame:
    """The design space of a packaged table; empty where it is not there or has no PE."""
    tables = [technology(name)] if name in technologies() else []
    return design_space(tables)


def _functional(published: Figure, figure: Figure) -> Iterator[ReproductionRow]:
    orders: tuple[Order, ...] = ("after the group", "before the loop")
    kinds: tuple[Kind, ...] = ("random", "edge")
    for order, kind in product(orders, kinds):
        compared = compare_with_integers(order, kind)
        yield compare(
            paper=published["paper"],
            row=figure["row"],
            what=f"{figure['what']}, of {compared.values:,}: {order}, {kind} operands",
            published=figure["value"],
            ours=compared.mismatches,
            scale=figure["scale"],
            tolerance=figure["tolerance"],
            accounting="dovetail",
            why=figure["why"],
            source=figure["source"],
        )


def _over_fp16(design: str, network: str, measure: Callable[[AuthorsResult], float]) -> float:
    return measure(_simulate(design, network)) / measure(_simulate("fp16", network))


def _mean_ratio(
    published: Figure, over: str, under: str, measure: Callable[[AuthorsResult], float]
) -> float:
    """Return the geometric mean over the networks of ``measure`` of one design over another's."""
    networks = published["networks"]
    ratios = prod(measure(_simulate(over, n)) / measure(_simulate(under, n)) for n in networks)
    return float(ratios ** (1 / len(networks)))


def _label(design: str) -> str:
    return authors_model().design(design).label
