"""The QK^T unit of reordered attention: one beat of a key meets p queries in a cycle."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.attention import PRODUCT_BITS, AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.arch.m3vit.tables import attention_scale
from dovetail.rtl.m3vit.diagonal import DiagonalOrder
from dovetail.rtl.m3vit.reserved_queue import ReservedQueue
from dovetail.rtl.m3vit.row_softmax import ROW, RowSoftmax
from dovetail.rtl.skew import delayed

__all__ = ["AttentionScores"]


class AttentionScores(wiring.Component):
    """Scores of every (key, query) pair, and of each row its maximum and reciprocal sum.

    A query enters its slot beat by beat together with the key with which it begins, so replacing
    it costs no cycle.  Products sum exactly; a sum is truncated once and then scaled.

    :Latency: from the last beat of a head, 6 cycles to its scores, and ``turns + 47`` to the row
        that ended with it.
    :Throughput: one key beat per cycle, where streams are taken and given at once: ``token_beats``
        cycles for each of the ``a * tokens + r`` keys of :class:`DiagonalOrder`.
    :Ready path: from ``i_q.valid`` to ``i_k.ready`` and from ``i_k.valid`` to ``i_q.ready``.
    :Reference: :func:`dovetail.models.m3vit.fixed_attention.fixed_attention`.

    Parameters
    ----------
    design : AttentionDesign

    Members
    -------
    start : unsigned(1)
        Not while ``busy``.
    tokens : unsigned
        With ``start``.
    busy : unsigned(1)
        Keys are still to come.
    i_q, i_k : In(stream of lanes * 32 bits)
        Tokens in beats, fixed<32,10>, feature 0 in the low bits.  Every query once, ascending; keys
        ascending and from the first again, as often as they pass.
    o_score : Out(stream of parallel * 32 bits)
        For each key that passes and each head, slot 0 in the low bits; of a slot without query
        they mean nothing.
    o_row : Out(stream of ROW)
        For each query, ascending, and each head.
    """

    def __init__(self, design: AttentionDesign) -> None:
        self._design = design
        beat = design.lanes * FEATURE.bits
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(design.max_tokens + 1)),
                "busy": Out(1),
                "i_q": In(stream.Signature(beat)),
                "i_k": In(stream.Signature(beat)),
                "o_score": Out(stream.Signature(design.parallel * FEATURE.bits)),
                "o_row": Out(stream.Signature(ROW)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        m.submodules.order = order = DiagonalOrder(
            parallel=design.parallel,
            max_tokens=design.max_tokens,
            heads=design.heads,
            head_beats=design.head_beats,
        )
        m.submodules.scores = scores = ReservedQueue(
            bits=design.parallel * FEATURE.bits, depth=design.score_queue
        )
        m.submodules.rows = rows = ReservedQueue(bits=ROW.size, depth=design.row_queue)
        m.submodules.softmax = softmax = RowSoftmax(design)

        open_, take = Signal(), Signal()
        row_ends = Signal()
        m.d.comb += [
            order.start.eq(self.start),
            order.tokens.eq(self.tokens),
            self.busy.eq(order.busy),
            row_ends.eq(order.head_last & order.ends),
            open_.eq(order.busy & (~order.head_last | scores.room) & (~row_ends | rows.room)),
            self.i_k.ready.eq(open_ & (~order.begins | self.i_q.valid)),
            self.i_q.ready.eq(open_ & order.begins & self.i_k.valid),
            take.eq(self.i_k.valid & self.i_k.ready),
            order.advance.eq(take),
            scores.reserve.eq(take & order.head_last),
            rows.reserve.eq(take & row_ends),
        ]

        # Memory, product, sum of lanes, accumulator.
        key = Signal(design.lanes * FEATURE.bits, reset_less=True)
        m.d.sync += key.eq(self.i_k.payload)
        summed: Any = delayed(m, take, 3, name="summed")
        first: Any = delayed(m, order.head_first, 3, name="first")
        accumulators = []
        for slot in range(design.parallel):
            bank = memory.Memory(
                shape=design.lanes * FEATURE.bits, depth=design.token_beats, init=[]
            )
            m.submodules[f"query_{slot}"] = bank
            write = bank.write_port()
            read = bank.read_port(transparent_for=(write,))
            m.d.comb += [
                write.addr.eq(order.beat),
                write.data.eq(self.i_q.payload),
                write.en.eq(take & order.begins & (order.begin_slot == slot)),
                read.addr.eq(order.beat),
                read.en.eq(take),
            ]
            products = [
                Signal(signed(PRODUCT_BITS), name=f"product_{slot}_{lane}", reset_less=True)
                for lane in range(design.lanes)
            ]
            m.d.sync += [
                product.eq(
                    read.data.word_select(lane, FEATURE.bits).as_signed()
                    * key.word_select(lane, FEATURE.bits).as_signed()
                )
                for lane, product in enumerate(products)
            ]
            lanes = Signal(signed(PRODUCT_BITS), name=f"lanes_{slot}", reset_less=True)
            total = Signal(signed(PRODUCT_BITS), name=f"total_{slot}", reset_less=True)
            m.d.sync += lanes.eq(sum(products))
            with m.If(summed):
                m.d.sync += total.eq(Mux(first, 0, total) + lanes)
            accumulators.append(total)

        # Scale, and on to the two that take scores.
        scaled = Signal(data.ArrayLayout(signed(FEATURE.bits), design.parallel), reset_less=True)
        scale = attention_scale(design.head_dim)
        for slot, total in enumerate(accumulators):
            whole: Any = (total >> FEATURE.fraction_bits)[: FEATURE.bits]
            m.d.sync += scaled[slot].eq((whole.as_signed() * scale) >> FEATURE.fraction_bits)
        known = design.score_cycles - 1
        done: Any = delayed(m, scores.reserve, known, name="done")
        control = Cat(order.head, order.begins, order.begin_slot, order.ends, order.end_slot)
        later: Any = delayed(m, control, known, name="control", reset_less=True)
        m.d.comb += [
            scores.push.eq(done),
            scores.i.eq(scaled),
            softmax.valid.eq(done),
            softmax.scores.eq(scaled),
            Cat(
                softmax.head,
                softmax.begins,
                softmax.begin_slot,
                softmax.ends,
                softmax.end_slot,
            ).eq(later),
            rows.push.eq(softmax.o_valid),
            rows.i.eq(softmax.o),
            self.o_score.valid.eq(scores.o.valid),
            self.o_score.payload.eq(scores.o.payload),
            scores.o.ready.eq(self.o_score.ready),
            self.o_row.valid.eq(rows.o.valid),
            self.o_row.payload.eq(rows.o.payload),
            rows.o.ready.eq(self.o_row.ready),
        ]
        return m
