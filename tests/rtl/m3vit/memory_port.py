"""A small memory with read and write ports, for units that stand between an engine and DRAM."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth import Value


@dataclass
class ReadPort:
    """Commands of a dut's ``command`` stream, answered in order on its ``read`` stream.

    A burst's first beat stands ``latency`` cycles after its command, then one a cycle; a beat is
    what memory held when its command was taken.
    """

    command: Any
    read: Any
    latency: int
    commands: list[tuple[int, int, int]] = field(default_factory=list)  # cycle, address, beats
    _waiting: deque[tuple[int, int]] = field(default_factory=deque)
    _valid: bool = False

    def offer(self, ctx: Any, cycle: int, gap: bool, refuse: bool) -> None:
        due = bool(self._waiting) and self._waiting[0][0] <= cycle
        self._valid = self._valid or (due and not gap)
        ctx.set(self.read.valid, self._valid)
        if self._valid:
            ctx.set(Value.cast(self.read.payload), self._waiting[0][1])
        ctx.set(self.command.ready, not refuse)

    def take(self, ctx: Any, cycle: int, memory: list[int]) -> None:
        if self._valid and ctx.get(self.read.ready):
            self._waiting.popleft()
            self._valid = False
        if ctx.get(self.command.valid) and ctx.get(self.command.ready):
            payload = ctx.get(self.command.payload)
            self.commands.append((cycle, payload.address, payload.beats))
            self._waiting += [
                (cycle + self.latency, memory[payload.address + beat])
                for beat in range(payload.beats)
            ]


def chances(chance: float, seed: int) -> Any:
    """A coin for gaps and refusals; never without a chance."""
    rng = np.random.default_rng(seed)
    return lambda: bool(chance and rng.random() < chance)
