"""Read commands of a GEMM whose rows are the tokens of a queue."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, READ_COMMAND, SIZE_BITS
from dovetail.rtl.m3vit.queues import lookup
from dovetail.rtl.m3vit.token_address import TokenAddress

__all__ = ["TokenGather", "gather_command"]


def gather_command(experts: int, tokens: int) -> data.StructLayout:
    """A read command, and the queue's entry that says where it goes if it is ``moved``."""
    asked = lookup(experts, tokens).members
    return data.StructLayout(
        {
            "address": ADDRESS_BITS,
            "beats": SIZE_BITS,
            "moved": 1,
            "expert": asked["expert"].shape,
            "place": asked["place"].shape,
        }
    )


class TokenGather(wiring.Component):
    """Move each command that is marked from its place in the queue to the token that stands there.

    Marked or not, a command takes the same time, so their order stays and memory only seems
    farther away.

    :Latency: 3 cycles from a command to memory's, where memory takes it at once.
    :Throughput: one command per cycle.
    :Ready path: from ``o.ready`` to ``i.ready``.
    :Reference: :class:`~dovetail.rtl.m3vit.token_address.TokenAddress`.

    Parameters
    ----------
    experts, tokens, token_beats : int
        As for :class:`~dovetail.rtl.m3vit.token_address.TokenAddress`.

    Members
    -------
    i : In(stream.Signature(gather_command(experts, tokens)))
    lookup : Out(lookup(experts, tokens))
    o : Out(stream.Signature(READ_COMMAND))
    """

    latency_cycles = TokenAddress.latency_cycles

    def __init__(self, *, experts: int, tokens: int, token_beats: int) -> None:
        self._address = TokenAddress(experts=experts, tokens=tokens, token_beats=token_beats)
        super().__init__(
            {
                "i": In(stream.Signature(gather_command(experts, tokens))),
                "lookup": Out(lookup(experts, tokens)),
                "o": Out(stream.Signature(READ_COMMAND)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.address = address = self._address
        wiring.connect(m, wiring.flipped(self.lookup), address.lookup)
        i: Any = self.i.payload
        o: Any = self.o.payload
        enable = Signal()
        valid: Any = self.i.valid
        beats: Any = i.beats
        for stage in range(self.latency_cycles):
            held, size = Signal(name=f"valid_{stage}"), Signal(SIZE_BITS, name=f"beats_{stage}")
            with m.If(enable):
                m.d.sync += [held.eq(valid), size.eq(beats)]
            valid, beats = held, size
        m.d.comb += [
            enable.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(enable),
            address.enable.eq(enable),
            address.address.eq(i.address),
            address.moved.eq(i.moved),
            address.expert.eq(i.expert),
            address.place.eq(i.place),
            self.o.valid.eq(valid),
            o.address.eq(address.o),
            o.beats.eq(beats),
        ]
        return m
