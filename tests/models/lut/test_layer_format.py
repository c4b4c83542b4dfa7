"""models/lut/layer_format.py against the bit-exact reference and against plain products."""

from typing import Any

import numpy as np
import pytest

from dovetail.arch.number_formats import FP32
from dovetail.errors import ConfigError
from dovetail.models.floating import to_float
from dovetail.models.lut.formats import Levels
from dovetail.models.lut.layer_format import Activations, LutLayerFormat, round_activations
from dovetail.models.lut.mpgemm import accumulate_lut, accumulate_lut_floating
from dovetail.models.lut.quantize import quantize_lut_weights
from dovetail.models.mpgemm import GemmOperands

LEVELS: tuple[Levels, ...] = ("odd", "twos_complement", "zero_point")
KINDS: tuple[Activations, ...] = ("int8", "int16", "fp16", "fp8")


def real(m: int = 5, n: int = 7, k: int = 70) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(k)
    return rng.standard_normal((m, k)) * 3, rng.standard_normal((n, k))


def operands(a: Any, w: Any, form: LutLayerFormat) -> tuple[GemmOperands, Any]:
    weights = quantize_lut_weights(w, form.form, group=form.group)
    words, _, token = round_activations(a, form.activations)
    given = GemmOperands(
        activations=words,
        weights=weights.codes,
        scale=weights.scale,
        zero=weights.zero,
        group=form.group,
    )
    return given, token[:, None] * weights.base


def db(signal: Any, noise: Any) -> float:
    with np.errstate(divide="ignore"):
        return float(10 * np.log10((signal**2).sum() / (noise**2).sum()))


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("activations", ["int8", "int16"])
@pytest.mark.parametrize("table", ["exact", "int8"])
def test_integers_are_the_reference_s(table: Any, activations: Any, levels: Levels) -> None:
    for bits, lut_k, group in ((1, 4, 32), (2, 3, 24), (5, 8, 128)):
        form = LutLayerFormat(
            weight_bits=bits,
            levels=levels,
            activations=activations,
            group=group,
            lut_k=lut_k,
            table=table,
        )
        a, w = real()
        given, step = operands(a, w, form)
        got = form.multiply(a, w)
        np.testing.assert_allclose(got.result, accumulate_lut(given, form.form) * step, rtol=1e-13)
        if table == "exact":
            np.testing.assert_array_equal(got.result, got.of_operands)
        else:
            assert 30 < db(got.of_operands, got.result - got.of_operands) < 70


@pytest.mark.parametrize("table", ["exact", "int8"])
@pytest.mark.parametrize("activations", ["fp16", "fp8"])
def test_fp32_sums_are_as_good_as_exact_ones(activations: Any, table: Any) -> None:
    """The statement at the head of the module: 100 dB below, where the table's rounding is not."""
    form = LutLayerFormat(
        weight_bits=3, levels="zero_point", activations=activations, group=32, table=table
    )
    a, w = real()
    given, step = operands(a, w, form)
    bits = accumulate_lut_floating(given, form.form, FP32)
    want = to_float(bits, FP32) * step
    got = form.multiply(a, w)
    assert db(want, got.result - want) > 120
    assert 25 < db(want, got.of_operands - want) < 100


def test_exact_arithmetic_is_that_of_the_rounded_operands() -> None:
    a, w = real()
    for kind in KINDS:
        form = LutLayerFormat(weight_bits=4, activations=kind, group=32, table="int8")
        _, numbers, token = round_activations(a, kind)
        weights = quantize_lut_weights(w, form.form, group=32).dequantize()
        want = (numbers * token[:, None]) @ weights.T
        np.testing.assert_allclose(form.multiply(a, w).of_operands, want, rtol=1e-9, atol=1e-9)


def test_a_scale_that_is_no_power_of_two_keeps_more() -> None:
    """Entries fill 7 bits instead of 6 to 7: between 0 and 6 dB, about 3.5 on the average."""
    a, w = real(m=20, n=20, k=512)
    for kind in ("int16", "fp16"):
        noise = [
            LutLayerFormat(weight_bits=2, activations=kind, table=table).multiply(a, w)  # type: ignore[arg-type]
            for table in ("int8", "int8_fp16_scale")
        ]
        ratios = [db(x.of_operands, x.result - x.of_operands) for x in noise]
        assert 2 < ratios[1] - ratios[0] < 5


def test_fp16_sums_lose_more_than_exact_ones() -> None:
    a, w = real()
    exact, rounded = (
        LutLayerFormat(weight_bits=2, activations="fp16", group=32, sums=sums).multiply(a, w)  # type: ignore[arg-type]
        for sums in ("exact", "fp16")
    )
    noise = [db(x.of_operands, x.result - x.of_operands) for x in (exact, rounded)]
    assert 40 < noise[1] < noise[0] - 6


@pytest.mark.parametrize("kind", KINDS)
def test_more_bits_of_an_activation_lose_less(kind: Activations) -> None:
    a, _ = real()
    _, numbers, token = round_activations(a, kind)
    # Of Gaussian rows with their largest at the top of the range: 6 dB a bit, 3 bits of FP8.
    least, most = {"int8": (35, 50), "int16": (83, 98), "fp16": (70, 80), "fp8": (28, 36)}[kind]
    assert least < db(a, a - numbers * token[:, None]) < most


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"activations": "bf16"}, "activations='bf16' must be one of int8, int16, fp16, fp8;"),
        ({"table": "int4"}, "table='int4' must be one of exact, int8, int8_fp16_scale; change"),
        ({"sums": "fp32"}, "sums='fp32' must be one of exact, fp16; change sums"),
        ({"sums": "fp16"}, "sums='fp16' needs activations='fp16' or 'fp8' and hardware's own"),
        ({"weight_bits": 9}, "weight_bits=9 must be a whole number from 1 to 8"),
        ({"levels": "even"}, "levels='even' must be one of"),
    ],
)
def test_bad_formats(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as info:
        LutLayerFormat(**{"weight_bits": 2, **values})
    assert message in str(info.value) and "\n" not in str(info.value)
