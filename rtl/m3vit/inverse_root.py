"""One over the root of a variance: normalised, looked up, interpolated, shifted back."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import RSTD
from dovetail.arch.m3vit.tables import (
    RSQRT_FRACTION_BITS,
    RSQRT_INDEX_BITS,
    RSQRT_MANTISSA_BITS,
    rsqrt_rom,
)
from dovetail.rtl.floating.normalise import Normalise
from dovetail.rtl.m3vit.interpolate import InterpolatedTable
from dovetail.rtl.skew import delayed

__all__ = ["VARIANCE_BITS", "InverseRoot"]

VARIANCE_BITS = 51
"""``2**50`` at most, in 32 fraction bits: what 32-bit features can deviate by."""

_REST_BITS = RSQRT_MANTISSA_BITS - 2 - RSQRT_INDEX_BITS
_PLACES = VARIANCE_BITS + (VARIANCE_BITS & 1)  # of pairs of bits, as shifts are even


class InverseRoot(wiring.Component):
    """``o = 1 / sqrt(i)``.

    :Latency: 4 cycles.
    :Throughput: one value per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.fixed_norm.inverse_root`.

    Members
    -------
    i : unsigned(51)
        32 fraction bits; ``EPSILON`` or more.
    o : unsigned(32)
        ufixed<32,10>.
    """

    latency_cycles = 4

    def __init__(self) -> None:
        super().__init__({"i": In(VARIANCE_BITS), "o": Out(RSTD.bits)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.normalise = normalise = Normalise(_PLACES)
        m.submodules.table = table = InterpolatedTable(
            rsqrt_rom(), rest_bits=_REST_BITS, falling=True
        )
        # An even number of zeros is shifted out, so the leading one is first or second.
        zeros = Signal(range(_PLACES))
        even = Signal(range(_PLACES))
        top = Signal(_PLACES)
        mantissa = Signal(RSQRT_MANTISSA_BITS, reset_less=True)
        pairs = Signal(range(_PLACES // 2), reset_less=True)
        m.d.comb += [
            normalise.i.eq(self.i),
            normalise.limit.eq(0),
            zeros.eq(normalise.zeros),
            even.eq(zeros & ~Const(1, len(zeros))),
            top.eq(Mux(zeros[0], normalise.o >> 1, normalise.o)),
        ]
        m.d.sync += [
            mantissa.eq(top >> (_PLACES - RSQRT_MANTISSA_BITS)),
            pairs.eq(even >> 1),
        ]
        m.d.comb += [
            table.index.eq((mantissa >> _REST_BITS) - (1 << RSQRT_INDEX_BITS)),
            table.rest.eq(mantissa[:_REST_BITS]),
        ]
        # The mantissa stands for the variance shifted left by 2 pairs - (places - 32): its inverse
        # root has to be shifted left by half of that, 1 for the two bits before the point, and
        # what the table's fraction bits exceed.
        offset = (RSQRT_MANTISSA_BITS - _PLACES) // 2
        offset += 1 - (RSQRT_FRACTION_BITS - RSTD.fraction_bits)
        shift = Signal(signed(len(pairs) + 2))
        later: Any = delayed(m, pairs, 2, name="pairs")
        m.d.comb += shift.eq(later + offset)
        left, right = Signal(len(pairs)), Signal(len(pairs))
        m.d.comb += [left.eq(shift), right.eq(-shift)]
        m.d.sync += self.o.eq(Mux(shift < 0, table.o >> right, table.o << left))
        return m
