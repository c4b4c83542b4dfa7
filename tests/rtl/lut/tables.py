"""Tables, slices and sums by their formulas, one term at a time."""

from __future__ import annotations

from collections.abc import Sequence


def plane(codes: Sequence[int], bit: int) -> int:
    """One bit of each weight, the first in bit 0."""
    return sum((code >> bit & 1) << k for k, code in enumerate(codes))


def inverted(lut_k: int, bits: int) -> int:
    """A slice as it is stored: the low bits inverted where the highest is 1."""
    top = 1 << (lut_k - 1)
    return bits ^ (top - 1) if bits & top else bits


def table(activations: Sequence[int]) -> list[int]:
    """All entries of a symmetric table."""
    *others, last = activations
    return [
        sum(a if index >> j & 1 else -a for j, a in enumerate(others)) - last
        for index in range(1 << len(others))
    ]


def odd_levels(code: int, bits: int) -> int:
    """The weight that a code of ``bits`` planes of +1 and -1 stands for."""
    return 2 * code - (1 << bits) + 1


def pack(values: Sequence[int], bits: int) -> int:
    """Numbers side by side, the first in the low bits."""
    return sum((value % (1 << bits)) << (bits * i) for i, value in enumerate(values))
