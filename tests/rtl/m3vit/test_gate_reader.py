"""Logits read back from DRAM, through the gate, into the queues: values, and every cycle."""

from typing import Any

import numpy as np
import pytest
from amaranth import Module

from dovetail.arch.m3vit.formats import WEIGHT
from dovetail.models.m3vit.fixed_gate import fixed_gate
from dovetail.rtl.m3vit.gate import GateUnit
from dovetail.rtl.m3vit.gate_reader import GateReader
from dovetail.sim.m3vit_gate import gate_times
from dovetail.tests.rtl.m3vit.memory_port import ReadPort, chances
from dovetail.tests.rtl.m3vit.streams import packed
from dovetail.tests.rtl.simulation import simulate

BASE = 3
BLOCK = 16  # logits that a row is filled up to
MOST_CYCLES = 20_000


def run(
    logits: np.ndarray, *, top_k: int, lanes: int, latency: int, gaps: float = 0.0
) -> tuple[list[tuple[int, int, int]], list[int], list[tuple[int, int, int]]]:
    """Choices, when each came, and the commands with their cycles."""
    tokens, experts = logits.shape
    row_beats = -(-experts // BLOCK) * BLOCK // lanes
    unit: Any = GateReader(
        experts=experts, tokens=tokens, port_bits=32 * lanes, row_beats=row_beats
    )
    gate: Any = GateUnit(k=top_k, experts=experts, tokens=tokens)
    filled = np.full((tokens, row_beats * lanes), 2**31 - 1)  # larger than any logit
    filled[:, :experts] = logits
    memory = [0] * BASE + [packed(beat) for beat in filled.reshape(-1, lanes)]
    m = Module()
    m.submodules.unit, m.submodules.gate = unit, gate
    m.d.comb += [
        gate.i.payload.eq(unit.o.payload),
        gate.i.valid.eq(unit.o.valid),
        unit.o.ready.eq(gate.i.ready),
        gate.start.eq(unit.start),
    ]
    port = ReadPort(unit.command, unit.read, latency)
    chance = chances(gaps, 5)
    got: list[tuple[int, int, int]] = []
    times: list[int] = []

    async def drive(ctx: Any) -> None:
        for cycle in range(MOST_CYCLES):
            if len(got) == tokens * top_k:
                return
            ctx.set(unit.start, cycle == 0)
            ctx.set(unit.tokens, tokens if cycle == 0 else 0)
            ctx.set(unit.address, BASE if cycle == 0 else 0)
            port.offer(ctx, cycle, chance(), chance())
            ctx.set(gate.o.ready, 1)
            port.take(ctx, cycle, memory)
            if ctx.get(gate.o.valid):
                choice = ctx.get(gate.o.payload)
                got.append((choice.token, choice.expert, choice.score))
                times.append(cycle)
            await ctx.tick()

    simulate(m, drive)
    return got, times, port.commands


def reference(logits: np.ndarray, top_k: int) -> list[tuple[int, int, int]]:
    """Through a gate of ones."""
    identity = np.eye(logits.shape[1], dtype=np.int64) << WEIGHT.fraction_bits
    want = fixed_gate(logits, identity, top_k)
    return [
        (token, int(want.experts[token, place]), int(want.scores[token, place]))
        for token in range(len(logits))
        for place in range(top_k)
    ]


@pytest.mark.parametrize(
    ("experts", "top_k", "lanes", "latency"),
    [(1, 1, 16, 1), (3, 2, 1, 64), (16, 2, 8, 17), (17, 4, 4, 3), (2, 2, 2, 40)],
)
def test_reads_and_decides_in_the_cycles_that_are_simulated(
    experts: int, top_k: int, lanes: int, latency: int
) -> None:
    tokens = 5
    logits = np.random.default_rng(experts).integers(-(2**31), 2**31 - 1, (tokens, experts))
    want = reference(logits, top_k)
    got, cycles, commands = run(logits, top_k=top_k, lanes=lanes, latency=latency)
    assert got == want
    times = gate_times(
        tokens=tokens, experts=experts, top_k=top_k, lanes=lanes, latency_cycles=latency
    )
    assert [cycle for cycle, _, _ in commands] == times.command.tolist()
    assert cycles == times.choice.ravel().tolist()
    assert cycles[-1] == times.cycles
    row = -(-experts // BLOCK) * BLOCK // lanes
    assert [at for _, at, _ in commands] == [BASE + token * row for token in range(tokens)]
    assert {beats for _, _, beats in commands} == {-(-experts // lanes)}
    gapped, _, _ = run(logits, top_k=top_k, lanes=lanes, latency=latency, gaps=0.4)
    assert gapped == want


def test_latency_hides_behind_the_logits() -> None:
    """16 experts take 97 cycles a token, from 6 cycles a logit, whatever 64 cycles of DRAM do."""
    for latency in (1, 64):
        times = gate_times(tokens=9, experts=16, top_k=2, lanes=4, latency_cycles=latency)
        assert np.diff(times.choice[:, 0]).tolist() == [97] * 8
        assert times.choice[0, 0] == 1 + latency + 1 + 6 * 16 + 39
