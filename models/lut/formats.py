"""What a table-lookup GEMM is told of its operands, and the rules that it checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from dovetail.errors import ConfigError

Levels = Literal["odd", "twos_complement", "zero_point"]
Table = Literal["exact", "int8"]
Additions = Literal["ascending", "pairs"]

MAX_WEIGHT_BITS = 8
LEAST_LUT_K, MOST_LUT_K = 2, 8


@dataclass(frozen=True, kw_only=True)
class LutFormat:
    """Weights, and the tables that they index.

    Attributes
    ----------
    weight_bits : int
        1 to 8 bit planes of a weight; its code ``q`` is unsigned.
    levels : str
        What a code stands for.  ``odd``: ``2q - (2^b - 1)``, the odd numbers around 0, so that one
        bit is -1 or +1.  ``twos_complement``: ``q - 2^(b-1)``.  ``zero_point``: ``q - z``, with a
        z of 0 to ``2^b - 1`` a group.
    lut_k : int
        Activations of one table, 2 to 8; it has ``2^(lut_k - 1)`` entries.
    table : str
        ``exact`` entries, or ``int8``: rounded to 8 bits with one power-of-two scale a table.
    additions : str
        How the activations of a step are summed where each addition is rounded.  ``ascending``:
        one after the other, as tables are made.  ``pairs``: in a tree, as the bit-serial baseline
        does, which has no table but adds for each lookup what an entry would hold.
    """

    weight_bits: int
    levels: Levels = "odd"
    lut_k: int = 4
    table: Table = "exact"
    additions: Additions = "ascending"

    def __post_init__(self) -> None:
        check_weight_bits(self.weight_bits)
        check_lut_k(self.lut_k)
        for name, kind in (("levels", Levels), ("table", Table), ("additions", Additions)):
            value, choices = getattr(self, name), get_args(kind)
            if value not in choices:
                raise ConfigError(
                    f"{name}={value!r} must be one of {', '.join(choices)}; change {name}"
                )


def check_weight_bits(weight_bits: int) -> None:
    """Raise ConfigError unless a weight has 1 to 8 bits."""
    _check_range("weight_bits", weight_bits, 1, MAX_WEIGHT_BITS)


def check_lut_k(lut_k: int) -> None:
    """Raise ConfigError unless a table is made of 2 to 8 activations."""
    _check_range("lut_k", lut_k, LEAST_LUT_K, MOST_LUT_K)


def _check_range(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(
            f"{name}={value!r} must be a whole number from {least} to {most}; change {name}"
        )
