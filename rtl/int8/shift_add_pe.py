"""The baseline's PE without its multiplier: INT8 x INT8 by shift-and-add.

It separates what shift-and-add gains from what dequantisation after the group gains.
"""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value, signed

from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["Int8ShiftAddPe"]


class Int8ShiftAddPe(OutputStationaryPe):
    """Output-stationary PE around eight gated, shifted partial products.

    The weight is two's complement, so the partial product of its top bit is subtracted.

    Parameters
    ----------
    sum_bits : int
        Width of the accumulator.
    """

    def __init__(self, *, sum_bits: int) -> None:
        super().__init__(activation_bits=8, weight_bits=8, sum_shape=signed(sum_bits))

    def product(self, m: Module) -> Value:
        terms: list[Value] = []
        for bit in range(8):
            plane = Signal(signed(8 + bit), name=f"plane_{bit}")
            m.d.comb += plane.eq(Mux(self.w_i[bit], self.a_i.as_signed() << bit, 0))
            terms.append(-plane if bit == 7 else plane)
        while len(terms) > 1:
            terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=True)]
        total = Signal(signed(16))
        m.d.comb += total.eq(terms[0])
        return total
