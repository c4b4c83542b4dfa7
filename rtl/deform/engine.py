"""The deformable engine: loader, 1x1 convolution, line buffer, 3x3 convolution in one chain.

Its parts are decoupled, in order, and of constant latency, so its times are the recurrence that
:mod:`dovetail.sim.deform_engine` computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.arch.events import DEFORM_EVENTS, Event
from dovetail.rtl.deform.depthwise import Depthwise
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, READ_COMMAND
from dovetail.rtl.deform.gather import Gather
from dovetail.rtl.deform.line_buffer import LineBuffer
from dovetail.rtl.deform.line_writer import LineWriter
from dovetail.rtl.deform.loader import Loader
from dovetail.rtl.deform.offsets import Offsets
from dovetail.rtl.deform.pointwise import Pointwise
from dovetail.rtl.deform.requantise import RequantiseLane
from dovetail.rtl.deform.window_reader import WindowReader
from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.verilog import verilog

__all__ = ["COUNTER_BITS", "DeformEngine", "deform_verilog"]

COUNTER_BITS = 48


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """What gives windows to the 3x3 unit: its walk, taps, and counts."""

    reader: Any
    taps: Any
    advance: Any
    lines_ready: Any
    writes: Any
    reads: Any


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
        self._pointwise = Pointwise(config, requantise, quant)
        self._depthwise = Depthwise(config, requantise, quant)
        self._offsets = Leaf("deform_offsets", Offsets(config))
        if config.memory == "gather":
            self._own: tuple[Leaf, ...] = (self._offsets,)
        else:
            self._lines = Leaf("deform_line_buffer", LineBuffer(config))
            self._reader = Leaf("deform_window_reader", WindowReader(config))
            self._own = (self._offsets, self._lines, self._reader)
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
        return (*self._pointwise.leaves, *self._depthwise.leaves, *self._own)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        m.submodules.loader = loader = Loader(port_bits=config.port_bits)
        m.submodules.pointwise = pointwise = self._pointwise
        offsets = _placed(m, self._offsets, "offsets")
        m.submodules.depthwise = depthwise = self._depthwise

        descriptor = Signal(DESCRIPTOR)
        d: Any = descriptor
        go = Signal()  # the cycle in which start is accepted
        finished = Signal()
        m.d.comb += [self.start.ready.eq(~self.busy), go.eq(self.start.valid & self.start.ready)]
        with m.If(go):
            m.d.sync += [descriptor.eq(self.start.payload), self.busy.eq(1)]
        with m.Elif(finished):
            m.d.sync += self.busy.eq(0)
        for part in (loader, pointwise, offsets, depthwise):
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
            depthwise.preload.eq(loader.preload[2:4]),
            depthwise.preload_data.eq(loader.data),
            offsets.write.eq(loader.preload[4]),
            offsets.write_data.eq(loader.data),
            offsets.loaded.eq(~loader.loading),
            pointwise.i.payload.eq(loader.features.payload),
            pointwise.i.valid.eq(loader.features.valid & d.pointwise),
        ]
        if config.memory == "gather":
            windows = self._gather(m, go, descriptor, loader, pointwise)
        else:
            windows = self._line_buffer(m, go, descriptor, loader, pointwise)
        reader: Any = windows.reader
        m.d.comb += [
            reader.offset.eq(offsets.offset),
            offsets.advance.eq(windows.advance),
            reader.room.eq(depthwise.room),
            depthwise.begin.eq(reader.begin),
            depthwise.step.eq(reader.step),
            depthwise.taps.eq(windows.taps),
        ]

        # Results go to DRAM in the order in which they are made.
        written = Signal(ADDRESS_BITS)
        out: Any = self.write.payload
        accepted = Signal()
        m.d.comb += [
            self.write.valid.eq(Mux(d.depthwise, depthwise.o.valid, pointwise.o.valid)),
            out.address.eq(d.output_address + written),
            out.data.eq(Mux(d.depthwise, depthwise.o.payload, pointwise.o.payload)),
            depthwise.o.ready.eq(self.write.ready),
            pointwise.o.ready.eq(Mux(d.depthwise, windows.lines_ready, self.write.ready)),
            accepted.eq(self.write.valid & self.write.ready),
            finished.eq(accepted & (written == d.output_beats - 1)),
        ]
        with m.If(accepted):
            m.d.sync += written.eq(written + 1)
        with m.If(go):
            m.d.sync += written.eq(0)
        self._count(m, go, d, loader, pointwise, windows, offsets, depthwise)
        return m

    def _line_buffer(
        self, m: Module, go: Any, descriptor: Any, loader: Any, pointwise: Any
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
        return _Windows(
            reader=reader,
            taps=lines.taps,
            advance=reader.pixel_last,
            lines_ready=writer.i.ready,
            writes=writer.write,
            reads=lines.reads,
        )

    def _gather(self, m: Module, go: Any, descriptor: Any, loader: Any, pointwise: Any) -> _Windows:
        """Taps from DRAM, after all that the loader reads."""
        m.submodules.gather = gather = Gather(self._config)
        m.d.comb += [
            gather.descriptor.eq(descriptor),
            gather.start.eq(go),
            gather.loaded.eq(self.busy & ~loader.loading & descriptor.depthwise),
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
            reader=gather,
            taps=gather.taps,
            advance=gather.advance,
            lines_ready=0,
            writes=gather.write,
            reads=gather.reads,
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
        depthwise: Any,
    ) -> None:
        """One counter per event; all start from zero with each call."""
        lanes = self._config.lanes
        # A cycle is seen from the first unit of the chain.
        issue, ready, done, waits = Signal(), Signal(), Signal(), Signal()
        for signal, name in ((issue, "issue"), (ready, "ready"), (done, "done")):
            m.d.comb += signal.eq(
                Mux(d.pointwise, getattr(pointwise, name), getattr(windows.reader, name))
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
            Event.SCALE_READ: pointwise.quant_read + depthwise.quant_read,
            Event.SCALE_WRITE: loader.preload[1] + loader.preload[3],
            Event.WINDOW_OP: Mux(depthwise.weight_read, lanes * TAPS, 0),
            Event.REQUANTISE: Mux(pointwise.requantised, lanes, 0)
            + Mux(depthwise.requantised, lanes, 0),
            Event.LINE_READ: windows.reads,
            Event.LINE_WRITE: windows.writes,
            Event.WINDOW_WEIGHT_READ: depthwise.weight_read,
            Event.WINDOW_WEIGHT_WRITE: loader.preload[2],
            Event.OFFSET_READ: offsets.read,
            Event.OFFSET_WRITE: offsets.write,
            Event.DRAM_READ: self.read.valid & self.read.ready,
            Event.DRAM_WRITE: self.write.valid & self.write.ready,
        }
        assert set(counts) == set(DEFORM_EVENTS)
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
