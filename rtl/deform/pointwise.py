"""The 1x1 convolution: pixel ring, array, requantiser and the queue behind it."""

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
    WEIGHT_BITS,
    DeformEngineConfig,
)
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, SIZE_BITS
from dovetail.rtl.deform.dot import DotLane, DotPair
from dovetail.rtl.deform.pixel_ring import PixelRing
from dovetail.rtl.deform.requantise import Requantiser
from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.rtl.leaf import Leaf

__all__ = ["Pointwise", "pointwise_ports"]


def pointwise_ports(config: DeformEngineConfig) -> dict[str, Any]:
    """Ports of :class:`Pointwise`, for engines that have none too."""
    return {
        "start": In(1),
        "descriptor": In(DESCRIPTOR),
        "preload": In(2),
        "preload_data": In(config.port_bits),
        "i": In(stream.Signature(config.port_bits)),
        "o": Out(stream.Signature(config.port_bits)),
        "issue": Out(1),
        "ready": Out(1),
        "done": Out(1),
        "ring_write": Out(1),
        "quant_read": Out(1),
        "requantised": Out(1),
    }


class Pointwise(wiring.Component):
    """``lanes`` x ``lanes`` multipliers, output-stationary over the input channels of a pixel.

    For each pixel and each beat of outputs all beats of the pixel enter, one a cycle.

    :Latency: ``POINTWISE_CYCLES + REQUANTISE_CYCLES`` from the last beat of a pass to its push into
        the queue, one more to ``o``.
    :Throughput: ``in_groups`` cycles per beat of ``o``.
    :Ready path: none; a pass starts only when the queue has room for its result.
    :Reference: :mod:`dovetail.models.deform.engine_call`, :mod:`dovetail.sim.deform_kernel`.

    Parameters
    ----------
    config : DeformEngineConfig
    requantise, quant : Leaf
        A requantiser of one lane, and a memory of scales and biases, which the 3x3 unit has too.

    Members
    -------
    start, descriptor : In
    preload, preload_data : In
        Beats of weights and of quantisation parameters.
    i : In(stream)
        Features.
    o : Out(stream)
    issue : Out(1)
        Operands enter the array.
    ready : Out(1)
        Could enter, were there room for the result.
    done : Out(1)
        All have entered.
    ring_write, quant_read, requantised : Out(1)
        What the engine counts.
    """

    def __init__(self, config: DeformEngineConfig, requantise: Leaf, quant: Leaf) -> None:
        self._config = config
        self._requantiser = Requantiser(lanes=config.lanes, lane=requantise)
        if config.packed_products:
            self._dot = Leaf("deform_dot_pair", DotPair(terms=config.lanes))
        else:
            self._dot = Leaf("deform_dot", DotLane(terms=config.lanes))
        beat = config.port_bits
        self._weights = Leaf(
            "deform_weights1",
            WordMemory(
                words=config.pointwise_words, beats=config.weight1_beats_per_word, beat_bits=beat
            ),
        )
        self._quant = quant
        super().__init__(pointwise_ports(config))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._dot, self._weights, self._quant, *self._requantiser.leaves)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        lanes, beat_bits = config.lanes, config.port_bits
        m.submodules.ring = ring = PixelRing(beats=config.pixel_beats, beat_bits=beat_bits)
        m.submodules.requantiser = requantiser = self._requantiser
        m.submodules.queue = queue = fifo.SyncFIFO(width=beat_bits, depth=QUEUE_BEATS)
        m.d.comb += [
            ring.start.eq(self.start),
            ring.pixel_beats.eq(d.in_groups),
            ring.i.payload.eq(self.i.payload),
            ring.i.valid.eq(self.i.valid),
            self.i.ready.eq(ring.i.ready),
            self.ring_write.eq(ring.write),
        ]

        # Which beat enters: input group fastest, then output group, then pixel.
        pixel = Signal(ADDRESS_BITS)
        in_group, out_group = Signal(SIZE_BITS), Signal(SIZE_BITS)
        word = Signal(range(max(2, config.pointwise_words)))
        room = Signal(range(QUEUE_BEATS + 1), init=QUEUE_BEATS)
        begun = Signal()
        pass_last, pixel_last = Signal(), Signal()
        m.d.comb += [
            begun.eq(in_group != 0),
            self.ready.eq(begun | (out_group != 0) | ring.ready),
            self.issue.eq(~self.done & self.ready & (begun | (room != 0))),
            pass_last.eq(in_group == d.in_groups - 1),
            pixel_last.eq(pass_last & (out_group == d.out_groups - 1)),
            ring.take.eq(self.issue & ~begun & (out_group == 0)),
            ring.read.eq(self.issue),
            ring.read_beat.eq(in_group),
            ring.free.eq(self.issue & pixel_last),
        ]
        weights = Signal(lanes * lanes * WEIGHT_BITS)
        m.submodules.weights = self._weights.instance(
            restart=self.start,
            write=self.preload[0],
            write_data=self.preload_data,
            read=self.issue,
            read_word=word,
            data=weights,
        )
        with m.If(self.issue):
            m.d.sync += [in_group.eq(in_group + 1), word.eq(word + 1)]
            with m.If(pass_last):
                m.d.sync += [in_group.eq(0), out_group.eq(out_group + 1)]
            with m.If(pixel_last):
                m.d.sync += [out_group.eq(0), word.eq(0), pixel.eq(pixel + 1)]
                m.d.sync += self.done.eq(pixel == d.pixels - 1)
        m.d.sync += room.eq(room - (self.issue & ~begun) + (queue.r_en & queue.r_rdy))
        with m.If(self.start):
            m.d.sync += [x.eq(0) for x in (pixel, in_group, out_group, word, self.done)]

        # The flags of a beat follow it: memory, operand, product, tree, sum.
        layout = data.StructLayout({"valid": 1, "first": 1, "last": 1, "group": SIZE_BITS})
        stages = [Signal(layout, name=f"stage_{n}") for n in range(POINTWISE_CYCLES + 1)]
        entering: Any = stages[0]
        m.d.comb += [
            entering.valid.eq(self.issue),
            entering.first.eq(~begun),
            entering.last.eq(self.issue & pass_last),
            entering.group.eq(out_group),
        ]
        m.d.sync += [later.eq(sooner) for sooner, later in pairwise(stages)]
        adding: Any = stages[-2]
        summed: Any = stages[-1]
        activations = Signal(lanes * ACTIVATION_BITS)
        operands = Signal(lanes * lanes * WEIGHT_BITS)
        m.d.sync += [activations.eq(ring.data), operands.eq(weights)]
        shared = {"activations": activations, "valid": adding.valid, "first": adding.first}
        channels = [
            (
                operands.word_select(lane, lanes * WEIGHT_BITS),
                requantiser.sums.word_select(lane, SUM_BITS),
            )
            for lane in range(lanes)
        ]
        if config.packed_products:
            for lane in range(0, lanes, 2):
                (w0, o0), (w1, o1) = channels[lane : lane + 2]
                m.submodules[f"dot_{lane}"] = self._dot.instance(
                    weights0=w0, weights1=w1, o0=o0, o1=o1, **shared
                )
        else:
            for lane, (w, o) in enumerate(channels):
                m.submodules[f"dot_{lane}"] = self._dot.instance(weights=w, o=o, **shared)
        m.submodules.quant = self._quant.instance(
            restart=self.start,
            write=self.preload[1],
            write_data=self.preload_data,
            read=adding.last,
            read_word=adding.group[: len(self._quant.component.read_word)],
            data=requantiser.quant,
        )
        m.d.comb += [
            self.quant_read.eq(adding.last),
            requantiser.valid.eq(summed.last),
            requantiser.relu.eq(d.relu1),
            self.requantised.eq(requantiser.o_valid),
            queue.w_data.eq(requantiser.o),
            queue.w_en.eq(requantiser.o_valid),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
        ]
        return m
