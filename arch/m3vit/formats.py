"""Edge-MoE's fixed-point formats, and the wider ones of what it keeps inside a unit.

Source: sharc-lab/Edge-MoE, C++ types (arXiv 2305.18691).  ``ap_fixed<W, I>`` has W bits, I of them
before the point, the sign included; by default it truncates towards minus infinity and wraps.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedFormat:
    """A number of ``bits`` bits in units of ``2**-fraction_bits``.

    Attributes
    ----------
    name : str
    bits, integer_bits : int
        Width, and bits before the point; a sign counts as one of them.
    signed : bool
        Two's complement; else unsigned.
    """

    name: str
    bits: int
    integer_bits: int
    signed: bool = True

    @property
    def fraction_bits(self) -> int:
        return self.bits - self.integer_bits

    @property
    def least(self) -> int:
        """Smallest integer the bits hold."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def most(self) -> int:
        """Largest integer the bits hold."""
        return (1 << (self.bits - self.signed)) - 1


FEATURE = FixedFormat(name="fixed<32,10>", bits=32, integer_bits=10)
"""Feature maps, attention scores and probabilities, gate logits and scores."""

WEIGHT = FixedFormat(name="fixed<16,2>", bits=16, integer_bits=2)
"""Matrices of linear layers, experts and gates."""

ATTENTION_BIAS = FixedFormat(name="fixed<16,7>", bits=16, integer_bits=7)

BIAS = FixedFormat(name="fixed<16,5>", bits=16, integer_bits=5)
"""All other biases; scale and shift of a layer norm."""

PATCH_WEIGHT = FixedFormat(name="fixed<16,0>", bits=16, integer_bits=0)

PIXEL = FixedFormat(name="ufixed<8,0>", bits=8, integer_bits=0, signed=False)

SOFTMAX_SUM = FixedFormat(name="ufixed<38,16>", bits=38, integer_bits=16, signed=False)
"""Sum of a row's exponentials.  Ours: Edge-MoE's 129 tokens fit fixed<32,10>, 1,201 do not."""

RECIPROCAL = FixedFormat(name="ufixed<32,1>", bits=32, integer_bits=1, signed=False)
"""One over a sum of exponentials, which is at least 1."""

SQUARE_FRACTION_BITS = 32
"""Of squares, their mean and the variance in a layer norm; ours, for residuals beyond 22."""

RSTD = FixedFormat(name="ufixed<32,10>", bits=32, integer_bits=10, signed=False)
"""One over a standard deviation: at most 1,000, since the variance is at least 1e-6."""
