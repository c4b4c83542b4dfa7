"""Rounding of exact fractions to a binary format, written from the definition of IEEE 754."""

from fractions import Fraction
from math import floor

from dovetail.arch.number_formats import FloatFormat


def value_of(bits: int, form: FloatFormat) -> Fraction | None:
    """The number that a bit pattern stands for; None for infinities and NaNs."""
    fraction = bits % (1 << form.fraction_bits)
    field = bits >> form.fraction_bits & form.special_field
    if field == form.special_field:
        return None
    if field:
        fraction += 1 << form.fraction_bits
    weight = max(field, 1) - form.bias - form.fraction_bits
    return (-1) ** (bits >> (form.bits - 1)) * fraction * Fraction(2) ** weight


def nearest(value: Fraction, form: FloatFormat, *, negative_zero: bool = False) -> int:
    """Bits of the number nearest to ``value``, ties to the even one.

    ``negative_zero`` is the sign of an exact zero.
    """
    if value == 0:
        return negative_zero << (form.bits - 1)
    sign = (value < 0) << (form.bits - 1)
    magnitude = abs(value)
    exponent = form.least_normal_exponent
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    weight = Fraction(2) ** (exponent - form.fraction_bits)
    whole = floor(magnitude / weight)
    rest = magnitude / weight - whole
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2):
        whole += 1
    # A carry out of the significand, and the step from subnormal to normal, follow by themselves
    # from the order of bit patterns.
    pattern = (exponent - form.least_normal_exponent << form.fraction_bits) + whole
    return sign | min(pattern, form.special_field << form.fraction_bits)
