"""The gate of a mixture of experts: logits in, chosen experts with their scores out."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import FEATURE, SOFTMAX_SUM
from dovetail.rtl.m3vit.reciprocal import Reciprocal
from dovetail.rtl.m3vit.softmax import Probability, SoftmaxStep
from dovetail.rtl.m3vit.top_k import TopK, entry
from dovetail.rtl.skew import delayed

__all__ = ["GateUnit", "choice"]


def choice(experts: int, tokens: int) -> data.StructLayout:
    """One chosen expert of one token."""
    return data.StructLayout(
        {
            "token": range(max(2, tokens)),
            "expert": range(max(2, experts)),
            "score": FEATURE.fraction_bits + 1,  # 22 fraction bits, from 0 to 1
        }
    )


class GateUnit(wiring.Component):
    """Softmax over all experts in a single pass, beside it the list of the ``k`` largest logits.

    While one token's reciprocal is divided and its scores are made, the next token's logits enter.
    Which logits a token has does not matter to time.

    :Latency: ``6 experts + 39`` cycles from a token's first logit to its first choice, where logits
        wait at the input and the token before is done.
    :Throughput: a token every ``max(6 experts + 1, 33 + 7 k)`` cycles, where logits wait and
        choices are taken at once: a softmax step needs the one before, and so does a score.
    :Ready path: none.
    :Reference: :func:`dovetail.models.m3vit.fixed_gate.fixed_gate`, from the logits on.

    Parameters
    ----------
    k, experts : int
        ``1 <= k <= experts``.
    tokens : int
        Most tokens between two starts.

    Members
    -------
    start : unsigned(1)
        The next logit is the first one of token 0.
    i : In(stream.Signature(signed(32)))
        Logits, fixed<32,10>, by ascending expert, token after token.
    o : Out(stream.Signature(choice(experts, tokens)))
        ``k`` choices a token, the largest first.
    """

    def __init__(self, *, k: int, experts: int, tokens: int) -> None:
        self._k = k
        self._experts = experts
        self._tokens = tokens
        super().__init__(
            {
                "start": In(1),
                "i": In(stream.Signature(signed(FEATURE.bits))),
                "o": Out(stream.Signature(choice(experts, tokens))),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.step = step = SoftmaxStep()
        m.submodules.best = best = TopK(k=self._k, experts=self._experts)
        m.submodules.reciprocal = reciprocal = Reciprocal()
        m.submodules.probability = probability = Probability()

        # A token's logits, one softmax step each; between two steps the row's state is kept.
        expert = Signal(range(self._experts))
        taken = Signal()
        ended = Signal()  # the token's last logit was taken
        wait = Signal(range(step.latency_cycles))
        state_bias = Signal(signed(FEATURE.bits), reset_less=True)
        state_sum = Signal(SOFTMAX_SUM.bits, reset_less=True)
        bias, total = Signal.like(state_bias), Signal.like(state_sum)
        stepped: Any = delayed(m, taken, step.latency_cycles, name="stepped")
        logit: Any = self.i.payload
        last = expert == self._experts - 1
        m.d.comb += [
            bias.eq(Mux(stepped, step.o_bias, state_bias)),
            total.eq(Mux(stepped, step.o_sum, state_sum)),
            self.i.ready.eq((wait == 0) & ~ended),
            taken.eq(self.i.valid & self.i.ready),
            step.first.eq(expert == 0),
            step.x.eq(logit),
            step.bias.eq(bias),
            step.sum.eq(total),
            best.valid.eq(taken),
            best.first.eq(expert == 0),
            best.i.logit.eq(logit),
            best.i.expert.eq(expert),
        ]
        m.d.sync += [state_bias.eq(bias), state_sum.eq(total)]
        with m.If(taken):
            m.d.sync += [
                expert.eq(Mux(last, 0, expert + 1)),
                ended.eq(last),
                wait.eq(step.latency_cycles - 1),
            ]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)

        # Hand the token on: maximum and list are copied, and the next one may enter.
        largest = Signal(signed(FEATURE.bits), reset_less=True)
        kept = [Signal(entry(self._experts), name=f"chosen_{place}") for place in range(self._k)]
        busy = Signal()
        handed_on = Signal()
        m.d.comb += [
            handed_on.eq(ended & (wait == 0) & ~busy),
            reciprocal.start.eq(handed_on),
            reciprocal.i.eq(total),
        ]
        with m.If(handed_on):
            m.d.sync += [ended.eq(0), busy.eq(1), largest.eq(bias)]
            m.d.sync += [place.eq(value) for place, value in zip(kept, best.o, strict=True)]

        # Its scores, one after the other; the list moves up, so the unit always works on its head.
        place = Signal(range(self._k))
        token = Signal(range(max(2, self._tokens)))
        left = Signal(range(probability.latency_cycles + 1))
        scoring = Signal()
        sent = Signal()
        out: Any = self.o.payload
        m.d.comb += [
            probability.x.eq(kept[0].logit),
            probability.bias.eq(largest),
            probability.reciprocal.eq(reciprocal.o),
            self.o.valid.eq(scoring & (left == 0)),
            sent.eq(self.o.valid & self.o.ready),
            out.token.eq(token),
            out.expert.eq(kept[0].expert),
            out.score.eq(probability.o),
        ]
        with m.If(reciprocal.done):
            m.d.sync += [scoring.eq(1), left.eq(probability.latency_cycles - 1)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(sent):
            m.d.sync += left.eq(probability.latency_cycles)
            m.d.sync += [head.eq(after) for head, after in zip(kept[:-1], kept[1:], strict=True)]
            with m.If(place == self._k - 1):
                m.d.sync += [place.eq(0), scoring.eq(0), busy.eq(0), token.eq(token + 1)]
            with m.Else():
                m.d.sync += place.eq(place + 1)
        with m.If(self.start):
            m.d.sync += token.eq(0)
        return m
