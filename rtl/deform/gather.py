"""Windows without a line buffer: each tap is a burst of its own from DRAM."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Const, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import TAPS, DeformEngineConfig
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, READ_COMMAND
from dovetail.rtl.deform.line_writer import POSITION_BITS

__all__ = ["Gather"]

# Two pixels are under way at most, of nine bursts and an end each.
_PENDING = 32
_END = TAPS  # after a pixel's taps


class Gather(wiring.Component):
    """Ask for the taps of each output pixel and hand their beats to the tap store.

    A pixel takes a cycle to begin, one for each tap, with a command where the tap is inside the
    image, and one to end.

    :Latency: a beat is stored in the cycle in which it comes; the end of a pixel is taken in the
        cycle after its last beat or later.
    :Throughput: one command and one beat per cycle.
    :Ready path: none between ports.
    :Reference: :mod:`dovetail.sim.deform_kernel`.

    Members
    -------
    start, descriptor : In
    loaded : In(1)
        Weights and offsets are there.
    offset : In
        Of the pixel whose taps are asked for; ``advance`` goes to the next.
    command, read : streams
        Of the engine's DRAM port.
    free : In(1)
    take, write, write_group, inside, end : Out
        To the tap store, whose data are those of ``read``.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "loaded": In(1),
                "offset": In(range(config.bound + 1)),
                "advance": Out(1),
                "command": Out(stream.Signature(READ_COMMAND)),
                "read": In(stream.Signature(config.port_bits)),
                "free": In(1),
                "take": Out(1),
                "write": Out(TAPS),
                "write_group": Out(range(max(2, config.max_groups))),
                "inside": Out(TAPS),
                "end": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.pending = pending = fifo.SyncFIFO(width=4, depth=_PENDING)
        self._ask(m, pending)

        # Beats come in the order of the bursts; an end makes a pixel complete.
        d: Any = self.descriptor
        place = pending.r_data
        beat_last, accepted = Signal(), Signal()
        arrived = Signal(TAPS)
        m.d.comb += [
            self.end.eq(pending.r_rdy & (place == _END)),
            self.read.ready.eq(pending.r_rdy & (place != _END)),
            accepted.eq(self.read.valid & self.read.ready),
            self.write.eq(accepted << place),
            beat_last.eq(accepted & (self.write_group == d.image_groups - 1)),
            pending.r_en.eq(self.end | beat_last),
            self.inside.eq(arrived),
        ]
        with m.If(accepted):
            m.d.sync += [
                self.write_group.eq(Mux(beat_last, 0, self.write_group + 1)),
                arrived.eq(arrived | self.write),
            ]
        with m.If(self.end):
            m.d.sync += arrived.eq(0)
        with m.If(self.start):
            m.d.sync += [self.write_group.eq(0), arrived.eq(0)]
        return m

    def _ask(self, m: Module, pending: Any) -> None:
        """Walk the output pixels and their taps; ask for those inside the image."""
        config = self._config
        d: Any = self.descriptor
        stride = Signal(2)
        row, col = Signal(POSITION_BITS), Signal(POSITION_BITS)
        centre = Signal(ADDRESS_BITS)  # of the pixel, from the features' first beat on
        row_start = Signal(ADDRESS_BITS)
        going, begun, asked_all = (Signal() for _ in range(3))
        place = Signal(range(TAPS + 1))
        offset = Signal.like(self.offset)
        down, right = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        underway = Signal(range(config.gather_bursts + 1))
        m.d.comb += stride.eq(1 + d.stride2)

        # A pixel begins when there is room for it: how far its taps lie apart, in beats.
        begin = Signal()
        m.d.sync += going.eq(self.loaded)
        m.d.comb += [
            begin.eq(going & ~begun & ~asked_all & self.free),
            self.advance.eq(begin),
            self.take.eq(begin),
        ]
        with m.If(begin):
            m.d.sync += [
                begun.eq(1),
                place.eq(0),
                offset.eq(self.offset),
                down.eq(self.offset * d.row_beats),
                right.eq(self.offset * d.image_groups),
            ]

        signs = Array(Const(sign, signed(2)) for sign in (-1, 0, 1))
        at_row, at_col = (Signal(signed(POSITION_BITS + 1), name=f"at_{x}") for x in ("row", "col"))
        i, j = Signal(range(3)), Signal(range(3))
        is_inside, is_tap, moves, ended, burst_done = (Signal() for _ in range(5))
        command: Any = self.command.payload
        m.d.comb += [
            i.eq(Array(min(n, TAPS - 1) // 3 for n in range(TAPS + 1))[place]),
            j.eq(Array(min(n, TAPS - 1) % 3 for n in range(TAPS + 1))[place]),
            at_row.eq(row + signs[i] * offset),
            at_col.eq(col + signs[j] * offset),
            is_inside.eq((at_row >= 0) & (at_row < d.height) & (at_col >= 0) & (at_col < d.width)),
            is_tap.eq(begun & (place != _END)),
            command.address.eq(d.feature_address + centre + signs[i] * down + signs[j] * right),
            command.beats.eq(d.image_groups),
            self.command.valid.eq(is_tap & is_inside & (underway != config.gather_bursts)),
            moves.eq(begun & (~is_tap | ~is_inside | (self.command.valid & self.command.ready))),
            ended.eq(moves & (place == _END)),
            pending.w_en.eq(moves & (~is_tap | is_inside)),
            pending.w_data.eq(place),
            burst_done.eq(pending.r_en & (pending.r_data != _END)),
        ]
        m.d.sync += underway.eq(underway + (self.command.valid & self.command.ready) - burst_done)
        with m.If(moves):
            m.d.sync += place.eq(place + 1)
        with m.If(ended):
            m.d.sync += [
                begun.eq(0),
                col.eq(col + stride),
                centre.eq(centre + Mux(d.stride2, d.image_groups << 1, d.image_groups)),
            ]
            with m.If(col + stride >= d.width):
                next_row = row_start + Mux(d.stride2, d.row_beats << 1, d.row_beats)
                m.d.sync += [
                    col.eq(0),
                    row.eq(row + stride),
                    row_start.eq(next_row),
                    centre.eq(next_row),
                    asked_all.eq(row + stride >= d.height),
                ]
        with m.If(self.start):
            m.d.sync += [x.eq(0) for x in (row, col, centre, row_start, going, begun, asked_all)]
