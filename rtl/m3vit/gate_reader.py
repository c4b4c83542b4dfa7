"""Logits of the gate from DRAM, one after the other."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, READ_COMMAND

__all__ = ["GateReader"]

_ROWS = 2  # of logits on chip: one that is used, one on its way


class GateReader(wiring.Component):
    """Read a row of logits a token and hand on those of real experts.

    The next row is asked for as soon as one before it has been used up, so memory's latency hides
    behind the gate's cycles a logit.

    :Latency: :func:`dovetail.sim.m3vit_gate.gate_times`, exactly.
    :Throughput: one logit per cycle.
    :Ready path: from ``o.ready`` to the command after next.
    :Reference: the layout of :func:`dovetail.models.m3vit.maps.pack_map`.

    Parameters
    ----------
    experts, tokens : int
        Logits of a row, and most rows.
    port_bits : int
    row_beats : int
        From one row to the next.

    Members
    -------
    start : unsigned(1)
        Not before all rows of the start before were handed on.
    tokens : unsigned
        Rows, from 1 on; with ``start``.
    address : unsigned(32)
        Of the first row; with ``start``.
    command, read
        Of DRAM.
    o : Out(stream.Signature(signed(32)))
        Ascending experts, token after token.
    """

    def __init__(self, *, experts: int, tokens: int, port_bits: int, row_beats: int) -> None:
        self._experts = experts
        self._port_bits = port_bits
        self._row_beats = row_beats
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(tokens + 1)),
                "address": In(ADDRESS_BITS),
                "command": Out(stream.Signature(READ_COMMAND)),
                "read": In(stream.Signature(port_bits)),
                "o": Out(stream.Signature(signed(FEATURE.bits))),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        lanes = self._port_bits // FEATURE.bits
        beats = -(-self._experts // lanes)  # what only fills a row up is not read
        m.submodules.waiting = waiting = fifo.SyncFIFO(width=self._port_bits, depth=_ROWS * beats)

        to_read = Signal.like(self.tokens)
        address = Signal(ADDRESS_BITS)
        rows = Signal(range(_ROWS + 1))  # asked for and not used up
        asked, used_up = Signal(), Signal()
        command: Any = self.command.payload
        m.d.comb += [
            self.command.valid.eq((to_read != 0) & (rows != _ROWS)),
            command.address.eq(address),
            command.beats.eq(beats),
            asked.eq(self.command.valid & self.command.ready),
            self.read.ready.eq(waiting.w_rdy),
            waiting.w_en.eq(self.read.valid),
            waiting.w_data.eq(self.read.payload),
        ]
        m.d.sync += rows.eq(rows + asked - used_up)
        with m.If(self.start):
            m.d.sync += [to_read.eq(self.tokens), address.eq(self.address)]
        with m.Elif(asked):
            m.d.sync += [to_read.eq(to_read - 1), address.eq(address + self._row_beats)]

        expert = Signal(range(self._experts))
        lane = Signal(range(max(2, lanes)))
        sent = Signal()
        last = expert == self._experts - 1
        beat_done = last | (lane == lanes - 1)
        m.d.comb += [
            self.o.valid.eq(waiting.r_rdy),
            self.o.payload.eq(waiting.r_data.word_select(lane, FEATURE.bits)),
            sent.eq(self.o.valid & self.o.ready),
            used_up.eq(sent & last),
            waiting.r_en.eq(sent & beat_done),
        ]
        with m.If(sent):
            m.d.sync += [
                expert.eq(Mux(last, 0, expert + 1)),
                lane.eq(Mux(beat_done, 0, lane + 1)),
            ]
        return m
