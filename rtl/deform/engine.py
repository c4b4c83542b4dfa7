"""The deformable engine: loader, 1x1 convolution, line buffer, 3x3 convolution in one chain.

Its parts are decoupled, in order, and of constant latency, so its times are the recurrence that
:mod:`dovetail.sim.deform_engine` computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.arch.events import DEFORM_EVENTS, Event
from dovetail.rtl.deform.depthwise import Depthwise, tap_of_step
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, READ_COMMAND
from dovetail.rtl.deform.full import FullUnit
from dovetail.rtl.deform.gather import Gather
from dovetail.rtl.deform.line_buffer import LineBuffer
from dovetail.rtl.deform.line_writer import LineWriter
from dovetail.rtl.deform.loader import Loader
from dovetail.rtl.deform.offsets import Offsets
from dovetail.rtl.deform.pointwise import Pointwise, pointwise_ports
from dovetail.rtl.deform.requantise import RequantiseLane
from dovetail.rtl.deform.tap_store import TapStore
from dovetail.rtl.deform.window_address import window_step
from dovetail.rtl.deform.window_reader import WindowReader
from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.verilog import verilog

__all__ = ["COUNTER_BITS", "DeformEngine", "deform_verilog"]

COUNTER_BITS = 48


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """What gives windows: who walks the pixels, who issues windows, and what is counted."""

    walk: Any
    source: Any
    advance: Any
    lines_ready: Any
    events: dict[Event, Any]


def _store_events(store: Any) -> dict[Event, Any]:
    writes = sum(store.write[tap] for tap in range(TAPS))
    return {Event.TAP_READ: store.reads, Event.TAP_WRITE: writes}


class DeformEngine(wiring.Component):
    """Run one call per descriptor, from operands in DRAM to results in DRAM.

    :Latency: :func:`dovetail.sim.deform_engine.simulate_call`, exactly, where the memory answers as
        docs/engine.md describes; any memory gives the same results.
    :Throughput: ``lanes**2`` products of the 1x1 array per cycle, a window of ``lanes`` channels
        per ``steps`` cycles.
    :Ready path: none between ports.
    :Reference: :mod:`dovetail.models.deform.engine_call`.

    Parameters
    ----------
    config : DeformEngineConfig

    Members
    -------
    start : In(stream.Signature(DESCRIPTOR))
        Accepted while the engine is idle.
    command : Out(stream.Signature(READ_COMMAND))
        Reads of consecutive beats.
    read : In(stream.Signature(port_bits))
        Their data, in order.
    write : Out(stream)
        Results: address and data.
    busy : unsigned(1)
        From the cycle after start to the last write beat.
    count_<event> : unsigned(48)
        Event counters of the call that runs or ran last.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        requantise = Leaf("deform_requantise", RequantiseLane())
        quant = Leaf(
            "deform_quant",
            WordMemory(words=config.max_groups, beats=4, beat_bits=config.port_bits),
        )
        self._pointwise: Pointwise | None = None
        if config.core == "full":
            self._unit: Any = FullUnit(config, requantise, quant)
        else:
            self._pointwise = Pointwise(config, requantise, quant)
            self._unit = Depthwise(config, requantise, quant)
        self._offsets = Leaf("deform_offsets", Offsets(config))
        own = [self._offsets]
        if config.memory == "line_buffer":
            self._lines = Leaf("deform_line_buffer", LineBuffer(config))
            self._reader = Leaf("deform_window_reader", WindowReader(config))
            own += [self._lines, self._reader]
        if config.memory == "gather" or config.core == "full":
            self._store = Leaf("deform_tap_store", TapStore(config))
            own.append(self._store)
        self._own = tuple(own)
        beat = data.StructLayout({"address": ADDRESS_BITS, "data": config.port_bits})
        members: dict[str, Any] = {
            "start": In(stream.Signature(DESCRIPTOR)),
            "command": Out(stream.Signature(READ_COMMAND)),
            "read": In(stream.Signature(config.port_bits)),
            "write": Out(stream.Signature(beat)),
            "busy": Out(1),
        }
        for event in DEFORM_EVENTS:
            members[f"count_{event}"] = Out(COUNTER_BITS)
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        first = self._pointwise.leaves if self._pointwise else ()
        return (*first, *self._unit.leaves, *self._own)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        m.submodules.loader = loader = Loader(port_bits=config.port_bits)
        if self._pointwise:
            m.submodules.pointwise = pointwise = self._pointwise
        else:  # nothing drives its outputs
            pointwise = wiring.Signature(pointwise_ports(config)).flip().create(path=("pointwise",))
        offsets = _placed(m, self._offsets, "offsets")
        m.submodules.unit = unit = self._unit

        descriptor = Signal(DESCRIPTOR)
        d: Any = descriptor
        go = Signal()  # the cycle in which start is accepted
        finished = Signal()
        m.d.comb += [self.start.ready.eq(~self.busy), go.eq(self.start.valid & self.start.ready)]
        with m.If(go):
            m.d.sync += [descriptor.eq(self.start.payload), self.busy.eq(1)]
        with m.Elif(finished):
            m.d.sync += self.busy.eq(0)
        for part in (loader, pointwise, offsets, unit):
            m.d.comb += [part.descriptor.eq(descriptor), part.start.eq(go)]

        # Read data: preloaded sections, then features to the first unit that the call has.
        m.d.comb += [
            self.command.payload.eq(loader.command.payload),
            self.command.valid.eq(loader.command.valid),
            loader.command.ready.eq(self.command.ready),
            loader.read.payload.eq(self.read.payload),
            loader.read.valid.eq(self.read.valid),
            self.read.ready.eq(loader.read.ready),
            pointwise.preload.eq(loader.preload[0:2]),
            pointwise.preload_data.eq(loader.data),
            unit.preload.eq(loader.preload[2:4]),
            unit.preload_data.eq(loader.data),
            offsets.write.eq(loader.preload[4]),
            offsets.write_data.eq(loader.data),
            offsets.loaded.eq(~loader.loading),
            pointwise.i.payload.eq(loader.features.payload),
            pointwise.i.valid.eq(loader.features.valid & d.pointwise),
        ]
        if config.memory == "gather":
            windows = self._gather(m, go, descriptor, loader, pointwise, unit)
        else:
            windows = self._line_buffer(m, go, descriptor, loader, pointwise, unit)
        m.d.comb += [windows.walk.offset.eq(offsets.offset), offsets.advance.eq(windows.advance)]

        # Results go to DRAM in the order in which they are made.
        written = Signal(ADDRESS_BITS)
        out: Any = self.write.payload
        accepted = Signal()
        m.d.comb += [
            self.write.valid.eq(Mux(d.depthwise, unit.o.valid, pointwise.o.valid)),
            out.address.eq(d.output_address + written),
            out.data.eq(Mux(d.depthwise, unit.o.payload, pointwise.o.payload)),
            unit.o.ready.eq(self.write.ready),
            pointwise.o.ready.eq(Mux(d.depthwise, windows.lines_ready, self.write.ready)),
            accepted.eq(self.write.valid & self.write.ready),
            finished.eq(accepted & (written == d.output_beats - 1)),
        ]
        with m.If(accepted):
            m.d.sync += written.eq(written + 1)
        with m.If(go):
            m.d.sync += written.eq(0)
        self._count(m, go, d, loader, pointwise, windows, offsets, unit)
        return m

    def _line_buffer(
        self, m: Module, go: Any, descriptor: Any, loader: Any, pointwise: Any, unit: Any
    ) -> _Windows:
        """Features, or what the 1x1 convolution makes of them, into the line buffer."""
        d = descriptor
        m.submodules.line_writer = writer = LineWriter(self._config)
        lines = _placed(m, self._lines, "line_buffer")
        reader = _placed(m, self._reader, "window_reader")
        to_lines = Signal()
        m.d.comb += [
            *(part.descriptor.eq(descriptor) for part in (writer, reader)),
            *(part.start.eq(go) for part in (writer, reader)),
            writer.i.payload.eq(Mux(d.pointwise, pointwise.o.payload, loader.features.payload)),
            to_lines.eq(Mux(d.pointwise, pointwise.o.valid, loader.features.valid)),
            writer.i.valid.eq(to_lines & d.depthwise),
            loader.features.ready.eq(Mux(d.pointwise, pointwise.i.ready, writer.i.ready)),
            writer.read_row.eq(reader.read_row),
            writer.read_col.eq(reader.read_col),
            reader.written_row.eq(writer.row),
            reader.written_col.eq(writer.col),
            lines.write.eq(writer.write),
            lines.write_at.eq(writer.write_at),
            lines.write_data.eq(writer.write_data),
            lines.read.eq(reader.read),
        ]
        source: Any = reader
        if self._config.core == "full":
            source = store = self._tap_store(m, go, descriptor, unit)
            self._store_windows(m, descriptor, reader, lines, store)
        else:
            m.d.comb += [
                reader.room.eq(unit.room),
                unit.begin.eq(reader.begin),
                unit.step.eq(reader.step),
                unit.taps.eq(lines.taps),
            ]
        return _Windows(
            walk=reader,
            source=source,
            advance=reader.pixel_last,
            lines_ready=writer.i.ready,
            events={
                Event.LINE_WRITE: writer.write,
                Event.LINE_READ: lines.reads,
                **(_store_events(source) if source is not reader else {}),
            },
        )

    def _store_windows(self, m: Module, d: Any, reader: Any, lines: Any, store: Any) -> None:
        """From the line buffer to the tap store; a pixel is read when there is room for it."""
        config = self._config
        arriving = Signal(window_step(config))
        step: Any = arriving
        begun = Signal()  # a pixel that was taken is not read to its end
        writes, beats = [], []
        for tap in range(TAPS):
            port, turn = tap_of_step(config, tap)
            writes.append(step.valid & (step.step == turn))
            beats.append(lines.taps.word_select(port, config.port_bits))
        m.d.sync += arriving.eq(reader.step)
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

    def _tap_store(self, m: Module, go: Any, d: Any, unit: Any) -> Any:
        """The tap store before the 3x3 unit."""
        full = self._config.core == "full"
        store = _placed(m, self._store, "tap_store")
        m.d.comb += [
            store.descriptor.eq(d),
            store.start.eq(go),
            store.passes.eq(d.out_groups if full else 1),
            store.room.eq(unit.room),
            unit.begin.eq(store.begin),
            unit.step.eq(store.step),
            unit.taps.eq(store.taps),
        ]
        if full:
            m.d.comb += unit.word.eq(store.word)
        return store

    def _gather(
        self, m: Module, go: Any, descriptor: Any, loader: Any, pointwise: Any, unit: Any
    ) -> _Windows:
        """Taps from DRAM, after all that the loader reads."""
        m.submodules.gather = gather = Gather(self._config)
        store = self._tap_store(m, go, descriptor, unit)
        m.d.comb += [
            gather.descriptor.eq(descriptor),
            gather.start.eq(go),
            gather.loaded.eq(self.busy & ~loader.loading & descriptor.depthwise),
            gather.free.eq(store.free),
            store.take.eq(gather.take),
            store.write.eq(gather.write),
            store.write_group.eq(gather.write_group),
            store.write_data.eq(self.read.payload.replicate(TAPS)),
            store.inside.eq(gather.inside),
            store.end.eq(gather.end),
            loader.features.ready.eq(pointwise.i.ready),
            gather.read.payload.eq(self.read.payload),
            gather.read.valid.eq(self.read.valid & descriptor.depthwise & ~loader.loading),
            gather.command.ready.eq(self.command.ready),
        ]
        with m.If(descriptor.depthwise & ~loader.loading):
            m.d.comb += [
                self.command.payload.eq(gather.command.payload),
                self.command.valid.eq(gather.command.valid),
                self.read.ready.eq(gather.read.ready),
            ]
        return _Windows(
            walk=gather,
            source=store,
            advance=gather.advance,
            lines_ready=0,
            events=_store_events(store),
        )

    def _count(
        self,
        m: Module,
        go: Any,
        d: Any,
        loader: Any,
        pointwise: Any,
        windows: _Windows,
        offsets: Any,
        unit: Any,
    ) -> None:
        """One counter per event; all start from zero with each call."""
        lanes = self._config.lanes
        products = lanes * TAPS * (lanes if self._config.core == "full" else 1)
        # A cycle is seen from the first unit of the chain.
        issue, ready, done, waits = Signal(), Signal(), Signal(), Signal()
        for signal, name in ((issue, "issue"), (ready, "ready"), (done, "done")):
            m.d.comb += signal.eq(
                Mux(d.pointwise, getattr(pointwise, name), getattr(windows.source, name))
            )
        m.d.comb += waits.eq(self.busy & ~done & ~issue)
        counts: dict[Event, Any] = {
            Event.CYCLE: self.busy,
            Event.STREAM: self.busy & issue,
            Event.STALL_WEIGHTS: waits & loader.loading,
            Event.STALL_ACTIVATIONS: waits & ~loader.loading & ~ready,
            Event.STALL_OUTPUT: waits & ~loader.loading & ready,
            Event.STALL_DRAIN: self.busy & done,
            Event.PE_OP: Mux(pointwise.issue, lanes * lanes, 0),
            Event.ACTIVATION_READ: pointwise.issue,
            Event.ACTIVATION_WRITE: pointwise.ring_write,
            Event.WEIGHT_READ: pointwise.issue,
            Event.WEIGHT_WRITE: loader.preload[0],
            Event.SCALE_READ: pointwise.quant_read + unit.quant_read,
            Event.SCALE_WRITE: loader.preload[1] + loader.preload[3],
            Event.WINDOW_OP: Mux(unit.weight_read, products, 0),
            Event.REQUANTISE: Mux(pointwise.requantised, lanes, 0)
            + Mux(unit.requantised, lanes, 0),
            Event.WINDOW_WEIGHT_READ: unit.weight_read,
            Event.WINDOW_WEIGHT_WRITE: loader.preload[2],
            Event.OFFSET_READ: offsets.read,
            Event.OFFSET_WRITE: offsets.write,
            Event.DRAM_READ: self.read.valid & self.read.ready,
            Event.DRAM_WRITE: self.write.valid & self.write.ready,
        }
        counts |= windows.events  # what an engine has not stays 0
        for event, count in counts.items():
            counter = getattr(self, f"count_{event}")
            with m.If(go):
                m.d.sync += counter.eq(0)
            with m.Elif(count != 0):
                m.d.sync += counter.eq(counter + count)


def _placed(m: Module, leaf: Leaf, name: str) -> Any:
    """Place ``leaf`` as submodule ``name``; return an interface with its ports."""
    ports = leaf.component.signature.flip().create(path=(name,))
    members = leaf.component.signature.members
    m.submodules[name] = leaf.instance(**{port: getattr(ports, port) for port in members})
    return ports


def deform_verilog(config: DeformEngineConfig) -> str:
    """Verilog of the engine of ``config``, top module ``engine``; deterministic."""
    return verilog(DeformEngine(config), name="engine")
