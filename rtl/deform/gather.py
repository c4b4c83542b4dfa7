"""Windows without a line buffer: each tap is a burst of its own from DRAM."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import ACTIVATION_BITS, TAPS, ZERO, DeformEngineConfig
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, READ_COMMAND
from dovetail.rtl.deform.line_writer import POSITION_BITS
from dovetail.rtl.deform.window_reader import window_step

__all__ = ["Gather"]

# Two pixels are under way at most, of nine bursts and an end each.
_PENDING = 32
_END = TAPS  # after a pixel's taps


class Gather(wiring.Component):
    """Ask for the taps of each output pixel, keep them in nine memories, give windows.

    A pixel takes a cycle to begin, one for each tap, with a command where the tap is inside the
    image, and one to end.  Two pixels fit, so one is read while the next arrives.

    :Latency: 2 cycles from the end of a pixel, or its last beat, to its first window.
    :Throughput: a window per cycle of pixels that are there.
    :Ready path: none between ports.
    :Reference: :mod:`dovetail.models.deform.engine_call`, :mod:`dovetail.sim.deform_kernel`.

    Members
    -------
    start, descriptor : In
    loaded : In(1)
        Weights and offsets are there.
    offset : In
        Of the pixel whose taps are asked for; ``advance`` goes to the next.
    command, read : streams
        Of the engine's DRAM port.
    room : In(1)
        The queue behind the 3x3 unit can take one more.
    step, taps : Out
        To the 3x3 unit.
    issue, ready, done, begin : Out(1)
        A window is read; it could, were there room; all are read; as ``issue``.
    write : Out(1)
        A beat of a tap is stored.
    reads : Out
        Memories that are read.
    """

    def __init__(self, config: DeformEngineConfig) -> None:
        self._config = config
        beat = config.port_bits
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "loaded": In(1),
                "offset": In(range(config.bound + 1)),
                "advance": Out(1),
                "command": Out(stream.Signature(READ_COMMAND)),
                "read": In(stream.Signature(beat)),
                "room": In(1),
                "step": Out(window_step(config)),
                "taps": Out(TAPS * beat),
                "issue": Out(1),
                "ready": Out(1),
                "done": Out(1),
                "begin": Out(1),
                "write": Out(1),
                "reads": Out(range(TAPS + 1)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        groups = config.max_groups
        m.submodules.pending = pending = fifo.SyncFIFO(width=5, depth=_PENDING)
        inside = [Signal(TAPS, name=f"inside_{half}") for half in range(2)]
        free, ready = Signal(2, init=2), Signal(2)
        freed, given = Signal(), Signal()
        self._ask(m, pending, inside, free, freed)

        # Beats come in the order of the bursts; an end makes a pixel ready.
        head = Signal(data.StructLayout({"place": 4, "half": 1}))
        tap: Any = head
        d: Any = self.descriptor
        beat = Signal(range(max(2, groups)))
        beat_last = Signal()
        m.d.comb += [
            head.eq(pending.r_data),
            given.eq(pending.r_rdy & (tap.place == _END)),
            self.read.ready.eq(pending.r_rdy & (tap.place != _END)),
            self.write.eq(self.read.valid & self.read.ready),
            beat_last.eq(self.write & (beat == d.out_groups - 1)),
            pending.r_en.eq(given | beat_last),
        ]
        with m.If(self.write):
            m.d.sync += beat.eq(Mux(beat_last, 0, beat + 1))

        # Windows of the older pixel.
        group = Signal(range(max(2, groups)))
        half = Signal()
        pixel = Signal(ADDRESS_BITS)
        group_last = Signal()
        step: Any = self.step
        m.d.comb += [
            self.ready.eq(ready != 0),
            self.issue.eq(~self.done & self.ready & self.room),
            self.begin.eq(self.issue),
            group_last.eq(group == d.out_groups - 1),
            freed.eq(self.issue & group_last),
            step.valid.eq(self.issue),
            step.last.eq(self.issue),
            step.group.eq(group),
        ]
        m.d.sync += ready.eq(ready + given - freed)
        with m.If(self.issue):
            m.d.sync += group.eq(Mux(group_last, 0, group + 1))
        with m.If(freed):
            m.d.sync += [half.eq(~half), pixel.eq(pixel + d.out_groups)]
            m.d.sync += self.done.eq(pixel + d.out_groups == d.output_beats)

        outside = Const(ZERO, ACTIVATION_BITS).replicate(config.lanes)
        valid, valid_then = Signal(TAPS), Signal(TAPS)
        m.d.comb += valid.eq(Mux(half, inside[1], inside[0]))
        m.d.sync += valid_then.eq(valid)
        taps = []
        for place in range(TAPS):
            m.submodules[f"tap_{place}"] = store = memory.Memory(
                shape=config.port_bits, depth=2 * groups, init=[]
            )
            write_port, read_port = store.write_port(), store.read_port()
            m.d.comb += [
                write_port.addr.eq(Mux(tap.half, groups, 0) + beat),
                write_port.data.eq(self.read.payload),
                write_port.en.eq(self.write & (tap.place == place)),
                read_port.addr.eq(Mux(half, groups, 0) + group),
                read_port.en.eq(self.issue & valid[place]),
            ]
            taps.append(Mux(valid_then[place], read_port.data, outside))
        m.d.comb += [
            self.taps.eq(Cat(*taps)),
            self.reads.eq(Mux(self.issue, sum(valid[place] for place in range(TAPS)), 0)),
        ]
        with m.If(self.start):
            m.d.sync += [x.eq(0) for x in (beat, group, half, pixel, self.done)]
        return m

    def _ask(self, m: Module, pending: Any, inside: list[Signal], free: Signal, freed: Any) -> None:
        """Walk the output pixels and their taps; ask for those inside the image."""
        config = self._config
        d: Any = self.descriptor
        stride = Signal(2)
        row, col = Signal(POSITION_BITS), Signal(POSITION_BITS)
        centre = Signal(ADDRESS_BITS)  # of the pixel, from the features' first beat on
        row_start = Signal(ADDRESS_BITS)
        half, going, begun, asked_all = (Signal() for _ in range(4))
        place = Signal(range(TAPS + 1))
        offset = Signal.like(self.offset)
        down, right = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        underway = Signal(range(config.gather_bursts + 1))
        m.d.comb += stride.eq(1 + d.stride2)

        # A pixel begins when there is room for it: how far its taps lie apart, in beats.
        begin = Signal()
        m.d.sync += going.eq(self.loaded)
        m.d.comb += [
            begin.eq(going & ~begun & ~asked_all & (free != 0)),
            self.advance.eq(begin),
        ]
        m.d.sync += free.eq(free + freed - begin)
        with m.If(begin):
            m.d.sync += [
                begun.eq(1),
                place.eq(0),
                offset.eq(self.offset),
                down.eq(self.offset * d.row_beats),
                right.eq(self.offset * d.out_groups),
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
            command.beats.eq(d.out_groups),
            self.command.valid.eq(is_tap & is_inside & (underway != config.gather_bursts)),
            moves.eq(begun & (~is_tap | ~is_inside | (self.command.valid & self.command.ready))),
            ended.eq(moves & (place == _END)),
            pending.w_en.eq(moves & (~is_tap | is_inside)),
            pending.w_data.eq(Cat(place, half)),
            burst_done.eq(pending.r_en & (pending.r_data[:4] != _END)),
        ]
        m.d.sync += underway.eq(underway + (self.command.valid & self.command.ready) - burst_done)
        with m.If(moves):
            m.d.sync += place.eq(place + 1)
        for side in range(2):
            with m.If(moves & is_tap & (half == side)):
                m.d.sync += inside[side].bit_select(place, 1).eq(is_inside)
        with m.If(ended):
            m.d.sync += [
                begun.eq(0),
                half.eq(~half),
                col.eq(col + stride),
                centre.eq(centre + Mux(d.stride2, d.out_groups << 1, d.out_groups)),
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
            m.d.sync += [
                x.eq(0) for x in (row, col, centre, row_start, half, going, begun, asked_all)
            ]
