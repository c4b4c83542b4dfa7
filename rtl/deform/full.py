"""The full 3x3 unit: windows of a group of input channels to sums of a group of output channels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import (
    ACTIVATION_BITS,
    POINTWISE_CYCLES,
    QUEUE_BEATS,
    SUM_BITS,
    TAPS,
    WEIGHT_BITS,
    DeformEngineConfig,
)
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.dot import DotLane
from dovetail.rtl.deform.requantise import Requantiser
from dovetail.rtl.deform.window_address import window_step
from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.rtl.leaf import Leaf

__all__ = ["FullUnit"]


class FullUnit(wiring.Component):
    """``lanes`` outputs by ``lanes`` inputs by nine taps, output-stationary over input channels.

    :Latency: ``POINTWISE_CYCLES + REQUANTISE_CYCLES`` from the last window of a result to its push
        into the queue, one more to ``o``.
    :Throughput: one window per cycle.
    :Ready path: none; there is ``room`` for each result that begins.
    :Reference: :mod:`dovetail.models.deform.engine_call`.

    Parameters
    ----------
    config : DeformEngineConfig
    requantise, quant : Leaf
        As of the 1x1 convolution.

    Members
    -------
    start, descriptor : In
    preload, preload_data : In
        Beats of weights and of quantisation parameters.
    begin : In(1)
        A result begins and takes room.
    room : Out(1)
    step, word : In
        A window; ``word`` says which weights it meets.
    taps : In(9 * port_bits)
        In the next cycle.
    o : Out(stream)
    weight_read, quant_read, requantised : Out(1)
        What the engine counts.
    """

    def __init__(self, config: DeformEngineConfig, requantise: Leaf, quant: Leaf) -> None:
        self._config = config
        self._requantiser = Requantiser(lanes=config.lanes, lane=requantise)
        self._lane = Leaf("deform_full_dot", DotLane(terms=TAPS * config.lanes))
        beat = config.port_bits
        self._weights = Leaf(
            "deform_weights3",
            WordMemory(
                words=config.full_words, beats=config.weight3_beats_per_word, beat_bits=beat
            ),
        )
        self._quant = quant
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "preload": In(2),
                "preload_data": In(beat),
                "begin": In(1),
                "room": Out(1),
                "step": In(window_step(config)),
                "word": In(range(max(2, config.full_words))),
                "taps": In(TAPS * beat),
                "o": Out(stream.Signature(beat)),
                "weight_read": Out(1),
                "quant_read": Out(1),
                "requantised": Out(1),
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._lane, self._weights, self._quant, *self._requantiser.leaves)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        lanes, beat = config.lanes, config.port_bits
        m.submodules.requantiser = requantiser = self._requantiser
        m.submodules.queue = queue = fifo.SyncFIFO(width=beat, depth=QUEUE_BEATS)
        room = Signal(range(QUEUE_BEATS + 1), init=QUEUE_BEATS)
        m.d.sync += room.eq(room - self.begin + (queue.r_en & queue.r_rdy))
        m.d.comb += self.room.eq(room != 0)

        # The flags of a window follow it: memory, operand, product, tree, sum.
        layout = data.StructLayout({"first": 1, "step": window_step(config)})
        stages: list[Any] = [Signal(layout, name=f"stage_{n}") for n in range(POINTWISE_CYCLES + 1)]
        m.d.comb += [stages[0].first.eq(self.begin), stages[0].step.eq(self.step)]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(stages)]
        adding, summed = stages[-2], stages[-1]
        word_bits = TAPS * lanes * lanes * WEIGHT_BITS
        weights = Signal(config.weight3_beats_per_word * beat)
        m.submodules.weights = self._weights.instance(
            restart=self.start,
            write=self.preload[0],
            write_data=self.preload_data,
            read=self.step.valid,
            read_word=self.word,
            data=weights,
        )
        activations = Signal(TAPS * lanes * ACTIVATION_BITS)
        operands = Signal(word_bits)
        m.d.sync += [activations.eq(self.taps), operands.eq(weights)]
        for lane in range(lanes):
            m.submodules[f"dot_{lane}"] = self._lane.instance(
                activations=activations,
                weights=operands.word_select(lane, TAPS * lanes * WEIGHT_BITS),
                valid=adding.step.valid,
                first=adding.first,
                o=requantiser.sums.word_select(lane, SUM_BITS),
            )
        quant_read = Signal()
        m.d.comb += quant_read.eq(adding.step.last)
        m.submodules.quant = self._quant.instance(
            restart=self.start,
            write=self.preload[1],
            write_data=self.preload_data,
            read=quant_read,
            read_word=adding.step.group,
            data=requantiser.quant,
        )
        m.d.comb += [
            self.weight_read.eq(self.step.valid),
            self.quant_read.eq(quant_read),
            requantiser.valid.eq(summed.step.last),
            requantiser.relu.eq(d.relu3),
            self.requantised.eq(requantiser.o_valid),
            queue.w_data.eq(requantiser.o),
            queue.w_en.eq(requantiser.o_valid),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
