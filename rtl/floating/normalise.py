"""Leading zeros: counted, and shifted out."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Normalise"]


class Normalise(wiring.Component):
    """Shift the leading one of ``i`` to the top, but by no more than ``limit`` allows.

    :Latency: combinational.

    Parameters
    ----------
    bits : int

    Members
    -------
    i : unsigned(bits)
    limit : unsigned(bits)
        Where its leading one is above that of ``i``, it is this one that comes to the top.
    zeros : unsigned
        By how much ``o`` is shifted; without a one in ``i`` and ``limit``, any amount.
    o : unsigned(bits)
    """

    def __init__(self, bits: int) -> None:
        super().__init__(
            {"i": In(bits), "limit": In(bits), "zeros": Out(range(bits)), "o": Out(bits)}
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        bits, stages = len(self.i), len(self.zeros)
        # Padded at the end with ones, which count as no zeros.
        padding = (1 << stages) - bits
        _, zeros = _leading_zeros(Cat(Const((1 << padding) - 1, padding), self.i | self.limit))
        m.d.comb += self.zeros.eq(zeros)
        shifted: Value = self.i
        for stage in reversed(range(stages)):
            step = Signal(bits, name=f"shifted_{1 << stage}")
            m.d.comb += step.eq(Mux(self.zeros[stage], shifted << (1 << stage), shifted))
            shifted = step
        m.d.comb += self.o.eq(shifted)
        return m


def _leading_zeros(value: Value) -> tuple[Value, Value]:
    """Whether a power of two of bits are all zero, and the leading zeros where they are not."""
    if len(value) == 1:
        return ~value[0], Const(0, 0)
    half = len(value) // 2
    high_empty, high = _leading_zeros(value[half:])
    low_empty, low = _leading_zeros(value[:half])
    return high_empty & low_empty, Cat(Mux(high_empty, low, high), high_empty)
