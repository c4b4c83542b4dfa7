"""models/lut/mpgemm.py against plain integer GEMM, and against exact fractions rounded in order."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.errors import ConfigError, ShapeError
from dovetail.models.fp8 import float_to_fp8
from dovetail.models.lut.formats import Levels, LutFormat, Table
from dovetail.models.lut.mpgemm import (
    accumulate_lut,
    accumulate_lut_floating,
    mpgemm_lut,
    mpgemm_lut_floating,
)
from dovetail.models.mpgemm import GemmOperands
from dovetail.tests.models.exact_rounding import nearest, value_of

LEVELS: tuple[Levels, ...] = ("odd", "twos_complement", "zero_point")


def operands(
    rng: np.random.Generator,
    activations: Any,
    *,
    bits: int,
    n: int,
    group: int,
    scaled: bool = True,
) -> GemmOperands:
    """Random codes, scales and zero points for given activations, extremes among them."""
    k = activations.shape[1]
    shape = (n, -(-k // group))
    most = (1 << bits) - 1
    codes = rng.integers(0, most, (n, k), endpoint=True)
    codes[0] = most
    return GemmOperands(
        activations=activations,
        weights=codes.astype(np.uint8),
        scale=rng.integers(0, 4096, shape) if scaled else None,
        zero=rng.integers(0, most, shape, endpoint=True) if scaled else None,
        group=group,
    )


def twice_the_integer_gemm(given: GemmOperands, form: LutFormat) -> list[list[int]]:
    """Each weight's value from its definition, then one long dot product of Python integers."""
    half = Fraction(1 << form.weight_bits - 1)
    rows: list[list[int]] = []
    for a in given.activations.tolist():
        row: list[int] = []
        for n, codes in enumerate(given.weights.tolist()):
            total = Fraction(0)
            for k, (x, q) in enumerate(zip(a, codes, strict=True)):
                g = k // given.group
                value = {"odd": q - half + Fraction(1, 2), "twos_complement": q - half}.get(
                    form.levels
                )
                if value is None:
                    assert given.zero is not None
                    value = Fraction(q - int(given.zero[n, g]))
                total += value * x * (1 if given.scale is None else int(given.scale[n, g]))
            row.append(int(2 * total))
        rows.append(row)
    return rows


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("bits", range(1, 9))
def test_exact_tables_equal_plain_integer_gemm(bits: int, levels: Levels, dtype: Any) -> None:
    """Every width with every length of a step; the last group is short and its step is not full."""
    info = np.iinfo(dtype)
    for lut_k in range(2, 9):
        rng = np.random.default_rng([bits, lut_k])
        for k in (1, 4 * lut_k, 4 * lut_k + 1):
            a = rng.integers(info.min, info.max, (3, k), endpoint=True).astype(dtype)
            a[0] = info.min
            given = operands(rng, a, bits=bits, n=3, group=2 * lut_k)
            form = LutFormat(weight_bits=bits, levels=levels, lut_k=lut_k)
            assert accumulate_lut(given, form).tolist() == twice_the_integer_gemm(given, form)


@settings(max_examples=60)
@given(
    st.integers(1, 8),
    st.sampled_from(LEVELS),
    st.integers(2, 8),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 1 << 32),
)
def test_any_shape_equals_plain_integer_gemm(
    bits: int,
    levels: Levels,
    lut_k: int,
    m: int,
    n: int,
    k: int,
    log2: int,
    scaled: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (m, k)).astype(np.int8)
    scaled = scaled or levels == "zero_point"
    given = operands(rng, a, bits=bits, n=n, group=lut_k << log2, scaled=scaled)
    form = LutFormat(weight_bits=bits, levels=levels, lut_k=lut_k)
    assert accumulate_lut(given, form).tolist() == twice_the_integer_gemm(given, form)


def test_eight_bits_without_scales_are_twice_their_product() -> None:
    """Keys and values of attention: two's complement, scale 1."""
    rng = np.random.default_rng(3)
    a = rng.integers(-128, 128, (5, 65)).astype(np.int8)
    w = rng.integers(-128, 128, (7, 65))
    given = GemmOperands(
        activations=a, weights=(w + 128).astype(np.uint8), scale=None, zero=None, group=32
    )
    form = LutFormat(weight_bits=8, levels="twos_complement")
    np.testing.assert_array_equal(accumulate_lut(given, form), 2 * (a.astype(int) @ w.T))
    # The engine halves it: the one rounding of an output, here of nothing.
    small = np.clip(a.astype(int) @ w.T, -32768, 32767)
    np.testing.assert_array_equal(mpgemm_lut(given, form, output_shift=1), small)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("levels", LEVELS)
