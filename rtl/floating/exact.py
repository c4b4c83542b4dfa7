"""Numbers on their way through the floating-point units: unpacked; and exact, not yet rounded."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data

from dovetail.arch.number_formats import FloatFormat

__all__ = ["ExactFormat", "Unpacked", "unpack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactFormat:
    """Shape of an exact number: ``(-1)**sign * significand * 2**(origin + exponent)``.

    The significand is an unsigned integer that need not begin with a one.  ``nan``, then ``inf``,
    override it; where one is set, significand and exponent mean nothing.  ``zero`` is set where the
    significand is 0, and the exponent means nothing then either.

    Attributes
    ----------
    significand_bits, exponent_bits : int
        Widths; the exponent is unsigned.
    origin : int
        Weight of the significand's last bit is 2 to this where the exponent is 0.
    least : int
        Smallest exponent.
    small, leading : int
        A significand other than 0 is below ``2**leading`` only where the exponent is at most
        ``small``.
    """

    significand_bits: int
    exponent_bits: int
    origin: int
    least: int
    small: int
    leading: int

    @property
    def grid(self) -> int:
        """Every number is a multiple of 2 to this."""
        return self.origin + self.least

    @property
    def layout(self) -> data.StructLayout:
        return data.StructLayout(
            {
                "significand": self.significand_bits,
                "exponent": self.exponent_bits,
                "sign": 1,
                "zero": 1,
                "inf": 1,
                "nan": 1,
            }
        )


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Parts of a bit pattern.

    Attributes
    ----------
    sign, zero, inf, nan : Value
    exponent : Value
        The exponent field, but 1 instead of 0: the last bit of subnormal numbers weighs what that
        of the least normal ones weighs, 2 to ``form.least_exponent``.
    significand : Value
        ``form.significand_bits``, with the leading one of a normal number.
    """

    sign: Value
    zero: Value
    inf: Value
    nan: Value
    exponent: Value
    significand: Value


def unpack(m: Module, bits: Value, form: FloatFormat, *, name: str) -> Unpacked:
    """Take a bit pattern apart; the signals in ``m`` are called ``name`` and what they are."""
    fraction = bits[: form.fraction_bits]
    field = bits[form.fraction_bits : -1]
    normal = Signal(name=f"{name}_normal")
    special = Signal(name=f"{name}_special")
    has_fraction = Signal(name=f"{name}_has_fraction")
    m.d.comb += [
        normal.eq(field.any()),
        special.eq(field.all()),
        has_fraction.eq(fraction.any()),
    ]
    return Unpacked(
        sign=bits[-1],
        zero=~normal & ~has_fraction,
        inf=special & ~has_fraction,
        nan=special & has_fraction,
        exponent=Cat(field[0] | ~normal, field[1:]),
        significand=Cat(fraction, normal),
    )
