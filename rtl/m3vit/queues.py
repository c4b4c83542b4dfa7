"""A queue of tokens for each expert, and the list of experts that have any."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.m3vit.gate import choice

__all__ = ["ExpertQueues", "lookup"]


def lookup(experts: int, tokens: int) -> wiring.Signature:
    """The question which token stands in a ``place`` of an expert's queue, and with what score.

    The answer comes one cycle after ``enable`` and stays until the next.
    """
    entry = choice(experts, tokens)
    return wiring.Signature(
        {
            "enable": Out(1),
            "expert": Out(entry["expert"].shape),
            "place": Out(range(max(2, tokens))),
            "token": In(entry["token"].shape),
            "score": In(entry["score"].shape),
        }
    )


class ExpertQueues(wiring.Component):
    """Sort the gate's choices by expert; tokens stay in the order in which they came.

    The metaqueue is not stored: the experts that have tokens are found by their lengths, in
    ascending order, so an empty one costs no cycle.

    :Latency: a choice counts in the cycle after ``push``; a lookup is answered in the next cycle.
    :Throughput: one choice in and one entry out at each port per cycle.
    :Ready path: none.
    :Reference: :meth:`dovetail.models.m3vit.routing.Routing.queue`.

    Parameters
    ----------
    experts, tokens : int
        A token goes to an expert once at most, so a queue is as long as there are tokens.

    Members
    -------
    clear : unsigned(1)
        Empty all queues.
    push : unsigned(1)
    i : choice(experts, tokens)
    gather, scatter : In(lookup(experts, tokens))
        Two independent ports to read entries: for what a token goes into, and what comes out.
    least : unsigned
        Look for an expert from this one on.
    found : unsigned(1)
        There is one with tokens.
    next_expert, next_length : unsigned
        The first such, and how many tokens it has.
    """

    def __init__(self, *, experts: int, tokens: int) -> None:
        self._experts = experts
        self._tokens = tokens
        self._choice = choice(experts, tokens)
        expert = self._choice["expert"].shape
        super().__init__(
            {
                "clear": In(1),
                "push": In(1),
                "i": In(self._choice),
                "gather": In(lookup(experts, tokens)),
                "scatter": In(lookup(experts, tokens)),
                "least": In(range(experts + 1)),
                "found": Out(1),
                "next_expert": Out(expert),
                "next_length": Out(range(tokens + 1)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        stored = data.StructLayout({name: self._choice[name].shape for name in ("token", "score")})
        # Queues start at powers of two, so that an address is two indices side by side.
        room = 1 << (self._tokens - 1).bit_length()
        m.submodules.entries = entries = memory.Memory(
            shape=stored, depth=self._experts * room, init=[]
        )
        write = entries.write_port()
        for port in (self.gather, self.scatter):
            read = entries.read_port()
            m.d.comb += [
                read.en.eq(port.enable),
                read.addr.eq(port.expert * room + port.place),
                port.token.eq(read.data.token),
                port.score.eq(read.data.score),
            ]
        lengths = [
            Signal(range(self._tokens + 1), name=f"length_{expert}")
            for expert in range(self._experts)
        ]
        length: Any = Array(lengths)[self.i.expert]
        m.d.comb += [
            write.addr.eq(self.i.expert * room + length),
            write.data.token.eq(self.i.token),
            write.data.score.eq(self.i.score),
            write.en.eq(self.push),
        ]
        for expert, signal in enumerate(lengths):
            with m.If(self.clear):
                m.d.sync += signal.eq(0)
            with m.Elif(self.push & (self.i.expert == expert)):
                m.d.sync += signal.eq(signal + 1)
        # The last assignment wins, so the lowest expert comes last.
        for expert, signal in reversed(list(enumerate(lengths))):
            with m.If((self.least <= expert) & (signal != 0)):
                m.d.comb += [
                    self.found.eq(1),
                    self.next_expert.eq(expert),
                    self.next_length.eq(signal),
                ]
        return m