def test_rounded_tables_are_what_is_looked_up_while_s_stays_exact(
    levels: Levels, dtype: Any
) -> None:
    rng = np.random.default_rng(7)
    info = np.iinfo(dtype)
    bits, lut_k, k, group = 3, 4, 21, 8
    a = rng.integers(info.min, info.max, (2, k), endpoint=True).astype(dtype)
    given = operands(rng, a, bits=bits, n=3, group=group)
    assert given.scale is not None and given.zero is not None
    form = LutFormat(weight_bits=bits, levels=levels, lut_k=lut_k, table="int8")
    got = accumulate_lut(given, form)
    for m in range(2):
        for n in range(3):
            total = 0
            for g, ks in enumerate(segments(k, group)):
                p = 0
                for step in steps(ks, lut_k):
                    part = [int(a[m, j]) for j in step]
                    exponent, _ = scale_of(part, lut_k, 0)
                    for plane in range(bits):
                        value = signed_sum(part, [int(given.weights[n, j]) for j in step], plane)
                        p += round(Fraction(value, 1 << exponent)) << exponent + plane
                s = sum(int(a[m, j]) for j in ks)
                z = {"odd": 0, "twos_complement": 1}.get(
                    levels, 2 * int(given.zero[n, g]) + 1 - (1 << bits)
                )
                total += int(given.scale[n, g]) * (p - z * s)
            assert got[m, n] == total


def segments(k: int, group: int) -> list[range]:
    return [range(start, min(k, start + group)) for start in range(0, k, group)]


def steps(ks: range, lut_k: int) -> list[range]:
    return [ks[start : start + lut_k] for start in range(0, len(ks), lut_k)]


def signed_sum(part: list[Any], codes: list[int], plane: int) -> Any:
    return sum(x if q >> plane & 1 else -x for x, q in zip(part, codes, strict=True))


def scale_of(part: list[Any], lut_k: int, least: int) -> tuple[int, Fraction]:
    """The table's exponent from its largest sum, which has all signs alike those of its terms."""
    peak = Fraction(sum(abs(x) for x in part))
    exponent = least
    while round(peak / Fraction(2) ** exponent) > 127:
        exponent += 1
    return exponent, peak


def rounded(value: Fraction, form: FloatFormat) -> Fraction:
    number = value_of(nearest(value, form), form)
    assert number is not None
    return number


def fp16_sum(part: list[Fraction], signs: list[int]) -> Fraction:
    total = signs[0] * part[0]
    for sign, x in zip(signs[1:], part[1:], strict=True):
        total = rounded(total + sign * x, FP16)
    return total


@pytest.mark.parametrize("sums", [FP16, FP32])
@pytest.mark.parametrize("table", ["exact", "int8"])
@pytest.mark.parametrize("kind", ["fp16", "fp8"])
@pytest.mark.parametrize("levels", LEVELS)
def test_floating_point_rounds_as_stated(
    levels: Levels, kind: str, table: Table, sums: FloatFormat
) -> None:
    for bits, lut_k in ((1, 4), (2, 3), (5, 2)):
        rng = np.random.default_rng([bits, lut_k])
        m, n, k, group = 2, 3, 4 * lut_k + 1, 2 * lut_k
        real = rng.standard_normal((m, k)) * 2.0 ** rng.integers(-8, 3, (m, k))
        if kind == "fp16":
            half = real.astype(np.float16)
            numbers, activations = half.astype(float), half.view(np.uint16)
        else:
            activations = float_to_fp8(real)  # type: ignore[assignment]
            numbers = np.array([[fp8_number(int(c)) for c in row] for row in activations])
        given = operands(rng, activations, bits=bits, n=n, group=group)
        assert given.scale is not None and given.zero is not None
        form = LutFormat(weight_bits=bits, levels=levels, lut_k=lut_k, table=table)
        got = accumulate_lut_floating(given, form, sums).view(np.float32)
        for i in range(m):
            for j in range(n):
                total = Fraction(0)
                for g, ks in enumerate(segments(k, group)):
                    p = s = Fraction(0)
                    for step in steps(ks, lut_k):
                        part = [Fraction(float(numbers[i, x])) for x in step]
                        part += [Fraction(0)] * (lut_k - len(part))
                        codes = [int(given.weights[j, x]) for x in step]
                        codes += [0] * (lut_k - len(codes))
                        planes = [
                            fp16_sum(part, [1 if q >> plane & 1 else -1 for q in codes])
                            for plane in range(bits)
                        ]
                        if table == "exact":
                            for plane, value in enumerate(planes):
                                p = rounded(p + value * 2**plane, sums)
                            continue
                        exponent = exponent_of(part, lut_k)
                        unit = Fraction(2) ** exponent
                        whole = sum(round(v / unit) << plane for plane, v in enumerate(planes))
                        p = rounded(p + whole * unit, sums)
                    for step in steps(ks, lut_k):
                        part = [Fraction(float(numbers[i, x])) for x in step]
                        s = rounded(s + fp16_sum(part, [1] * len(part)), sums)
                    z = {"odd": 0, "twos_complement": 1}.get(
                        levels, 2 * int(given.zero[j, g]) + 1 - (1 << bits)
                    )
                    if z:
                        p = rounded(p - z * s, sums)
                    total = rounded(total + p * int(given.scale[j, g]), FP32)
                assert Fraction(float(got[i, j])) == total


