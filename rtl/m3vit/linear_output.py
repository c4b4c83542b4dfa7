"""The last step of the linear unit: truncate an accumulator to a feature, apply GELU or not."""

from __future__ import annotations

from typing import Any

from amaranth import EnableInserter, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.m3vit.gelu import DeltaGelu
from dovetail.rtl.skew import delayed

__all__ = ["LinearOutput"]


class LinearOutput(wiring.Component):
    """``o = (i >> shift) mod 2**32``, through GELU where ``gelu`` is high.

    :Latency: 3 cycles in which ``enable`` is high, with and without GELU.
    :Throughput: one result per cycle.
    :Ready path: all registers hold while ``enable`` is low.
    :Reference: :func:`dovetail.models.m3vit.fixed_linear.fixed_linear`.

    Parameters
    ----------
    bits : int
        Width of an accumulator.

    Members
    -------
    i : signed(bits)
    shift : unsigned, 0 to ``bits - 32``
    gelu : unsigned(1)
        With ``i``, as ``shift`` is.
    enable : unsigned(1)
    o : signed(32)
    """

    cycles = DeltaGelu.latency_cycles

    def __init__(self, *, bits: int) -> None:
        super().__init__(
            {
                "i": In(signed(bits)),
                "shift": In(range(bits)),
                "gelu": In(1),
                "enable": In(1),
                "o": Out(signed(FEATURE.bits)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.curve = EnableInserter({"sync": self.enable})(self._curve())
        return m

    def _curve(self) -> Any:
        m = Module()
        m.submodules.unit = unit = DeltaGelu()
        feature = Signal(signed(FEATURE.bits))
        m.d.comb += [feature.eq(self.i >> self.shift), unit.i.eq(feature)]
        plain: Any = delayed(m, feature, self.cycles, name="plain", reset_less=True)
        gelu: Any = delayed(m, self.gelu, self.cycles, name="gelu", reset_less=True)
        m.d.comb += self.o.eq(Mux(gelu, unit.o, plain))
        return m
