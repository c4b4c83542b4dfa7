"""How much of MixPE's gain comes from each of its parts: placement, PE, group and zero point?

The paper does not separate them.  Here two placements of dequantisation and two kinds of PE make
four cores, each in every group and with and without zero point, at equal PE count and at equal
array area.  ``python -m dovetail.sweeps.mixpe_ablation STORE`` prints what each step brings, of
what ``dovetail sweep mixpe_ablation_LIBRARY`` stored; with ``--csv`` every term and interaction.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import floor
from pathlib import Path
from typing import Any

import pandas as pd

from dovetail.arch.cores import Core
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.mixpe import preset
from dovetail.arch.technology import Technology, technology
from dovetail.errors import ConfigError, DovetailError
from dovetail.sweeps.axes import Sweep, Workload
from dovetail.sweeps.decompose import decompose
from dovetail.sweeps.equal_area import BAND, equal_area_arrays
from dovetail.sweeps.store import Store
from dovetail.sweeps.table import points

CORES: Mapping[tuple[str, str], Core] = {
    ("before", "multiplier"): "int8",
    ("before", "shift-add"): "shift_add_int8",
    ("after", "multiplier"): "multiply_w4a8",
    ("after", "shift-add"): "mixpe_w4a8",
}
"""Where a core dequantises, relative to the sum of a group, and how its PE multiplies."""

GROUPS = (32, 64, 128)
FACTORS = ("placement", "pe", "group", "zero_point")
METRICS = ("time_ms", "energy_pj", "array_um2", "area_um2", "error")
BASES = ("equal PEs", "equal area")
START: Mapping[str, Any] = {
    "placement": "before",
    "pe": "multiplier",
    "group": 128,
    "zero_point": False,
}
"""The baseline: the INT8 core in the format with the fewest scales."""

STEPS: tuple[tuple[str, str, Any], ...] = (
    ("dequantise after the group", "placement", "after"),
    ("shift-and-add instead of a multiplier", "pe", "shift-add"),
    ("groups of 64 instead of 128", "group", 64),
    ("groups of 32 instead of 64", "group", 32),
    ("a zero point", "zero_point", True),
)
"""From :data:`START` to MixPE in its finest format: what changes, and the factor's level."""

_BASELINE: tuple[Core, int, int] = ("int8", 32, 32)
_MOST_MHZ = 500.0  # the paper's clock
_WORKLOADS = (
    Workload(network="llama2-7b", phase="prefill"),
    Workload(network="llama2-7b", phase="decode"),
)


def sweep(library: str) -> Sweep:
    """The four cores in one technology: 32 x 32 PEs, and every shape of that INT8 array's area.

    A core is built for the group that it runs, and all run at the fastest clock that all of them
    meet, up to 500 MHz.
    """
    table = technology(library)
    base = preset("w4a8-32x32")
    clock_mhz = _common_clock_mhz(base.engine, table)
    engine = replace(base.engine, clock_mhz=clock_mhz)
    return Sweep(
        name=f"mixpe_ablation_{library}",
        question="How much of MixPE's gain over INT8 on LLaMA-2-7B comes from dequantising after "
        "the group, from shift-and-add PEs, and from group size and zero point?",
        system="mixpe",
        base=replace(base, engine=engine).to_dict(),
        axes={
            (
                "engine.core",
                "engine.rows",
                "engine.cols",
                "engine.max_group",
                "group",
            ): tuple(dict.fromkeys(_arrays(engine, table))),
            "zero_point": (False, True),
        },
        workloads=_WORKLOADS,
        technology=library,
    )


asap7 = partial(sweep, "asap7")
nangate45 = partial(sweep, "nangate45")
sky130hd = partial(sweep, "sky130hd")


def cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose one design for each cell of the ablation, on each workload and basis.

    At equal PEs that is the array of the baseline's shape; at equal area the fastest of those
    within the band around the baseline's array.

    Parameters
    ----------
    rows : DataFrame
        As :func:`dovetail.sweeps.table.points` returns it.

    Returns
    -------
    DataFrame
        ``network``, ``phase``, ``basis``, the :data:`FACTORS` and :data:`METRICS`.
    """
    done = rows[rows["status"] == "ok"].copy()
    factors = {core: levels for levels, core in CORES.items()}
    done["placement"] = done["engine.core"].map(lambda core: factors[core][0])
    done["pe"] = done["engine.core"].map(lambda core: factors[core][1])
    done["zero_point"] = done["zero_point"].astype(bool)
    core, height, width = _BASELINE
    shape = (done["engine.rows"] == height) & (done["engine.cols"] == width)
    baseline = done[shape & (done["engine.core"] == core)]
    if baseline.empty:
        raise ConfigError(
            f"the sweep has no {core} array of {height} x {width}, which the others are compared "
            f"with; run the sweep of an ablation to its end"
        )
    apart = (done["array_um2"].astype(float) / float(baseline["array_um2"].iloc[0]) - 1).abs()
    keys = ["network", "phase", *FACTORS]
    found = []
    for basis, chosen in zip(BASES, (done[shape], done[apart <= BAND]), strict=True):
        fastest = chosen.sort_values(["time_ms", "energy_pj"], kind="stable")
        found.append(fastest.drop_duplicates(keys).assign(basis=basis))
    columns = ["network", "phase", "basis", *FACTORS, *METRICS]
    table = pd.concat(found)[columns].sort_values(columns[:7], kind="stable")
    return table.astype(dict.fromkeys(METRICS, float)).reset_index(drop=True)


def decompositions(rows: pd.DataFrame) -> pd.DataFrame:
    """Decompose every metric from the baseline to MixPE, for every group and zero point.

    Returns
    -------
    DataFrame
        ``network``, ``phase``, ``basis``, ``metric``, ``group`` and ``zero_point`` of the end, and
        the columns of :func:`decompose`.
    """
    found = []
    for (network, phase, basis), table in cells(rows).groupby(
        ["network", "phase", "basis"], sort=False
    ):
        for metric in METRICS:
            for group in GROUPS:
                for zero_point in (False, True):
                    end = {
                        "placement": "after",
                        "pe": "shift-add",
                        "group": group,
                        "zero_point": zero_point,
                    }
                    terms = decompose(table, metric, start=START, end=end)
                    names: dict[str, Any] = {
                        "network": network,
                        "phase": phase,
                        "basis": basis,
                        "metric": metric,
                        "group": group,
                        "zero_point": zero_point,
                    }
                    found.append(terms.assign(**names)[[*names, *terms.columns]])
    return pd.concat(found, ignore_index=True)


def steps(rows: pd.DataFrame) -> pd.DataFrame:
    """What each of :data:`STEPS` does on top of those before it.

    The first two make MixPE of the baseline; the others change the format that MixPE runs.

    Returns
    -------
    DataFrame
        ``network``, ``phase``, ``basis``, ``step``, and the :data:`METRICS`, each over its value
        before the step: below 1 where less is needed.  The step ``total`` is the first two.
    """
    found = []
    keys = ["network", "phase", "basis"]
    for names, table in cells(rows).groupby(keys, sort=False):
        level = dict(START)
        values = [_cell(table, level)]
        for _, factor, to in STEPS:
            level[factor] = to
            values.append(_cell(table, level))
        pairs = [*zip(values, values[1:], strict=False), (values[0], values[2])]
        for (title, *_), (before, after) in zip((*STEPS, ("total",)), pairs, strict=True):
            found.append(dict(zip(keys, names, strict=True)) | {"step": title, **(after / before)})
    return pd.DataFrame(found)


def _cell(table: pd.DataFrame, level: Mapping[str, Any]) -> pd.Series:
    chosen = table
    for factor in FACTORS:
        chosen = chosen[chosen[factor] == level[factor]]
    return chosen.iloc[0][list(METRICS)].astype(float)


def markdown(found: pd.DataFrame) -> str:
    """:func:`steps` as a table."""
    lines = [["workload", "at", "step", "time", "energy", "array area", "total area", "error"]]
    lines.append(["---"] * 3 + ["--:"] * 5)
    for row in found.to_dict("records"):
        lines.append(
            [
                f"{row['network']} {row['phase']}",
                row["basis"],
                row["step"],
                *(f"{row[metric]:.3f}" for metric in METRICS),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _common_clock_mhz(engine: GemmEngineConfig, table: Technology) -> float:
    """The fastest clock, in steps of 10 MHz, that the slowest core of the ablation meets."""
    fastest = min(
        table.fmax_mhz(replace(engine, core=core, max_group=group))
        for core in CORES.values()
        for group in GROUPS
    )
    return min(_MOST_MHZ, 10.0 * floor(fastest / 10))


def _arrays(
    engine: GemmEngineConfig, table: Technology
) -> Iterator[tuple[Core, int, int, int, int]]:
    core, rows, cols = _BASELINE
    target_um2 = table.array_um2(replace(engine, core=core, rows=rows, cols=cols))
    for core in CORES.values():
        for group in GROUPS:
            yield core, rows, cols, group, group
            shapes = equal_area_arrays(
                replace(engine, max_group=group),
                target_um2=target_um2,
                band=BAND,
                cores=(core,),
                technology=table,
            )
            for _, height, width in shapes:
                yield core, height, width, group, group


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the steps, or with ``--csv`` the decompositions, of a store."""
    parser = argparse.ArgumentParser(prog="python -m dovetail.sweeps.mixpe_ablation")
    parser.add_argument("store", type=Path, help="what `dovetail sweep` made")
    parser.add_argument("--csv", action="store_true", help="every term and interaction, as CSV")
    options = parser.parse_args(arguments)
    try:
        with Store.open(options.store) as store:
            rows = points(store)
        if options.csv:
            text = decompositions(rows).to_csv(index=False, float_format="%.4f").rstrip()
        else:
            text = markdown(steps(rows))
    except DovetailError as error:
        print(error, file=sys.stderr)
        return 2
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
