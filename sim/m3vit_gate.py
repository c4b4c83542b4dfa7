"""Cycles of the gate's decision: rows of logits from DRAM to queues of experts, to the cycle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["GateTimes", "gate_times"]

_STEP_CYCLES = 6  # of the softmax, and from one logit to the next
_SCORES_CYCLES = 39  # from a token handed on to its first score: the division, a probability
_SCORE_CYCLES = 7  # from one score to the next


class GateTimes(NamedTuple):
    """When what passes; 0 is the cycle of the reader's start.

    Attributes
    ----------
    command : int64, shape (tokens,)
        Rows asked for.
    choice : int64, shape (tokens, top_k)
        Choices that enter their queues.
    """

    command: NDArray[np.int64]
    choice: NDArray[np.int64]

    @property
    def cycles(self) -> int:
        """From the start to the last choice."""
        return int(self.choice[-1, -1])


def gate_times(
    *, tokens: int, experts: int, top_k: int, lanes: int, latency_cycles: int
) -> GateTimes:
    """Simulate a gate that reads ``lanes`` logits a beat and whose choices are taken at once.

    The decision itself does not depend on the logits.

    Parameters
    ----------
    tokens, experts, top_k, lanes : int
    latency_cycles : int
        From a command to its first beat.
    """
    command = np.zeros(tokens, dtype=np.int64)
    choice = np.zeros((tokens, top_k), dtype=np.int64)
    _run(experts, lanes, latency_cycles, command, choice)
    return GateTimes(command, choice)


@njit(cache=True, error_model="numpy")
def _run(experts, lanes, latency, command, choice):  # type: ignore[no-untyped-def]
    tokens, top_k = choice.shape
    used_up = np.zeros(tokens, dtype=np.int64)
    now = bus = ready = free = 0  # when a command, a beat, a logit, the list of choices is next
    now = 1
    for token in range(tokens):
        # Two rows may be on chip or on their way.
        if token >= 2:
            now = max(now, used_up[token - 2] + 1)
        command[token] = now
        bus = max(bus, now + latency)
        now += 1
        taken = 0
        for expert in range(experts):
            if expert % lanes == 0:
                arrived = bus
                bus += 1
            taken = max(ready, arrived + 1)
            ready = taken + _STEP_CYCLES
        used_up[token] = taken
        # The token is handed on when the one before has got its scores.
        handed_on = max(ready, free)
        ready = handed_on + 1
        for place in range(top_k):
            choice[token, place] = handed_on + _SCORES_CYCLES + _SCORE_CYCLES * place
        free = choice[token, top_k - 1] + 1
