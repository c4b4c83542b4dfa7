"""The order in which operand blocks are loaded: the command side and the data side both walk it."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, SIZE_BITS, descriptor_layout
from dovetail.rtl.gemm.tile_loop import TileLoop

__all__ = ["LoadWalk", "Operand"]


class Operand(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Whose block it is."""

    WEIGHT = 0
    SCALE = 1
    ACTIVATION = 2


class LoadWalk(wiring.Component):
    """For each tile: its new weight blocks, their scale blocks, its new activation blocks.

    :Latency: the next block stands one cycle after ``advance``; there is no gap between tiles.
    :Throughput: one block per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.sim.gemm_engine.tile_times`.

    Members
    -------
    descriptor, start : In
        As in :class:`~dovetail.rtl.gemm.tile_loop.TileLoop`.
    advance : unsigned(1)
        The current block is dealt with.
    valid : unsigned(1)
        There is a current block.
    operand : Operand
    address, beats : Out
        Of the block in DRAM.
    last_of_weights, last_of_activations : unsigned(1)
        The block completes the tile's weights and scales, or its activations.
    """

    def __init__(self, config: GemmEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "descriptor": In(descriptor_layout(config)),
                "start": In(1),
                "advance": In(1),
                "valid": Out(1),
                "operand": Out(Operand),
                "address": Out(ADDRESS_BITS),
                "beats": Out(SIZE_BITS),
                "last_of_weights": Out(1),
                "last_of_activations": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        m.submodules.loop = loop = TileLoop(config)
        active = Signal()
        weights_done = Signal()
        scales_done = Signal()
        block = Signal(SIZE_BITS)
        offset = Signal(ADDRESS_BITS)
        block_last = Signal()
        stride = Signal(ADDRESS_BITS)
        m.d.comb += [
            loop.descriptor.eq(self.descriptor),
            loop.start.eq(self.start),
            self.valid.eq(active),
        ]

        def current(operand: Any, name: str, block_beats: Any, count: Any, bpr: int) -> None:
            beats_log2 = bpr.bit_length() - 1
            m.d.comb += [
                self.operand.eq(operand),
                self.address.eq(getattr(loop, f"{name}_address") + offset),
                self.beats.eq(getattr(loop, f"{name}_rows") << beats_log2),
                stride.eq(block_beats),
                block_last.eq(block == count - 1),
            ]

        with m.If(loop.w_new & ~weights_done):
            beats_per_row = config.weight.beats_per_row
            current(Operand.WEIGHT, "w", d.weight_block_beats, loop.n_count, beats_per_row)
            m.d.comb += self.last_of_weights.eq(block_last & d.unscaled)
        with m.Elif(loop.w_new & ~d.unscaled & ~scales_done):
            beats_per_row = config.scale.beats_per_row
            current(Operand.SCALE, "s", d.scale_block_beats, loop.n_count, beats_per_row)
            m.d.comb += self.last_of_weights.eq(block_last)
        with m.Else():
            beats_per_row = config.activation.beats_per_row
            current(Operand.ACTIVATION, "a", d.activation_block_beats, loop.m_count, beats_per_row)
            m.d.comb += self.last_of_activations.eq(block_last)

        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                block.eq(0),
                offset.eq(0),
                weights_done.eq(0),
                scales_done.eq(0),
            ]
        with m.Elif(active & self.advance):
            m.d.sync += [
                block.eq(Mux(block_last, 0, block + 1)),
                offset.eq(Mux(block_last, 0, offset + stride)),
            ]
            with m.If(block_last):
                tile_done = self.last_of_activations | (self.last_of_weights & ~loop.a_new)
                m.d.sync += [
                    weights_done.eq(1),
                    scales_done.eq(self.operand != Operand.WEIGHT),
                ]
                with m.If(tile_done):
                    m.d.comb += loop.advance.eq(1)
                    m.d.sync += [weights_done.eq(0), scales_done.eq(0), active.eq(~loop.last)]
        return m
