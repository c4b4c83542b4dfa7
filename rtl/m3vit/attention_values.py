"""The M'V unit of reordered attention: one beat of a value meets p probabilities in a cycle."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.attention import PRODUCT_BITS, AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.m3vit.diagonal import DiagonalOrder
from dovetail.rtl.m3vit.reserved_queue import ReservedQueue
from dovetail.rtl.m3vit.row_probability import PROBABILITY_BITS, RowProbability
from dovetail.rtl.m3vit.row_softmax import ROW
from dovetail.rtl.skew import delayed

__all__ = ["AttentionValues"]


class AttentionValues(wiring.Component):
    """Rows of probabilities times values, for p queries at a time.

    Each slot sums a whole token of outputs, beat by beat, in a memory of its own.  Products sum
    exactly; a sum is truncated once.

    :Latency: ``turns + 9`` cycles from scores to their probabilities, 4 from a beat of a query's
        last value to its output beat.
    :Throughput: one value beat per cycle, where streams are taken and given at once:
        ``token_beats`` cycles for each of the ``a * tokens + r`` values of :class:`DiagonalOrder`.
    :Ready path: as of :class:`RowProbability`; none at ``i_v``.
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
        Values are still to come.
    i_score, i_row : In
        As :class:`~dovetail.rtl.m3vit.attention_scores.AttentionScores` gives them.
    i_v : In(stream of lanes * 32 bits)
        As the keys: ascending, and from the first again as often as they pass.
    o : Out(stream of lanes * 32 bits)
        Every query's output once, ascending, in beats.
    """

    def __init__(self, design: AttentionDesign) -> None:
        self._design = design
        beat = design.lanes * FEATURE.bits
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(design.max_tokens + 1)),
                "busy": Out(1),
                "i_score": In(stream.Signature(design.parallel * FEATURE.bits)),
                "i_row": In(stream.Signature(ROW)),
                "i_v": In(stream.Signature(beat)),
                "o": Out(stream.Signature(beat)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        m.submodules.probabilities = probabilities = RowProbability(design)
        m.submodules.order = order = DiagonalOrder(
            parallel=design.parallel,
            max_tokens=design.max_tokens,
            heads=design.heads,
            head_beats=design.head_beats,
        )
        beat_bits = design.lanes * FEATURE.bits
        m.submodules.outputs = outputs = ReservedQueue(bits=beat_bits, depth=design.output_queue)
        take = Signal()
        m.d.comb += [
            order.start.eq(self.start),
            order.tokens.eq(self.tokens),
            self.busy.eq(order.busy),
            probabilities.start.eq(self.start),
            probabilities.tokens.eq(self.tokens),
            probabilities.i_score.valid.eq(self.i_score.valid),
            probabilities.i_score.payload.eq(self.i_score.payload),
            self.i_score.ready.eq(probabilities.i_score.ready),
            probabilities.i_row.valid.eq(self.i_row.valid),
            probabilities.i_row.payload.eq(self.i_row.payload),
            self.i_row.ready.eq(probabilities.i_row.ready),
            self.i_v.ready.eq(order.busy & probabilities.o.valid & (~order.ends | outputs.room)),
            take.eq(self.i_v.valid & self.i_v.ready),
            probabilities.o.ready.eq(take & order.head_last),
            order.advance.eq(take),
            outputs.reserve.eq(take & order.ends),
        ]

        # Hold; product, beside it the read of what was summed; sum.
        value = Signal(beat_bits, reset_less=True)
        factors = Signal(design.parallel * PROBABILITY_BITS, reset_less=True)
        m.d.sync += [value.eq(self.i_v.payload), factors.eq(probabilities.o.payload)]
        held: Any = delayed(m, take, 1, name="held")
        beat: Any = delayed(m, order.beat, 1, name="beat", reset_less=True)
        summed: Any = delayed(m, held, 2, name="summed")
        to: Any = delayed(m, beat, 2, name="to", reset_less=True)
        begins: Any = delayed(m, order.begins, 2, name="begins")
        begin_slot: Any = delayed(m, order.begin_slot, 2, name="begin_slot", reset_less=True)
        sums = []
        for slot in range(design.parallel):
            bank = memory.Memory(
                shape=design.lanes * PRODUCT_BITS, depth=design.token_beats, init=[]
            )
            m.submodules[f"sums_{slot}"] = bank
            read, write = bank.read_port(), bank.write_port()
            totals = []
            for lane in range(design.lanes):
                product = Signal(signed(PRODUCT_BITS), name=f"product_{slot}_{lane}")
                total = Signal(PRODUCT_BITS, name=f"total_{slot}_{lane}", reset_less=True)
                before = read.data.word_select(lane, PRODUCT_BITS)
                first = begins & (begin_slot == slot)
                m.d.sync += [
                    product.eq(
                        factors.word_select(slot, PROBABILITY_BITS)
                        * value.word_select(lane, FEATURE.bits).as_signed()
                    ),
                    total.eq(Mux(first, 0, before) + product),
                ]
                totals.append(total)
            m.d.comb += [
                read.addr.eq(beat),
                read.en.eq(held),
                write.addr.eq(to),
                write.data.eq(Cat(*totals)),
                write.en.eq(summed),
            ]
            sums.append(Cat(total[FEATURE.fraction_bits : PRODUCT_BITS] for total in totals))
        done: Any = delayed(m, outputs.reserve, design.output_cycles - 1, name="done")
        end_slot: Any = delayed(m, order.end_slot, 3, name="end_slot", reset_less=True)
        m.d.comb += [
            outputs.push.eq(done),
            outputs.i.eq(Array(sums)[end_slot]),
            self.o.valid.eq(outputs.o.valid),
            self.o.payload.eq(outputs.o.payload),
            outputs.o.ready.eq(self.o.ready),
        ]
        return m
