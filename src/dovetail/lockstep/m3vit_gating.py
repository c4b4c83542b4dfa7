"""Operands and answers of the units that route tokens: the gate, its list of k, and the queues."""

from __future__ import annotations

import numpy as np

from dovetail.arch.m3vit.formats import FEATURE, WEIGHT
from dovetail.lockstep.m3vit_pipelines import features
from dovetail.lockstep.vectors import Expected, Vectors, joined
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_gate import fixed_gate
from dovetail.models.m3vit.gate import top_k_experts
from dovetail.models.m3vit.routing import drawn_routing
from dovetail.rtl.m3vit.gate import choice
from dovetail.rtl.m3vit.top_k import entry
from dovetail.stimuli.ports import Raw, raw, structs, words

_TOKENS = 60


def _logits(rng: np.random.Generator, tokens: int, experts: int) -> Integers:
    """As they come, rows of ties, and rows of ends."""
    logits = features(rng, (tokens, experts))
    ties = rng.integers(-1, 2, (tokens, experts)) << FEATURE.fraction_bits
    ends = np.where(rng.random((tokens, experts)) < 0.5, -FEATURE.least - 1, FEATURE.least)
    kind = rng.random((tokens, 1))
    return np.where(kind < 0.3, ties, np.where(kind < 0.5, ends, logits))


