"""The GEMM engine: a compute core with scratchpads, loader, writer and control.

Loader, sequencer, core and writer are decoupled, in order, and have constant latency each, so the
time of a tile depends only on when its operands, its accumulators and the drain chain are ready:
the recurrence that :mod:`dovetail.sim.gemm_engine` computes.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.datapath import (
    DatapathEngine,
    connect_credits,
    count_events,
    feed_core,
    fill_scratchpads,
    place_datapath,
)
from dovetail.rtl.gemm.descriptor import READ_COMMAND, descriptor_layout
from dovetail.rtl.gemm.load_walk import LoadWalk, Operand
from dovetail.rtl.gemm.writer import write_beat

__all__ = ["GemmEngine"]


class GemmEngine(DatapathEngine):
    """Run one GEMM per descriptor, from operands in DRAM to results in DRAM.

    :Latency: :func:`dovetail.sim.gemm_engine.simulate_gemm`, exactly, where the memory answers as
        docs/engine.md describes; any memory gives the same results.
    :Throughput: ``config.peak_macs_per_cycle`` at the PE's own widths.
    :Ready path: none between ports.
    :Reference: :mod:`dovetail.models.mpgemm`.

    Parameters
    ----------
    config : GemmEngineConfig
    core : Core
        The compute core; it must have been made for ``config``.
    output_round : wiring.Component
        As of :class:`~dovetail.rtl.gemm.writer.Writer`.

    Members
    -------
    start : In(stream.Signature(descriptor_layout(config)))
        Accepted while the engine is idle.
    command : Out(stream.Signature(READ_COMMAND))
        Reads of consecutive beats.
    read : In(stream.Signature(port_bits))
        Their data, in order.
    write : Out(stream.Signature(write_beat(config)))
        Results.
    busy : unsigned(1)
        From the cycle after start to the last write beat.
    count_<event> : unsigned(48)
        Event counters of the GEMM that runs or ran last.
    """

    def __init__(self, config: GemmEngineConfig, core: Core, output_round: Any) -> None:
        ports = {
            "command": Out(stream.Signature(READ_COMMAND)),
            "read": In(stream.Signature(config.port_bits)),
            "write": Out(stream.Signature(write_beat(config))),
        }
        super().__init__(config, core, output_round, ports)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        core: Any = self._core
        m.submodules.core = core
        m.submodules.commands = commands = LoadWalk(config)
        m.submodules.fill = fill = LoadWalk(config)
        parts = place_datapath(m, config, core, self._writer)
        w_free, a_free = parts.w_free, parts.a_free
        writer: Any = parts.writer

        descriptor = Signal(descriptor_layout(config))
        go = Signal()  # the cycle in which start is accepted
        payload: Any = self.start.payload
        m.d.comb += [self.start.ready.eq(~self.busy), go.eq(self.start.valid & self.start.ready)]
        with m.If(go):
            m.d.sync += [descriptor.eq(payload), self.busy.eq(1)]
        with m.Elif(writer.finished):
            m.d.sync += self.busy.eq(0)
        for part in (commands, fill, parts.sequencer, writer):
            m.d.comb += [part.descriptor.eq(descriptor), part.start.eq(go)]

        # Commands: as early as there is a free half for the whole tile of an operand.
        is_activation = commands.operand == Operand.ACTIVATION
        command: Any = self.command.payload
        issued = Signal()
        m.d.comb += [
            self.command.valid.eq(commands.valid & Mux(is_activation, a_free.any, w_free.any)),
            command.address.eq(commands.address),
            command.beats.eq(commands.beats),
            issued.eq(self.command.valid & self.command.ready),
            commands.advance.eq(issued),
            w_free.take.eq(issued & commands.last_of_weights),
            a_free.take.eq(issued & commands.last_of_activations),
        ]

        weights_given, activations_given = parts.w_ready.give, parts.a_ready.give
        fill_scratchpads(
            m,
            self.read,
            fill,
            ready=1,
            operands=(
                ("weight", Operand.WEIGHT, parts.w_spad, weights_given),
                ("scale", Operand.SCALE, parts.s_spad, weights_given),
                ("activation", Operand.ACTIVATION, parts.a_spad, activations_given),
            ),
            complete=(
                weights_given.eq(fill.advance & fill.last_of_weights),
                activations_given.eq(fill.advance & fill.last_of_activations),
            ),
            restart=go,
        )
        feed_core(m, config, parts, descriptor)
        connect_credits(m, parts)
        beat_out: Any = self.write.payload
        writer_out: Any = writer.o.payload
        m.d.comb += [
            self.write.valid.eq(writer.o.valid),
            writer.o.ready.eq(self.write.ready),
            beat_out.eq(writer_out),
        ]
        count_events(m, self, parts, clear=go, dram_read=self.read.valid & self.read.ready)
        return m
