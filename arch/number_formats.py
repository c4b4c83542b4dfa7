"""Binary floating-point formats of IEEE 754's kind, by their two widths."""

from __future__ import annotations

from dataclasses import dataclass

from dovetail.errors import ConfigError


@dataclass(frozen=True, slots=True)
class FloatFormat:
    """A sign, a biased exponent and a fraction, from the top bit down.

    Subnormals, infinities and NaNs are as in IEEE 754; every NaN that an operation produces is
    ``nan``.

    Attributes
    ----------
    name : str
    exponent_bits, fraction_bits : int
        Widths of the two fields; the leading one of the significand is not stored.
    """

    name: str
    exponent_bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        # A wider one leaves float64, in which the reference computes.
        if not 2 <= self.exponent_bits <= 8 or not 1 <= self.fraction_bits <= 23:
            raise ConfigError(
                f"{self.name}: exponent_bits={self.exponent_bits}, "
                f"fraction_bits={self.fraction_bits} must be from 2 to 8 and from 1 to 23; "
                f"change the format"
            )

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def significand_bits(self) -> int:
        """Bits of a normal number's significand, the leading one included."""
        return self.fraction_bits + 1

    @property
    def bias(self) -> int:
        """What the exponent field of a normal number exceeds its exponent by."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def largest_exponent(self) -> int:
        """Of the largest finite numbers, which lie from two to this power on."""
        return self.bias

    @property
    def least_normal_exponent(self) -> int:
        """Of the smallest normal numbers."""
        return 1 - self.bias

    @property
    def least_exponent(self) -> int:
        """Weight of the last bit of a subnormal number: every value is a multiple of 2 to this."""
        return self.least_normal_exponent - self.fraction_bits

    @property
    def special_field(self) -> int:
        """The exponent field of infinities and NaNs."""
        return (1 << self.exponent_bits) - 1

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0**-self.fraction_bits) * 2.0**self.largest_exponent

    @property
    def infinity(self) -> int:
        """Bits of plus infinity."""
        return self.special_field << self.fraction_bits

    @property
    def nan(self) -> int:
        """Bits of the canonical NaN: positive, quiet, the rest of the fraction zero."""
        return self.infinity | 1 << (self.fraction_bits - 1)

    @property
    def sign(self) -> int:
        """Bits of minus zero."""
        return 1 << (self.bits - 1)


FP16 = FloatFormat("fp16", exponent_bits=5, fraction_bits=10)
FP32 = FloatFormat("fp32", exponent_bits=8, fraction_bits=23)
BF16 = FloatFormat("bf16", exponent_bits=8, fraction_bits=7)

FLOAT_FORMATS = {form.name: form for form in (FP16, FP32, BF16)}


def float_format(name: str) -> FloatFormat:
    """Look a format up by its name."""
    try:
        return FLOAT_FORMATS[name]
    except KeyError:
        known = ", ".join(FLOAT_FORMATS)
        raise ConfigError(f"no floating-point format named {name!r}; use one of {known}") from None
