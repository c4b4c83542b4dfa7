"""Stimuli of what finished sums pass: dequantiser, adder of the accumulators, output rounding.

Results come without a pause, though in an engine each column rests between two drains: idle cycles
switch nothing but the clock, which is priced by the cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.cores import OUTPUT_BITS
from dovetail.models.mpgemm import accumulate_after_group, dequantize_after_group, round_outputs
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import Raw
from dovetail.stimuli.request import ROWS, Request

Integers = NDArray[np.int64]

_SEED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drained:
    """One group of one column as it drains, last row first.

    Attributes
    ----------
    product_sum, group_sum : int64, shape (rows,)
    scale, zero : int64, shape (1,)
    first : bool
        First group of its tile.
    """

    product_sum: Integers
    group_sum: Integers
    scale: Integers
    zero: Integers
    first: bool

    @property
    def increment(self) -> Integers:
        """What the dequantiser makes of each row."""
        return dequantize_after_group(
            self.product_sum[:, None], self.group_sum, self.scale, self.zero
        )[:, 0]


def _drained(request: Request) -> Iterator[_Drained]:
    for tile in request.tiles():
        assert tile.scale is not None and tile.zero is not None
        for group in range(tile.scale.shape[1]):
            part = slice(group * tile.group, (group + 1) * tile.group)
            a = tile.activations[::-1, part].astype(np.int64)
            yield _Drained(
                product_sum=a @ tile.weights[0, part].astype(np.int64),
                group_sum=a.sum(axis=1),
                scale=tile.scale[:, group],
                zero=tile.zero[:, group],
                first=group == 0,
            )


def dequant_stimulus(request: Request) -> Stimulus:
    """Rows of groups into the dequantiser; random sums fill the ports' ranges."""
    rng = np.random.default_rng(_SEED)
    count = request.cycles - 1
    rows: list[tuple[Integers, ...]] = []
    for group in _drained(request):
        if len(rows) * ROWS >= count:
            break
        if request.kind == "random":
            group = _Drained(
                product_sum=request.uniform(rng, "p", ROWS),
                group_sum=request.uniform(rng, "s", ROWS),
                scale=group.scale,
                zero=group.zero,
                first=group.first,
            )
        scale, zero = np.repeat(group.scale, ROWS), np.repeat(group.zero, ROWS)
        rows.append((group.product_sum, group.group_sum, zero, scale, group.increment))
    p, s, zero, scale, increment = (
        np.concatenate(column)[:count] for column in zip(*rows, strict=True)
    )
    inputs = {
        "p": request.port("p", _now(p)),
        "s": request.port("s", _now(s)),
        "zero": request.port("zero", _now(zero)),
        # These two belong to the difference, which is in a register by then.
        "scale": request.port("scale", _one_later(scale)),
        "high": np.zeros(request.cycles, dtype=np.uint64),
    }
    return _registered(request, inputs, request.port("o", _one_later(increment)))


def accumulate_stimulus(request: Request) -> Stimulus:
    """Increments of one column into its accumulators, tile after tile.

    ``stored`` is what a memory with a registered read port delivers; the first group of a tile
    reads nothing, so the port keeps the value read last.
    """
    rng = np.random.default_rng(_SEED)
    count = request.cycles - 1
    rows: list[tuple[Integers, ...]] = []
    bank = np.zeros(ROWS, dtype=np.int64)
    held = np.zeros(ROWS, dtype=np.int64)
    for group in _drained(request):
        if len(rows) * ROWS >= count:
            break
        increment = group.increment
        if request.kind == "random":
            increment = request.uniform(rng, "increment", ROWS)
        if group.first:
            stored, total = np.full(ROWS, held[-1]), increment
        else:
            stored, total = bank, bank + increment
        rows.append((np.full(ROWS, int(group.first)), increment, stored, total))
        bank, held = total, stored
    first, increment, stored, total = (
        np.concatenate(column)[:count] for column in zip(*rows, strict=True)
    )
    inputs = {
        "first": request.port("first", _now(first)),
        "increment": request.port("increment", _now(increment)),
        "stored": request.port("stored", _one_later(stored)),
    }
    return _registered(request, inputs, request.port("o", _one_later(total)))


def output_round_stimulus(request: Request) -> Stimulus:
    """Accumulators of finished tiles, row by row, into the rounding unit.

    Each tile has the least shift with which its results fit 16 bits.
    """
    rng = np.random.default_rng(_SEED)
    rows: list[tuple[Integers, ...]] = []
    for tile in request.tiles():
        if len(rows) * ROWS >= request.cycles:
            break
        accumulators = accumulate_after_group(tile)[:, 0]
        if request.kind == "random":
            accumulators = request.uniform(rng, "i", ROWS)
        largest = int(np.maximum(accumulators, ~accumulators).max())
        shift = max(0, largest.bit_length() + 1 - OUTPUT_BITS)
        rounded = round_outputs(accumulators, output_shift=shift).astype(np.int64)
        rows.append((accumulators, np.full(ROWS, shift), rounded))
    i, shifts, o = (np.concatenate(column)[: request.cycles] for column in zip(*rows, strict=True))
    return Stimulus(
        inputs={"i": request.port("i", i), "shift": request.port("shift", shifts)},
        expected={"o": request.port("o", o)},
        check={"o": np.ones(request.cycles, dtype=np.bool_)},
        operations=request.cycles,
        origin=request.origin,
    )


def _now(rows: Integers) -> Integers:
    """A row each cycle; in the last cycle, which brings none, the operands hold."""
    return np.append(rows, rows[-1])


def _one_later(rows: Integers) -> Integers:
    """A row each cycle, from the second on; before it, the value already stands."""
    return np.append(rows[:1], rows)


def _registered(request: Request, inputs: dict[str, Raw], o: Raw) -> Stimulus:
    """A unit with one register: the result of a row is there one cycle after it."""
    return Stimulus(
        inputs=inputs,
        expected={"o": o},
        check={"o": np.arange(request.cycles) > 0},
        operations=request.cycles - 1,
        origin=request.origin,
    )
