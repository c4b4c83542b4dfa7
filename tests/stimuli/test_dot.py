"""stimuli/dot.py: units and heads answer as the stimuli expect, and these do something."""

from __future__ import annotations

import numpy as np
import pytest

from dovetail.rtl.lut.design import DotDesign
from dovetail.stimuli.dot import dot_component, dot_stimulus
from dovetail.tests.stimuli.amaranth_run import differences
from dovetail.tests.stimuli.weights import needs_weights

INTEGER = ("lookup", "plain", "quantised", "full", "full_signed", "add", "add_binary", "mac")
FLOATING = ("lookup", "quantised", "full", "add", "mac")


@pytest.mark.parametrize(
    ("activation", "kind", "lut_k", "weight_bits"),
    [("int8", kind, 4, 2) for kind in INTEGER]
    + [("fp16", kind, 4, 2) for kind in FLOATING]
    + [("int16", "lookup", 3, 5), ("fp8", "lookup", 2, 1), ("int8", "mac", 2, 1)],
)
def test_a_unit_sums_whole_segments(
    activation: str, kind: str, lut_k: int, weight_bits: int
) -> None:
    design = DotDesign(kind=kind, activation=activation, lut_k=lut_k, weight_bits=weight_bits)
    given = dot_stimulus(design, kind="random", part="unit", cycles=270)
    assert differences(dot_component(design, "unit"), given) == []
    sums = given.expected["sum_o"][given.check["sum_o"]]
    assert len(sums) >= 1
    assert np.any(sums)


@pytest.mark.parametrize(
    ("activation", "kind"),
    [
        ("int8", "lookup"),
        ("int8", "quantised"),
        ("fp8", "lookup"),
        ("int8", "full"),
        ("fp16", "full"),
    ],
)
def test_a_head_makes_the_tables(activation: str, kind: str) -> None:
    design = DotDesign(kind=kind, activation=activation, lut_k=3)
    given = dot_stimulus(design, kind="random", part="head", cycles=40)
    assert differences(dot_component(design, "head"), given) == []
    assert given.check["o"].sum() > 20


def test_an_array_sums_in_every_unit() -> None:
    design = DotDesign(kind="lookup", activation="int8", lut_k=3, weight_bits=2)
    given = dot_stimulus(design, kind="random", part="array", cycles=180)
    assert given.check["sums"].sum() == 2
    assert differences(dot_component(design, "array"), given) == []


@needs_weights
@pytest.mark.parametrize("part", ["unit", "head", "row_register", "column_register"])
def test_real_operands(part: str) -> None:
    design = DotDesign(kind="lookup", activation="int8", weight_bits=2)
    given = dot_stimulus(design, kind="real", part=part, cycles=150)
    assert differences(dot_component(design, part), given) == []
