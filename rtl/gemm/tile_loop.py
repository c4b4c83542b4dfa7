"""The loop nest over tiles: which tile is current, and what it needs.

Loader, sequencer and writer each hold a copy and walk it at their own pace; credits between them
keep the order.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.spad import SpadShape
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, SIZE_BITS, descriptor_layout

__all__ = ["TileLoop"]


class TileLoop(wiring.Component):
    """Iterate tiles: outer, inner, k, where ``n_outer`` says which of m and n is the outer loop.

    :Latency: the next tile's values stand one cycle after ``advance``.
    :Throughput: one tile per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.sim.gemm_engine.tile_times`.

    Parameters
    ----------
    config : GemmEngineConfig
    over_k : bool
        False visits each output tile once.

    Members
    -------
    descriptor : descriptor_layout(config)
        Constant during a GEMM.
    start : unsigned(1)
        Load the first tile.
    advance : unsigned(1)
        Move on.
    m_count, n_count, g_count, k_count : Out
        Blocks, groups and k of the tile; k in steps.
    m_last, n_last : unsigned(1)
        The tile holds the last block along that dimension.
    first_k, last_k, last : unsigned(1)
        First and last tile along k; last tile of all.
    a_new, w_new : unsigned(1)
        The operand's tile differs from that of the tile before.
    a_free, w_free : unsigned(1)
        The operand's tile is not the next tile's.
    <x>_rows, <x>_offset, <x>_address : Out, for x in a, w, s
        Rows of one block in its scratchpad, first slice within the first row, and DRAM address of
        the first block, for activations, weights and scales.
    o_address : Out
        DRAM address of the tile's first array tile of results.
    m_first : Out
        The tile's first block along m; only of a chained engine.
    """

    def __init__(self, config: GemmEngineConfig, *, over_k: bool = True) -> None:
        self._config = config
        self._over_k = over_k
        members: dict[str, Any] = {
            "descriptor": In(descriptor_layout(config)),
            "start": In(1),
            "advance": In(1),
            "o_address": Out(ADDRESS_BITS),
        }
        for name in ("m_count", "n_count", "g_count", "k_count"):
            members[name] = Out(SIZE_BITS)
        if config.chained:
            members["m_first"] = Out(SIZE_BITS)
        flags = "m_last n_last first_k last_k last a_new w_new a_free w_free"
        for name in flags.split():
            members[name] = Out(1)
        for name in "aws":
            members[f"{name}_rows"] = Out(SIZE_BITS)
            members[f"{name}_offset"] = Out(range(max(2, self._spad(name).slices_per_row)))
            members[f"{name}_address"] = Out(ADDRESS_BITS)
        super().__init__(members)

    def _spad(self, name: str) -> SpadShape:
        config = self._config
        return {"a": config.activation, "w": config.weight, "s": config.scale}[name]

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        d: Any = self.descriptor
        m0, n0, g0, k0 = (Signal(SIZE_BITS, name=name) for name in ("m0", "n0", "g0", "k0"))
        a_new, w_new = Signal(init=1), Signal(init=1)
        a_m, w_n, s_n, o_m, o_n = (
            Signal(ADDRESS_BITS, name=name) for name in ("a_m", "w_n", "s_n", "o_m", "o_n")
        )

        m_left, n_left, g_left = (Signal(SIZE_BITS, name=f"{x}_left") for x in "mng")
        tile_k = Signal(SIZE_BITS)
        k_left = Signal(SIZE_BITS)
        m.d.comb += [
            m_left.eq(d.m_blocks - m0),
            n_left.eq(d.n_blocks - n0),
            g_left.eq(d.groups - g0),
            k_left.eq(d.k - k0),
            tile_k.eq(d.tile_k << d.group_log2),
            self.m_last.eq(m_left <= d.tile_m),
            self.n_last.eq(n_left <= d.tile_n),
            self.m_count.eq(Mux(self.m_last, m_left, d.tile_m)),
            self.n_count.eq(Mux(self.n_last, n_left, d.tile_n)),
            self.first_k.eq(g0 == 0),
            self.last_k.eq((g_left <= d.tile_k) if self._over_k else 1),
            self.g_count.eq(Mux(self.last_k, g_left, d.tile_k)),
            self.k_count.eq(Mux(self.last_k, k_left, tile_k)),
            self.last.eq(self.m_last & self.n_last & self.last_k),
            self.a_new.eq(a_new),
            self.w_new.eq(w_new),
            self.o_address.eq(d.output_address + o_m + o_n),
        ]

        if self._config.chained:
            m.d.comb += self.m_first.eq(m0)

        # Which operands change from this tile to the next.
        one_k = self.first_k & self.last_k
        inner_last = Mux(d.n_outer, self.m_last, self.n_last)
        m_single, n_single = m_left == d.m_blocks, n_left == d.n_blocks
        a_moves, w_moves = Signal(), Signal()
        with m.If(~self.last_k):
            m.d.comb += [a_moves.eq(1), w_moves.eq(1)]
        with m.Elif(~inner_last):
            m.d.comb += [a_moves.eq(d.n_outer | ~one_k), w_moves.eq(~d.n_outer | ~one_k)]
        with m.Else():
            # The inner loop starts again: its operand stays only where it has a single tile.
            m.d.comb += [
                a_moves.eq(~d.n_outer | ~one_k | ~(m_single & self.m_last)),
                w_moves.eq(d.n_outer | ~one_k | ~(n_single & self.n_last)),
            ]
        m.d.comb += [
            self.a_free.eq(a_moves | self.last),
            self.w_free.eq(w_moves | self.last),
        ]

        first_slice, slices = self._weight_slices(d, k0), self._weight_slices(d, self.k_count)
        for name, first, count, address in (
            ("a", k0, self.k_count, d.activation_address + a_m),
            ("w", first_slice, slices, d.weight_address + w_n),
            ("s", g0, self.g_count, d.scale_address + s_n),
        ):
            self._operand(m, name, first, count, address)

        def step_m() -> None:
            with m.If(self.m_last):
                m.d.sync += [m0.eq(0), a_m.eq(0), o_m.eq(0)]
            with m.Else():
                m.d.sync += [
                    m0.eq(m0 + d.tile_m),
                    a_m.eq(a_m + d.activation_tile_beats),
                    o_m.eq(o_m + d.output_tile_m_beats),
                ]

        def step_n() -> None:
            with m.If(self.n_last):
                m.d.sync += [n0.eq(0), w_n.eq(0), s_n.eq(0), o_n.eq(0)]
            with m.Else():
                m.d.sync += [
                    n0.eq(n0 + d.tile_n),
                    w_n.eq(w_n + d.weight_tile_beats),
                    s_n.eq(s_n + d.scale_tile_beats),
                    o_n.eq(o_n + d.output_tile_n_beats),
                ]

        with m.If(self.start):
            registers = (m0, n0, g0, k0, a_m, w_n, s_n, o_m, o_n)
            m.d.sync += [register.eq(0) for register in registers]
            m.d.sync += [a_new.eq(1), w_new.eq(1)]
        with m.Elif(self.advance):
            m.d.sync += [a_new.eq(a_moves), w_new.eq(w_moves)]
            with m.If(~self.last_k):
                m.d.sync += [g0.eq(g0 + d.tile_k), k0.eq(k0 + tile_k)]
            with m.Else():
                m.d.sync += [g0.eq(0), k0.eq(0)]
                with m.If(d.n_outer):
                    step_m()
                    with m.If(self.m_last):
                        step_n()
                with m.Else():
                    step_n()
                    with m.If(self.n_last):
                        step_m()
        return m

    def _weight_slices(self, d: Any, steps: Value) -> Value:
        """Slices that weights of so many steps take."""
        if self._config.spec.bit_serial:
            slices = steps * d.planes
            return slices[:SIZE_BITS]
        # A weight without scales takes two nibble planes where it is INT8.
        return steps << (d.unscaled if self._config.weight_slices == 2 else 0)

    def _operand(self, m: Module, name: str, first: Value, count: Value, address: Value) -> None:
        """Where slices ``first .. first + count - 1`` of a block lie."""
        shape = self._spad(name)
        row_log2 = shape.slices_per_row.bit_length() - 1
        beats_log2 = shape.beats_per_row.bit_length() - 1
        offset = getattr(self, f"{name}_offset")
        last = Signal(SIZE_BITS + 1, name=f"{name}_last_slice")
        m.d.comb += [
            offset.eq(first & (shape.slices_per_row - 1)),
            last.eq(offset + count - 1),
            getattr(self, f"{name}_rows").eq((last >> row_log2) + 1),
            getattr(self, f"{name}_address").eq(address + ((first >> row_log2) << beats_log2)),
        ]
