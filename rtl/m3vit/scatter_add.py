"""Results of a GEMM on their way to DRAM: some are weighted and added to what stands there."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, READ_COMMAND
from dovetail.rtl.m3vit.queues import lookup
from dovetail.rtl.m3vit.token_address import TokenAddress

__all__ = ["ScatterAdd", "result_beat", "scatter_beat"]


def scatter_beat(port_bits: int, experts: int, tokens: int) -> data.StructLayout:
    """A beat of results: a plain one, or one to ``add`` for the token in ``place``."""
    asked = lookup(experts, tokens).members
    return data.StructLayout(
        {
            "address": ADDRESS_BITS,
            "data": port_bits,
            "add": 1,
            "expert": asked["expert"].shape,
            "place": asked["place"].shape,
            "last": 1,
        }
    )


def result_beat(port_bits: int) -> data.StructLayout:
    """A beat as memory takes it."""
    return data.StructLayout({"address": ADDRESS_BITS, "data": port_bits})


class ScatterAdd(wiring.Component):
    """``memory[token] = wrap(memory[token] + wrap((score * value) >> 22))``; plain beats pass.

    Token and score come from whoever answers ``lookup``: queues of experts, or, for a residual
    sum, ``place`` itself and a score of 1.  Beats leave in the order in which they came.  An old
    value is read before earlier beats are written, so the same address must not come twice
    without ``landed`` between.

    :Latency: :data:`~dovetail.arch.m3vit.scatter.PLAIN_CYCLES` for a plain beat, and where memory
        answers after a constant time :func:`~dovetail.arch.m3vit.scatter.add_cycles` for one that
        is added; and one after the beat before at the earliest.
    :Throughput: one beat per cycle, where memory answers in less than ``depth`` cycles.
    :Ready path: from ``sum_command.ready`` to ``i.ready``.
    :Reference: :func:`dovetail.models.m3vit.fixed_linear.scatter_add`.

    Parameters
    ----------
    experts, tokens, token_beats : int
        As for :class:`~dovetail.rtl.m3vit.token_address.TokenAddress`.
    port_bits : int
        Of a beat; a whole number of features of 32 bits.
    depth : int
        Beats that wait for their old values.

    Members
    -------
    i : In(stream.Signature(scatter_beat(port_bits, experts, tokens)))
    lookup : Out(lookup(experts, tokens))
    sum_command : Out(stream.Signature(READ_COMMAND))
    sum_read : In(stream.Signature(port_bits))
    o : Out(stream.Signature(result_beat(port_bits)))
    landed : unsigned(1)
        Memory takes a beat with ``last`` in this cycle.
    added : unsigned(1)
        Memory takes a beat that was added in this cycle.
    """

    def __init__(
        self, *, experts: int, tokens: int, token_beats: int, port_bits: int, depth: int
    ) -> None:
        self._address = TokenAddress(experts=experts, tokens=tokens, token_beats=token_beats)
        self._port_bits = port_bits
        self._depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(scatter_beat(port_bits, experts, tokens))),
                "lookup": Out(lookup(experts, tokens)),
                "sum_command": Out(stream.Signature(READ_COMMAND)),
                "sum_read": In(stream.Signature(port_bits)),
                "o": Out(stream.Signature(result_beat(port_bits))),
                "landed": Out(1),
                "added": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        lanes = self._port_bits // FEATURE.bits
        waiting = data.StructLayout(
            {"address": ADDRESS_BITS, "data": self._port_bits, "add": 1, "last": 1}
        )
        m.submodules.address = address = self._address
        m.submodules.queue = queue = fifo.SyncFIFO(
            width=data.Layout.cast(waiting).size, depth=self._depth
        )
        wiring.connect(m, wiring.flipped(self.lookup), address.lookup)

        # Token and score are looked up, and value and score multiplied, at the pace of the queue.
        enable = Signal()
        i: Any = self.i.payload
        flags = data.StructLayout({"valid": 1, "add": 1, "last": 1})
        stages = [
            Signal(flags, name=f"stage_{stage}") for stage in range(TokenAddress.latency_cycles)
        ]
        first, second, third = stages
        values = [
            Signal(data.ArrayLayout(signed(FEATURE.bits), lanes), name=f"values_{stage}")
            for stage in range(2)
        ]
        score = Signal.like(self.lookup.score)
        weighted = Signal(data.ArrayLayout(signed(FEATURE.bits), lanes))
        m.d.comb += [
            self.i.ready.eq(enable),
            address.enable.eq(enable),
            address.address.eq(i.address),
            address.moved.eq(i.add),
            address.expert.eq(i.expert),
            address.place.eq(i.place),
        ]
        with m.If(enable):
            m.d.sync += [
                first.valid.eq(self.i.valid),
                first.add.eq(i.add),
                first.last.eq(i.last),
                second.eq(first),
                third.eq(second),
                values[0].eq(i.data),
                values[1].eq(values[0]),
                score.eq(self.lookup.score),
            ]
            for lane in range(lanes):
                value: Any = values[1][lane]
                product = Signal(signed(FEATURE.bits + len(score)), name=f"product_{lane}")
                m.d.comb += product.eq(value * score)
                m.d.sync += weighted[lane].eq(
                    Mux(second.add, product >> FEATURE.fraction_bits, value)
                )

        # The old value is asked for as the beat enters the queue.
        command: Any = self.sum_command.payload
        entering: Any = Signal(waiting)
        m.d.comb += [
            self.sum_command.valid.eq(third.valid & third.add & queue.w_rdy),
            command.address.eq(address.o),
            command.beats.eq(1),
            queue.w_en.eq(third.valid & queue.w_rdy & (~third.add | self.sum_command.ready)),
            enable.eq(~third.valid | queue.w_en),
            entering.address.eq(address.o),
            entering.data.eq(weighted),
            entering.add.eq(third.add),
            entering.last.eq(third.last),
            queue.w_data.eq(entering),
        ]

        leaving: Any = Signal(waiting)
        out: Any = Signal(waiting)
        valid = Signal()
        room = Signal()
        o: Any = self.o.payload
        sums = [
            (
                leaving.data.word_select(lane, FEATURE.bits)
                + Mux(leaving.add, self.sum_read.payload.word_select(lane, FEATURE.bits), 0)
            )[: FEATURE.bits]
            for lane in range(lanes)
        ]
        m.d.comb += [
            leaving.eq(queue.r_data),
            room.eq(~valid | self.o.ready),
            queue.r_en.eq(queue.r_rdy & room & (~leaving.add | self.sum_read.valid)),
            self.sum_read.ready.eq(queue.r_rdy & room & leaving.add),
            self.o.valid.eq(valid),
            o.address.eq(out.address),
            o.data.eq(out.data),
            self.landed.eq(valid & self.o.ready & out.last),
            self.added.eq(valid & self.o.ready & out.add),
        ]
        with m.If(room):
            m.d.sync += [valid.eq(queue.r_en), out.eq(leaving), out.data.eq(Cat(sums))]
        return m
