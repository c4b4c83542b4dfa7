"""Does shift-and-add beat a multiplier, and where do the paper's ratios of PEs stand? In words.

Every figure is computed from the technology tables that come with Dovetail.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Any

import pandas as pd

from dovetail.sweeps.mixpe_design_space import PeComparison, compare_pes
from dovetail.sweeps.reproduce_mixpe import adder_gains, adder_sentence, pes_of, published

QUESTION = "Does shift-and-add beat a multiplier?"
SHIFT_ADD = (
    ("INT4", "mixpe.pe_w4a8", "mixpe.pe_w4a8_multiplier"),
    ("INT8", "int8.pe_shift_add", "int8.pe"),
)
"""Format of weights, and two PEs that differ in how they multiply and in nothing else."""


def design_spaces() -> dict[str, pd.DataFrame]:
    """Area, power and quality of every PE, by the name of the cell library."""
    return {label: pes_of(name) for label, name in published()["libraries"].items()}


def verdict(
    spaces: Mapping[str, pd.DataFrame] | None = None, paper: Mapping[str, Any] | None = None
) -> str:
    """Write one paragraph on the PEs, library by library.

    Parameters
    ----------
    spaces : dict of str to DataFrame, optional
        As :func:`design_spaces` gives them, with one technology each.
    paper : dict, optional
        The published figures, as :func:`dovetail.sweeps.reproduce_mixpe.published` gives them.
    """
    spaces, paper = spaces or design_spaces(), paper or published()
    clocks = ", ".join(f"{label} at {_clock_mhz(spaces[label]):g} MHz" for label in spaces)
    sentences = [
        f"(1/area) × (1/power) of two PEs that differ in nothing but how they multiply, "
        f"shift-and-add over multiplier ({clocks}):"
    ]
    for weights, pe, multiplier in SHIFT_ADD:
        found = {label: _compared(frame, pe, multiplier) for label, frame in spaces.items()}
        figures = "; ".join(
            f"{one.gain:.2f} in {label} ({_cost(one)})" for label, one in found.items()
        )
        better = [label for label, one in found.items() if one.gain > 1]
        sentences.append(
            f"with {weights} weights ({pe} over {multiplier}) {figures}: shift-and-add wins in "
            f"{_which(better, spaces)};"
        )
    sentences[-1] = sentences[-1].removesuffix(";") + "."
    sentences.append(_against_the_paper(spaces, paper["pe_w4a8"], "mixpe.pe_w4a8_multiplier"))
    sentences.append(_against_the_paper(spaces, paper["pe_w4a16"], None))
    return " ".join(sentences)


def _clock_mhz(frame: pd.DataFrame) -> float:
    return float(frame["clock_mhz"].iloc[0])


def _compared(frame: pd.DataFrame, pe: str, baseline: str) -> PeComparison:
    compared = compare_pes(frame, frame["technology"].iloc[0], pe, baseline)
    assert compared is not None, f"a packaged table has {pe} and {baseline}"
    return compared


def _cost(one: PeComparison) -> str:
    area, power = one.area_um2, one.power_uw
    return f"{area[0]:.4g} against {area[1]:.4g} µm², {power[0]:.4g} against {power[1]:.4g} µW"


def _which(some: list[str], every: Mapping[str, Any]) -> str:
    if len(some) == len(every):
        return "all of them"
    return ", ".join(some) or "none of them"


def _against_the_paper(
    spaces: Mapping[str, pd.DataFrame], figure: dict[str, Any], multiplier: str | None
) -> str:
    """Where a ratio of the paper stands, and how much of ours is the way of multiplying."""
    pe, baseline, paper = figure["pe"], figure["baseline"], figure["value"]
    gains = {label: _compared(frame, pe, baseline).gain for label, frame in spaces.items()}
    within = [label for label in gains if abs(gains[label] / paper - 1) <= figure["tolerance"]]
    ours = ", ".join(f"{gain:.2f} in {label}" for label, gain in gains.items())
    text = (
        f"The paper's {paper:g} ({pe} over {baseline}) comes out as {ours}, within "
        f"{figure['tolerance']:.0%} of it in {_which(within, spaces)}."
    )
    if multiplier is None:
        names = [str(frame["technology"].iloc[0]) for frame in spaces.values()]
        found = [each for name in names if (each := adder_gains(figure, name))]
        return f"{text} {adder_sentence(figure, found)}." if found else text
    shares = ", ".join(
        f"{log(_compared(frame, pe, multiplier).gain) / log(gains[label]):.0%}"
        for label, frame in spaces.items()
    )
    return (
        f"{text} Of that gain, in logarithms, {shares} are shift-and-add's; the rest comes from "
        f"narrower weights and sums, which a multiplier PE has as well."
    )