def test_the_adder_tree_of_the_bit_serial_baseline() -> None:
    """2048 + 1 rounds to 2048, so one after the other loses both ones that a pair adds to 2."""
    a = np.array([[2048.0, 0.0, 1.0, 1.0]]).astype(np.float16).view(np.uint16)
    for additions, want in (("ascending", 2048.0), ("pairs", 2050.0)):
        form = LutFormat(weight_bits=1, additions=additions)  # type: ignore[arg-type]
        got = accumulate_lut_floating(one_row(a, [1, 1, 1, 1], 4), form, FP32)
        assert got.view(np.float32)[0, 0] == want


def exponent_of(part: list[Fraction], lut_k: int) -> int:
    """Smallest exponent from -24 on with every rounded entry of the FP16 table within +-127."""
    table = [
        fp16_sum(part, [1 if i >> j & 1 else -1 for j in range(lut_k)]) for i in range(1 << lut_k)
    ]
    exponent = -24
    while max(abs(round(x / Fraction(2) ** exponent)) for x in table) > 127:
        exponent += 1
    return exponent


def fp8_number(code: int) -> float:
    """E4M3 by its definition, of a number."""
    field, fraction = code >> 3 & 15, code & 7
    magnitude = (fraction + 8 * (field > 0)) * 2.0 ** (max(field, 1) - 10)
    return -magnitude if code >> 7 else magnitude


def one_row(activations: Any, codes: list[int], group: int) -> GemmOperands:
    return GemmOperands(
        activations=activations,
        weights=np.array([codes], np.uint8),
        scale=None,
        zero=None,
        group=group,
    )


@pytest.mark.parametrize("table", ["exact", "int8"])
@pytest.mark.parametrize("nan", [0x7F, 0xFF])
def test_an_fp8_nan_makes_its_row_nan_and_no_other(nan: int, table: Table) -> None:
    activations = np.full((2, 8), 0x38, np.uint8)  # 1.0
    activations[0, 5] = nan
    given = one_row(activations, [1] * 8, 8)
    form = LutFormat(weight_bits=1, table=table)
    got = mpgemm_lut_floating(given, form, FP32, output_shift=0)
    assert got.tolist() == [[0x7E00], [0x4800]]  # NaN, 8.0


def test_infinities_of_fp16() -> None:
    """An exact table adds infinities; one of 8 bits has no entry for them."""
    inf = 0x7C00
    activations = np.array([[inf, 0, 0, 0]], np.uint16)
    up, down = [1, 1, 1, 1], [0, 1, 1, 1]
    for codes, want in ((up, inf), (down, 0xFC00)):
        given = one_row(activations, codes, 4)
        exact = LutFormat(weight_bits=1)
        assert mpgemm_lut_floating(given, exact, FP32, output_shift=0)[0, 0] == want
        rounded_table = LutFormat(weight_bits=1, table="int8")
        assert mpgemm_lut_floating(given, rounded_table, FP32, output_shift=0)[0, 0] == 0x7E00


def test_a_plane_scales_zero_and_subnormal_entries_as_any_other() -> None:
    """Adding to an exponent field would make numbers of zeros; a product does not."""
    tiny = np.array([[1, 0, 0, 0, 0, 0, 0, 0]], np.uint16)  # 2^-24 and zeros
    given = one_row(tiny, [255] * 8, 8)
    form = LutFormat(weight_bits=8)
    got = accumulate_lut_floating(given, form, FP32).view(np.float32)
    assert got[0, 0] == 255 * 2.0**-24


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": 6}, "group=6 must be a multiple of lut_k=4; set it to 8"),
        ({"weights": np.zeros((2, 8), np.int8)}, "weights are int8; codes of a LUT core must be"),
        ({"weights": np.full((2, 8), 4, np.uint8)}, "code=4 must be from 0 to 3 for weight_bits=2"),
        ({"scale": None, "zero": None}, "levels=zero_point needs scale and zero; give them or"),
        ({"zero": np.full((2, 1), 4)}, "zero=4 must be from 0 to 3 for weight_bits=2"),
    ],
)
def test_bad_operands(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "activations": np.zeros((1, 8), np.int8),
        "weights": np.zeros((2, 8), np.uint8),
        "scale": np.ones((2, 1), np.int64),
        "zero": np.zeros((2, 1), np.int64),
        "group": 8,
    }
    form = LutFormat(weight_bits=2, levels="zero_point")
    changed = {**good, **change}
    if "group" in change:
        changed["scale"] = changed["zero"] = np.ones((2, 2), np.int64)
    with pytest.raises((ConfigError, ShapeError)) as info:
        accumulate_lut(GemmOperands(**changed), form)
    assert message in str(info.value) and "\n" not in str(info.value)


def test_the_kind_of_activations_is_told_by_their_words() -> None:
    form = LutFormat(weight_bits=2)
    for wrong in (np.zeros((1, 4), np.uint16), np.zeros((1, 4), np.int64)):
        with pytest.raises(ShapeError, match="they must be int8 or int16 for integer sums"):
            accumulate_lut(one_row(wrong, [0] * 4, 4), form)
    with pytest.raises(ShapeError, match="activations are int8; they must be bits of FP16"):
        accumulate_lut_floating(one_row(np.zeros((1, 4), np.int8), [0] * 4, 4), form, FP32)
