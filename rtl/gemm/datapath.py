"""What engines have in common: ports, parts behind their loader, and how these are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.rtl.gemm.core import Core
from dovetail.rtl.gemm.credits import Credits
from dovetail.rtl.gemm.descriptor import COUNTER_BITS, SIZE_BITS, descriptor_layout
from dovetail.rtl.gemm.load_walk import LoadWalk
from dovetail.rtl.gemm.sequencer import Sequencer
from dovetail.rtl.gemm.spad import Spad
from dovetail.rtl.gemm.writer import Writer
from dovetail.rtl.leaf import Leaf

__all__ = [
    "Datapath",
    "DatapathEngine",
    "connect_credits",
    "count_events",
    "feed_core",
    "fill_scratchpads",
    "place_datapath",
]


class DatapathEngine(wiring.Component):
    """Base of the engines: a core with its writer, started by descriptors, with counters.

    Parameters
    ----------
    config : GemmEngineConfig
    core : Core
        The compute core; it must have been made for ``config``.
    output_round : wiring.Component
        As of :class:`~dovetail.rtl.gemm.writer.Writer`.
    ports : dict of str to member
        Besides ``start``, ``busy`` and the counters.
    """

    def __init__(
        self, config: GemmEngineConfig, core: Core, output_round: Any, ports: dict[str, Any]
    ) -> None:
        self._config = config
        self._core = core
        self._writer = Writer(config, output_round)
        super().__init__(
            {
                "start": In(stream.Signature(descriptor_layout(config))),
                **ports,
                "busy": Out(1),
                **{f"count_{event}": Out(COUNTER_BITS) for event in GEMM_EVENTS},
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (*self._core.leaves, *self._writer.leaves)


@dataclass(frozen=True, slots=True, kw_only=True)
class Datapath:
    """Parts that all engines have, in the order of the data; ``Any`` since they have ports."""

    core: Any
    sequencer: Any
    writer: Any
    a_spad: Any
    w_spad: Any
    s_spad: Any
    w_free: Any
    a_free: Any
    o_free: Any
    w_ready: Any
    a_ready: Any
    o_ready: Any


def place_datapath(m: Module, config: GemmEngineConfig, core: Any, writer: Writer) -> Datapath:
    """Make all parts but the core, which the engine has placed, submodules of ``m``."""
    m.submodules.sequencer = sequencer = Sequencer(config)
    m.submodules.writer = writer
    m.submodules.a_spad = a_spad = Spad(config.activation)
    m.submodules.w_spad = w_spad = Spad(config.weight)
    m.submodules.s_spad = s_spad = Spad(config.scale)
    m.submodules.w_free = w_free = Credits(initial=2)
    m.submodules.a_free = a_free = Credits(initial=2)
    m.submodules.o_free = o_free = Credits(initial=2)
    m.submodules.w_ready = w_ready = Credits(initial=0)
    m.submodules.a_ready = a_ready = Credits(initial=0)
    m.submodules.o_ready = o_ready = Credits(initial=0)
    return Datapath(
        core=core,
        sequencer=sequencer,
        writer=writer,
        a_spad=a_spad,
        w_spad=w_spad,
        s_spad=s_spad,
        w_free=w_free,
        a_free=a_free,
        o_free=o_free,
        w_ready=w_ready,
        a_ready=a_ready,
        o_ready=o_ready,
    )


def fill_scratchpads(
    m: Module,
    read: Any,
    fill: LoadWalk,
    *,
    ready: Any,
    operands: Sequence[tuple[str, Any, Any, Value]],
    complete: Sequence[Any],
    restart: Value | None,
) -> None:
    """Beats arrive in the order of the commands and fill the halves in turn.

    Parameters
    ----------
    m : Module
    read : stream.Signature(port_bits)
    fill : LoadWalk
        Which block a beat belongs to.
    ready : Value
        A beat can be taken.
    operands : sequence of (str, Operand, Spad, Value)
        Name and scratchpad of each operand of this port, and when a half of it is full.
    complete : sequence of statements
        That tell others of full halves.
    restart : Value, optional
        A GEMM starts, in the first half of each scratchpad; None where halves go on in turn.
    """
    accepted = Signal()
    beat = Signal(SIZE_BITS)
    block_last = Signal()
    m.d.comb += [
        read.ready.eq(ready),
        accepted.eq(read.valid & read.ready),
        block_last.eq(beat == fill.beats - 1),
        fill.advance.eq(accepted & block_last),
        *complete,
    ]
    with m.If(accepted):
        m.d.sync += beat.eq(Mux(block_last, 0, beat + 1))
    for name, operand, spad, given in operands:
        half = Signal(name=f"fill_half_{name}")
        place = Signal(SIZE_BITS, name=f"fill_beat_{name}")
        m.d.comb += [
            spad.write.eq(accepted & (fill.operand == operand)),
            spad.write_half.eq(half),
            spad.write_beat.eq(place),
            spad.write_data.eq(read.payload),
        ]
        with m.If(spad.write):
            m.d.sync += place.eq(place + 1)
        with m.If(given):
            m.d.sync += [half.eq(~half), place.eq(0)]
        if restart is not None:
            with m.If(restart):
                m.d.sync += [half.eq(0), place.eq(0)]


def feed_core(m: Module, config: GemmEngineConfig, parts: Datapath, registers: Any) -> None:
    """Operands: two cycles from the sequencer to the core.

    Parameters
    ----------
    m : Module
    config : GemmEngineConfig
    parts : Datapath
    registers : descriptor_layout(config)
        Of the GEMM whose operands left the sequencer one cycle ago.
    """
    core, sequencer, d = parts.core, parts.sequencer, registers
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
            now.activations.eq(parts.a_spad.data),
            now.weights.eq(parts.w_spad.data),
            now.scales.eq(parts.s_spad.data),
        ]
    for name, spad in (("a", parts.a_spad), ("w", parts.w_spad), ("s", parts.s_spad)):
        m.d.comb += [
            spad.read.eq(getattr(sequencer, f"{name}_read")),
            spad.read_half.eq(getattr(sequencer, f"{name}_half")),
            spad.read_row.eq(getattr(sequencer, f"{name}_row")),
            spad.read_word.eq(getattr(sequencer, f"{name}_word")),
        ]
    m.d.comb += [core.i.eq(entering), core.weight_shift.eq(d.weight_shift)]


def connect_credits(m: Module, parts: Datapath) -> None:
    """Halves that sequencer, core and writer free, take and finish; and the writer's reads."""
    core, sequencer, writer = parts.core, parts.sequencer, parts.writer
    m.d.comb += [
        parts.w_free.give.eq(sequencer.free_weights),
        parts.a_free.give.eq(sequencer.free_activations),
        parts.o_free.give.eq(writer.free),
        parts.o_ready.give.eq(core.tile_ready),
        parts.w_ready.take.eq(sequencer.take_weights),
        parts.a_ready.take.eq(sequencer.take_activations),
        parts.o_free.take.eq(sequencer.take_output),
        parts.o_ready.take.eq(writer.take),
        sequencer.weights_any.eq(parts.w_ready.any),
        sequencer.activations_any.eq(parts.a_ready.any),
        sequencer.output_any.eq(parts.o_free.any),
        writer.ready_any.eq(parts.o_ready.any),
        core.read.eq(writer.read),
        core.read_address.eq(writer.read_address),
        core.read_half.eq(writer.read_half),
        writer.read_data.eq(core.read_data),
    ]