def top_k(rng: np.random.Generator, *, k: int, experts: int) -> Vectors:
    """Logits with gaps; the list after a token's last one, and until the next token's first."""
    logits = _logits(rng, _TOKENS, experts)
    valid = np.insert(
        np.repeat(True, _TOKENS * experts),
        rng.integers(0, _TOKENS * experts, _TOKENS * experts // 4),
        False,
    )
    valid = np.append(valid, [False])
    cycles = len(valid)
    passed = np.cumsum(valid) - valid
    expert = np.minimum(passed, _TOKENS * experts - 1) % experts
    logit = features(rng, cycles)
    logit[valid] = logits.ravel()
    first = np.where(valid, expert == 0, rng.random(cycles) < 0.5)
    layout = entry(experts)
    mask = (1 << FEATURE.bits) - 1
    given = structs(layout, {"logit": (logit & mask).tolist(), "expert": expert.tolist()})
    chosen = top_k_experts(logits, k)
    kept = [
        sum(
            packed << (layout.size * place)
            for place, packed in enumerate(
                structs(
                    layout,
                    {"logit": (row[best] & mask).tolist(), "expert": best.tolist()},
                )
            )
        )
        for row, best in zip(logits, chosen, strict=True)
    ]
    token = np.clip((passed - 1) // experts, 0, _TOKENS - 1)
    return (
        {
            "valid": raw(valid, 1),
            "first": raw(first, 1),
            "i": words(given, layout.size),
        },
        {
            "o": Expected(
                values=words([kept[number] for number in token], k * layout.size),
                counts=(passed > 0) & (passed % experts == 0),
            )
        },
    )


def gate(rng: np.random.Generator, *, k: int, experts: int, tokens: int) -> Vectors:
    """A whole image, with inputs and outputs offered and taken early or late at random.

    By the unit's statement a token is handed on every ``max(6 experts + 1, 33 + 7 k)`` cycles, the
    next one's logits enter from the cycle after that on, one in six, and choices follow after 39
    cycles, one in seven.
    """
    logits = _logits(rng, tokens, experts)
    identity = np.eye(experts, dtype=np.int64) << WEIGHT.fraction_bits
    want = fixed_gate(logits, identity, k)
    began = 1 + int(rng.integers(0, 5))
    handed_on = began + 6 * experts + max(6 * experts + 1, 33 + 7 * k) * np.arange(tokens)
    begins = np.append(began, handed_on[:-1] + 1)
    taken = (begins[:, None] + 6 * np.arange(experts)).ravel()
    chosen = (handed_on[:, None] + 39 + 7 * np.arange(k)).ravel()
    cycles = int(chosen[-1]) + 20

    now = np.arange(cycles)
    takes, sends = np.zeros(cycles, bool), np.zeros(cycles, bool)
    takes[taken], sends[chosen] = True, True
    following = np.searchsorted(taken, now)
    valid = takes | ((rng.random(cycles) < 0.5) & (following < len(taken)))
    # What is offered stays until it is taken.
    for cycle in range(1, cycles):
        valid[cycle] |= valid[cycle - 1] & ~takes[cycle - 1]
    valid[:began] = False
    ready = sends | (rng.random(cycles) < 0.5)
    logit = np.where(
        valid,
        logits.ravel()[np.minimum(following, len(taken) - 1)],
        features(rng, cycles),
    )
    layout = choice(experts, tokens)
    answers = structs(
        layout,
        {
            "token": np.repeat(np.arange(tokens), k).tolist(),
            "expert": want.experts.ravel().tolist(),
            "score": want.scores.ravel().tolist(),
        },
    )
    which = np.minimum(np.searchsorted(chosen, now), len(chosen) - 1)
    return (
        {
            "start": raw(now == 0, 1),
            "i__valid": raw(valid, 1),
            "i__payload": raw(logit, FEATURE.bits),
            "o__ready": raw(ready, 1),
        },
        {
            "i__ready": Expected(values=raw(takes, 1), counts=valid, kind="cycles"),
            "o__valid": Expected(values=raw(sends, 1), counts=np.ones(cycles, bool), kind="cycles"),
            "o__payload": Expected(
                values=words([answers[number] for number in which], layout.size), counts=sends
            ),
        },
    )


def queues(rng: np.random.Generator, *, experts: int, tokens: int) -> Vectors:
    """Two images: choices with gaps, lengths looked up all the time, entries at both ports."""
    return joined([_image(rng, experts, tokens) for _ in range(2)])


def _image(rng: np.random.Generator, experts: int, tokens: int) -> Vectors:
    top_k = int(rng.integers(1, experts, endpoint=True))
    skew = float(rng.choice([0.0, 1.0, 3.0]))
    drawn = drawn_routing(
        tokens, experts=experts, top_k=top_k, skew=skew, seed=int(rng.integers(1 << 30))
    )
    choices = [
        (token, int(expert), int(rng.integers(0, 1 << FEATURE.fraction_bits, endpoint=True)))
        for token, row in enumerate(drawn.experts)
        for expert in row
    ]
    lookups = 4 * len(choices) + 8
    cycles = 1 + 2 * len(choices) + lookups
    push = np.zeros(cycles, bool)
    push[1 + np.sort(rng.choice(2 * len(choices), len(choices), replace=False))] = True
    places = np.minimum(np.cumsum(push) - push, len(choices) - 1)
    given = [choices[place] for place in places]
    layout = choice(experts, tokens)
    columns = dict(
        zip(("token", "expert", "score"), map(list, zip(*given, strict=True)), strict=True)
    )
    lengths = np.zeros((cycles, experts), np.int64)
    for cycle in np.flatnonzero(push).tolist():
        lengths[cycle + 1 :, given[cycle][1]] += 1
    lengths[0] = 0
    least = rng.integers(0, experts, cycles, endpoint=True)
    open_ = (lengths > 0) & (np.arange(experts) >= least[:, None])
    found = open_.any(axis=1)
    following = np.where(found, open_.argmax(axis=1), 0)
    matters = np.arange(cycles) >= 1
    inputs: dict[str, Raw] = {
        "clear": raw(np.arange(cycles) == 0, 1),
        "push": raw(push, 1),
        "i": words(structs(layout, columns), layout.size),
        "least": raw(least, experts.bit_length()),
    }
    expected = {
        "found": Expected(values=raw(found, 1), counts=matters),
        "next_expert": Expected(values=raw(following, 32), counts=matters & found),
        "next_length": Expected(
            values=raw(lengths[np.arange(cycles), following], 32), counts=matters & found
        ),
    }
    held = [[one for one in choices if one[1] == expert] for expert in range(experts)]
    for port in ("gather", "scatter"):
        enable, asked, place = _questions(rng, cycles, lookups, held)
        answer = [(0, 0)] * cycles
        known = np.zeros(cycles, bool)
        for cycle in range(cycles - lookups, cycles - 1):
            if enable[cycle]:
                token, _, score = held[asked[cycle]][place[cycle]]
                answer[cycle + 1], known[cycle + 1] = (token, score), True
            else:
                answer[cycle + 1], known[cycle + 1] = answer[cycle], known[cycle]
        tokens_of, scores = zip(*answer, strict=True)
        inputs |= {
            f"{port}__enable": raw(enable, 1),
            f"{port}__expert": raw(asked, 32),
            f"{port}__place": raw(place, 32),
        }
        expected |= {
            f"{port}__token": Expected(values=raw(tokens_of, 32), counts=known),
            f"{port}__score": Expected(values=raw(scores, 32), counts=known),
        }
    return inputs, expected


def _questions(
    rng: np.random.Generator, cycles: int, lookups: int, held: list[list[tuple[int, int, int]]]
) -> tuple[Integers, Integers, Integers]:
    """Entries that there are, asked for in the last cycles, with pauses in which nothing moves."""
    enable, asked, place = (np.zeros(cycles, np.int64) for _ in range(3))
    filled = [expert for expert, entries in enumerate(held) if entries]
    for cycle in range(cycles - lookups, cycles):
        asked[cycle] = rng.choice(filled)
        place[cycle] = rng.integers(len(held[asked[cycle]]))
        enable[cycle] = rng.random() < 0.8
    return enable, asked, place
