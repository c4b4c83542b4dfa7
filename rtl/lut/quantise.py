# amaranth: UnusedElaboratable=no
"""Quantisers of tables: INT8 entries and one power of two, the least that they fit with."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16
from dovetail.rtl.floating.exact import unpack
from dovetail.rtl.lut.float_precompute import FloatPrecompute
from dovetail.rtl.lut.precompute import Precompute
from dovetail.rtl.lut.table import (
    ENTRY_BITS,
    highest_exponent,
    integer_table,
    quantised_float_table,
    quantised_integer_table,
)
from dovetail.rtl.rounding import RoundingShift
from dovetail.rtl.skew import delayed

__all__ = ["QuantisingFloatPrecompute", "QuantisingPrecompute"]


class QuantisingPrecompute(wiring.Component):
    """:class:`~dovetail.rtl.lut.precompute.Precompute` with the entries rounded to INT8.

    ``exponent`` is the least ``e`` of 0 and up with which every entry over ``2**e``, rounded half
    to even, lies in -127 .. 127; 0 where all entries are 0.  The largest magnitude in a table is
    the sum of those of the activations.

    :Latency: ``cycles`` = 2: exact table and largest magnitude; rounded table.
    :Throughput: one table per cycle.
    :Ready path: none; a table stays as long as the activations do.
    :Reference: the exact table, divided and rounded.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    activation_bits : int

    Members
    -------
    i : ArrayLayout(signed(activation_bits), lut_k)
        k index 0 in the low bits.
    o : quantised_integer_table(lut_k, activation_bits)
    first : shape of an entry of the exact table
        Its entry 0: minus the sum of the activations.
    """

    def __init__(self, *, lut_k: int, activation_bits: int) -> None:
        self.cycles = 2
        self._activation_bits = activation_bits
        self._table = Precompute(lut_k=lut_k, activation_bits=activation_bits, cycles=1)
        self._highest = highest_exponent(lut_k << (activation_bits - 1))
        super().__init__(
            {
                "i": In(self._table.signature.members["i"].shape),
                "o": Out(quantised_integer_table(lut_k, activation_bits)),
                "first": Out(integer_table(lut_k, activation_bits).elem_shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.table = table = self._table
        magnitudes = [Mux(a[-1], -a, a)[: self._activation_bits] for a in self.i]
        largest = Signal(range((len(magnitudes) << (self._activation_bits - 1)) + 1))
        m.d.comb += table.i.eq(self.i)
        m.d.sync += largest.eq(sum(magnitudes[1:], magnitudes[0]))
        exponent = Signal.like(self.o.exponent)
        m.d.comb += exponent.eq(_least_exponent(largest, self._highest))
        m.d.sync += [self.o.exponent.eq(exponent), self.first.eq(table.o[0])]
        bits = max(len(table.o[0]), self._highest + 1)
        for index, entry in enumerate(table.o):
            m.submodules[f"round_{index}"] = rounding = RoundingShift(
                in_bits=bits, out_bits=ENTRY_BITS
            )
            m.d.comb += [rounding.i.eq(entry), rounding.shift.eq(exponent)]
            m.d.sync += self.o.entries[index].eq(rounding.o)
        return m


class QuantisingFloatPrecompute(wiring.Component):
    """:class:`~dovetail.rtl.lut.float_precompute.FloatPrecompute` with INT8 entries.

    The power of two is the least with which every entry, rounded half to even, lies in
    -127 .. 127, and that no number of FP16 needs to be less: 2^-24.  It is 2^-24 where all entries
    are 0.

    :Latency: ``cycles`` = ``lut_k`` + 1: exact table; its largest magnitude; rounded table.
    :Throughput: one table per cycle.
    :Ready path: none; a table stays as long as the activations do.
    :Reference: the table of FP16 numbers, divided and rounded.

    Parameters
    ----------
    lut_k : int
        Activations of a step, 2 to 8.
    activation_bits : int
        16 for FP16, 8 for FP8 (E4M3).

    Members
    -------
    i : ArrayLayout(unsigned(activation_bits), lut_k)
        Bit patterns, k index 0 in the low bits.
    o : quantised_float_table(lut_k)
    first : unsigned(16)
        Entry 0 of the exact table: minus the sum of the activations.
    """

    def __init__(self, *, lut_k: int, activation_bits: int = 16) -> None:
        self._table = FloatPrecompute(lut_k=lut_k, activation_bits=activation_bits)
        self.cycles = self._table.cycles + 2
        super().__init__(
            {
                "i": In(self._table.signature.members["i"].shape),
                "o": Out(quantised_float_table(lut_k)),
                "first": Out(FP16.bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.table = table = self._table
        magnitudes: list[Value] = [entry[:-1] for entry in table.o]
        while len(magnitudes) > 1:
            magnitudes = [
                Mux(a < b, b, a) for a, b in zip(magnitudes[::2], magnitudes[1::2], strict=True)
            ]
        largest = Signal(FP16.bits - 1)
        m.d.comb += table.i.eq(self.i)
        m.d.sync += largest.eq(magnitudes[0])

        # A largest entry of exponent field x is below 2^11 of 2^(ORIGIN + x - 1).
        most = unpack(m, Cat(largest, Const(0, 1)), FP16, name="largest")
        exponent = Signal.like(self.o.exponent)
        beyond = _least_exponent(most.significand, highest_exponent(2**FP16.significand_bits - 1))
        m.d.comb += exponent.eq(most.exponent + beyond - 1)
        m.d.sync += [self.o.exponent.eq(exponent), self.o.nan.eq(most.inf | most.nan)]

        # Shifted by this, the largest significand is below half.
        farthest = FP16.significand_bits + 1
        first = delayed(m, Value.cast(table.o[0]), 2, name="first", reset_less=True)
        m.d.comb += self.first.eq(first)
        for index, entry in enumerate(table.o):
            word = delayed(m, Value.cast(entry), 1, name=f"entry_{index}", reset_less=True)
            number = unpack(m, word, FP16, name=f"number_{index}")
            m.submodules[f"round_{index}"] = rounding = RoundingShift(
                in_bits=farthest + 1, out_bits=ENTRY_BITS
            )
            distance = Signal(signed(len(exponent) + 2), name=f"distance_{index}")
            value = Signal(signed(farthest + 1), name=f"value_{index}")
            m.d.comb += [
                distance.eq(exponent + 1 - number.exponent),
                value.eq(Mux(number.sign, -number.significand, number.significand)),
                rounding.i.eq(value),
                rounding.shift.eq(Mux(distance > farthest, farthest, distance)),
            ]
            m.d.sync += self.o.entries[index].eq(rounding.o)
        return m


def _least_exponent(largest: Value, highest: int) -> Value:
    """Least shift after which a magnitude, rounded half to even, is at most 127."""
    # 127.5 is a tie, which rounds to 128.
    return sum((largest >= limit for limit in _limits(highest)), Const(0, 1))


def _limits(highest: int) -> list[int]:
    return [128, *(255 << (e - 1) for e in range(1, highest))]
