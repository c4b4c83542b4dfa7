"""Where windows come from: the line buffer or bursts from DRAM; the same ports for both."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.rtl.deform.depthwise import tap_of_step
from dovetail.rtl.deform.descriptor import DESCRIPTOR, READ_COMMAND
from dovetail.rtl.deform.gather import Gather
from dovetail.rtl.deform.line_buffer import LineBuffer
from dovetail.rtl.deform.line_writer import LineWriter
from dovetail.rtl.deform.tap_store import TapStore
from dovetail.rtl.deform.window_address import window_step
from dovetail.rtl.deform.window_reader import WindowReader
from dovetail.rtl.leaf import Leaf

__all__ = ["GatheredWindows", "LineWindows", "WindowSource"]


class WindowSource(wiring.Component):
    """What both kinds have in common.

    :Latency: as their parts.
    :Throughput: as their parts.
    :Ready path: none.
    :Reference: :mod:`dovetail.models.deform.windows`.

    Members
    -------
    start, descriptor : In
    offset : In
        Of the pixel to be read; ``advance`` goes to the next.
    room, begin, step, word, taps
        Of the 3x3 unit.
    issue, ready, done : Out(1)
        A window, or a step of it, is read; it could, were there room; all are read.
    line_write, line_reads, tap_writes, tap_reads : Out
        Memories of the line buffer and of the tap store that are accessed.
    """

    def __init__(self, config: DeformEngineConfig, **ports: Any) -> None:
        self._config = config
        members = {
            "start": In(1),
            "descriptor": In(DESCRIPTOR),
            "offset": In(range(config.bound + 1)),
            "advance": Out(1),
            "room": In(1),
            "begin": Out(1),
            "step": Out(window_step(config)),
            "word": Out(range(max(2, config.full_words))),
            "taps": Out(TAPS * config.port_bits),
            "issue": Out(1),
            "ready": Out(1),
            "done": Out(1),
            "line_write": Out(1),
            "line_reads": Out(range(TAPS + 1)),
            "tap_writes": Out(range(TAPS + 1)),
            "tap_reads": Out(range(TAPS + 1)),
        }
        super().__init__(members | ports)
        self._store: Leaf | None = None
        if config.core == "full" or config.memory == "gather":
            self._store = Leaf("deform_tap_store", TapStore(config))

    def _tap_store(self, m: Module) -> Any:
        """Place the tap store before the 3x3 unit."""
        d: Any = self.descriptor
        full = self._config.core == "full"
        assert self._store is not None
        store = self._store.placed(m, "tap_store")
        m.d.comb += [
            store.descriptor.eq(self.descriptor),
            store.start.eq(self.start),
            store.passes.eq(d.out_groups if full else 1),
            store.room.eq(self.room),
            self.begin.eq(store.begin),
            self.step.eq(store.step),
            self.word.eq(store.word),
            self.taps.eq(store.taps),
            self.issue.eq(store.issue),
            self.ready.eq(store.ready),
            self.done.eq(store.done),
            self.tap_writes.eq(sum(store.write[tap] for tap in range(TAPS))),
            self.tap_reads.eq(store.reads),
        ]
        return store


class LineWindows(WindowSource):
    """Writer, line buffer and reader; with a full core a tap store behind them.

    Members
    -------
    i : In(stream)
        The image in raster order.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        super().__init__(config, i=In(stream.Signature(config.port_bits)))
        self._lines = Leaf("deform_line_buffer", LineBuffer(config))
        self._reader = Leaf("deform_window_reader", WindowReader(config))

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._lines, self._reader, *((self._store,) if self._store else ()))

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.writer = writer = LineWriter(self._config)
        lines = self._lines.placed(m, "line_buffer")
        reader = self._reader.placed(m, "window_reader")
        m.d.comb += [
            *(part.descriptor.eq(self.descriptor) for part in (writer, reader)),
            *(part.start.eq(self.start) for part in (writer, reader)),
            writer.i.payload.eq(self.i.payload),
            writer.i.valid.eq(self.i.valid),
            self.i.ready.eq(writer.i.ready),
            writer.read_row.eq(reader.read_row),
            writer.read_col.eq(reader.read_col),
            reader.written_row.eq(writer.row),
            reader.written_col.eq(writer.col),
            reader.offset.eq(self.offset),
            self.advance.eq(reader.pixel_last),
            lines.write.eq(writer.write),
            lines.write_at.eq(writer.write_at),
            lines.write_data.eq(writer.write_data),
            lines.read.eq(reader.read),
            self.line_write.eq(writer.write),
            self.line_reads.eq(lines.reads),
        ]
        if self._config.core == "full":
            self._into_store(m, reader, lines, self._tap_store(m))
        else:
            m.d.comb += [
                reader.room.eq(self.room),
                self.begin.eq(reader.begin),
                self.step.eq(reader.step),
                self.taps.eq(lines.taps),
                self.issue.eq(reader.issue),
                self.ready.eq(reader.ready),
                self.done.eq(reader.done),
            ]
        return m

    def _into_store(self, m: Module, reader: Any, lines: Any, store: Any) -> None:
        """A pixel is read when there is room for it in the tap store."""
        config = self._config
        d: Any = self.descriptor
        step: Any = Signal(window_step(config))
        begun = Signal()  # a pixel that was taken is not read to its end
        writes, beats = [], []
        for tap in range(TAPS):
            port, turn = tap_of_step(config, tap)
            writes.append(step.valid & (step.step == turn))
            beats.append(lines.taps.word_select(port, config.port_bits))
        m.d.sync += step.eq(reader.step)
        m.d.comb += [
            reader.room.eq(store.free | begun),
            store.take.eq(reader.begin & ~begun),
            store.write.eq(Cat(*writes)),
            store.write_group.eq(step.group),
            store.write_data.eq(Cat(*beats)),
            store.inside.eq((1 << TAPS) - 1),  # the line buffer gave what is outside, too
            store.end.eq(step.last & (step.group == d.image_groups - 1)),
        ]
        with m.If(reader.begin):
            m.d.sync += begun.eq(1)
        with m.If(reader.pixel_last):
            m.d.sync += begun.eq(0)


class GatheredWindows(WindowSource):
    """Taps asked for one by one, and a tap store.

    Members
    -------
    loaded : In(1)
        Weights and offsets are there.
    command, read : streams
        Of the engine's DRAM port.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        super().__init__(
            config,
            loaded=In(1),
            command=Out(stream.Signature(READ_COMMAND)),
            read=In(stream.Signature(config.port_bits)),
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._store,) if self._store else ()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.gather = gather = Gather(self._config)
        store = self._tap_store(m)
        m.d.comb += [
            gather.descriptor.eq(self.descriptor),
            gather.start.eq(self.start),
            gather.loaded.eq(self.loaded),
            gather.offset.eq(self.offset),
            self.advance.eq(gather.advance),
            gather.free.eq(store.free),
            store.take.eq(gather.take),
            store.write.eq(gather.write),
            store.write_group.eq(gather.write_group),
            store.write_data.eq(self.read.payload.replicate(TAPS)),
            store.inside.eq(gather.inside),
            store.end.eq(gather.end),
            self.command.payload.eq(gather.command.payload),
            self.command.valid.eq(gather.command.valid),
            gather.command.ready.eq(self.command.ready),
            gather.read.payload.eq(self.read.payload),
            gather.read.valid.eq(self.read.valid),
            self.read.ready.eq(gather.read.ready),
        ]
        return m
