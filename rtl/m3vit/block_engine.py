"""What the engines of both halves of a block have in common: ports, registers and counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from amaranth import Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.descriptor import registers
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.arch.m3vit.block_engine import BlockEngineConfig
from dovetail.arch.m3vit.linear_layer import LinearLayer
from dovetail.rtl.engines import engine
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, COUNTER_BITS, READ_COMMAND
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.m3vit.port_share import READ_PORTS
from dovetail.rtl.m3vit.scatter_add import result_beat

__all__ = ["BlockEngine", "call_layout", "passes"]


def call_layout(call: type, max_tokens: int) -> data.StructLayout:
    """Layout of the run-time registers whose fields are those of ``call``."""
    names = (field.name for field in fields(call))
    return data.StructLayout(
        {name: range(max_tokens + 1) if name == "tokens" else ADDRESS_BITS for name in names}
    )


def passes(of: Any) -> Any:
    """A stream transfers in this cycle."""
    return of.valid & of.ready


class BlockEngine(wiring.Component):
    """Base of an engine that runs half a block from DRAM to DRAM on one linear engine.

    Parameters
    ----------
    config : BlockEngineConfig
    linear : ChainedEngineConfig
        Of the linear engine.
    call : data.StructLayout
    events : sequence of Event
        Its counters.

    Members
    -------
    start : In(stream.Signature(call))
        Accepted while the engine is idle.
    command, read, weight_command, weight_read, sum_command, sum_read
        Three ports to read from DRAM.
    write : Out(stream.Signature(result_beat(port_bits)))
    busy : unsigned(1)
        From the cycle after start to the last write beat.
    count_<event> : unsigned(48)
        Event counters of the run.
    """

    def __init__(
        self,
        config: BlockEngineConfig,
        linear: ChainedEngineConfig,
        call: data.StructLayout,
        events: Sequence[Event],
    ) -> None:
        self._call = call
        self._gemm = engine(linear)
        members: dict[str, Any] = {
            "start": In(stream.Signature(call)),
            "write": Out(stream.Signature(result_beat(config.port_bits))),
            "busy": Out(1),
        }
        for command, read in READ_PORTS:
            members[command] = Out(stream.Signature(READ_COMMAND))
            members[read] = In(stream.Signature(config.port_bits))
        for event in events:
            members[f"count_{event}"] = Out(COUNTER_BITS)
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self._gemm.leaves

    def _take_call(self, m: Module, idle: Value) -> tuple[Signal, Any]:
        """The cycle in which start is accepted, and the registers from the next one on."""
        go = Signal(name="go")
        called = Signal(self._call, name="called")
        m.d.comb += [
            self.busy.eq(~idle),
            self.start.ready.eq(idle),
            go.eq(passes(self.start)),
        ]
        with m.If(go):
            m.d.sync += called.eq(self.start.payload)
        return go, called

    def _normalise_first(self, m: Module, go: Value, norm: Any) -> None:
        """The norm pass starts with the run."""
        call: Any = self.start.payload
        m.d.comb += [
            norm.start.eq(go),
            norm.job.tokens.eq(call.tokens),
            norm.job.address.eq(call.x_address),
            norm.job.parameter_address.eq(call.norm_address),
            norm.job.output_address.eq(call.normed_address),
        ]

    def _describe(self, m: Module, layer: LinearLayer, *, weight_address: Any, **own: Any) -> None:
        """Give the linear engine the registers of ``layer``, of which ``own`` replace some."""
        registers_of_layer: dict[str, Any] = dict(registers(layer.engine, layer.registers))
        values = registers_of_layer | {
            "weight_address": weight_address,
            "scale_address": weight_address + layer.weight_beats,
            **own,
        }
        d: Any = self._gemm.start.payload
        m.d.comb += [getattr(d, name).eq(value) for name, value in values.items()]

    def _write_back(self, m: Module, scatter: Any) -> Any:
        """Results go through ``scatter`` to memory; return their tag, which says how."""
        gemm: Any = self._gemm
        beat, to = gemm.write.payload, scatter.i.payload
        m.d.comb += [
            scatter.i.valid.eq(gemm.write.valid),
            gemm.write.ready.eq(scatter.i.ready),
            to.address.eq(beat.address),
            to.data.eq(beat.data),
            to.place.eq(beat.block),
            to.last.eq(beat.last),
            gemm.landed.eq(scatter.landed),
        ]
        return beat.tag

    def _count(
        self,
        m: Module,
        *,
        go: Value,
        norm: Any,
        scatter: Any,
        normalises: Value,
        between: Event,
        counts: Mapping[Event, Value],
    ) -> None:
        """Counters: the linear engine's, those of both halves, and ``counts``.

        ``normalises`` up to the first GEMM; ``between`` counts all other cycles without one.
        """
        gemm: Any = self._gemm
        reads = [passes(getattr(self, read)) for _, read in READ_PORTS]
        own: dict[Event, Any] = {
            Event.CYCLE: self.busy,
            Event.NORM_CYCLE: normalises & ~gemm.busy,
            between: self.busy & ~normalises & ~gemm.busy,
            Event.NORM_BEAT: passes(norm.write),
            Event.SCATTER_ADD: scatter.added,
            Event.DRAM_READ: sum(reads, Const(0, 1)),
            Event.DRAM_WRITE: passes(self.write),
            **counts,
        }
        for event in GEMM_EVENTS:
            if event not in own:
                m.d.comb += getattr(self, f"count_{event}").eq(getattr(gemm, f"count_{event}"))
        for event, count in own.items():
            counter = getattr(self, f"count_{event}")
            with m.If(go):
                m.d.sync += counter.eq(0)
            with m.Elif(count != 0):
                m.d.sync += counter.eq(counter + count)
