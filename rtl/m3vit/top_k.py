"""The k largest logits of a token, kept in order as they arrive."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE
from dovetail.errors import ConfigError

__all__ = ["TopK", "entry"]


def entry(experts: int) -> data.StructLayout:
    """One chosen expert: its logit and its index."""
    return data.StructLayout({"logit": signed(FEATURE.bits), "expert": range(max(2, experts))})


class TopK(wiring.Component):
    """Insert each logit before the first kept one that is smaller, and drop the last.

    Logits arrive by ascending expert, so an equal one stays behind: ties go to the lowest index.
    After ``experts`` of them, the ``k`` kept are the largest, largest first.

    :Latency: 1 cycle from a logit to ``o``.
    :Throughput: one logit per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.gate.top_k_experts`.

    Parameters
    ----------
    k, experts : int
        ``1 <= k <= experts``.

    Members
    -------
    valid, first : unsigned(1)
        A logit arrives; it is its token's first, and empties the list.
    i : entry(experts)
    o : k entries
        As many as have arrived are meaningful.
    """

    def __init__(self, *, k: int, experts: int) -> None:
        if not 1 <= k <= experts:
            raise ConfigError(f"k={k} must be from 1 to experts={experts}; change k")
        self._k = k
        self._entry = entry(experts)
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "i": In(self._entry),
                "o": Out(data.ArrayLayout(self._entry, k)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        kept = [Signal(self._entry, name=f"kept_{place}") for place in range(self._k)]
        filled = Signal(self._k)
        # Kept logits fall from place to place, so ``i`` beats all from some place on.
        beats = Signal(self._k)
        for place, value in enumerate(kept):
            m.d.comb += [
                beats[place].eq(self.first | ~filled[place] | (self.i.logit > value.logit)),
                self.o[place].eq(value),
            ]
        with m.If(self.valid):
            m.d.sync += filled.eq(Mux(self.first, 1, (filled << 1) | 1))
            for place, value in enumerate(kept):
                with m.If(beats[place]):
                    if place:
                        m.d.sync += value.eq(Mux(beats[place - 1], kept[place - 1], self.i))
                    else:
                        m.d.sync += value.eq(self.i)
        return m
