"""Reordered attention as a whole: queries, keys and values in, softmax(q k^T / sqrt(d)) v out."""

from __future__ import annotations

from amaranth import Module
from amaranth.hdl import Elaboratable
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.m3vit.attention_scores import AttentionScores
from dovetail.rtl.m3vit.attention_values import AttentionValues

__all__ = ["AttentionBlock"]


class AttentionBlock(wiring.Component):
    """Both products at once: values run behind keys by as long as a row of scores takes.

    Both go in the same order, so scores are kept in a queue, and no more than those of as many
    keys as there are tokens: none goes to DRAM.

    :Latency: :func:`dovetail.sim.m3vit_attention.block_times`, exactly.
    :Throughput: one key beat and one value beat per cycle, where streams are taken and given at
        once: ``token_beats`` cycles for each of ``a * tokens + r + tokens - 1`` steps.
    :Ready path: as of :class:`AttentionScores`.
    :Reference: :func:`dovetail.models.m3vit.fixed_attention.fixed_attention`.

    Parameters
    ----------
    design : AttentionDesign

    Members
    -------
    start : unsigned(1)
        Not while ``busy``.
    tokens : unsigned
        With ``start``: from 1 to ``max_tokens``.
    busy : unsigned(1)
        Keys or values are still to come; outputs of before may still be waiting to be taken.
    i_q, i_k, i_v : In(stream of lanes * 32 bits)
        As of :class:`AttentionScores` and :class:`AttentionValues`.
    o : Out(stream of lanes * 32 bits)
        Every query's output once, ascending, in beats.
    """

    def __init__(self, design: AttentionDesign) -> None:
        self._design = design
        beat = stream.Signature(design.lanes * FEATURE.bits)
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(design.max_tokens + 1)),
                "busy": Out(1),
                "i_q": In(beat),
                "i_k": In(beat),
                "i_v": In(beat),
                "o": Out(beat),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        m.submodules.scores = scores = AttentionScores(design)
        m.submodules.values = values = AttentionValues(design)
        m.submodules.store = store = fifo.SyncFIFOBuffered(
            width=design.parallel * FEATURE.bits, depth=design.score_store
        )
        for unit in (scores, values):
            m.d.comb += [unit.start.eq(self.start), unit.tokens.eq(self.tokens)]
        m.d.comb += self.busy.eq(scores.busy | values.busy)
        wiring.connect(m, wiring.flipped(self.i_q), scores.i_q)
        wiring.connect(m, wiring.flipped(self.i_k), scores.i_k)
        wiring.connect(m, scores.o_score, store.w_stream)
        wiring.connect(m, store.r_stream, values.i_score)
        wiring.connect(m, scores.o_row, values.i_row)
        wiring.connect(m, wiring.flipped(self.i_v), values.i_v)
        wiring.connect(m, values.o, wiring.flipped(self.o))
        return m
