"""Cycles of the reordered attention unit, transfer by transfer: what the RTL does, to the cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.errors import ShapeError
from dovetail.sim.m3vit_attention_kernel import Cycles, block, scores, values
from dovetail.sim.m3vit_steps import attention_steps

__all__ = [
    "BlockTimes",
    "ScoreTimes",
    "ValueTimes",
    "block_times",
    "product_cycles",
    "score_times",
    "value_times",
]


@dataclass(frozen=True, slots=True)
class ScoreTimes:
    """Cycle of every transfer of the QK^T unit; 0 is the first after its start.

    Attributes
    ----------
    query, key, score, row : int64
        Of each port, in order.
    """

    query: Cycles
    key: Cycles
    score: Cycles
    row: Cycles

    @property
    def cycles(self) -> int:
        """Until all results were taken."""
        return int(max(self.score[-1], self.row[-1])) + 1


@dataclass(frozen=True, slots=True)
class ValueTimes:
    """Cycle of every transfer of the M'V unit; 0 is the first after its start.

    Attributes
    ----------
    score, row, value, output : int64
        Of each port, in order.
    """

    score: Cycles
    row: Cycles
    value: Cycles
    output: Cycles

    @property
    def cycles(self) -> int:
        """Until all results were taken."""
        return int(self.output[-1]) + 1


@dataclass(frozen=True, slots=True)
class BlockTimes:
    """Cycle of every transfer of both units together; 0 is the first after their start.

    Attributes
    ----------
    query, key, value, output : int64
        Of each port, in order.
    """

    query: Cycles
    key: Cycles
    value: Cycles
    output: Cycles

    @property
    def cycles(self) -> int:
        """Until all results were taken."""
        return int(self.output[-1]) + 1


def product_cycles(design: AttentionDesign, tokens: int) -> int:
    """One product without waiting: the beats of all keys, or values, that pass."""
    _check_tokens(design, tokens)
    return design.token_beats * attention_steps(tokens, design.parallel)


def score_times(
    design: AttentionDesign,
    tokens: int,
    *,
    query: int = 1,
    key: int = 1,
    score: int = 1,
    row: int = 1,
) -> ScoreTimes:
    """Simulate the QK^T unit between ports that each transfer a beat in so many cycles.

    Parameters
    ----------
    design : AttentionDesign
    tokens : int
        From 1 to ``design.max_tokens``.
    query, key, score, row : int
        Least cycles from a transfer of that port to its next one.
    """
    _check_tokens(design, tokens)
    return ScoreTimes(
        *scores(
            _walk(design, tokens),
            _ports(query=query, key=key, score=score, row=row),
            np.array([design.score_cycles, design.row_cycles]),
            np.array([design.score_queue, design.row_queue]),
        )
    )


def value_times(
    design: AttentionDesign,
    tokens: int,
    *,
    score: int = 1,
    row: int = 1,
    value: int = 1,
    output: int = 1,
) -> ValueTimes:
    """Simulate the M'V unit between ports that each transfer a beat in so many cycles.

    Parameters
    ----------
    design : AttentionDesign
    tokens : int
        From 1 to ``design.max_tokens``.
    score, row, value, output : int
        Least cycles from a transfer of that port to its next one.
    """
    _check_tokens(design, tokens)
    ports = _ports(score=score, row=row, value=value, output=output)
    ports[0, 0] = max(score, design.turns)  # the slots' turns at the exponential
    return ValueTimes(
        *values(
            _walk(design, tokens),
            ports,
            np.array([design.probability_cycles, design.output_cycles]),
            np.array([design.probability_queue, design.output_queue]),
        )
    )


def block_times(
    design: AttentionDesign,
    tokens: int,
    *,
    query: int = 1,
    key: int = 1,
    value: int = 1,
    output: int = 1,
    first: int = 0,
) -> BlockTimes:
    """Simulate both units, scores between them on chip, with ports as of :func:`score_times`.

    Parameters
    ----------
    design : AttentionDesign
    tokens : int
        From 1 to ``design.max_tokens``.
    query, key, value, output : int
        Least cycles from a transfer of that port to its next one.
    first : int
        First cycle in which queries, keys and values are there.
    """
    _check_tokens(design, tokens)
    if first < 0:
        raise ShapeError(f"first={first} must be 0 or more; raise it")
    ports = _ports(query=query, key=key, value=value, output=output)
    ports[:3, 1] = first
    return BlockTimes(
        *block(
            _walk(design, tokens),
            ports,
            np.array(
                [
                    design.score_cycles,
                    design.row_cycles,
                    design.probability_cycles,
                    design.output_cycles,
                ]
            ),
            np.array(
                [
                    design.score_queue,
                    design.row_queue,
                    design.probability_queue,
                    design.output_queue,
                    design.score_store,
                ]
            ),
            design.turns,
        )
    )


def _walk(design: AttentionDesign, tokens: int) -> Cycles:
    steps = attention_steps(tokens, design.parallel)
    return np.array([tokens, design.parallel, design.heads, design.head_beats, steps])


def _ports(**ports: int) -> Cycles:
    """Least cycles from a transfer to the next, and the first cycle, of each port."""
    for port, cycles in ports.items():
        if cycles < 1:
            raise ShapeError(f"{port}={cycles} must be at least 1 cycle a transfer; raise it")
    return np.array([(cycles, 0) for cycles in ports.values()])


def _check_tokens(design: AttentionDesign, tokens: int) -> None:
    if not 1 <= tokens <= design.max_tokens:
        raise ShapeError(
            f"tokens={tokens} must be from 1 to max_tokens={design.max_tokens}; change one of them"
        )
