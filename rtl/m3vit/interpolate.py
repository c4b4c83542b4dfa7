"""A function from a table in a ROM, with straight lines between its entries."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["InterpolatedTable"]


class InterpolatedTable(wiring.Component):
    """``o = T[i] + floor((T[i + 1] - T[i]) * rest / 2**rest_bits)``.

    Where ``falling``, it is ``T[i] - floor((T[i] - T[i + 1]) * rest / 2**rest_bits)``: the same
    line, rounded towards ``T[i]``.

    :Latency: 2 cycles from ``index`` and ``rest`` to ``o``.
    :Throughput: one value per cycle.
    :Ready path: none.
    :Reference: the tables of :mod:`dovetail.models.m3vit`.

    Parameters
    ----------
    entries : sequence of int
        ``T``, not negative; the last one is reached but not left.
    rest_bits : int
    falling : bool
        No entry is above the one before.

    Members
    -------
    index : unsigned
        From 0 to ``len(entries) - 2``; further ones give ``T[-1]``.
    rest : unsigned(rest_bits)
    o : unsigned
        As wide as the largest entry.
    """

    def __init__(self, entries: Sequence[int], *, rest_bits: int, falling: bool = False) -> None:
        self._entries = tuple(entries)
        self._rest_bits = rest_bits
        self._falling = falling
        super().__init__(
            {
                "index": In(range(len(entries))),
                "rest": In(rest_bits),
                "o": Out(max(entries).bit_length()),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        pairs = zip(self._entries[:-1], self._entries[1:], strict=True)
        steps = [before - after if self._falling else after - before for before, after in pairs]
        steps.append(0)
        bits = max(step.bit_length() for step in steps)
        step_shape = unsigned(bits) if self._falling else signed(bits + 1)
        row = data.StructLayout({"value": len(self.o), "step": step_shape})
        m.submodules.rom = rom = memory.Memory(
            shape=row,
            depth=len(self._entries),
            init=[
                {"value": value, "step": step}
                for value, step in zip(self._entries, steps, strict=True)
            ],
        )
        read = rom.read_port()
        rest = Signal(self._rest_bits, reset_less=True)
        change = Signal(step_shape)
        m.d.comb += [
            read.addr.eq(Mux(self.index < len(self._entries), self.index, len(self._entries) - 1)),
            change.eq((read.data.step * rest) >> self._rest_bits),
        ]
        m.d.sync += rest.eq(self.rest)
        value = read.data.value
        m.d.sync += self.o.eq(value - change if self._falling else value + change)
        return m
