"""The tap store: the nine taps of two pixels, all channels, of which it gives windows."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import ACTIVATION_BITS, TAPS, ZERO, DeformEngineConfig
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, SIZE_BITS
from dovetail.rtl.deform.window_address import window_step

__all__ = ["TapStore"]


class TapStore(wiring.Component):
    """Nine memories of two halves; one pixel arrives while the other is read.

    A pixel's windows, one for each group of its channels, are read ``passes`` times: once for the
    3x3 depthwise convolution, once for each group of outputs for the full one.

    :Latency: windows can be read in the cycle after ``end``; 1 cycle from ``step`` to ``taps``.
    :Throughput: one beat of each tap written, and one window read, per cycle.
    :Ready path: none.
    :Reference: a list.

    Members
    -------
    start, descriptor : In
    passes : In
        How often a pixel is read; constant.
    free : Out(1)
        There is a half for one more pixel.
    take : In(1)
        A pixel begins to arrive; only while ``free``.
    write : In(9)
        Taps of which a beat comes.
    write_group, write_data : In
        Its group of channels; a beat for each tap.
    inside : In(9)
        With ``end``: taps that were written; the others are outside the image.
    end : In(1)
        The pixel is complete.
    room : In(1)
        The queue behind the 3x3 unit can take one more result.
    step, word : Out
        A window: its group, whether it completes a result, and how many windows of the pixel came
        before it.
    taps : Out(9 * port_bits)
        One cycle later.
    issue, ready, done, begin : Out(1)
        A window is read; it could, were there room; all are read; it is the first of a result.
    reads : Out
        Memories that are read.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        beat = config.port_bits
        group = range(max(2, config.max_groups))
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "passes": In(SIZE_BITS),
                "free": Out(1),
                "take": In(1),
                "write": In(TAPS),
                "write_group": In(group),
                "write_data": In(TAPS * beat),
                "inside": In(TAPS),
                "end": In(1),
                "room": In(1),
                "step": Out(window_step(config)),
                "word": Out(range(max(2, config.full_words))),
                "taps": Out(TAPS * beat),
                "issue": Out(1),
                "ready": Out(1),
                "done": Out(1),
                "begin": Out(1),
                "reads": Out(range(TAPS + 1)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        groups, full = config.max_groups, config.core == "full"
        free, ready = Signal(2, init=2), Signal(2)
        fill_half, half = Signal(), Signal()
        inside = [Signal(TAPS, name=f"inside_{side}") for side in range(2)]

        group = Signal(range(max(2, groups)))
        this_pass = Signal(SIZE_BITS)
        pixel = Signal(ADDRESS_BITS)  # results before it
        group_last, freed = Signal(), Signal()
        step: Any = self.step
        m.d.comb += [
            self.free.eq(free != 0),
            self.ready.eq(ready != 0),
            # A result of the full convolution is summed over all groups; only its first waits.
            self.begin.eq(self.issue & ((group == 0) if full else 1)),
            self.issue.eq(~self.done & self.ready & (self.room | ((group != 0) if full else 0))),
            group_last.eq(group == d.image_groups - 1),
            freed.eq(self.issue & group_last & (this_pass == self.passes - 1)),
            step.valid.eq(self.issue),
            step.last.eq(self.issue & (group_last if full else 1)),
            step.group.eq(this_pass if full else group),
        ]
        m.d.sync += [
            free.eq(free + freed - self.take),
            ready.eq(ready + self.end - freed),
        ]
        with m.If(self.issue):
            m.d.sync += [group.eq(Mux(group_last, 0, group + 1)), self.word.eq(self.word + 1)]
            with m.If(group_last):
                m.d.sync += this_pass.eq(this_pass + 1)
        with m.If(freed):
            m.d.sync += [
                self.word.eq(0),
                this_pass.eq(0),
                half.eq(~half),
                pixel.eq(pixel + d.out_groups),
                self.done.eq(pixel + d.out_groups == d.output_beats),
            ]
        with m.If(self.end):
            m.d.sync += fill_half.eq(~fill_half)
            for side in range(2):
                with m.If(fill_half == side):
                    m.d.sync += inside[side].eq(self.inside)

        outside = Const(ZERO, ACTIVATION_BITS).replicate(config.lanes)
        valid, valid_then = Signal(TAPS), Signal(TAPS)
        m.d.comb += valid.eq(Mux(half, inside[1], inside[0]))
        m.d.sync += valid_then.eq(valid)
        taps = []
        for place in range(TAPS):
            m.submodules[f"tap_{place}"] = store = memory.Memory(
                shape=config.port_bits, depth=2 * groups, init=[]
            )
            write_port, read_port = store.write_port(), store.read_port()
            m.d.comb += [
                write_port.addr.eq(Mux(fill_half, groups, 0) + self.write_group),
                write_port.data.eq(self.write_data.word_select(place, config.port_bits)),
                write_port.en.eq(self.write[place]),
                read_port.addr.eq(Mux(half, groups, 0) + group),
                read_port.en.eq(self.issue & valid[place]),
            ]
            taps.append(Mux(valid_then[place], read_port.data, outside))
        m.d.comb += [
            self.taps.eq(Cat(*taps)),
            self.reads.eq(Mux(self.issue, sum(valid[place] for place in range(TAPS)), 0)),
        ]
        with m.If(self.start):
            m.d.sync += [
                x.eq(0) for x in (group, this_pass, half, fill_half, pixel, self.word, self.done)
            ]
        return m
