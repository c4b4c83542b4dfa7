"""Operands for floating-point units: every boundary, and random ones that meet often."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.models.floating import from_float, to_float

Words = NDArray[np.uint64]


def corners(form: FloatFormat) -> list[int]:
    """Bit patterns of both signs next to every boundary of a format."""
    least_normal = 1 << form.fraction_bits
    one, ones = form.bias << form.fraction_bits, least_normal - 1
    magnitudes = {
        *(0, 1, 2, 3, least_normal // 2 - 1, least_normal // 2),
        *(least_normal - 2, least_normal - 1, least_normal, least_normal + 1, 2 * least_normal),
        *(one - 1, one, one + 1, one + ones, one + least_normal * form.fraction_bits + 1),
        *(form.infinity - least_normal, form.infinity - 2, form.infinity - 1),
        *(form.infinity, form.infinity + 1, form.nan, form.infinity + ones),
    }
    return sorted(magnitudes | {bits | form.sign for bits in magnitudes})


def numbers(rng: np.random.Generator, count: int, form: FloatFormat) -> Words:
    """Bit patterns of any exponent.

    Of each ten, one is subnormal, one subnormal with few bits, two powers of two, one of them with
    a fraction of a few ones at the end.
    """
    bits = rng.integers(0, 1 << form.bits, count, dtype=np.uint64)
    kind = rng.random(count)
    ones = np.uint64((1 << form.fraction_bits) - 1)
    small = bits & (ones | np.uint64(form.sign))
    choices = [small, small & np.uint64(form.sign | 3), bits & ~ones, bits & (~ones | 3)]
    return np.select([kind < limit for limit in (0.1, 0.2, 0.3, 0.4)], choices, bits)


def integers(rng: np.random.Generator, count: int, bits: int) -> Words:
    """Unsigned integers, half of them powers of two where there are many."""
    anything = rng.integers(0, 1 << bits, count, dtype=np.uint64)
    power = np.uint64(1) << rng.integers(0, bits, count, dtype=np.uint64)
    return np.where((rng.random(count) < 0.5) & (bits > 4), power, anything)


def accumulators(
    rng: np.random.Generator, exact: NDArray[np.float64], form: FloatFormat, grid: int | None
) -> Words:
    """A number to add to each exact one, a multiple of ``2**grid`` if there is one.

    A fifth nearly or wholly cancels it; a third lies within a few binades of it, where bits of
    both take part; the others reach farther than either is long; a tenth is anything.  A third has
    a fraction of nearly all ones or zeros, which puts sums next to ties and to powers of two.
    """
    count = len(exact)
    finite = np.isfinite(exact) & (exact != 0)
    like = np.where(finite, exact, 1.0)
    _, exponent = np.frexp(like)
    kind = rng.random(count)
    distance = np.where(kind < 0.55, rng.integers(-3, 4, count), rng.integers(-60, 61, count))
    end = 1 << form.fraction_bits
    fraction = rng.integers(0, end, count)
    fraction = np.where(rng.random(count) < 1 / 3, rng.integers(-4, 4, count) % end, fraction)
    sign = rng.choice([-1.0, 1.0], count)
    value = sign * np.ldexp(1 + fraction / end, exponent - 1 + distance)
    beside = rng.integers(-2, 3, count) * 2.0 ** -rng.integers(8, 30, count).astype(float)
    value = np.where(kind < 0.2, -like * (1 + beside), value)
    bits = np.asarray(from_float(on_grid(value, grid), form), dtype=np.uint64)
    anything = numbers(rng, count, form)
    whole = to_float(anything, form)
    fits = ~np.isfinite(whole) | (on_grid(whole, grid) == whole)
    return np.where((kind > 0.9) & fits, anything, bits)


def on_grid(value: NDArray[np.float64], grid: int | None) -> NDArray[np.float64]:
    """The nearest multiple of ``2**grid``; without a grid the value itself."""
    if grid is None:
        return value
    with np.errstate(over="ignore", invalid="ignore"):
        return np.rint(value * 2.0**-grid) * 2.0**grid


def grid_corners(form: FloatFormat, grid: int | None) -> list[int]:
    """The corners of a format, and FP16's in it; with a grid, those on it."""
    wide = from_float(to_float(np.array(corners(FP16)), FP16), form).tolist()
    bits = np.array(sorted({*corners(form), *wide}), dtype=np.uint64)
    value = to_float(bits, form)
    return [int(b) for b in bits[~np.isfinite(value) | (on_grid(value, grid) == value)]]


def crossed(*values: list[int]) -> tuple[Words, ...]:
    """Every combination of one of each, as one array an operand."""
    return tuple(
        axis.ravel() for axis in np.meshgrid(*(np.array(v, dtype=np.uint64) for v in values))
    )
