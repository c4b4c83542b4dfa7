"""The order of reordered attention: which key passes, which query begins, and which one ends."""

from __future__ import annotations

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DiagonalOrder"]


class DiagonalOrder(wiring.Component):
    """Walk the keys over and over; slot ``j`` takes its next query as key ``j`` passes.

    A query meets every key once, so it ends with the key before that with which it began.  Queries
    begin and end in ascending order, at most one of each in a step, and the walk is over as the
    last one ends: after ``a * tokens + r`` steps, where ``tokens + p - 1 = a * p + r`` and p is not
    above ``tokens``.

    :Latency: outputs are of the current beat; ``advance`` moves on to the next.
    :Throughput: one beat per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.sim.m3vit_steps.attention_steps`.

    Parameters
    ----------
    parallel : int
        Slots.
    max_tokens : int
    heads, head_beats : int
        A step is ``heads`` times ``head_beats`` beats.

    Members
    -------
    start : unsigned(1)
        Begin with the first beat; not while ``busy``.
    tokens : unsigned
        With ``start``: from 1 to ``max_tokens``.
    advance : unsigned(1)
        Only while ``busy``.
    busy : unsigned(1)
    begins, ends : unsigned(1)
        A query begins, ends in this step, in slot ``begin_slot``, ``end_slot``.
    head, beat : unsigned
        Head of this beat, and its place in the whole step.
    head_first, head_last : unsigned(1)
        The beat is its head's first, last.
    """

    def __init__(self, *, parallel: int, max_tokens: int, heads: int, head_beats: int) -> None:
        self._parallel = parallel
        self._heads = heads
        self._head_beats = head_beats
        slot = range(max(2, parallel))
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(max_tokens + 1)),
                "advance": In(1),
                "busy": Out(1),
                "begins": Out(1),
                "ends": Out(1),
                "begin_slot": Out(slot),
                "end_slot": Out(slot),
                "head": Out(range(max(2, heads))),
                "beat": Out(range(max(2, heads * head_beats))),
                "head_first": Out(1),
                "head_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        tokens = Signal.like(self.tokens)
        key, next_key = Signal.like(tokens), Signal.like(tokens)
        to_begin, to_end = Signal.like(tokens), Signal.like(tokens)
        place = Signal(range(max(2, self._head_beats)))
        last = Signal()
        m.d.comb += [
            next_key.eq(Mux(key == tokens - 1, 0, key + 1)),
            self.begins.eq((to_begin != 0) & (key == self.begin_slot)),
            # The oldest query is in the slot that the next key refills; there always is one.
            self.ends.eq(next_key == self.end_slot),
            self.busy.eq(to_end != 0),
            self.head_first.eq(place == 0),
            self.head_last.eq(place == self._head_beats - 1),
            last.eq(self.head_last & (self.head == self._heads - 1)),
        ]
        with m.If(self.start):
            m.d.sync += [
                tokens.eq(self.tokens),
                to_begin.eq(self.tokens),
                to_end.eq(self.tokens),
                key.eq(0),
                self.begin_slot.eq(0),
                self.end_slot.eq(0),
            ]
        with m.Elif(self.advance):
            m.d.sync += [
                place.eq(Mux(self.head_last, 0, place + 1)),
                self.beat.eq(Mux(last, 0, self.beat + 1)),
            ]
            with m.If(self.head_last):
                m.d.sync += self.head.eq(Mux(last, 0, self.head + 1))
            with m.If(last):
                m.d.sync += [
                    key.eq(next_key),
                    to_begin.eq(to_begin - self.begins),
                    to_end.eq(to_end - self.ends),
                ]
                with m.If(self.begins):
                    m.d.sync += self.begin_slot.eq(self._after(self.begin_slot))
                with m.If(self.ends):
                    m.d.sync += self.end_slot.eq(self._after(self.end_slot))
        return m

    def _after(self, slot: Signal) -> Mux:
        return Mux(slot == self._parallel - 1, 0, slot + 1)
