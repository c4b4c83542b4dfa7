"""The writer: reads finished accumulators back, rounds them and writes beats to DRAM."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, SIZE_BITS, descriptor_layout
from dovetail.rtl.gemm.tile_loop import TileLoop
from dovetail.rtl.leaf import Leaf

__all__ = ["Writer", "write_beat"]


def write_beat(config: GemmEngineConfig) -> data.StructLayout:
    """Layout of one beat of write data; it carries its own address.

    So reads and writes never contend for the command stream.  In a chain it also carries the
    number of its row block, the GEMM's tag, and whether it is the GEMM's last.
    """
    layout: dict[str, Any] = {"address": ADDRESS_BITS, "data": config.port_bits}
    if isinstance(config, ChainedEngineConfig):
        layout |= {"block": SIZE_BITS, "tag": config.tag_bits, "last": 1}
    return data.StructLayout(layout)


def _travelling(config: GemmEngineConfig) -> dict[str, Any]:
    """What must go with the rows of a GEMM, since the next one's registers may be there already."""
    if not isinstance(config, ChainedEngineConfig):
        return {}
    return {"block": SIZE_BITS, "tag": config.tag_bits, "output_shift": 6, "gelu": 1}


class Writer(wiring.Component):
    """Write the valid rows of each array tile, ``cols_padded`` results a row.

    A row wider than a beat takes several beats; of rows narrower than a beat, several share one.
    Each array tile starts a new beat, and lanes without a result are zero.

    :Latency: 2 cycles from a row's read to its (last) beat, and as many more as results take.
    :Throughput: one row or one beat per cycle, whichever is fewer.
    :Ready path: the whole pipeline holds while ``o`` is valid and not ready.
    :Reference: :func:`dovetail.models.gemm_layout.unpack_outputs`.

    Parameters
    ----------
    config : GemmEngineConfig
    output_round : wiring.Component
        From an accumulator ``i`` and ``shift`` to a result ``o``, in ``output_cycles`` of the core:
        combinational, or with ``enable`` for its registers.  Of a core with biases it also takes
        ``gelu``.

    Members
    -------
    descriptor, start : In
    ready_any : unsigned(1)
        A finished output tile waits.
    take : unsigned(1)
        The tile that starts now uses it.
    free : unsigned(1)
        The last row of a tile has been read.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.core.Core`.
    o : Out(stream.Signature(write_beat(config)))
    rows_read, outputs : Out
        A row was read; results in it that belong to the GEMM.
    finished : unsigned(1)
        The last beat of the GEMM is accepted in this cycle.
    ends : unsigned(1)
        The GEMM's last row, or its last beat, is issued in this cycle; only of a chained engine,
        where halves go on in turn and what results need travels with them.
    """

    def __init__(self, config: GemmEngineConfig, output_round: Any) -> None:
        self._config = config
        self._round = Leaf("output_round", output_round, clocked=config.spec.output_cycles > 0)
        members: dict[str, Any] = {
            "descriptor": In(descriptor_layout(config)),
            "start": In(1),
            "ready_any": In(1),
            "take": Out(1),
            "free": Out(1),
            "read": Out(1),
            "read_address": Out(range(max(2, config.accumulator_half_tiles * config.rows))),
            "read_half": Out(1),
            "read_data": In(config.accumulator_bits * config.cols),
            "o": Out(stream.Signature(write_beat(config))),
            "rows_read": Out(1),
            "outputs": Out(range(config.cols + 1)),
            "finished": Out(1),
        }
        if config.chained:
            members["ends"] = Out(1)
        super().__init__(members)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._round,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        d: Any = self.descriptor
        row_bits, beat_bits = config.output_row_bits, config.port_bits
        result_bits = config.spec.output_bits
        beats_per_row = max(1, row_bits // beat_bits)
        rows_per_beat = max(1, beat_bits // row_bits)
        m.submodules.loop = loop = TileLoop(config, over_k=False)

        active, begun = Signal(), Signal()
        mi, ni = Signal(SIZE_BITS), Signal(SIZE_BITS)
        row = Signal(range(config.rows + 1))
        part = Signal(range(max(2, beats_per_row)))  # beat of the row
        array_tile = Signal(range(config.accumulator_half_tiles * config.rows + 1))
        half = Signal()
        m_offset, n_offset = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)

        hold, issue = Signal(), Signal()
        m_done, n_done, row_done, part_done, tile_done = (
            Signal(name=f"{name}_done") for name in ("m", "n", "row", "part", "tile")
        )
        rows_valid = Signal(range(config.rows + 1))
        cols_valid = Signal(range(config.cols + 1))
        m.d.comb += [
            loop.descriptor.eq(self.descriptor),
            loop.start.eq(self.start),
            m_done.eq(mi == loop.m_count - 1),
            n_done.eq(ni == loop.n_count - 1),
            rows_valid.eq(Mux(loop.m_last & m_done, d.rows_last, config.rows)),
            cols_valid.eq(Mux(loop.n_last & n_done, d.cols_last, config.cols)),
            row_done.eq(row == rows_valid - 1),
            part_done.eq(part == beats_per_row - 1),
            tile_done.eq(part_done & row_done & n_done & m_done),
            issue.eq(active & (begun | self.ready_any) & ~hold),
            self.take.eq(issue & ~begun),
            self.free.eq(issue & tile_done),
            self.read.eq(issue & (part == 0)),
            self.read_address.eq(array_tile + row),
            self.read_half.eq(half),
            self.rows_read.eq(self.read),
            self.outputs.eq(Mux(self.read, cols_valid, 0)),
        ]
        with m.If(self.start):
            m.d.sync += [active.eq(1), begun.eq(0)]
            if not config.chained:
                m.d.sync += half.eq(0)
        with m.If(issue):
            m.d.sync += [begun.eq(1), part.eq(Mux(part_done, 0, part + 1))]
            with m.If(part_done):
                m.d.sync += row.eq(Mux(row_done, 0, row + 1))
            with m.If(part_done & row_done):
                m.d.sync += [
                    array_tile.eq(Mux(tile_done, 0, array_tile + config.rows)),
                    ni.eq(Mux(n_done, 0, ni + 1)),
                    n_offset.eq(Mux(n_done, 0, n_offset + d.output_column_beats)),
                ]
                with m.If(n_done):
                    m.d.sync += [
                        mi.eq(Mux(m_done, 0, mi + 1)),
                        m_offset.eq(Mux(m_done, 0, m_offset + d.output_tile_beats)),
                    ]
            with m.If(tile_done):
                m.d.comb += loop.advance.eq(1)
                m.d.sync += [begun.eq(0), active.eq(~loop.last), half.eq(~half)]

        # One cycle later the row is there and is rounded; it leaves as beats in the next, or where
        # rounding has registers of its own, that much later.
        stage = data.StructLayout(
            {
                "valid": 1,
                "load": 1,  # a new row, not a further beat of the one before
                "emit": 1,  # a beat is complete
                "last": 1,
                "part": part.shape(),
                "lane": range(max(2, rows_per_beat)),
                "address": ADDRESS_BITS,
                "cols_valid": range(config.cols + 1),
                **_travelling(config),
            }
        )
        lane_log2 = rows_per_beat.bit_length() - 1
        read, out = Signal(stage), Signal(stage)
        rounding: Any = read
        lane = row[:lane_log2] if lane_log2 else Const(0, 1)
        beat = row >> lane_log2 if lane_log2 else row * beats_per_row + part
        rounded = Signal(row_bits)
        for step in range(config.spec.output_cycles):
            later = Signal(stage, name=f"rounding_{step}")
            with m.If(~hold):
                m.d.sync += later.eq(rounding)
            rounding = later
        register: Any = read if config.chained else d
        options = {"gelu": register.gelu, "enable": ~hold} if config.spec.biased else {}
        lanes = []
        for col in range(config.cols):
            result = Signal(result_bits, name=f"result_{col}")
            m.submodules[f"round_{col}"] = self._round.instance(
                i=self.read_data.word_select(col, config.accumulator_bits),
                shift=register.output_shift,
                o=result,
                **options,
            )
            lanes.append(Mux(col < rounding.cols_valid, result, 0))
        with m.If(~hold):
            m.d.sync += [
                read.valid.eq(issue),
                read.load.eq(part == 0),
                read.emit.eq((lane == rows_per_beat - 1) | row_done),
                read.last.eq(tile_done & loop.last),
                read.part.eq(part),
                read.lane.eq(lane),
                read.address.eq(loop.o_address + m_offset + n_offset + beat),
                read.cols_valid.eq(cols_valid),
                out.eq(rounding),
            ]
            if config.chained:
                m.d.sync += [
                    read.block.eq(loop.m_first + mi),
                    read.tag.eq(d.tag),
                    read.output_shift.eq(d.output_shift),
                    read.gelu.eq(d.gelu),
                ]
            with m.If(rounding.load):
                m.d.sync += rounded.eq(Cat(*(value[:result_bits] for value in lanes)))

        payload: Any = self.o.payload
        m.d.comb += [
            self.o.valid.eq(out.valid & out.emit),
            hold.eq(self.o.valid & ~self.o.ready),
            payload.address.eq(out.address),
            self.finished.eq(self.o.valid & self.o.ready & out.last),
        ]
        if config.chained:
            m.d.comb += [
                self.ends.eq(issue & tile_done & loop.last),
                payload.block.eq(out.block),
                payload.tag.eq(out.tag),
                payload.last.eq(out.last),
            ]
        if rows_per_beat > 1:
            gathered, beat_now = Signal(beat_bits), Signal(beat_bits)
            m.d.comb += [
                beat_now.eq(Mux(out.lane == 0, 0, gathered)),
                beat_now.word_select(out.lane, row_bits).eq(rounded),
                payload.data.eq(beat_now),
            ]
            with m.If(out.valid & ~hold):
                m.d.sync += gathered.eq(beat_now)
        else:
            m.d.comb += payload.data.eq(rounded.word_select(out.part, beat_bits))
        return m
