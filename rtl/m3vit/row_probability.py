"""Probabilities of every held row, made again from scores as the values pass."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.m3vit.diagonal import DiagonalOrder
from dovetail.rtl.m3vit.reserved_queue import ReservedQueue
from dovetail.rtl.m3vit.row_softmax import ROW
from dovetail.rtl.m3vit.softmax import Probability
from dovetail.rtl.skew import delayed

__all__ = ["PROBABILITY_BITS", "RowProbability"]

PROBABILITY_BITS = FEATURE.fraction_bits + 1
"""From 0 to 1, both included."""


class RowProbability(wiring.Component):
    """Scores of p slots in, their probabilities out, ``turns`` slots a unit one after the other.

    :Latency: ``turns + 9`` cycles.
    :Throughput: the scores of a head every ``turns`` cycles.
    :Ready path: from ``i_row.valid`` to ``i_score.ready`` and from ``i_score.valid`` to
        ``i_row.ready``.
    :Reference: :func:`dovetail.models.m3vit.softmax.probability`.

    Parameters
    ----------
    design : AttentionDesign

    Members
    -------
    start, tokens : In
        As of :class:`DiagonalOrder`.
    i_score : In(stream of parallel * 32 bits)
    i_row : In(stream of ROW)
        Taken with the first scores of that query and head.
    o : Out(stream of parallel * 23 bits)
        For each score.
    """

    def __init__(self, design: AttentionDesign) -> None:
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(design.max_tokens + 1)),
                "i_score": In(stream.Signature(design.parallel * FEATURE.bits)),
                "i_row": In(stream.Signature(ROW)),
                "o": Out(stream.Signature(design.parallel * PROBABILITY_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        m.submodules.order = order = DiagonalOrder(
            parallel=design.parallel,
            max_tokens=design.max_tokens,
            heads=design.heads,
            head_beats=1,
        )
        width = design.parallel * PROBABILITY_BITS
        m.submodules.queue = queue = ReservedQueue(bits=width, depth=design.probability_queue)
        turn = Signal(range(max(2, design.turns)))
        walking, open_, take = Signal(), Signal(), Signal()
        m.d.comb += [
            order.start.eq(self.start),
            order.tokens.eq(self.tokens),
            open_.eq(order.busy & queue.room & (~walking | (turn == design.turns - 1))),
            self.i_score.ready.eq(open_ & (~order.begins | self.i_row.valid)),
            self.i_row.ready.eq(open_ & order.begins & self.i_score.valid),
            take.eq(self.i_score.valid & self.i_score.ready),
            order.advance.eq(take),
            queue.reserve.eq(take),
        ]
        scores = Signal(data.ArrayLayout(signed(FEATURE.bits), design.parallel), reset_less=True)
        head = Signal.like(order.head)
        with m.If(take):
            m.d.sync += [
                scores.eq(self.i_score.payload),
                head.eq(order.head),
                turn.eq(0),
                walking.eq(1),
            ]
        with m.Elif(walking):
            m.d.sync += [turn.eq(turn + 1), walking.eq(turn != design.turns - 1)]

        made = [
            Signal(PROBABILITY_BITS, name=f"made_{slot}", reset_less=True)
            for slot in range(design.parallel)
        ]
        for index in range(design.softmax_units):
            m.submodules[f"probability_{index}"] = unit = Probability()
            bank = memory.Memory(shape=ROW, depth=design.heads << len(turn), init=[])
            m.submodules[f"rows_{index}"] = bank
            read, write = bank.read_port(), bank.write_port()
            slots = range(index * design.turns, min((index + 1) * design.turns, design.parallel))
            row: Any = read.data
            to: Any = (order.begin_slot - slots[0])[: len(turn)]
            x = Signal(signed(FEATURE.bits), name=f"x_{index}", reset_less=True)
            m.d.comb += [
                write.addr.eq(Cat(to, order.head)),
                write.data.eq(self.i_row.payload),
                write.en.eq(take & order.begins & order.begin_slot.matches(*slots)),
                read.addr.eq(Cat(turn, head)),
                read.en.eq(walking),
                unit.x.eq(x),
                unit.bias.eq(row.bias),
                unit.reciprocal.eq(row.reciprocal),
            ]
            m.d.sync += x.eq(Array(scores[number] for number in slots)[turn])
            whose: Any = delayed(m, turn, 1 + unit.latency_cycles, name=f"whose_{index}")
            for place, slot in enumerate(slots):
                with m.If(whose == place):
                    m.d.sync += made[slot].eq(unit.o)
        done: Any = delayed(m, take, design.probability_cycles - 1, name="done")
        m.d.comb += [
            queue.push.eq(done),
            queue.i.eq(Cat(*made)),
            self.o.valid.eq(queue.o.valid),
            self.o.payload.eq(queue.o.payload),
            queue.o.ready.eq(self.o.ready),
        ]
        return m
