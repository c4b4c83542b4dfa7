"""Addresses of tokens that stand in a queue: from the place in the queue to the token's own."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.scatter import ADDRESS_CYCLES
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS
from dovetail.rtl.m3vit.queues import lookup

__all__ = ["TokenAddress"]


class TokenAddress(wiring.Component):
    """``o = address + (token - place) * token_beats`` where ``moved``, else ``address``.

    So a walk over consecutive places of a map visits the tokens of a queue.

    :Latency: 3 cycles with ``enable``; the queue is asked in the first and answers in the second.
    :Throughput: one address per cycle.
    :Ready path: none; without ``enable`` everything holds.
    :Reference: :meth:`dovetail.models.m3vit.routing.Routing.queue`.

    Parameters
    ----------
    experts, tokens : int
        Of the queues.
    token_beats : int
        From one token of the map to the next.

    Members
    -------
    enable : unsigned(1)
    address : unsigned(32)
    moved : unsigned(1)
    expert, place : unsigned
        Entry that names the token.
    lookup : Out(lookup(experts, tokens))
    o : unsigned(32)
    """

    latency_cycles = ADDRESS_CYCLES

    def __init__(self, *, experts: int, tokens: int, token_beats: int) -> None:
        self._token_beats = token_beats
        asked = lookup(experts, tokens)
        super().__init__(
            {
                "enable": In(1),
                "address": In(ADDRESS_BITS),
                "moved": In(1),
                "expert": In(asked.members["expert"].shape),
                "place": In(asked.members["place"].shape),
                "lookup": Out(asked),
                "o": Out(ADDRESS_BITS),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.d.comb += [
            self.lookup.enable.eq(self.enable),
            self.lookup.expert.eq(self.expert),
            self.lookup.place.eq(self.place),
        ]
        moved, place = Signal(), Signal.like(self.place)
        by_tokens = Signal(signed(len(self.place) + 1), reset_less=True)
        by_beats = Signal(signed(ADDRESS_BITS), reset_less=True)
        address: Any = self.address
        for stage in range(self.latency_cycles):
            register = Signal(ADDRESS_BITS, name=f"address_{stage}", reset_less=True)
            with m.If(self.enable):
                m.d.sync += register.eq(address)
            address = register
        with m.If(self.enable):
            m.d.sync += [
                moved.eq(self.moved),
                place.eq(self.place),
                by_tokens.eq(Mux(moved, self.lookup.token - place, 0)),
                by_beats.eq(by_tokens * self._token_beats),
            ]
        m.d.comb += self.o.eq(address + by_beats)
        return m
