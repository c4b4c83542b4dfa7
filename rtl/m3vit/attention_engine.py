"""The attention engine: norm, three linear layers, both products and a fourth layer, in place."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, enum

from dovetail.arch.events import ATTENTION_EVENTS, Event
from dovetail.arch.m3vit.attention_engine import LAYERS, AttentionCall, AttentionEngineConfig
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.m3vit.attention_products import AttentionProducts
from dovetail.rtl.m3vit.block_engine import BlockEngine, call_layout, passes
from dovetail.rtl.m3vit.norm_pass import NormPass
from dovetail.rtl.m3vit.port_share import share_reads, share_writes
from dovetail.rtl.m3vit.scatter_add import ScatterAdd

__all__ = ["AttentionEngine", "attention_call"]


def attention_call(max_tokens: int) -> data.StructLayout:
    """Layout of :class:`dovetail.arch.m3vit.attention_engine.AttentionCall`."""
    return call_layout(AttentionCall, max_tokens)


class _Phase(enum.Enum):
    """What the engine does."""

    IDLE = 0
    NORM = 1
    LAYERS = 2  # descriptors of query, key and value
    RESULTS = 3  # of these are still to land
    PRODUCTS = 4
    OUTPUT = 5  # descriptor of the output layer
    SUMS = 6  # are still to land


class AttentionEngine(BlockEngine):
    """``x += output(attention(norm(x)))``; every map lies in DRAM between two steps.

    The steps follow each other; weights of a layer load while the one before it computes.

    :Latency: :func:`dovetail.sim.m3vit_attention_engine.simulate_attention`, exactly, where each
        port's memory answers as docs/engine.md describes; any memory gives the same results.
    :Throughput: as its parts'.
    :Ready path: none between ports, but from ``sum_command.ready`` and ``write.ready`` inwards.
    :Reference: :func:`dovetail.models.m3vit.attention_layer.attention_maps`.

    Parameters
    ----------
    config : AttentionEngineConfig

    Members
    -------
    start : In(stream.Signature(attention_call(max_tokens)))
        Accepted while the engine is idle.
    command, read
        Of features: the map itself, activations of the linear layers, queries.
    weight_command, weight_read
        Of the norm's scale and shift, weights and biases; of keys.
    sum_command, sum_read
        Of features to which attention is added; of values.
    write : Out(stream.Signature(result_beat(port_bits)))
    busy : unsigned(1)
        From the cycle after start to the last write beat.
    count_<event> : unsigned(48)
        Event counters of the run.
    """

    def __init__(self, config: AttentionEngineConfig) -> None:
        self._config = config
        super().__init__(config, config.engine, attention_call(config.max_tokens), ATTENTION_EVENTS)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        m.submodules.norm = norm = NormPass(config.norm, max_tokens=config.max_tokens)
        m.submodules.gemm = gemm = self._gemm
        m.submodules.products = products = AttentionProducts(config.attention)
        m.submodules.scatter = scatter = ScatterAdd(
            experts=1,
            tokens=config.max_tokens,
            token_beats=config.token_beats,
            port_bits=config.port_bits,
            depth=config.sum_queue,
        )
        phase = Signal(_Phase)
        go, called = self._take_call(m, phase == _Phase.IDLE)
        self._normalise_first(m, go, norm)
        self._control(m, phase, go, called, norm, products, scatter)
        # Results of the output layer are added to their own token.
        m.d.comb += [
            scatter.i.payload.add.eq(self._write_back(m, scatter)),
            scatter.lookup.score.eq(1 << FEATURE.fraction_bits),
        ]
        with m.If(scatter.lookup.enable):
            m.d.sync += scatter.lookup.token.eq(scatter.lookup.place)

        normalises, multiplies = phase == _Phase.NORM, phase == _Phase.PRODUCTS
        linear = Signal()
        m.d.comb += linear.eq(self.busy & ~normalises & ~multiplies)
        share_reads(
            m,
            command=self.command,
            read=self.read,
            users=(
                (normalises, norm.command, norm.read),
                (linear, gemm.command, gemm.read),
                (multiplies, products.command, products.read),
            ),
        )
        share_reads(
            m,
            command=self.weight_command,
            read=self.weight_read,
            users=(
                (normalises, norm.parameter_command, norm.parameter_read),
                (linear, gemm.weight_command, gemm.weight_read),
                (multiplies, products.key_command, products.key_read),
            ),
        )
        share_reads(
            m,
            command=self.sum_command,
            read=self.sum_read,
            users=(
                (linear, scatter.sum_command, scatter.sum_read),
                (multiplies, products.value_command, products.value_read),
            ),
        )
        share_writes(
            m,
            write=self.write,
            users=(
                (normalises, norm.write),
                (linear, scatter.o),
                (multiplies, products.write),
            ),
        )
        self._count(
            m,
            go=go,
            norm=norm,
            scatter=scatter,
            normalises=normalises | (phase == _Phase.LAYERS),
            between=Event.ATTENTION_CYCLE,
            counts={
                Event.QUERY_BEAT: multiplies & passes(self.read),
                Event.KEY_BEAT: multiplies & passes(self.weight_read),
                Event.VALUE_BEAT: multiplies & passes(self.sum_read),
            },
        )
        return m

    def _control(
        self,
        m: Module,
        phase: Any,
        go: Any,
        called: Any,
        norm: Any,
        products: Any,
        scatter: Any,
    ) -> None:
        """The phases, and what each part works on."""
        config = self._config
        gemm: Any = self._gemm
        layer = Signal(range(len(LAYERS)))
        m.d.comb += [
            products.job.tokens.eq(called.tokens),
            products.job.query_address.eq(called.query_address),
            products.job.key_address.eq(called.key_address),
            products.job.value_address.eq(called.value_address),
            products.job.output_address.eq(called.context_address),
        ]

        last = layer == len(LAYERS) - 1
        outputs = Array(getattr(called, f"{name}_address") for name in LAYERS[:-1])
        self._describe(
            m,
            config.layer,
            m_blocks=called.tokens,
            weight_address=called.weight_address + layer * config.layer_beats,
            activation_address=Mux(last, called.context_address, called.normed_address),
            output_address=Mux(last, called.x_address, outputs[layer]),
            tag=last,
        )
        offers = (phase == _Phase.LAYERS) | (phase == _Phase.OUTPUT)
        accepted = Signal()
        m.d.comb += [
            gemm.start.valid.eq(offers),
            accepted.eq(passes(gemm.start)),
            gemm.clear.eq(go),
        ]
        with m.If(accepted):
            m.d.sync += layer.eq(layer + 1)  # the last is followed by the first

        with m.Switch(phase):
            with m.Case(_Phase.IDLE):
                with m.If(go):
                    m.d.sync += phase.eq(_Phase.NORM)
            with m.Case(_Phase.NORM):
                with m.If(~norm.busy):
                    m.d.sync += phase.eq(_Phase.LAYERS)
            with m.Case(_Phase.LAYERS):
                with m.If(accepted & (layer == len(LAYERS) - 2)):
                    m.d.sync += phase.eq(_Phase.RESULTS)
            with m.Case(_Phase.RESULTS):
                m.d.comb += products.start.eq(~gemm.busy)
                with m.If(products.start):
                    m.d.sync += phase.eq(_Phase.PRODUCTS)
            with m.Case(_Phase.PRODUCTS):
                with m.If(~products.busy):
                    m.d.sync += phase.eq(_Phase.OUTPUT)
            with m.Case(_Phase.OUTPUT):
                with m.If(accepted):
                    m.d.sync += phase.eq(_Phase.SUMS)
            with m.Case(_Phase.SUMS):
                with m.If(scatter.landed):
                    m.d.sync += phase.eq(_Phase.IDLE)
