"""Operands, paces and answers of the attention units, whose ports are streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.lockstep.m3vit_pipelines import Lanes, packed_words
from dovetail.lockstep.vectors import Expected, Vectors, joined
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_attention import attention_scores, fixed_attention
from dovetail.models.m3vit.softmax import running_softmax
from dovetail.sim.m3vit_attention import block_times, score_times, value_times
from dovetail.stimuli.ports import Raw, raw

__all__ = ["IDLE_CYCLES", "Work", "block_vectors", "random_works", "score_vectors", "value_vectors"]

IDLE_CYCLES = 20
"""Between two attentions, so that what comes out late shows."""

_INTERVALS = (1, 1, 1, 2, 3, 12)


@dataclass(frozen=True, kw_only=True)
class Work:
    """One attention.

    Attributes
    ----------
    tokens : int
    intervals : dict of str to int
        Least cycles from a transfer of a port to its next, by the simulator's names; else 1.
    extreme : bool
        Operands at the ends of their range.
    seed : int
    """

    tokens: int
    intervals: Mapping[str, int]
    extreme: bool = False
    seed: int = 0

    def operands(self, design: AttentionDesign) -> list[Integers]:
        """Queries, keys and values, each int64 of shape (heads, tokens, head_dim)."""
        rng = np.random.default_rng([self.tokens, self.seed])
        size = (design.heads, self.tokens, design.head_dim)
        if self.extreme:
            ends = np.array([FEATURE.least, -FEATURE.least - 1, -1, 0, 1])
            return [rng.choice(ends, size) for _ in range(3)]
        one = 1 << FEATURE.fraction_bits
        return [rng.normal(0, one, size).astype(np.int64) for _ in range(3)]


def random_works(
    rng: np.random.Generator, design: AttentionDesign, ports: Sequence[str], count: int
) -> list[Work]:
    """Attentions of any number of tokens, between ports of any pace."""
    works = []
    for _ in range(count):
        tokens = int(rng.choice([1, 2, design.max_tokens, int(rng.integers(1, design.max_tokens))]))
        works.append(
            Work(
                tokens=tokens,
                intervals={port: int(rng.choice(_INTERVALS)) for port in ports},
                extreme=bool(rng.random() < 0.3),
                seed=int(rng.integers(1 << 30)),
            )
        )
    return works


def score_vectors(design: AttentionDesign, works: Sequence[Work]) -> Vectors:
    """Of the QK^T unit; its ports are ``query``, ``key``, ``score`` and ``row``."""
    parts = []
    for work in works:
        q, k, _ = work.operands(design)
        times = score_times(design, work.tokens, **work.intervals)
        owner, steps = _owners(design, work.tokens)
        scores, empty = _passing(attention_scores(q, k), owner)
        parts.append(
            _vectors(
                work,
                times.cycles,
                sources={
                    "i_q": (times.query, "query", _beats(q, design, work.tokens)),
                    "i_k": (times.key, "key", _beats(k, design, steps)),
                },
                sinks={
                    "o_score": (times.score, "score", packed_words(scores), packed_words(~empty)),
                    "o_row": (times.row, "row", _rows(design, q, k), None),
                },
            )
        )
    return joined(parts)


def value_vectors(design: AttentionDesign, works: Sequence[Work]) -> Vectors:
    """Of the M'V unit; its ports are ``score``, ``row``, ``value`` and ``output``."""
    parts = []
    for work in works:
        q, k, v = work.operands(design)
        times = value_times(design, work.tokens, **work.intervals)
        owner, steps = _owners(design, work.tokens)
        # What an empty slot's score is must not matter.
        scores, empty = _passing(attention_scores(q, k), owner)
        anything = np.random.default_rng(work.seed).integers(0, 1 << 32, scores.shape)
        scores = np.where(empty != 0, anything.astype(np.uint32), scores)
        want = fixed_attention(q, k, v, parallel=design.parallel)
        parts.append(
            _vectors(
                work,
                times.cycles,
                sources={
                    "i_score": (times.score, "score", packed_words(scores)),
                    "i_row": (times.row, "row", _rows(design, q, k)),
                    "i_v": (times.value, "value", _beats(v, design, steps)),
                },
                sinks={"o": (times.output, "output", _beats(want, design, work.tokens), None)},
            )
        )
    return joined(parts)


def block_vectors(design: AttentionDesign, works: Sequence[Work]) -> Vectors:
    """Of both units with scores between them; ``query``, ``key``, ``value`` and ``output``."""
    parts = []
    for work in works:
        q, k, v = work.operands(design)
        times = block_times(design, work.tokens, **work.intervals)
        _, steps = _owners(design, work.tokens)
        want = fixed_attention(q, k, v, parallel=design.parallel)
        parts.append(
            _vectors(
                work,
                times.cycles,
                sources={
                    "i_q": (times.query, "query", _beats(q, design, work.tokens)),
                    "i_k": (times.key, "key", _beats(k, design, steps)),
                    "i_v": (times.value, "value", _beats(v, design, steps)),
                },
                sinks={"o": (times.output, "output", _beats(want, design, work.tokens), None)},
            )
        )
    return joined(parts)


