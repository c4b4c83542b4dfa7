"""The 3x3 unit: takes windows as the line buffer gives them, multiplies, adds and requantises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import (
    ACTIVATION_BITS,
    QUEUE_BEATS,
    SUM_BITS,
    TAPS,
    WEIGHT_BITS,
    DeformEngineConfig,
)
from dovetail.rtl.deform.descriptor import DESCRIPTOR
from dovetail.rtl.deform.dot import WindowLane
from dovetail.rtl.deform.requantise import Requantiser
from dovetail.rtl.deform.window_address import window_step
from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.rtl.leaf import Leaf

__all__ = ["Depthwise", "tap_of_step"]


def tap_of_step(config: DeformEngineConfig, tap: int) -> tuple[int, int]:
    """Port and step with which a tap comes: of three ports each step is a column of rows."""
    return {1: (0, tap), 3: divmod(tap, 3), 9: (tap, 0)}[config.window_ports]


class Depthwise(wiring.Component):
    """``lanes`` channels by nine taps.

    :Latency: from ``step``, with the read of the line buffer: memory, taps, product, sum, then the
        requantiser, then 1 for the queue.
    :Throughput: one window per cycle.
    :Ready path: none; there is ``room`` for each window that begins.
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
        A window begins and takes room.
    room : Out(1)
    step : In(window_step(config))
        In the cycle in which the line buffer is read.
    taps : In(window_ports * port_bits)
        In the next cycle.
    o : Out(stream)
    weight_read, quant_read, requantised : Out(1)
        What the engine counts.
    """

    def __init__(self, config: DeformEngineConfig, requantise: Leaf, quant: Leaf) -> None:
        self._config = config
        self._requantiser = Requantiser(lanes=config.lanes, lane=requantise)
        self._lane = Leaf("deform_window", WindowLane())
        beat = config.port_bits
        self._weights = Leaf(
            "deform_weights3",
            WordMemory(
                words=config.max_groups,
                beats=config.weight3_beats_per_word,
                beat_bits=beat,
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
                "taps": In(config.window_ports * beat),
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

        # A step follows its taps: read, memory, taps, product, sum.
        stages: list[Any] = [
            self.step,
            *(Signal(window_step(config), name=f"step_{n}") for n in range(4)),
        ]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(stages)]
        reading, arriving, _, multiplied, summed = stages
        window = [Signal(beat, name=f"tap_{tap}") for tap in range(TAPS)]
        for tap in range(TAPS):
            port, turn = tap_of_step(config, tap)
            with m.If(arriving.valid & (arriving.step == turn)):
                m.d.sync += window[tap].eq(self.taps.word_select(port, beat))
        nibbles = Signal(TAPS * lanes * WEIGHT_BITS)
        weights = Signal(len(self._weights.component.data))
        m.submodules.weights = self._weights.instance(
            restart=self.start,
            write=self.preload[0],
            write_data=self.preload_data,
            read=reading.last,
            read_word=reading.group,
            data=weights,
        )
        m.d.comb += self.weight_read.eq(reading.last)
        m.d.sync += nibbles.eq(weights)
        for lane in range(lanes):
            m.submodules[f"window_{lane}"] = self._lane.instance(
                activations=Cat(tap.word_select(lane, ACTIVATION_BITS) for tap in window),
                weights=Cat(
                    nibbles.word_select(tap * lanes + lane, WEIGHT_BITS) for tap in range(TAPS)
                ),
                o=requantiser.sums.word_select(lane, SUM_BITS),
            )
        m.submodules.quant = self._quant.instance(
            restart=self.start,
            write=self.preload[1],
            write_data=self.preload_data,
            read=multiplied.last,
            read_word=multiplied.group,
            data=requantiser.quant,
        )
        m.d.comb += [
            self.quant_read.eq(multiplied.last),
            requantiser.valid.eq(summed.last),
            requantiser.relu.eq(d.relu3),
            self.requantised.eq(requantiser.o_valid),
            queue.w_data.eq(requantiser.o),
            queue.w_en.eq(requantiser.o_valid),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
