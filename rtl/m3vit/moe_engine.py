"""The MoE engine: norm, gate, and expert after expert over its queue of tokens, in place."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, enum, wiring

from dovetail.arch.events import MOE_EVENTS, Event
from dovetail.arch.m3vit.linear_layer import LinearLayer
from dovetail.arch.m3vit.moe_engine import MoeCall, MoeEngineConfig
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS
from dovetail.rtl.m3vit.block_engine import BlockEngine, call_layout, passes
from dovetail.rtl.m3vit.gate import GateUnit
from dovetail.rtl.m3vit.gate_reader import GateReader
from dovetail.rtl.m3vit.norm_pass import NormPass
from dovetail.rtl.m3vit.port_share import share_reads, share_writes
from dovetail.rtl.m3vit.queues import ExpertQueues
from dovetail.rtl.m3vit.scatter_add import ScatterAdd
from dovetail.rtl.m3vit.token_gather import TokenGather

__all__ = ["MoeEngine", "moe_call"]


def moe_call(max_tokens: int) -> data.StructLayout:
    """Layout of :class:`dovetail.arch.m3vit.moe_engine.MoeCall`."""
    return call_layout(MoeCall, max_tokens)


def _tag(config: MoeEngineConfig) -> data.StructLayout:
    """What commands and results of a GEMM carry: where its rows are, and whose queue says so."""
    return data.StructLayout({"gather": 1, "add": 1, "expert": config.expert_bits})


class _Phase(enum.Enum):
    """What the engine does."""

    IDLE = 0
    NORM = 1
    GATE_LAYER = 2  # its descriptor
    LOGITS = 3  # are still to land
    GATE = 4  # chooses experts
    EXPERT = 5  # the next one with tokens is looked up
    FIRST = 6  # descriptor of its first layer
    SECOND = 7
    SUMS = 8  # are still to land


class MoeEngine(BlockEngine):
    """``x += mixture(norm(x))``; every map lies in DRAM between two steps.

    All tokens pass the gate first; then each expert that has tokens, ascending, gathers them, and
    its results are weighted and added where the tokens stand.  An expert without tokens takes no
    cycle.  Descriptors are given as fast as the linear engine takes them, so the weights of a
    layer load while the one before computes.  Another task is another ``gate_address``.

    :Latency: :func:`dovetail.sim.m3vit_moe_engine.simulate_moe`, exactly, where each port's memory
        answers as docs/engine.md describes; any memory gives the same results.
    :Throughput: as its parts'.
    :Ready path: none between ports, but from ``sum_command.ready`` and ``write.ready`` inwards.
    :Reference: :func:`dovetail.models.m3vit.moe_layer.moe_maps`.

    Parameters
    ----------
    config : MoeEngineConfig

    Members
    -------
    start : In(stream.Signature(moe_call(max_tokens)))
        Accepted while the engine is idle.
    command, read
        Of features: the map itself, logits, activations of the linear layers.
    weight_command, weight_read
        Of the norm's scale and shift, weights and biases.
    sum_command, sum_read
        Of features to which results are added.
    write : Out(stream.Signature(result_beat(port_bits)))
    busy : unsigned(1)
        From the cycle after start to the last write beat.
    count_<event> : unsigned(48)
        Event counters of the run.
    """

    def __init__(self, config: MoeEngineConfig) -> None:
        self._config = config
        super().__init__(config, config.linear, moe_call(config.max_tokens), MOE_EVENTS)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        sizes = {"experts": config.experts, "tokens": config.max_tokens}
        beats = {"token_beats": config.token_beats}
        m.submodules.norm = norm = NormPass(config.norm, max_tokens=config.max_tokens)
        m.submodules.gemm = gemm = self._gemm
        m.submodules.reader = reader = GateReader(
            **sizes, port_bits=config.port_bits, row_beats=config.logit_beats
        )
        m.submodules.gate = gate = GateUnit(k=config.top_k, **sizes)
        m.submodules.queues = queues = ExpertQueues(**sizes)
        m.submodules.gather = gather = TokenGather(**sizes, **beats)
        m.submodules.scatter = scatter = ScatterAdd(
            **sizes, **beats, port_bits=config.port_bits, depth=config.sum_queue
        )
        phase = Signal(_Phase)
        go, called = self._take_call(m, phase == _Phase.IDLE)
        self._normalise_first(m, go, norm)
        self._choose(m, phase, called, reader, gate, queues)
        self._control(m, phase, go, called, norm, gate, queues, scatter)
        self._move(m, queues, gather, scatter)

        normalises, decides = phase == _Phase.NORM, phase == _Phase.GATE
        linear = Signal()
        m.d.comb += linear.eq(self.busy & ~normalises & ~decides)
        share_reads(
            m,
            command=self.command,
            read=self.read,
            users=(
                (normalises, norm.command, norm.read),
                (linear, gather.o, gemm.read),
                (decides, reader.command, reader.read),
            ),
        )
        share_reads(
            m,
            command=self.weight_command,
            read=self.weight_read,
            users=(
                (normalises, norm.parameter_command, norm.parameter_read),
                (~normalises, gemm.weight_command, gemm.weight_read),
            ),
        )
        wiring.connect(m, scatter.sum_command, wiring.flipped(self.sum_command))
        wiring.connect(m, wiring.flipped(self.sum_read), scatter.sum_read)
        share_writes(
            m,
            write=self.write,
            users=((normalises, norm.write), (~normalises, scatter.o)),
        )
        self._count(
            m,
            go=go,
            norm=norm,
            scatter=scatter,
            normalises=normalises | (phase == _Phase.GATE_LAYER),
            between=Event.GATE_CYCLE,
            counts={
                Event.LOGIT: passes(gate.i),
                Event.CHOICE: passes(gate.o),
                Event.EXPERT: (phase == _Phase.FIRST) & passes(gemm.start),
            },
        )
        return m

    def _choose(
        self, m: Module, phase: Any, called: Any, reader: Any, gate: Any, queues: Any
    ) -> None:
        """Logits through the gate into the queues, once they have all landed."""
        gemm: Any = self._gemm
        m.d.comb += [
            reader.start.eq((phase == _Phase.LOGITS) & ~gemm.busy),
            reader.tokens.eq(called.tokens),
            reader.address.eq(called.logit_address),
            gate.start.eq(reader.start),
            gate.i.valid.eq(reader.o.valid),
            gate.i.payload.eq(reader.o.payload),
            reader.o.ready.eq(gate.i.ready),
            gate.o.ready.eq(1),
            queues.push.eq(gate.o.valid),
            queues.i.eq(gate.o.payload),
        ]

    def _control(
        self,
        m: Module,
        phase: Any,
        go: Any,
        called: Any,
        norm: Any,
        gate: Any,
        queues: Any,
        scatter: Any,
    ) -> None:
        """The phases, and the descriptors of the linear layers."""
        config = self._config
        gemm: Any = self._gemm
        to_choose = Signal(range(config.max_tokens * config.top_k + 1))
        least = Signal(range(config.experts + 1))
        expert = Signal(range(max(2, config.experts)))
        rows = Signal(range(config.max_tokens + 1))
        weights = Signal(ADDRESS_BITS)
        unlanded = Signal(range(2 * config.experts + 2))  # layers of experts
        tag: Any = Signal(_tag(config))
        m.d.comb += [
            tag.gather.eq(phase == _Phase.FIRST),
            tag.add.eq(phase == _Phase.SECOND),
            tag.expert.eq(expert),
        ]

        def offer(layer: LinearLayer, **own: Any) -> None:
            m.d.comb += gemm.start.valid.eq(1)
            self._describe(m, layer, tag=tag, **own)

        accepted = Signal()
        of_expert = (phase == _Phase.FIRST) | (phase == _Phase.SECOND)
        m.d.comb += [
            accepted.eq(passes(gemm.start)),
            gemm.clear.eq(go),
            queues.clear.eq(go),
            queues.least.eq(least),
        ]
        landed = scatter.landed & (unlanded != 0)
        m.d.sync += unlanded.eq(unlanded + (accepted & of_expert) - landed)
        with m.Switch(phase):
            with m.Case(_Phase.IDLE):
                with m.If(go):
                    m.d.sync += phase.eq(_Phase.NORM)
            with m.Case(_Phase.NORM):
                with m.If(~norm.busy):
                    m.d.sync += phase.eq(_Phase.GATE_LAYER)
            with m.Case(_Phase.GATE_LAYER):
                offer(
                    config.gate,
                    m_blocks=called.tokens,
                    activation_address=called.normed_address,
                    weight_address=called.gate_address,
                    output_address=called.logit_address,
                )
                with m.If(accepted):
                    m.d.sync += phase.eq(_Phase.LOGITS)
            with m.Case(_Phase.LOGITS):
                with m.If(~gemm.busy):
                    m.d.sync += [
                        phase.eq(_Phase.GATE),
                        to_choose.eq(called.tokens * config.top_k),
                        least.eq(0),
                    ]
            with m.Case(_Phase.GATE):
                with m.If(gate.o.valid):
                    m.d.sync += to_choose.eq(to_choose - 1)
                    with m.If(to_choose == 1):
                        m.d.sync += phase.eq(_Phase.EXPERT)
            with m.Case(_Phase.EXPERT):
                m.d.sync += [
                    expert.eq(queues.next_expert),
                    rows.eq(queues.next_length),
                    least.eq(queues.next_expert + 1),
                    weights.eq(called.expert_address + queues.next_expert * config.expert_beats),
                    phase.eq(_Phase.FIRST),
                ]
                with m.If(~queues.found):
                    m.d.sync += phase.eq(_Phase.SUMS)
            with m.Case(_Phase.FIRST):
                offer(
                    config.first,
                    m_blocks=rows,
                    activation_address=called.normed_address,
                    weight_address=weights,
                    output_address=called.hidden_address,
                )
                with m.If(accepted):
                    m.d.sync += phase.eq(_Phase.SECOND)
            with m.Case(_Phase.SECOND):
                offer(
                    config.second,
                    m_blocks=rows,
                    activation_address=called.hidden_address,
                    weight_address=weights + config.first_beats,
                    output_address=called.x_address,
                    after_writes=1,
                )
                with m.If(accepted):
                    m.d.sync += phase.eq(_Phase.EXPERT)
            with m.Case(_Phase.SUMS):
                with m.If(scatter.landed & (unlanded == 1)):
                    m.d.sync += phase.eq(_Phase.IDLE)

    def _move(self, m: Module, queues: Any, gather: Any, scatter: Any) -> None:
        """From places in a queue to tokens, on the way to memory."""
        gemm: Any = self._gemm
        for port, by in ((queues.gather, gather.lookup), (queues.scatter, scatter.lookup)):
            wiring.connect(m, by, port)
        layout = _tag(self._config)
        asks, moved, added = gemm.command.payload, gather.i.payload, scatter.i.payload
        asked, written = Signal(layout), Signal(layout)
        m.d.comb += [
            asked.eq(asks.tag),
            written.eq(self._write_back(m, scatter)),
            gather.i.valid.eq(gemm.command.valid),
            gemm.command.ready.eq(gather.i.ready),
            moved.address.eq(asks.address),
            moved.beats.eq(asks.beats),
            moved.moved.eq(asked.gather),
            moved.expert.eq(asked.expert),
            moved.place.eq(asks.block),
            added.add.eq(written.add),
            added.expert.eq(written.expert),
        ]
