"""The exponential unit: ``exp(-t)`` as a power of two from a table, interpolated."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.tables import EXP_FRACTION_BITS, EXP_INDEX_BITS, LOG2_E, exp2_rom
from dovetail.rtl.m3vit.interpolate import InterpolatedTable
from dovetail.rtl.skew import delayed

__all__ = ["DISTANCE_BITS", "ExpNegative"]

DISTANCE_BITS = FEATURE.bits + 1
"""The distance of two features needs a bit more than they."""

_REST_BITS = FEATURE.fraction_bits - EXP_INDEX_BITS
_ROUND_BITS = EXP_FRACTION_BITS - FEATURE.fraction_bits
_LONGEST_SHIFT = EXP_FRACTION_BITS + 1  # beyond it nothing of an entry is left


class ExpNegative(wiring.Component):
    """``o = exp(-t)`` to 22 fraction bits, truncated; exactly 1 for t = 0.

    :Latency: 4 cycles.
    :Throughput: one value per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.exponential.exp_negative`.

    Members
    -------
    t : unsigned(33)
        22 fraction bits.
    o : unsigned(23)
        From 0 to 1.
    """

    latency_cycles = 4

    def __init__(self) -> None:
        super().__init__({"t": In(DISTANCE_BITS), "o": Out(FEATURE.fraction_bits + 1)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.table = table = InterpolatedTable(
            exp2_rom(), rest_bits=_REST_BITS, falling=True
        )
        product = self.t * LOG2_E
        exponent = Signal(len(product) - FEATURE.fraction_bits, reset_less=True)
        m.d.sync += exponent.eq(product >> FEATURE.fraction_bits)
        whole = exponent[FEATURE.fraction_bits :]
        shift = Signal(range(_LONGEST_SHIFT + 1))
        m.d.comb += [
            table.rest.eq(exponent[:_REST_BITS]),
            table.index.eq(exponent[_REST_BITS : FEATURE.fraction_bits]),
            shift.eq(
                Mux(whole > _LONGEST_SHIFT - _ROUND_BITS, _LONGEST_SHIFT, whole + _ROUND_BITS)
            ),
        ]
        later: Any = delayed(m, shift, 2, name="shift")
        m.d.sync += self.o.eq(table.o >> later)
        return m
