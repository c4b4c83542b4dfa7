"""A row's head: what is broadcast to its units, and what its sum of activations is made from."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Shape
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Head", "TableHead"]


class Head(wiring.Component):
    """Base of all heads.

    :Latency: ``cycles`` from ``i`` to both outputs.
    :Throughput: one step per cycle.
    :Ready path: none; outputs stay as long as the input does.

    Parameters
    ----------
    bits : int
        Of a row's operand of a step in the scratchpad; what the head does not use is padding.
    operand : data.Layout
        What the row's units take.
    sum_shape : Shape
        What the row's group sum takes.
    cycles : int

    Members
    -------
    i : unsigned(bits)
    o : operand
    sum_o : sum_shape
    """

    def __init__(self, bits: int, *, operand: data.Layout, sum_shape: Shape, cycles: int) -> None:
        self.cycles = cycles
        super().__init__({"i": In(bits), "o": Out(operand), "sum_o": Out(sum_shape)})


class TableHead(Head):
    """Makes the table of a step: the precompute unit, once for all columns.

    :Reference: the precompute unit's.

    Parameters
    ----------
    bits : int
    precompute : wiring.Component
        With ``i``, ``o`` and ``cycles`` of :class:`~dovetail.rtl.lut.precompute.Precompute`.
    """

    def __init__(self, bits: int, precompute: Any) -> None:
        self._precompute = precompute
        table: data.ArrayLayout = precompute.signature.members["o"].shape
        super().__init__(
            bits, operand=table, sum_shape=Shape.cast(table.elem_shape), cycles=precompute.cycles
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.precompute = precompute = self._precompute
        activations = precompute.i.as_value()
        m.d.comb += [
            activations.eq(self.i),
            self.o.eq(precompute.o),
            self.sum_o.eq(precompute.o[0]),
        ]
        return m
