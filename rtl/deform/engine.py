"""The deformable engine: loader, 1x1 convolution, line buffer, 3x3 convolution in one chain.

Its parts are decoupled, in order, and of constant latency, so its times are the recurrence that
:mod:`dovetail.sim.deform_engine` computes.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.arch.events import DEFORM_EVENTS, Event
from dovetail.rtl.deform.depthwise import Depthwise
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, READ_COMMAND
from dovetail.rtl.deform.full import FullUnit
from dovetail.rtl.deform.loader import Loader
from dovetail.rtl.deform.offsets import Offsets
from dovetail.rtl.deform.pointwise import Pointwise, pointwise_ports
from dovetail.rtl.deform.requantise import RequantiseLane
from dovetail.rtl.deform.window_source import GatheredWindows, LineWindows
from dovetail.rtl.deform.word_memory import WordMemory
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.verilog import verilog

__all__ = ["COUNTER_BITS", "DeformEngine", "deform_verilog"]

COUNTER_BITS = 48


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
        self._source: Any = (
            LineWindows(config) if config.memory == "line_buffer" else GatheredWindows(config)
        )
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
        return (*first, *self._unit.leaves, *self._source.leaves, self._offsets)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        m.submodules.loader = loader = Loader(port_bits=config.port_bits)
        if self._pointwise:
            m.submodules.pointwise = pointwise = self._pointwise
        else:  # nothing drives its outputs
            pointwise = wiring.Signature(pointwise_ports(config)).flip().create(path=("pointwise",))
        offsets = self._offsets.placed(m, "offsets")
        m.submodules.windows = windows = self._source
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
        for part in (loader, pointwise, windows, offsets, unit):
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
        m.d.comb += [
            windows.offset.eq(offsets.offset),
            offsets.advance.eq(windows.advance),
            windows.room.eq(unit.room),
            unit.begin.eq(windows.begin),
            unit.step.eq(windows.step),
            unit.taps.eq(windows.taps),
        ]
        if config.core == "full":
            m.d.comb += unit.word.eq(windows.word)
        to_lines: Any = 0  # whether windows take a result of the 1x1 convolution
        if config.memory == "line_buffer":
            to_lines = self._image(m, d, loader, pointwise, windows)
        else:
            self._share_port(m, d, loader, pointwise, windows)

        # Results go to DRAM in the order in which they are made.
        written = Signal(ADDRESS_BITS)
        out: Any = self.write.payload
        accepted = Signal()
        m.d.comb += [
            self.write.valid.eq(Mux(d.depthwise, unit.o.valid, pointwise.o.valid)),
            out.address.eq(d.output_address + written),
            out.data.eq(Mux(d.depthwise, unit.o.payload, pointwise.o.payload)),
            unit.o.ready.eq(self.write.ready),
            pointwise.o.ready.eq(Mux(d.depthwise, to_lines, self.write.ready)),
            accepted.eq(self.write.valid & self.write.ready),
            finished.eq(accepted & (written == d.output_beats - 1)),
        ]
        with m.If(accepted):
            m.d.sync += written.eq(written + 1)
        with m.If(go):
            m.d.sync += written.eq(0)
        self._count(m, go, d, loader, pointwise, windows, offsets, unit)
        return m

    def _image(self, m: Module, d: Any, loader: Any, pointwise: Any, windows: Any) -> Any:
        """Features, or what the 1x1 convolution makes of them, into the line buffer."""
        valid = Mux(d.pointwise, pointwise.o.valid, loader.features.valid)
        m.d.comb += [
            windows.i.payload.eq(Mux(d.pointwise, pointwise.o.payload, loader.features.payload)),
            windows.i.valid.eq(valid & d.depthwise),
            loader.features.ready.eq(Mux(d.pointwise, pointwise.i.ready, windows.i.ready)),
        ]
        return windows.i.ready

    def _share_port(self, m: Module, d: Any, loader: Any, pointwise: Any, windows: Any) -> None:
        """Taps are read after all that the loader reads."""
        gathers = d.depthwise & ~loader.loading
        m.d.comb += [
            loader.features.ready.eq(pointwise.i.ready),
            windows.loaded.eq(self.busy & gathers),
            windows.read.payload.eq(self.read.payload),
            windows.read.valid.eq(self.read.valid & gathers),
            windows.command.ready.eq(self.command.ready),
        ]
        with m.If(gathers):
            m.d.comb += [
                self.command.payload.eq(windows.command.payload),
                self.command.valid.eq(windows.command.valid),
                self.read.ready.eq(windows.read.ready),
            ]

    def _count(
        self,
        m: Module,
        go: Any,
        d: Any,
        loader: Any,
        pointwise: Any,
        windows: Any,
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
                Mux(d.pointwise, getattr(pointwise, name), getattr(windows, name))
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
            Event.LINE_READ: windows.line_reads,
            Event.LINE_WRITE: windows.line_write,
            Event.TAP_READ: windows.tap_reads,
            Event.TAP_WRITE: windows.tap_writes,
            Event.WINDOW_WEIGHT_READ: unit.weight_read,
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


def deform_verilog(config: DeformEngineConfig) -> str:
    """Verilog of the engine of ``config``, top module ``engine``; deterministic."""
    return verilog(DeformEngine(config), name="engine")