def _owners(design: AttentionDesign, tokens: int) -> tuple[NDArray[np.int64], int]:
    """The query in each slot as each key passes, -1 for none; and how many keys pass.

    Query ``t`` begins at key ``t mod p`` of pass ``t // p`` and stays for as many keys as there
    are.
    """
    p = design.parallel
    begins = [t // p * tokens + t % p for t in range(tokens)]
    steps = begins[-1] + tokens
    owner = np.full((steps, p), -1)
    for t, begin in enumerate(begins):
        owner[begin : begin + tokens, t % p] = t
    return owner, steps


def _passing(scores: Integers, owner: NDArray[np.int64]) -> tuple[Lanes, Lanes]:
    """Scores of (key that passes, head) and slot; and all ones where a slot is empty."""
    steps = len(owner)
    key = np.arange(steps) % scores.shape[2]
    found = scores[:, owner, key[:, None]].transpose(1, 0, 2)
    empty = np.broadcast_to((owner < 0)[:, None, :], found.shape)
    shown = np.where(empty, 0, found).astype(np.uint32).reshape(-1, owner.shape[1])
    ones = np.where(empty, 0xFFFFFFFF, 0).astype(np.uint32).reshape(-1, owner.shape[1])
    return shown, ones


def _rows(design: AttentionDesign, q: Integers, k: Integers) -> Raw:
    """Maximum and reciprocal sum of each query and head."""
    heads, tokens, _ = q.shape
    rows = attention_scores(q, k).transpose(1, 0, 2).reshape(tokens * heads, tokens)
    first = np.repeat(np.arange(tokens) % design.parallel, heads)
    bias, reciprocal = running_softmax(rows, first=first)
    return raw(bias, FEATURE.bits) | raw(reciprocal, 32) << np.uint64(FEATURE.bits)


def _beats(values: Integers, design: AttentionDesign, passes: int) -> Raw:
    """The first ``passes`` tokens' beats, over and over if need be."""
    tokens = values.transpose(1, 0, 2).reshape(values.shape[1], design.token_beats, design.lanes)
    order = np.arange(passes) % len(tokens)
    return packed_words(tokens[order].reshape(-1, design.lanes).astype(np.uint32))


def _willing(taken: Integers, interval: int, cycles: int) -> tuple[NDArray[np.bool_], Integers]:
    """In which cycles a port is willing, if its transfers are in ``taken``; and which is next."""
    now = np.arange(cycles)
    following = np.searchsorted(taken, now)
    last = np.where(following > 0, taken[np.maximum(following, 1) - 1], -interval)
    return (now - last >= interval) & (following < len(taken)), following


def _vectors(
    work: Work, cycles: int, *, sources: Mapping[str, Any], sinks: Mapping[str, Any]
) -> Vectors:
    """A start, and behind it the cycles that the simulator counts, and some idle ones."""
    cycles += IDLE_CYCLES
    start = np.arange(1 + cycles) == 0
    inputs = {"start": raw(start, 1), "tokens": raw(np.full(1 + cycles, work.tokens), 32)}
    expected = {}
    for port, (taken, name, items) in sources.items():
        valid, following = _willing(taken, work.intervals.get(name, 1), cycles)
        inputs[f"{port}__valid"] = raw(np.r_[False, valid], 1)
        inputs[f"{port}__payload"] = _behind_start(items[np.minimum(following, len(items) - 1)])
        expected[f"{port}__ready"] = _transfers(taken, valid)
    for port, (taken, name, items, mask) in sinks.items():
        ready, following = _willing(taken, work.intervals.get(name, 1), cycles)
        # What comes after the last result is taken, and then there is one too many.
        ready = ready | (following == len(items))
        inputs[f"{port}__ready"] = raw(np.r_[True, ready], 1)
        expected[f"{port}__valid"] = _transfers(taken, ready)
        now = np.minimum(following, len(items) - 1)
        counts = np.zeros(cycles, bool)
        counts[taken] = True
        expected[f"{port}__payload"] = Expected(
            values=_behind_start(items[now]),
            counts=np.r_[False, counts],
            mask=None if mask is None else _behind_start(mask[now]),
        )
    return inputs, expected


def _behind_start(items: Raw) -> Raw:
    return np.concatenate([np.zeros_like(items[:1]), items])


def _transfers(taken: Integers, willing: NDArray[np.bool_]) -> Expected:
    """The other side's handshake, where this one is willing."""
    happens = np.zeros(len(willing), bool)
    happens[taken] = True
    return Expected(
        values=raw(np.r_[False, happens], 1), counts=np.r_[False, willing], kind="cycles"
    )
