"""A chained engine with a list of GEMMs in its start, and memory that takes some results late."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.events import GEMM_EVENTS
from dovetail.rtl.engines import engine
from dovetail.rtl.gemm.chained_engine import ChainedEngine
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, COUNTER_BITS, READ_COMMAND, descriptor_layout
from dovetail.rtl.leaf import Leaf

__all__ = ["MOST_GEMMS", "WRITE_CYCLES", "ChainTop", "chain_start"]

MOST_GEMMS = 6
"""GEMMs of one start."""

WRITE_CYCLES = (1, 37)
"""From a result to memory, by the lowest bit of its GEMM's tag."""

_GAP_BITS, _TIME_BITS = 16, 16
_QUEUE = 64  # results that wait; more than the longest delay


def chain_start(config: ChainedEngineConfig) -> data.StructLayout:
    """Layout of a chain: how many GEMMs, and of each its registers, after how many cycles."""
    layout: dict[str, Any] = {"count": range(MOST_GEMMS + 1)}
    for number in range(MOST_GEMMS):
        layout |= {f"gap_{number}": _GAP_BITS, f"link_{number}": descriptor_layout(config)}
    return data.StructLayout(layout)


class ChainTop(wiring.Component):
    """Offer a list of descriptors to an engine, each some cycles after the one before.

    :Latency: the first is offered in the cycle of ``start``.
    :Throughput: the engine's.
    :Ready path: from the engine's ``start`` to ``start``.
    :Reference: :func:`dovetail.sim.gemm_chain.simulate_chain`.

    Parameters
    ----------
    config : ChainedEngineConfig

    Members
    -------
    start : In(stream.Signature(chain_start(config)))
    weight_command, weight_read, command, read, write, busy, count_<event>
        As of the engine, with no more in commands and results than memory needs.
    """

    def __init__(self, config: ChainedEngineConfig) -> None:
        self._config = config
        made = engine(config)
        assert isinstance(made, ChainedEngine)
        self._engine = made
        beat, ask = stream.Signature(config.port_bits), stream.Signature(READ_COMMAND)
        result = data.StructLayout({"address": ADDRESS_BITS, "data": config.port_bits})
        members: dict[str, Any] = {
            "start": In(stream.Signature(chain_start(config))),
            "weight_command": Out(ask),
            "weight_read": In(beat),
            "command": Out(ask),
            "read": In(beat),
            "write": Out(stream.Signature(result)),
            "busy": Out(1),
        }
        for event in GEMM_EVENTS:
            members[f"count_{event}"] = Out(COUNTER_BITS)
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return self._engine.leaves

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.engine = engine = self._engine
        for name in ("weight_read", "read"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(engine, name))
        for name in ("weight_command", "command"):
            inner, outer = getattr(engine, name), getattr(self, name)
            m.d.comb += [
                outer.valid.eq(inner.valid),
                outer.payload.address.eq(inner.payload.address),
                outer.payload.beats.eq(inner.payload.beats),
                inner.ready.eq(outer.ready),
            ]
        for event in GEMM_EVENTS:
            m.d.comb += getattr(self, f"count_{event}").eq(getattr(engine, f"count_{event}"))
        self._offer(m, engine)
        self._delay(m, engine)
        return m

    def _offer(self, m: Module, engine: Any) -> None:
        """The first descriptor comes straight from ``start``, the others from registers."""
        left = Signal(range(MOST_GEMMS + 1))
        waited = Signal(_GAP_BITS)
        kept: Any = Signal(chain_start(self._config))
        given: Any = self.start.payload
        running, idle = Signal(), Signal()
        accepted = Signal()
        m.d.comb += [
            running.eq(left != 0),
            idle.eq(~running & ~engine.busy),
            engine.start.valid.eq(Mux(running, waited >= kept.gap_0, idle & self.start.valid)),
            engine.start.payload.eq(Mux(running, kept.link_0.as_value(), given.link_0.as_value())),
            self.start.ready.eq(idle & engine.start.ready),
            accepted.eq(engine.start.valid & engine.start.ready),
            engine.clear.eq(accepted & ~running),
            self.busy.eq(running | engine.busy),
        ]
        with m.If(accepted):
            m.d.sync += [left.eq(Mux(running, left, given.count) - 1), waited.eq(1)]
            for number in range(MOST_GEMMS - 1):
                for name in ("gap", "link"):
                    later = f"{name}_{number + 1}"
                    m.d.sync += getattr(kept, f"{name}_{number}").eq(
                        Mux(running, _value(kept, later), _value(given, later))
                    )
        with m.Elif(running):
            m.d.sync += waited.eq(waited + 1)

    def _delay(self, m: Module, engine: Any) -> None:
        """Results reach memory in order, each when it is due and memory takes it."""
        waiting = data.StructLayout(
            {
                "address": ADDRESS_BITS,
                "data": self._config.port_bits,
                "last": 1,
                "due": _TIME_BITS,
            }
        )
        m.submodules.queue = queue = fifo.SyncFIFO(width=waiting.size, depth=_QUEUE)
        now, overdue = Signal(_TIME_BITS), Signal(_TIME_BITS)
        entering: Any = Signal(waiting)
        leaving: Any = Signal(waiting)
        beat: Any = engine.write.payload
        out: Any = self.write.payload
        m.d.sync += now.eq(now + 1)
        m.d.comb += [
            entering.address.eq(beat.address),
            entering.data.eq(beat.data),
            entering.last.eq(beat.last),
            entering.due.eq(now + Mux(beat.tag[0], WRITE_CYCLES[1], WRITE_CYCLES[0])),
            queue.w_data.eq(entering),
            queue.w_en.eq(engine.write.valid),
            engine.write.ready.eq(queue.w_rdy),
            leaving.eq(queue.r_data),
            overdue.eq(now - leaving.due),
            self.write.valid.eq(queue.r_rdy & ~overdue[-1]),
            out.address.eq(leaving.address),
            out.data.eq(leaving.data),
            queue.r_en.eq(self.write.valid & self.write.ready),
            engine.landed.eq(queue.r_en & leaving.last),
        ]


def _value(view: Any, name: str) -> Any:
    field = getattr(view, name)
    return field.as_value() if hasattr(field, "as_value") else field
