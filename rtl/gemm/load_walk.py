"""The order in which operand blocks are loaded: the command side and the data side both walk it."""

from __future__ import annotations

from typing import Any, Literal

from amaranth import Module, Mux, Signal, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, SIZE_BITS, descriptor_layout
from dovetail.rtl.gemm.tile_loop import TileLoop

__all__ = ["LoadWalk", "Operand", "read_command"]


def read_command(config: GemmEngineConfig) -> data.StructLayout:
    """Layout of a command to read consecutive beats.

    Where activations have a port of their own, also which block they are of, and their GEMM's tag.
    """
    layout: dict[str, Any] = {"address": ADDRESS_BITS, "beats": SIZE_BITS}
    if isinstance(config, ChainedEngineConfig):
        layout |= {"block": SIZE_BITS, "tag": config.tag_bits}
    return data.StructLayout(layout)


class Operand(enum.Enum, shape=unsigned(2)):  # type: ignore[call-arg]
    """Whose block it is."""

    WEIGHT = 0
    SCALE = 1
    ACTIVATION = 2


class LoadWalk(wiring.Component):
    """For each tile: its new weight blocks, their scale blocks, its new activation blocks.

    A walk for a port of its own has only what this port loads, and only the tiles that load it.

    :Latency: the next block stands one cycle after ``advance``; there is no gap between tiles.
    :Throughput: one block per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.sim.gemm_engine.tile_times`.

    Parameters
    ----------
    config : GemmEngineConfig
    serves : str
        ``both`` operands, or those of a chained engine's port: ``weights`` with their scales, or
        ``activations``.

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
    ends : unsigned(1)
        The walk's last block is dealt with in this cycle; only of a port's own walk.
    block : unsigned
        Number of the block among all activations; only where ``serves`` says so.
    """

    def __init__(
        self,
        config: GemmEngineConfig,
        *,
        serves: Literal["both", "weights", "activations"] = "both",
    ) -> None:
        self._config = config
        self._serves = serves
        members: dict[str, Any] = {
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
        if serves != "both":
            members["ends"] = Out(1)
        if serves == "activations":
            members["block"] = Out(SIZE_BITS)
        super().__init__(members)

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
        if self._serves != "both":
            self._skip(m, loop)

        def current(operand: Any, name: str, block_beats: Any, count: Any, bpr: int) -> None:
            beats_log2 = bpr.bit_length() - 1
            m.d.comb += [
                self.operand.eq(operand),
                self.address.eq(getattr(loop, f"{name}_address") + offset),
                self.beats.eq(getattr(loop, f"{name}_rows") << beats_log2),
                stride.eq(block_beats),
                block_last.eq(block == count - 1),
            ]

        weights = loop.w_new if self._serves == "both" else self._serves == "weights"
        with m.If(weights & ~weights_done):
            beats_per_row = config.weight.beats_per_row
            current(Operand.WEIGHT, "w", d.weight_block_beats, loop.n_count, beats_per_row)
            m.d.comb += self.last_of_weights.eq(block_last & d.unscaled)
        with m.Elif(weights & ~d.unscaled & ~scales_done):
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
                alone = ~loop.a_new if self._serves == "both" else 1
                tile_done = self.last_of_activations | (self.last_of_weights & alone)
                m.d.sync += [
                    weights_done.eq(1),
                    scales_done.eq(self.operand != Operand.WEIGHT),
                ]
                with m.If(tile_done):
                    m.d.comb += loop.advance.eq(1)
                    m.d.sync += [weights_done.eq(0), scales_done.eq(0), active.eq(~loop.last)]
                    if self._serves != "both":
                        m.d.comb += self.ends.eq(loop.last)
        if self._serves == "activations":
            m.d.comb += self.block.eq(loop.m_first + block)
        return m

    def _skip(self, m: Module, loop: TileLoop) -> None:
        """Take a dimension along which the operand stays for a single tile."""
        d: Any = self.descriptor
        walked: Any = loop.descriptor
        one_k = d.tile_k == d.groups
        if self._serves == "weights":
            with m.If(one_k & (d.n_outer | (d.tile_n == d.n_blocks))):
                m.d.comb += walked.tile_m.eq(d.m_blocks)
        else:
            with m.If(one_k & (~d.n_outer | (d.tile_m == d.m_blocks))):
                m.d.comb += walked.tile_n.eq(d.n_blocks)
