"""GELU as ReLU minus a correction from a table of 177 entries."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.tables import GELU_ENTRIES, GELU_STEP_BITS, gelu_delta_rom
from dovetail.rtl.m3vit.interpolate import InterpolatedTable
from dovetail.rtl.skew import delayed

__all__ = ["DeltaGelu"]

_REST_BITS = FEATURE.fraction_bits - GELU_STEP_BITS


class DeltaGelu(wiring.Component):
    """``o = GELU(i)`` of fixed<32,10>: table and chords below 5.5, ReLU from there on.

    :Latency: 3 cycles.
    :Throughput: one value per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.delta_gelu.delta_gelu`.

    Members
    -------
    i, o : signed(32)
    """

    latency_cycles = 3

    def __init__(self) -> None:
        super().__init__({"i": In(signed(FEATURE.bits)), "o": Out(signed(FEATURE.bits))})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.delta = delta = InterpolatedTable(gelu_delta_rom(), rest_bits=_REST_BITS)
        magnitude = Signal(FEATURE.bits)  # 2**31 at most, which 32 bits without a sign hold
        line = Signal(FEATURE.bits - _REST_BITS)
        inside = Signal()
        positive = Signal(FEATURE.bits - 1)
        m.d.comb += [
            magnitude.eq(Mux(self.i < 0, -self.i, self.i)),
            line.eq(magnitude >> _REST_BITS),
            inside.eq(line < GELU_ENTRIES - 1),
            delta.index.eq(Mux(inside, line, 0)),
            delta.rest.eq(magnitude[:_REST_BITS]),
            positive.eq(Mux(self.i < 0, 0, self.i)),
        ]
        relu: Any = delayed(m, positive, 2, name="relu")
        corrected: Any = delayed(m, inside, 2, name="corrected")
        m.d.sync += self.o.eq(relu - Mux(corrected, delta.o, 0))
        return m
