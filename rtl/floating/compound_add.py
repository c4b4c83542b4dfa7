"""An adder that also gives the sum plus one, for little more than the sum alone."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CompoundAdd"]


class CompoundAdd(wiring.Component):
    """``o = x + y + carry`` and ``without_carry = x + y``, both modulo ``2**bits``.

    One tree finds for every bit whether the bits below it generate or propagate a carry (J.
    Sklansky, "Conditional-sum addition logic", IRE Transactions on Electronic Computers, 1960);
    both sums read it.  With ``y`` inverted and a carry, ``o`` is ``x - y`` and ``~without_carry``
    is ``y - x``: a difference and its opposite, of which one is the magnitude.

    :Latency: combinational.

    Parameters
    ----------
    bits : int

    Members
    -------
    x, y, o, without_carry : unsigned(bits)
    carry : unsigned(1)
    """

    def __init__(self, bits: int) -> None:
        super().__init__(
            {
                "x": In(bits),
                "y": In(bits),
                "carry": In(1),
                "o": Out(bits),
                "without_carry": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        bits = len(self.x)
        half = self.x ^ self.y
        # Of each bit and those below it, in blocks that double.
        generate: list[Value] = list(self.x & self.y)
        propagate: list[Value] = list(half)
        block = 1
        while block < bits:
            for bit in range(bits):
                if bit & block:
                    below = bit // block * block - 1
                    g, p = Signal(name=f"g{block}_{bit}"), Signal(name=f"p{block}_{bit}")
                    m.d.comb += [
                        g.eq(generate[bit] | (propagate[bit] & generate[below])),
                        p.eq(propagate[bit] & propagate[below]),
                    ]
                    generate[bit], propagate[bit] = g, p
            block *= 2
        carries = [g | (p & self.carry) for g, p in zip(generate, propagate, strict=True)]
        m.d.comb += [
            self.o.eq(half ^ Cat(self.carry, carries)),
            self.without_carry.eq(half ^ Cat(0, generate)),
        ]
        return m
