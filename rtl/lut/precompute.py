"""The precompute unit for integers: a step's activations to the table of their signed sums."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.lut.table import full_integer_table, integer_table
from dovetail.rtl.skew import delayed

__all__ = ["FullPrecompute", "Precompute"]


class Precompute(wiring.Component):
    """``T[i] = -a[K-1] + sum_j (2 i_j - 1) a[j]`` of each ``i`` of ``K - 1`` bits.

    The activations are split in halves again and again, and all signed sums of a half are made once
    for all sums of the whole: 12 adders for ``lut_k`` = 4.

    :Latency: ``cycles``; combinational for 0.
    :Throughput: one table per cycle.
    :Ready path: none; a table stays as long as the activations do.
    :Reference: the sums, exactly.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    activation_bits : int
    cycles : int
        Registers at the output, of all bits of the table each.

    Members
    -------
    i : ArrayLayout(signed(activation_bits), lut_k)
        k index 0 in the low bits.
    o : integer_table(lut_k, activation_bits)
    """

    def __init__(self, *, lut_k: int, activation_bits: int, cycles: int = 1) -> None:
        self.cycles = cycles
        super().__init__(
            {
                "i": In(data.ArrayLayout(signed(activation_bits), lut_k)),
                "o": Out(integer_table(lut_k, activation_bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        table: Any = Signal.like(self.o)
        sums = _signed_sums(m, list(self.i), subtract_last=True)
        m.d.comb += [entry.eq(value) for entry, value in zip(table, sums, strict=True)]
        m.d.comb += self.o.eq(delayed(m, table, self.cycles, name="table", reset_less=True))
        return m


class FullPrecompute(wiring.Component):
    """The sum of each subset of the activations: the table of a conventional LUT unit.

    :Latency: ``cycles``; combinational for 0.
    :Throughput: one table per cycle.
    :Ready path: none; a table stays as long as the activations do.
    :Reference: the sums, exactly; bit ``j`` of an index says whether ``a[j]`` is in its sum.

    Parameters
    ----------
    lut_k, activation_bits, cycles
        As of :class:`Precompute`.

    Members
    -------
    i : ArrayLayout(signed(activation_bits), lut_k)
        k index 0 in the low bits.
    o : full_integer_table(lut_k, activation_bits)
    """

    def __init__(self, *, lut_k: int, activation_bits: int, cycles: int = 1) -> None:
        self.cycles = cycles
        super().__init__(
            {
                "i": In(data.ArrayLayout(signed(activation_bits), lut_k)),
                "o": Out(full_integer_table(lut_k, activation_bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        table: Any = Signal.like(self.o)
        m.d.comb += table[0].eq(0)
        for k, a in enumerate(self.i):
            m.d.comb += table[1 << k].eq(a)
            for others in range(1, 1 << k):
                m.d.comb += table[1 << k | others].eq(table[others] + a)
        m.d.comb += self.o.eq(delayed(m, table, self.cycles, name="table", reset_less=True))
        return m


def _signed_sums(m: Module, values: list[Value], *, subtract_last: bool) -> list[Value]:
    """Sums of ``values``: the last one added or subtracted, of the others those of the index."""
    if len(values) == 1:
        return [-values[0] if subtract_last else values[0]]
    half = len(values) // 2
    low = _signed_sums(m, values[:half], subtract_last=False)
    high = _signed_sums(m, values[half:], subtract_last=subtract_last)
    sums = []
    for index in range(1 << (len(values) - 1)):
        low_index, high_index = index % (1 << half), index >> half
        others = (1 << (half - 1)) - 1
        # Half of the low sums are the others, subtracted.
        if low_index > others:
            value = high[high_index] + low[low_index & others]
        else:
            value = high[high_index] - low[~low_index & others]
        total = Signal(value.shape(), name=f"sum_{len(values)}_{index}")
        m.d.comb += total.eq(value)
        sums.append(total)
    return sums
