"""A stimulus through Amaranth's own simulator, and where the answers differ."""

from typing import Any

import numpy as np
from amaranth import Value

from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import WORD_BITS
from dovetail.tests.rtl.simulation import simulate


def pattern(value: Any) -> int:
    """One word, or the words of a wide port, low word first."""
    parts = np.atleast_1d(value).tolist()
    return sum(int(part) << (WORD_BITS * place) for place, part in enumerate(parts))


def differences(component: Any, stimulus: Stimulus) -> list[tuple[int, str]]:
    """Cycle and port of every checked output that differs from what is expected."""
    found: list[tuple[int, str]] = []

    async def check(ctx: Any) -> None:
        for cycle in range(stimulus.cycles):
            for name, values in stimulus.inputs.items():
                ctx.set(Value.cast(getattr(component, name)), pattern(values[cycle]))
            for name, values in stimulus.expected.items():
                port = Value.cast(getattr(component, name))
                got = ctx.get(port) & ((1 << len(port)) - 1)
                if stimulus.check[name][cycle] and got != pattern(values[cycle]):
                    found.append((cycle, name))
            await ctx.tick()

    simulate(component, check)
    return found
