"""Gather and scatter-add in RTL: values of the reference, addresses of the queue, exact times."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Signal

from dovetail.models.m3vit.fixed_linear import scatter_add
from dovetail.rtl.m3vit.scatter_add import ScatterAdd
from dovetail.rtl.m3vit.token_gather import TokenGather
from dovetail.tests.rtl.m3vit.memory_port import ReadPort, chances
from dovetail.tests.rtl.m3vit.streams import packed, unpacked
from dovetail.tests.rtl.simulation import simulate

ONE = 1 << 22
MOST_CYCLES = 1000
EXTREMES = (-(2**31), 2**31 - 1, -1, 0, 1)


@dataclass
class Beat:
    address: int
    values: list[int]
    add: bool = False
    expert: int = 0
    place: int = 0
    last: bool = False
    wait: int = 0  # cycles before it is offered


def with_queues(unit: Any, table: Sequence[Sequence[tuple[int, int]]]) -> Module:
    """``unit``, whose lookups a table answers as ``ExpertQueues`` does."""
    m = Module()
    m.submodules.unit = unit
    port = unit.lookup
    token, score = Signal.like(port.token), Signal.like(port.score)
    for expert, queue in enumerate(table):
        for place, entry in enumerate(queue):
            with m.If(port.enable & (port.expert == expert) & (port.place == place)):
                m.d.sync += [token.eq(entry[0]), score.eq(entry[1])]
    m.d.comb += [port.token.eq(token), port.score.eq(score)]
    return m


def run_scatter(
    beats: list[Beat],
    table: Sequence[Sequence[tuple[int, int]]],
    memory: list[int],
    *,
    lanes: int,
    token_beats: int,
    latency: int,
    gaps: float = 0.0,
) -> tuple[list[int], list[int], list[int]]:
    """Changes ``memory``; when each beat was taken and written, and when the last ones landed."""
    unit: Any = ScatterAdd(
        experts=len(table),
        tokens=16,
        token_beats=token_beats,
        port_bits=32 * lanes,
        depth=max(1, latency) + 1,
    )
    port = ReadPort(unit.sum_command, unit.sum_read, latency)
    chance = chances(gaps, 1)
    taken: list[int] = []
    written: list[int] = []
    landed: list[int] = []

    async def drive(ctx: Any) -> None:
        waited = 0
        offered = False
        for cycle in range(MOST_CYCLES):
            if len(written) == len(beats):
                return
            if len(taken) < len(beats):
                beat = beats[len(taken)]
                offered = offered or (waited >= beat.wait and not chance())
                waited += 1
                fields = {
                    "address": beat.address,
                    "data": packed(beat.values),
                    "add": beat.add,
                    "expert": beat.expert,
                    "place": beat.place,
                    "last": beat.last,
                }
                ctx.set(unit.i.payload, fields)
            ctx.set(unit.i.valid, offered)
            port.offer(ctx, cycle, chance(), chance())
            ctx.set(unit.o.ready, not chance())
            if offered and ctx.get(unit.i.ready):
                taken.append(cycle)
                offered, waited = False, 0
            port.take(ctx, cycle, memory)
            if ctx.get(unit.landed):
                landed.append(cycle)
            if ctx.get(unit.o.valid) and ctx.get(unit.o.ready):
                beat = beats[len(written)]
                assert ctx.get(unit.added) == beat.add
                out = ctx.get(unit.o.payload)
                memory[out.address] = out.data
                written.append(cycle)
            await ctx.tick()

    simulate(with_queues(unit, table), drive)
    return taken, written, landed


def queue_beats(
    tokens: Sequence[int], values: np.ndarray, base: int, *, expert: int, lanes: int
) -> list[Beat]:
    """Beats of a GEMM whose rows are the places of a queue, row after row."""
    per_token = values.shape[1] // lanes
    return [
        Beat(
            address=base + place * per_token + beat,
            values=values[place, beat * lanes : (beat + 1) * lanes].tolist(),
            add=True,
            expert=expert,
            place=place,
            last=place == len(tokens) - 1 and beat == per_token - 1,
        )
        for place in range(len(tokens))
        for beat in range(per_token)
    ]


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize(("latency", "gaps"), [(1, 0.0), (2, 0.3), (17, 0.0)])
def test_adds_weighted_values_to_the_tokens_of_a_queue(
    lanes: int, latency: int, gaps: float
) -> None:
    rng = np.random.default_rng(lanes * 100 + latency)
    width, base = 4, 5
    per_token = width // lanes
    tokens = [1, 4, 5, 9, 15]
    scores = [0, ONE, 1, ONE // 3, ONE - 1]
    old = rng.integers(-(2**31), 2**31, (16, width))
    new = rng.integers(-(2**31), 2**31, (len(tokens), width))
    new[rng.random(new.shape) < 0.4] = rng.choice(EXTREMES)
    plain = rng.integers(-(2**31), 2**31, (7, lanes))
    # Plain beats before, between and behind; the queue of another expert must not be looked at.
    added = queue_beats(tokens, new, base, expert=1, lanes=lanes)
    others = [
        Beat(address=200 + n, values=row.tolist(), place=3, wait=n % 3)
        for n, row in enumerate(plain)
    ]
    half = len(added) // 2
    beats = [*others[:3], *added[:half], *others[3:5], *added[half:], *others[5:]]
    memory = [0] * 256
    for token, row in enumerate(old):
        for beat in range(per_token):
            memory[base + token * per_token + beat] = packed(row[beat * lanes : (beat + 1) * lanes])
    table = [[(2, 7)] * 8, list(zip(tokens, scores, strict=True))]
    taken, written, landed = run_scatter(
        beats, table, memory, lanes=lanes, token_beats=per_token, latency=latency, gaps=gaps
    )
    want = old.copy()
    scatter_add(want, np.array(tokens), np.array(scores), new)
    got = [
        sum((unpacked(memory[base + t * per_token + b], lanes) for b in range(per_token)), [])
        for t in range(16)
    ]
    assert got == want.tolist()
    assert [unpacked(memory[200 + n], lanes) for n in range(len(plain))] == plain.tolist()
    assert landed == [written[beats.index(added[-1])]]
    if gaps:
        return
    # The times that the docstring states.
    expected: list[int] = []
    for at, beat in zip(taken, beats, strict=True):
        own = at + (4 + latency if beat.add else 5)
        expected.append(max(own, expected[-1] + 1) if expected else own)
    assert written == expected
    # A beat a cycle, whatever the latency.
    busy = [at for at, beat in zip(taken, beats, strict=True) if beat.add][:half]
    assert busy == list(range(busy[0], busy[0] + half))


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_gathers_the_tokens_of_a_queue(gap: float) -> None:
    queue = [2, 3, 11, 15]
    unit: Any = TokenGather(experts=3, tokens=16, token_beats=5)
    places = [0, 1, 2, 3, 3, 0]
    moved = [1, 1, 1, 1, 0, 1]
    want = [
        100 + 5 * (queue[place] if move else place)
        for place, move in zip(places, moved, strict=True)
    ]
    chance = chances(gap, 3)
    got: list[tuple[int, int]] = []
    taken: list[int] = []
    sent: list[int] = []

    async def drive(ctx: Any) -> None:
        offered = False
        for cycle in range(MOST_CYCLES):
            if len(got) == len(places):
                return
            if len(taken) < len(places):
                index = len(taken)
                offered = offered or not chance()
                fields = {
                    "address": 100 + 5 * places[index],
                    "beats": 5 + index,
                    "moved": moved[index],
                    "expert": 2,
                    "place": places[index],
                }
                ctx.set(unit.i.payload, fields)
            ctx.set(unit.i.valid, offered)
            ctx.set(unit.o.ready, not chance())
            if offered and ctx.get(unit.i.ready):
                taken.append(cycle)
                offered = False
            if ctx.get(unit.o.valid) and ctx.get(unit.o.ready):
                out = ctx.get(unit.o.payload)
                got.append((out.address, out.beats))
                sent.append(cycle)
            await ctx.tick()

    table = [[(7, 0)] * 16, [(8, 0)] * 16, [(token, 0) for token in queue]]
    simulate(with_queues(unit, table), drive)
    assert got == [(address, 5 + index) for index, address in enumerate(want)]
    if not gap:
        assert sent == [at + 3 for at in taken] == [at + 3 for at in range(len(places))]