def count_events(m: Module, engine: Any, parts: Datapath, *, clear: Value, dram_read: Any) -> None:
    """One counter per event.

    Parameters
    ----------
    m : Module
    engine : wiring.Component
        With ``busy``, ``write`` and the counters.
    parts : Datapath
    clear : Value
        All counters start again from zero.
    dram_read : Value
        Beats that arrive in this cycle.
    """
    core, sequencer, writer = parts.core, parts.sequencer, parts.writer
    drained = core.drained_cols != 0
    counts: dict[Event, Any] = {
        Event.CYCLE: engine.busy,
        Event.STREAM: sequencer.stream,
        Event.STALL_WEIGHTS: sequencer.stall_weights,
        Event.STALL_ACTIVATIONS: sequencer.stall_activations,
        Event.STALL_OUTPUT: sequencer.stall_output,
        Event.STALL_DEQUANT: sequencer.stall_dequant,
        Event.STALL_DRAIN: engine.busy & sequencer.done,
        Event.PE_OP: Mux(sequencer.stream, sequencer.rows_valid * sequencer.cols_valid, 0),
        Event.ACCUMULATE: core.drained_cols,
        Event.OUTPUT: writer.outputs,
        Event.ACTIVATION_READ: sequencer.a_read,
        Event.ACTIVATION_WRITE: parts.a_spad.write,
        Event.WEIGHT_READ: sequencer.w_read,
        Event.WEIGHT_WRITE: parts.w_spad.write,
        Event.SCALE_READ: sequencer.s_read,
        Event.SCALE_WRITE: parts.s_spad.write,
        Event.ACCUMULATOR_READ: (drained & core.drained_add) + writer.rows_read,
        Event.ACCUMULATOR_WRITE: drained,
        Event.DRAM_READ: dram_read,
        Event.DRAM_WRITE: engine.write.valid & engine.write.ready,
    }
    for event in core.events:
        counts[event] = getattr(core, f"count_{event}")
    for event, count in counts.items():
        counter = getattr(engine, f"count_{event}")
        with m.If(clear):
            m.d.sync += counter.eq(0)
        with m.Elif(count != 0):
            m.d.sync += counter.eq(counter + count)
