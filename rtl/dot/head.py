"""A row's head: what is broadcast to its units, and what its sum of activations is made from."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Shape, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import TABLE_TRAILER_BITS

__all__ = ["ActivationHead", "FullTableHead", "Head", "LoadedHead", "TableHead"]


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

    def __init__(self, bits: int, *, operand: data.Layout, sum_shape: Any, cycles: int) -> None:
        self.cycles = cycles
        super().__init__({"i": In(bits), "o": Out(operand), "sum_o": Out(sum_shape)})


class TableHead(Head):
    """Makes the table of a step: the precompute unit, once for all columns.

    :Reference: the precompute unit's.

    Parameters
    ----------
    bits : int
    precompute : wiring.Component
        With ``i``, ``o`` and ``cycles`` of :class:`~dovetail.rtl.lut.precompute.Precompute`; where
        ``o`` is not the exact table, its first entry is ``first``.
    """

    def __init__(self, bits: int, precompute: Any) -> None:
        self._precompute = precompute
        ports = precompute.signature.members
        table = ports["o"].shape
        self._exact = "first" not in ports
        first = table.elem_shape if self._exact else ports["first"].shape
        super().__init__(bits, operand=table, sum_shape=Shape.cast(first), cycles=precompute.cycles)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.precompute = precompute = self._precompute
        m.d.comb += [
            Value.cast(precompute.i).eq(self.i),
            self.o.eq(precompute.o),
            self.sum_o.eq(precompute.o[0] if self._exact else precompute.first),
        ]
        return m


class FullTableHead(Head):
    """Makes the full table of a step; its last entry has every activation added.

    :Reference: the precompute unit's.

    Parameters
    ----------
    bits : int
    precompute : wiring.Component
        As of :class:`TableHead`.
    """

    def __init__(self, bits: int, precompute: Any) -> None:
        self._precompute = precompute
        table: data.ArrayLayout = precompute.signature.members["o"].shape
        entry = Shape.cast(table.elem_shape)
        super().__init__(bits, operand=table, sum_shape=entry, cycles=precompute.cycles)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.precompute = precompute = self._precompute
        m.d.comb += [
            Value.cast(precompute.i).eq(self.i),
            self.o.eq(precompute.o),
            self.sum_o.eq(precompute.o[len(self.o) - 1]),
        ]
        return m


class ActivationHead(Head):
    """Passes the activations of a step on.

    :Reference: its input.

    Parameters
    ----------
    bits : int
    operand : data.Layout
        Activations side by side.
    """

    def __init__(self, bits: int, operand: data.Layout) -> None:
        super().__init__(bits, operand=operand, sum_shape=operand, cycles=0)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.d.comb += [Value.cast(self.o).eq(self.i), Value.cast(self.sum_o).eq(self.i)]
        return m


class LoadedHead(Head):
    """Passes a table on that lies in the scratchpad ready-made.

    An exact table fills ``bits`` from below.  A table of INT8 entries is followed by
    ``TABLE_TRAILER_BITS``: 7 bits of exponent, a bit that says not a number, and the first entry of
    the exact table in 24 bits.

    :Reference: :func:`dovetail.models.gemm_layout.pack_operands`.

    Parameters
    ----------
    bits : int
    table : data.Layout
    first_shape : Shape
        Of an entry of the exact table.
    """

    def __init__(self, bits: int, table: Any, first_shape: Shape) -> None:
        self._table = table
        super().__init__(bits, operand=table, sum_shape=first_shape, cycles=0)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        if isinstance(self._table, data.ArrayLayout):
            m.d.comb += [
                Value.cast(self.o).eq(self.i[: self._table.size]),
                self.sum_o.eq(self.o[0]),
            ]
            return m
        entries = Shape.cast(self._table.members["entries"]).width
        trailer = self.i[entries : entries + TABLE_TRAILER_BITS]
        m.d.comb += [
            Value.cast(self.o.entries).eq(self.i[:entries]),
            self.o.exponent.eq(trailer[:7]),
            self.sum_o.eq(trailer[8:]),
        ]
        if "nan" in self._table.members:
            m.d.comb += self.o.nan.eq(trailer[7])
        return m
