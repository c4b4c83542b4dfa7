"""Softmax state of every held row: a step a score, and maximum and reciprocal of each that ends."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE, RECIPROCAL, SOFTMAX_SUM
from dovetail.rtl.m3vit.reciprocal import Reciprocal
from dovetail.rtl.m3vit.softmax import SoftmaxStep
from dovetail.rtl.skew import delayed

__all__ = ["ROW", "RowSoftmax"]

ROW = data.StructLayout({"bias": signed(FEATURE.bits), "reciprocal": RECIPROCAL.bits})
"""All that is kept of a row of scores: its maximum, and one over its sum of exponentials."""

_STATE = data.StructLayout({"bias": signed(FEATURE.bits), "sum": SOFTMAX_SUM.bits})


class RowSoftmax(wiring.Component):
    """Take one score of each slot into the softmax of (slot, head), ``turns`` slots a unit in turn.

    :Latency: ``turns + 41`` cycles from the scores with which a row ends to ``o_valid``.
    :Throughput: the scores of a head in ``head_beats`` cycles; of the same head in ``token_beats``.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.softmax.running_softmax`.

    Parameters
    ----------
    design : AttentionDesign

    Members
    -------
    valid : unsigned(1)
    scores : parallel of signed(32)
    head : unsigned
    begins, ends : unsigned(1)
        The scores are the first, the last, of the row in ``begin_slot``, ``end_slot``.
    begin_slot, end_slot : unsigned
    o_valid : unsigned(1)
    o : ROW
        In the order in which rows ended.
    """

    def __init__(self, design: AttentionDesign) -> None:
        self._design = design
        slot = range(max(2, design.parallel))
        super().__init__(
            {
                "valid": In(1),
                "scores": In(data.ArrayLayout(signed(FEATURE.bits), design.parallel)),
                "head": In(range(max(2, design.heads))),
                "begins": In(1),
                "ends": In(1),
                "begin_slot": In(slot),
                "end_slot": In(slot),
                "o_valid": Out(1),
                "o": Out(ROW),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        scores, head = Signal.like(self.scores), Signal.like(self.head)
        begins, begin_slot = Signal(), Signal.like(self.begin_slot)
        ends, end_slot = Signal(), Signal.like(self.end_slot)
        turn = Signal(range(max(2, design.turns)))
        walking = Signal()
        with m.If(self.valid):
            m.d.sync += [
                scores.eq(self.scores),
                head.eq(self.head),
                begins.eq(self.begins),
                begin_slot.eq(self.begin_slot),
                ends.eq(self.ends),
                end_slot.eq(self.end_slot),
                turn.eq(0),
                walking.eq(1),
            ]
        with m.Elif(walking):
            m.d.sync += [turn.eq(turn + 1), walking.eq(turn != design.turns - 1)]

        ended = Signal(_STATE)
        for index in range(design.softmax_units):
            unit = SoftmaxStep()
            m.submodules[f"step_{index}"] = unit
            bank = memory.Memory(shape=_STATE, depth=design.heads << len(turn), init=[])
            m.submodules[f"state_{index}"] = bank
            read, write = bank.read_port(), bank.write_port()
            slots = range(index * design.turns, min((index + 1) * design.turns, design.parallel))
            state: Any = read.data
            slot = Signal(range(design.softmax_units * design.turns + 1), name=f"slot_{index}")
            first, x = (
                Signal(name=f"first_{index}"),
                Signal(signed(FEATURE.bits), name=f"x_{index}"),
            )
            address = Cat(turn, head)
            m.d.comb += [
                slot.eq(slots[0] + turn),
                read.addr.eq(address),
                read.en.eq(walking),
                unit.first.eq(first),
                unit.x.eq(x),
                unit.bias.eq(state.bias),
                unit.sum.eq(state.sum),
            ]
            m.d.sync += [
                first.eq(begins & (begin_slot == slot)),
                x.eq(Array(scores[number] for number in slots)[turn]),
            ]
            after = 1 + unit.latency_cycles
            to: Any = delayed(m, address, after, name=f"to_{index}")
            stepped: Any = delayed(m, walking, after, name=f"stepped_{index}")
            over = Signal(name=f"over_{index}")
            m.d.comb += over.eq(walking & ends & (end_slot == slot))
            done: Any = delayed(m, over, after, name=f"done_{index}")
            m.d.comb += [
                write.addr.eq(to),
                write.data.bias.eq(unit.o_bias),
                write.data.sum.eq(unit.o_sum),
                write.en.eq(stepped),
            ]
            with m.If(done):
                m.d.sync += [ended.bias.eq(unit.o_bias), ended.sum.eq(unit.o_sum)]

        # Whichever slot it was, a row's division starts when all have had their turn, so rows are
        # divided at the rate at which heads pass.
        wait = 1 + SoftmaxStep.latency_cycles + 1 + design.turns
        divide: Any = delayed(m, self.valid & self.ends, wait, name="divide")
        free = Signal(range(max(2, design.dividers)))
        with m.If(divide):
            m.d.sync += free.eq(Mux(free == design.dividers - 1, 0, free + 1))
        for index in range(design.dividers):
            m.submodules[f"divider_{index}"] = divider = Reciprocal()
            bias = Signal(signed(FEATURE.bits), name=f"bias_{index}", reset_less=True)
            m.d.comb += [divider.start.eq(divide & (free == index)), divider.i.eq(ended.sum)]
            with m.If(divider.start):
                m.d.sync += bias.eq(ended.bias)
            with m.If(divider.done):
                m.d.comb += [
                    self.o_valid.eq(1),
                    self.o.bias.eq(bias),
                    self.o.reciprocal.eq(divider.o),
                ]
        return m
