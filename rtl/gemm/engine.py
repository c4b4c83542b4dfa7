"""The GEMM engine: a compute core with scratchpads, loader, writer and control.

Loader, sequencer, core and writer are decoupled, in order, and have constant latency each, so the
time of a tile depends only on when its operands, its accumulators and the drain chain are ready:
the recurrence that :mod:`dovetail.sim.gemm_engine` computes.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.credits import Credits
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, SIZE_BITS, descriptor_layout
from dovetail.rtl.gemm.load_walk import LoadWalk, Operand
from dovetail.rtl.gemm.sequencer import Sequencer
from dovetail.rtl.gemm.spad import Spad
from dovetail.rtl.gemm.writer import Writer, write_beat
from dovetail.rtl.leaf import Leaf

__all__ = ["COUNTER_BITS", "GemmEngine", "READ_COMMAND"]

COUNTER_BITS = 48
READ_COMMAND = data.StructLayout({"address": ADDRESS_BITS, "beats": SIZE_BITS})


class GemmEngine(wiring.Component):
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
        self._config = config
        self._core = core
        self._writer = Writer(config, output_round)
        members: dict[str, Any] = {
            "start": In(stream.Signature(descriptor_layout(config))),
            "command": Out(stream.Signature(READ_COMMAND)),
            "read": In(stream.Signature(config.port_bits)),
            "write": Out(stream.Signature(write_beat(config))),
            "busy": Out(1),
        }
        for event in GEMM_EVENTS:
            members[f"count_{event}"] = Out(COUNTER_BITS)
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (*self._core.leaves, *self._writer.leaves)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        core: Any = self._core
        m.submodules.core = core
        m.submodules.commands = commands = LoadWalk(config)
        m.submodules.fill = fill = LoadWalk(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.writer = writer = self._writer
        m.submodules.a_spad = a_spad = Spad(config.activation)
        m.submodules.w_spad = w_spad = Spad(config.weight)
        m.submodules.s_spad = s_spad = Spad(config.scale)
        m.submodules.w_free = w_free = Credits(initial=2)
        m.submodules.a_free = a_free = Credits(initial=2)
        m.submodules.o_free = o_free = Credits(initial=2)
        m.submodules.w_ready = w_ready = Credits(initial=0)
        m.submodules.a_ready = a_ready = Credits(initial=0)
        m.submodules.o_ready = o_ready = Credits(initial=0)

        descriptor = Signal(descriptor_layout(config))
        d: Any = descriptor
        go = Signal()  # the cycle in which start is accepted
        payload: Any = self.start.payload
        m.d.comb += [self.start.ready.eq(~self.busy), go.eq(self.start.valid & self.start.ready)]
        with m.If(go):
            m.d.sync += [descriptor.eq(payload), self.busy.eq(1)]
        with m.Elif(writer.finished):
            m.d.sync += self.busy.eq(0)
        for part in (commands, fill, sequencer, writer):
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

        # Data: beats arrive in the order of the commands and fill the halves in turn.
        accepted = Signal()
        beat = Signal(SIZE_BITS)
        block_last = Signal()
        m.d.comb += [
            self.read.ready.eq(1),
            accepted.eq(self.read.valid & self.read.ready),
            block_last.eq(beat == fill.beats - 1),
            fill.advance.eq(accepted & block_last),
            w_ready.give.eq(fill.advance & fill.last_of_weights),
            a_ready.give.eq(fill.advance & fill.last_of_activations),
        ]
        with m.If(accepted):
            m.d.sync += beat.eq(Mux(block_last, 0, beat + 1))
        for name, operand, spad, given in (
            ("weight", Operand.WEIGHT, w_spad, w_ready.give),
            ("scale", Operand.SCALE, s_spad, w_ready.give),
            ("activation", Operand.ACTIVATION, a_spad, a_ready.give),
        ):
            half = Signal(name=f"fill_half_{name}")
            place = Signal(SIZE_BITS, name=f"fill_beat_{name}")
            m.d.comb += [
                spad.write.eq(accepted & (fill.operand == operand)),
                spad.write_half.eq(half),
                spad.write_beat.eq(place),
                spad.write_data.eq(self.read.payload),
            ]
            with m.If(spad.write):
                m.d.sync += place.eq(place + 1)
            with m.If(given):
                m.d.sync += [half.eq(~half), place.eq(0)]
            with m.If(go):
                m.d.sync += [half.eq(0), place.eq(0)]

        # Operands: two cycles from the sequencer to the core.
        entering = Signal.like(core.i)
        waiting = Signal(
            data.StructLayout(
                {
                    "valid": 1,
                    "scale_valid": 1,
                    "odd": 1,
                    "first": 1,
                    "last": 1,
                    "plane": sequencer.plane.shape(),
                    "plane_last": 1,
                    "high": 1,
                    "rows_valid": range(config.rows + 1),
                    "cols_valid": range(config.cols + 1),
                    "segment": sequencer.segment.shape(),
                }
            )
        )
        now: Any = entering
        wait: Any = waiting
        entry: Any = sequencer.segment
        m.d.sync += [
            wait.valid.eq(sequencer.stream),
            wait.scale_valid.eq(sequencer.scale_valid),
            wait.odd.eq(sequencer.odd),
            wait.first.eq(sequencer.first),
            wait.last.eq(sequencer.last),
            wait.plane.eq(sequencer.plane),
            wait.plane_last.eq(sequencer.plane_last),
            wait.high.eq(entry.high),
            wait.rows_valid.eq(sequencer.rows_valid),
            wait.cols_valid.eq(sequencer.cols_valid),
            wait.segment.eq(sequencer.segment),
            now.valid.eq(wait.valid),
            now.scale_valid.eq(wait.scale_valid),
            now.odd.eq(wait.odd),
            now.unscaled.eq(d.unscaled),
            now.signed.eq(Mux(d.unscaled, wait.high, d.signed)),
            now.levels.eq(d.levels),
            now.planes.eq(d.planes),
            now.first.eq(wait.first),
            now.last.eq(wait.last),
            now.plane.eq(wait.plane),
            now.plane_last.eq(wait.plane_last),
            now.segment.eq(wait.segment),
            core.rows_valid.eq(wait.rows_valid),
            core.cols_valid.eq(wait.cols_valid),
        ]
        with m.If(wait.valid):
            m.d.sync += [
                now.activations.eq(a_spad.data),
                now.weights.eq(w_spad.data),
                now.scales.eq(s_spad.data),
            ]
        for name, spad in (("a", a_spad), ("w", w_spad), ("s", s_spad)):
            m.d.comb += [
                spad.read.eq(getattr(sequencer, f"{name}_read")),
                spad.read_half.eq(getattr(sequencer, f"{name}_half")),
                spad.read_row.eq(getattr(sequencer, f"{name}_row")),
                spad.read_word.eq(getattr(sequencer, f"{name}_word")),
            ]
        m.d.comb += [core.i.eq(entering), core.weight_shift.eq(d.weight_shift)]

        # Credits between the parts.
        m.d.comb += [
            w_free.give.eq(sequencer.free_weights),
            a_free.give.eq(sequencer.free_activations),
            o_free.give.eq(writer.free),
            o_ready.give.eq(core.tile_ready),
            w_ready.take.eq(sequencer.take_weights),
            a_ready.take.eq(sequencer.take_activations),
            o_free.take.eq(sequencer.take_output),
            o_ready.take.eq(writer.take),
            sequencer.weights_any.eq(w_ready.any),
            sequencer.activations_any.eq(a_ready.any),
            sequencer.output_any.eq(o_free.any),
            writer.ready_any.eq(o_ready.any),
            core.read.eq(writer.read),
            core.read_address.eq(writer.read_address),
            core.read_half.eq(writer.read_half),
            writer.read_data.eq(core.read_data),
        ]
        beat_out: Any = self.write.payload
        writer_out: Any = writer.o.payload
        m.d.comb += [
            self.write.valid.eq(writer.o.valid),
            writer.o.ready.eq(self.write.ready),
            beat_out.eq(writer_out),
        ]
        self._count(m, go, core, sequencer, writer, (a_spad, w_spad, s_spad))
        return m

    def _count(
        self, m: Module, go: Any, core: Any, sequencer: Any, writer: Any, spads: tuple[Any, ...]
    ) -> None:
        """One counter per event; all start from zero with each GEMM."""
        a_spad, w_spad, s_spad = spads
        drained = core.drained_cols != 0
        counts: dict[Event, Any] = {
            Event.CYCLE: self.busy,
            Event.STREAM: sequencer.stream,
            Event.STALL_WEIGHTS: sequencer.stall_weights,
            Event.STALL_ACTIVATIONS: sequencer.stall_activations,
            Event.STALL_OUTPUT: sequencer.stall_output,
            Event.STALL_DEQUANT: sequencer.stall_dequant,
            Event.STALL_DRAIN: self.busy & sequencer.done,
            Event.PE_OP: Mux(sequencer.stream, sequencer.rows_valid * sequencer.cols_valid, 0),
            Event.ACCUMULATE: core.drained_cols,
            Event.OUTPUT: writer.outputs,
            Event.ACTIVATION_READ: sequencer.a_read,
            Event.ACTIVATION_WRITE: a_spad.write,
            Event.WEIGHT_READ: sequencer.w_read,
            Event.WEIGHT_WRITE: w_spad.write,
            Event.SCALE_READ: sequencer.s_read,
            Event.SCALE_WRITE: s_spad.write,
            Event.ACCUMULATOR_READ: (drained & core.drained_add) + writer.rows_read,
            Event.ACCUMULATOR_WRITE: drained,
            Event.DRAM_READ: self.read.valid & self.read.ready,
            Event.DRAM_WRITE: self.write.valid & self.write.ready,
        }
        for event in core.events:
            counts[event] = getattr(core, f"count_{event}")
        for event, count in counts.items():
            counter = getattr(self, f"count_{event}")
            with m.If(go):
                m.d.sync += counter.eq(0)
            with m.Elif(count != 0):
                m.d.sync += counter.eq(counter + count)
