"""Drive a unit between streams: each port with a pace of its own, every transfer with its cycle."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth import Value

from dovetail.tests.rtl.simulation import simulate

Pace = Callable[[int], bool]
"""Whether a port is willing, so many cycles after its last transfer (or after the start)."""


def every(cycles: int) -> Pace:
    """A transfer every so many cycles, the first one at once."""
    return lambda since: since >= cycles


def gaps(chance: float, seed: int) -> Pace:
    rng = np.random.default_rng(seed)
    return lambda since: bool(rng.random() >= chance)


@dataclass
class Transfers:
    """What passed a port, and in which cycles, counted from the first one after the start."""

    values: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)


def run(
    dut: Any,
    tokens: int,
    sources: Mapping[str, Iterable[int]],
    sinks: Mapping[str, int],
    paces: Mapping[str, Pace],
    *,
    idle_cycles: int = 40,
) -> dict[str, Transfers]:
    """Start ``dut`` and run until each sink took its number and each source was emptied.

    Then ``idle_cycles`` more, in which nothing may come out or be taken.
    """
    left = {name: list(values) for name, values in sources.items()}
    seen = {name: Transfers() for name in (*sources, *sinks)}

    async def drive(ctx: Any) -> None:
        ctx.set(dut.tokens, tokens)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.tokens, 0)
        offered = dict.fromkeys(sources, False)
        idle = 0
        for cycle in itertools.count():
            for name in sources:
                since = cycle - (seen[name].cycles or [cycle - 10**9])[-1]
                # What was offered stays until it is taken.
                offered[name] = offered[name] or paces[name](since)
                port = getattr(dut, name)
                ctx.set(port.valid, offered[name])
                more = len(seen[name].values) < len(left[name])
                value = left[name][len(seen[name].values)] if more and offered[name] else 0
                ctx.set(Value.cast(port.payload), value)
            for name in sinks:
                since = cycle - (seen[name].cycles or [cycle - 10**9])[-1]
                ctx.set(getattr(dut, name).ready, paces[name](since))
            taken = False
            for name, what in seen.items():
                port = getattr(dut, name)
                if ctx.get(port.valid) and ctx.get(port.ready):
                    taken = True
                    what.values.append(ctx.get(Value.cast(port.payload)))
                    what.cycles.append(cycle)
                    if name in offered:
                        offered[name] = False
            idle = 0 if taken else idle + 1
            full = all(len(seen[name].values) >= count for name, count in sinks.items())
            if (full and idle > idle_cycles) or idle > 40 * idle_cycles:
                return
            await ctx.tick()

    simulate(dut, drive)
    for name, values in left.items():
        assert len(seen[name].values) == len(values), f"{name}: not all taken, or too many"
    for name, count in sinks.items():
        assert len(seen[name].values) == count, f"{name}: not as many as there must be"
    return seen


def packed(features: Sequence[int] | np.ndarray, bits: int = 32) -> int:
    """Features in one beat, the first in the low bits."""
    return sum((int(value) & ((1 << bits) - 1)) << (bits * n) for n, value in enumerate(features))


def unpacked(beat: int, count: int, bits: int = 32) -> list[int]:
    """Signed features of a beat."""
    half = 1 << (bits - 1)
    return [((beat >> (bits * n) & (2 * half - 1)) ^ half) - half for n in range(count)]
