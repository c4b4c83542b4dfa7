"""Drive a pipelined unit of constant latency with a new value each cycle."""

from collections.abc import Mapping, Sequence
from typing import Any

from dovetail.tests.rtl.simulation import simulate


def through(
    dut: Any, inputs: Mapping[str, Sequence[int]], outputs: Sequence[str]
) -> list[tuple[int, ...]]:
    """What comes out of ``dut`` ``latency_cycles`` after each of ``inputs`` went in."""
    count = len(next(iter(inputs.values())))
    got: list[tuple[int, ...]] = []

    async def drive(ctx: Any) -> None:
        for cycle in range(count + dut.latency_cycles):
            for name, values in inputs.items():
                # Past the end anything may stand at the inputs.
                ctx.set(getattr(dut, name), values[cycle % count])
            await ctx.tick()
            if cycle >= dut.latency_cycles - 1 and len(got) < count:
                got.append(tuple(ctx.get(getattr(dut, name)) for name in outputs))

    simulate(dut, drive)
    return got
