"""The sequencer: streams a step of both operands from the scratchpads into the core.

A step is one k, or ``lut_k`` of them; it takes a cycle, or one for each bit plane of its weights.
"""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.cores import MAX_WEIGHT_BITS
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.spad import SpadShape
from dovetail.rtl.gemm.descriptor import SIZE_BITS, descriptor_layout
from dovetail.rtl.gemm.drain import segment
from dovetail.rtl.gemm.spad import row_index, word_index
from dovetail.rtl.gemm.tile_loop import TileLoop

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Walk array tiles and segments of each tile as soon as its operands are there.

    A segment is what the PEs sum before they drain: a group (for INT8 weights on a nibble array,
    the group's signed high nibbles, then its unsigned low nibbles), or a whole k tile for a core
    of integers that dequantises before the product.  A segment starts when the one before has
    entered and the drain chain will be free by the time it ends.  A bit-serial core takes the
    planes of a step one after the other, the least significant first, while the step's activations
    stay.

    :Latency: operands leave the scratchpads one cycle after ``stream``.
    :Throughput: one step, or plane of one, per cycle, without a gap between segments and tiles.
    :Ready path: none; waits only before a segment.
    :Reference: :func:`dovetail.sim.gemm_engine.simulate_gemm`.

    Members
    -------
    descriptor, start : In
    weights_any, activations_any, output_any : unsigned(1)
        A loaded half of each operand, and a free half of the accumulators.
    take_weights, take_activations, take_output : unsigned(1)
        The tile that starts now uses one of each.
    free_weights, free_activations : unsigned(1)
        The tile that ends now was the last to use its half.
    stream : unsigned(1)
        Operands enter the core.
    stall_weights, stall_activations, stall_output, stall_dequant : unsigned(1)
        Why none does; the first cause that holds.
    done : unsigned(1)
        Everything has entered.
    ends : unsigned(1)
        The GEMM's last step enters in this cycle; only of a chained engine, where halves go on in
        turn from GEMM to GEMM.
    <x>_half, <x>_row, <x>_word, <x>_read : Out, for x in a, w, s
        Scratchpad reads.
    odd, scale_valid, first, last, plane, plane_last : Out
        Of the step that enters, as in :func:`~dovetail.rtl.gemm.core.operands`.
    segment : segment(config)
    rows_valid, cols_valid : Out
        Rows and columns of the array tile that belong to the GEMM.
    """

    def __init__(self, config: GemmEngineConfig) -> None:
        self._config = config
        members: dict[str, Any] = {"descriptor": In(descriptor_layout(config)), "start": In(1)}
        for name in ("weights", "activations", "output"):
            members[f"{name}_any"] = In(1)
            members[f"take_{name}"] = Out(1)
            members[f"stall_{name}"] = Out(1)
        for name in (
            "free_weights free_activations stream stall_dequant done "
            "odd scale_valid first last a_half w_half s_half a_read w_read s_read"
        ).split():
            members[name] = Out(1)
        if config.chained:
            members["ends"] = Out(1)
        for name, shape in (
            ("a", config.activation),
            ("w", config.weight),
            ("s", config.scale),
        ):
            members[f"{name}_row"] = Out(row_index(shape))
            members[f"{name}_word"] = Out(word_index(shape))
        members |= {
            "plane": Out(range(MAX_WEIGHT_BITS)),
            "plane_last": Out(1),
            "segment": Out(segment(config)),
            "rows_valid": Out(range(config.rows + 1)),
            "cols_valid": Out(range(config.cols + 1)),
        }
        super().__init__(members)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        spec = config.spec
        m.submodules.loop = loop = TileLoop(config)

        active = Signal()
        begun = Signal()  # the tile's first k has entered
        mi, ni = Signal(SIZE_BITS), Signal(SIZE_BITS)
        position = Signal(SIZE_BITS)  # step of the tile at which the segment starts
        kk = Signal(SIZE_BITS)  # step within the segment
        low_pass = Signal()
        group_index = Signal(SIZE_BITS)
        a_base, w_base, s_base = (Signal(SIZE_BITS, name=f"{x}_base") for x in "aws")
        array_tile = Signal(range(config.accumulator_half_tiles * config.rows + 1))
        halves = Signal(data.StructLayout({"a": 1, "w": 1, "out": 1}))
        drain_left = Signal(range(config.drain_cycles + 1))

        group = Signal(SIZE_BITS)
        remaining = Signal(SIZE_BITS)
        length = Signal(SIZE_BITS)
        m.d.comb += [
            loop.descriptor.eq(self.descriptor),
            loop.start.eq(self.start),
            group.eq(1 << d.group_log2),
            remaining.eq(loop.k_count - position),
            length.eq(
                Mux(remaining < group, remaining, group) if spec.group_segments else remaining
            ),
            self.done.eq(~active),
        ]

        segment_first = Signal()  # of all that the segment streams
        m.d.comb += segment_first.eq(self.first & (self.plane == 0))
        if spec.bit_serial:
            m.d.comb += self.plane_last.eq(self.plane == d.planes - 1)
            with m.If(self.stream):
                m.d.sync += self.plane.eq(Mux(self.plane_last, 0, self.plane + 1))
        else:
            m.d.comb += self.plane_last.eq(1)

        # When a segment may start.
        waits_w = ~begun & loop.w_new & ~self.weights_any
        waits_a = ~begun & loop.a_new & ~self.activations_any
        waits_out = ~begun & loop.first_k & ~self.output_any
        segment_cycles = length * d.planes if spec.bit_serial else length
        waits_drain = segment_first & (drain_left > segment_cycles)
        with m.If(active):
            with m.If(waits_w):
                m.d.comb += self.stall_weights.eq(1)
            with m.Elif(waits_a):
                m.d.comb += self.stall_activations.eq(1)
            with m.Elif(waits_out):
                m.d.comb += self.stall_output.eq(1)
            with m.Elif(waits_drain):
                m.d.comb += self.stall_dequant.eq(1)
            with m.Else():
                m.d.comb += self.stream.eq(1)

        segment_last = Signal()  # the segment that runs is the array tile's last
        n_done, m_done, tile_done = Signal(), Signal(), Signal()
        more_passes = Signal()
        end = Signal()
        m.d.comb += [
            more_passes.eq(d.unscaled & ~low_pass if spec.nibble_passes else 0),
            segment_last.eq((remaining == length) & ~more_passes),
            n_done.eq(ni == loop.n_count - 1),
            m_done.eq(mi == loop.m_count - 1),
            tile_done.eq(segment_last & n_done & m_done),
            self.first.eq(kk == 0),
            self.last.eq(kk == length - 1),
            end.eq(self.stream & self.last & self.plane_last),
            self.take_weights.eq(self.stream & ~begun & loop.w_new),
            self.take_activations.eq(self.stream & ~begun & loop.a_new),
            self.take_output.eq(self.stream & ~begun & loop.first_k),
            self.free_weights.eq(end & tile_done & loop.w_free),
            self.free_activations.eq(end & tile_done & loop.a_free),
            self.rows_valid.eq(Mux(loop.m_last & m_done, d.rows_last, config.rows)),
            self.cols_valid.eq(Mux(loop.n_last & n_done, d.cols_last, config.cols)),
        ]
        # Before the segment's end below, whose reset of the group index wins.
        w_place = self._weight_place(m, position + kk, low_pass, end & segment_last)
        self._reads(m, loop, halves, kk, position, w_place, group_index, (a_base, w_base, s_base))

        entry: Any = self.segment
        m.d.comb += [
            entry.address.eq(array_tile),
            entry.half.eq(halves.out),
            entry.first.eq(loop.first_k & (position == 0) & ~low_pass),
            entry.high.eq(more_passes),
            entry.tile_last.eq(loop.last_k & tile_done),
            entry.rows_valid.eq(self.rows_valid),
            entry.cols_valid.eq(self.cols_valid),
        ]
        if spec.biased:
            m.d.comb += entry.bias_shift.eq(d.bias_shift)

        with m.If(end):
            m.d.sync += drain_left.eq(config.drain_cycles)
        with m.Elif(drain_left != 0):
            m.d.sync += drain_left.eq(drain_left - 1)
        with m.If(self.start):
            m.d.sync += [active.eq(1), begun.eq(0)]
            if not config.chained:
                m.d.sync += [halves.eq(0), drain_left.eq(0)]
        if config.chained:
            m.d.comb += self.ends.eq(end & tile_done & loop.last)
        with m.If(self.stream):
            m.d.sync += begun.eq(1)
        with m.If(self.stream & self.plane_last):
            m.d.sync += kk.eq(Mux(self.last, 0, kk + 1))
        with m.If(end):
            with m.If(more_passes):
                m.d.sync += low_pass.eq(1)
            with m.Elif(~segment_last):
                m.d.sync += [low_pass.eq(0), position.eq(position + length)]
            with m.Else():
                m.d.sync += [
                    low_pass.eq(0),
                    position.eq(0),
                    group_index.eq(0),
                    array_tile.eq(Mux(tile_done, 0, array_tile + config.rows)),
                    ni.eq(Mux(n_done, 0, ni + 1)),
                    w_base.eq(Mux(n_done, 0, w_base + loop.w_rows)),
                    s_base.eq(Mux(n_done, 0, s_base + loop.s_rows)),
                ]
                with m.If(n_done):
                    m.d.sync += [
                        mi.eq(Mux(m_done, 0, mi + 1)),
                        a_base.eq(Mux(m_done, 0, a_base + loop.a_rows)),
                    ]
            with m.If(tile_done):
                m.d.comb += loop.advance.eq(1)
                m.d.sync += [
                    begun.eq(0),
                    active.eq(~loop.last),
                    halves.a.eq(halves.a ^ loop.a_free),
                    halves.w.eq(halves.w ^ loop.w_free),
                    halves.out.eq(halves.out ^ loop.last_k),
                ]
        return m

    def _weight_place(self, m: Module, k: Value, low_pass: Value, array_tile_ends: Value) -> Value:
        """Slice of weights that enters, counted from the start of the tile."""
        config = self._config
        d: Any = self.descriptor
        if config.spec.bit_serial:
            place = Signal(SIZE_BITS, name="w_place")
            with m.If(self.stream):
                m.d.sync += place.eq(Mux(array_tile_ends, 0, place + 1))
            return place
        high_plane = d.unscaled & ~low_pass if config.spec.nibble_passes else 0
        return (k << self._nibbles_log2) + high_plane

    @property
    def _nibbles_log2(self) -> Any:
        """How many slices a weight has, of which one enters, or all at once."""
        d: Any = self.descriptor
        return d.unscaled if self._config.weight_slices == 2 else 0

    def _reads(
        self,
        m: Module,
        loop: TileLoop,
        halves: Any,
        kk: Signal,
        position: Signal,
        w_place: Value,
        group_index: Signal,
        bases: tuple[Signal, Signal, Signal],
    ) -> None:
        """Scratchpad addresses of the step that enters."""
        config = self._config
        d: Any = self.descriptor
        k = Signal(SIZE_BITS, name="step_in_tile")
        a_slice, w_slice, s_slice = (Signal(SIZE_BITS + 1, name=f"{x}_slice") for x in "aws")
        step_begins = self.stream & (self.plane == 0)
        group_start = (kk & ((1 << d.group_log2) - 1)) == 0
        m.d.comb += [
            k.eq(position + kk),
            a_slice.eq(loop.a_offset + k),
            w_slice.eq(loop.w_offset + w_place),
            s_slice.eq(loop.s_offset + group_index),
            self.scale_valid.eq(Mux(d.unscaled, self.first, group_start) & (self.plane == 0)),
            self.a_half.eq(halves.a),
            self.w_half.eq(halves.w),
            self.s_half.eq(halves.w),
        ]
        # A row is fetched when its first word is due, and at the start of a segment (of an array
        # tile, for scales), where the row before was another one.
        group_enters = Signal()
        m.d.comb += [
            group_enters.eq(step_begins & group_start & ~d.unscaled),
            self.a_read.eq(
                step_begins & (self.first | self._row_starts(config.activation, a_slice))
            ),
            self.w_read.eq(
                (step_begins & self.first)
                | (self.stream & self._row_starts(config.weight, w_slice, self._nibbles_log2))
            ),
            self.s_read.eq(
                group_enters & ((group_index == 0) | self._row_starts(config.scale, s_slice))
            ),
        ]
        with m.If(group_enters):
            m.d.sync += group_index.eq(group_index + 1)
        for name, shape, index, base in zip(
            "aws",
            (config.activation, config.weight, config.scale),
            (a_slice, w_slice, s_slice),
            bases,
            strict=True,
        ):
            row_log2 = shape.slices_per_row.bit_length() - 1
            word_log2 = shape.slices_per_word.bit_length() - 1
            m.d.comb += [
                getattr(self, f"{name}_row").eq(base + (index >> row_log2)),
                getattr(self, f"{name}_word").eq(index[word_log2 : max(row_log2, word_log2)]),
            ]
        # Which k of a word that holds two.
        m.d.comb += self.odd.eq(w_slice[0] if config.weight.slices_per_word == 2 else 0)

    @staticmethod
    def _row_starts(shape: SpadShape, index: Signal, nibbles_log2: Any = 0) -> Any:
        """Whether slice ``index`` is in the first k of its row; a k takes one or two slices."""
        place = index & (shape.slices_per_row - 1)
        return (place >> nibbles_log2) == 0
