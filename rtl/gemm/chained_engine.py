"""The GEMM engine that runs chains: it takes the next GEMMs' registers while one runs."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from dovetail.arch.chained import ChainedEngineConfig
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
from dovetail.rtl.gemm.descriptor_queue import DescriptorQueue
from dovetail.rtl.gemm.load_walk import LoadWalk, Operand, read_command
from dovetail.rtl.gemm.writer import write_beat

__all__ = ["OUTSTANDING_BITS", "ChainedEngine"]

OUTSTANDING_BITS = 12
"""Of the number of GEMMs whose results have not all landed."""


class ChainedEngine(DatapathEngine):
    """Run GEMMs in the order of their descriptors; each part goes on with the next as it can.

    :Latency: :func:`dovetail.sim.gemm_chain.simulate_chain`, exactly, where each port's memory
        answers as docs/engine.md describes; any memory gives the same results.
    :Throughput: ``config.peak_macs_per_cycle`` at the unit's own widths.
    :Ready path: none between ports.
    :Reference: :func:`dovetail.models.m3vit.fixed_linear.fixed_linear`, GEMM by GEMM.

    Parameters
    ----------
    config : ChainedEngineConfig
    core : Core
        The compute core; it must have been made for ``config``.
    output_round : wiring.Component
        As of :class:`~dovetail.rtl.gemm.writer.Writer`.

    Members
    -------
    start : In(stream.Signature(descriptor_layout(config)))
        Accepted while each part has room for one more.
    weight_command, weight_read : Out(stream.Signature(READ_COMMAND)), In(...)
        Reads of weights and biases.
    command : Out(stream.Signature(read_command(config)))
        Reads of activations: one row of a tile each, which ``block`` numbers within its GEMM.
    read : In(stream.Signature(port_bits))
    write : Out(stream.Signature(write_beat(config)))
        Results, with their row's number and the GEMM's tag; ``last`` marks a GEMM's last beat.
    landed : unsigned(1)
        A beat that was ``last`` has reached memory, in this cycle or by now.
    clear : unsigned(1)
        All counters start again from zero.
    busy : unsigned(1)
        From the cycle after a start to that in which all results have landed.
    count_<event> : unsigned(48)
        Event counters.
    """

    def __init__(self, config: ChainedEngineConfig, core: Core, output_round: Any) -> None:
        ports = {
            "weight_command": Out(stream.Signature(READ_COMMAND)),
            "weight_read": In(stream.Signature(config.port_bits)),
            "command": Out(stream.Signature(read_command(config))),
            "read": In(stream.Signature(config.port_bits)),
            "write": Out(stream.Signature(write_beat(config))),
            "landed": In(1),
            "clear": In(1),
        }
        super().__init__(config, core, output_round, ports)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        core: Any = self._core
        m.submodules.core = core
        m.submodules.weight_commands = weight_commands = LoadWalk(config, serves="weights")
        m.submodules.weight_fill = weight_fill = LoadWalk(config, serves="weights")
        m.submodules.commands = commands = LoadWalk(config, serves="activations")
        m.submodules.fill = fill = LoadWalk(config, serves="activations")
        parts = place_datapath(m, config, core, self._writer)
        writer: Any = parts.writer

        # Each part has a queue of descriptors of its own.
        go = Signal()
        outstanding = Signal(OUTSTANDING_BITS)
        room: Any = ~outstanding.all()
        queues: dict[str, Any] = {}
        for name, part in (
            ("weight_commands", weight_commands),
            ("weight_fill", weight_fill),
            ("commands", commands),
            ("fill", fill),
            ("sequencer", parts.sequencer),
            ("writer", writer),
        ):
            queue: Any = DescriptorQueue(descriptor_layout(config))
            m.submodules[f"{name}_queue"] = queues[name] = queue
            room &= queue.room
            m.d.comb += [
                queue.push.eq(go),
                queue.i.eq(self.start.payload),
                queue.done.eq(part.ends),
                part.descriptor.eq(queue.o),
                part.start.eq(queue.start),
            ]
        m.d.comb += [
            self.start.ready.eq(room),
            go.eq(self.start.valid & self.start.ready),
            self.busy.eq(outstanding != 0),
        ]
        m.d.sync += outstanding.eq(outstanding + go - self.landed)
        self._fence(m, commands, queues["commands"])

        self._load(m, weight_commands, self.weight_command, parts.w_free, Operand.WEIGHT)
        self._load(m, commands, self.command, parts.a_free, Operand.ACTIVATION)
        weights_given, activations_given = parts.w_ready.give, parts.a_ready.give
        fill_scratchpads(
            m,
            self.weight_read,
            weight_fill,
            ready=weight_fill.valid,
            operands=(
                ("weight", Operand.WEIGHT, parts.w_spad, weights_given),
                ("scale", Operand.SCALE, parts.s_spad, weights_given),
            ),
            complete=(weights_given.eq(weight_fill.advance & weight_fill.last_of_weights),),
            restart=None,
        )
        fill_scratchpads(
            m,
            self.read,
            fill,
            ready=fill.valid,
            operands=(("activation", Operand.ACTIVATION, parts.a_spad, activations_given),),
            complete=(activations_given.eq(fill.advance & fill.last_of_activations),),
            restart=None,
        )
        # What follows the sequencer by a cycle may see the next GEMM at its queue already.
        registers = Signal(descriptor_layout(config))
        m.d.sync += registers.eq(queues["sequencer"].o)
        feed_core(m, config, parts, registers)
        connect_credits(m, parts)
        beat_out: Any = self.write.payload
        m.d.comb += [
            self.write.valid.eq(writer.o.valid),
            writer.o.ready.eq(self.write.ready),
            beat_out.eq(writer.o.payload),
        ]
        arrived = (self.read.valid & self.read.ready) + (
            self.weight_read.valid & self.weight_read.ready
        )
        count_events(m, self, parts, clear=self.clear, dram_read=arrived)
        return m

    def _fence(self, m: Module, commands: Any, queue: Any) -> None:
        """Hold a GEMM's first activation while results of GEMMs before it have not landed."""
        behind = Signal(OUTSTANDING_BITS)  # GEMMs that need no more activations, and have not
        m.d.sync += behind.eq(behind + commands.ends - self.landed)
        m.d.comb += queue.hold.eq(queue.o.after_writes & (behind != 0))

    @staticmethod
    def _load(m: Module, walk: Any, command: Any, free: Any, operand: Any) -> None:
        """Commands of one port, as early as there is a free half for the whole tile."""
        issued = Signal()
        payload: Any = command.payload
        last = walk.last_of_activations if operand == Operand.ACTIVATION else walk.last_of_weights
        m.d.comb += [
            command.valid.eq(walk.valid & free.any),
            payload.address.eq(walk.address),
            payload.beats.eq(walk.beats),
            issued.eq(command.valid & command.ready),
            walk.advance.eq(issued),
            free.take.eq(issued & last),
        ]
        if operand == Operand.ACTIVATION:
            m.d.comb += [payload.block.eq(walk.block), payload.tag.eq(walk.descriptor.tag)]
