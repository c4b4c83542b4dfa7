"""stimuli/floating_results.py: exact numbers in Python's fractions; the units in Verilator."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import to_float
from dovetail.rtl.units import axis, unit
from dovetail.rtl.vector_bench import check_outputs, run_vectors
from dovetail.rtl.verilog import verilog
from dovetail.stimuli import stimulus
from dovetail.stimuli.floating_results import exact_product
from dovetail.stimuli.ports import output_widths
from dovetail.stimuli.tiles import Kind
from dovetail.tests.stimuli.weights import KINDS

UNITS = (
    "floating.dequant",
    "floating.accumulate_scaled",
    "floating.accumulate_sum",
    "floating.output_round",
)


def fields(bits: int, layout: Any) -> dict[str, int]:
    return {name: bits >> field.offset & ((1 << field.width) - 1) for name, field in iter(layout)}


@pytest.mark.parametrize("form", [FP16, FP32])
def test_an_exact_product_is_the_product(form: FloatFormat) -> None:
    exact = unit("floating.dequant", size=form.name).exact
    rng = np.random.default_rng(1)
    sums = np.append(rng.integers(0, 1 << form.bits, 500), [0, form.sign, 1, form.infinity - 1])
    sums = sums[np.isfinite(to_float(sums, form))]
    scales = rng.integers(0, 4096, len(sums))
    scales[:5] = 0
    for bits, value, scale in zip(
        exact_product(sums, scales, form, exact.layout).tolist(),
        to_float(sums, form).tolist(),
        scales.tolist(),
        strict=True,
    ):
        part = fields(bits, exact.layout)
        got = part["significand"] * Fraction(2) ** (exact.origin + part["exponent"])
        assert (-got if part["sign"] else got) == Fraction(value) * scale
        assert part["zero"] == (got == 0)
        assert part["inf"] == part["nan"] == 0


def test_an_exact_product_knows_infinities_and_nan() -> None:
    layout = unit("floating.dequant", size="fp16").exact.layout
    sums = np.array([FP16.infinity, FP16.infinity | FP16.sign, FP16.infinity, FP16.nan])
    found = [
        fields(bits, layout)
        for bits in exact_product(sums, np.array([3, 1, 0, 7]), FP16, layout).tolist()
    ]
    assert [(p["sign"], p["inf"] and not p["nan"], p["nan"]) for p in found] == [
        (0, True, 0),
        (1, True, 0),
        (0, False, 1),
        (0, False, 1),
    ]


@pytest.mark.cosim
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", UNITS)
def test_the_unit_answers_as_expected_in_verilator(name: str, kind: Kind) -> None:
    for size in ("fp16", "fp32") if axis(name) else (None,):
        component = unit(name, size=size)
        given = stimulus(name, kind=kind, size=size, zero_point=True)
        run = run_vectors(
            verilog(component, name="unit"),
            top="unit",
            inputs=given.inputs,
            outputs=output_widths(component),
        )
        check_outputs(given, run)
        for port, values in given.expected.items():
            assert (len(np.unique(values)) > 500) == (kind != "zero"), port
