# amaranth: UnusedElaboratable=no
"""src/dovetail/lockstep/vectors.py: what it finds, and what it must not find."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.lockstep.vectors import Expected, VectorCase, compare_vectors, joined, port_widths
from dovetail.stimuli.ports import Raw, raw

pytestmark = pytest.mark.cosim

CYCLES = 20


class Doubler(wiring.Component):
    """``o = 2 i`` a cycle later, valid as ``i`` was."""

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(80)), "o": Out(stream.Signature(80))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(80)
        m.d.sync += [held.eq(self.i.payload << 1), self.o.valid.eq(self.i.valid)]
        m.d.comb += [self.o.payload.eq(held), self.i.ready.eq(1)]
        return m


def case(seed: int = 0) -> VectorCase:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 1 << 60, CYCLES, dtype=np.uint64)
    valid = rng.random(CYCLES) < 0.5
    valid[4:6] = True
    payload = np.stack([low, np.zeros_like(low)], axis=1)
    late = np.roll(valid, 1)
    late[0] = False
    return VectorCase(
        component=Doubler,
        inputs={"i__valid": raw(valid, 1), "i__payload": payload, "o__ready": raw(valid, 1)},
        expected={
            "o__valid": Expected(values=raw(late, 1), counts=np.ones(CYCLES, bool), kind="cycles"),
            "o__payload": Expected(values=np.roll(payload << np.uint64(1), 1, axis=0), counts=late),
        },
        where="the doubler",
        repeat="again",
    )


def changed(port: str, change: Callable[[Raw], Any], **others: Any) -> VectorCase:
    one = case()
    values = one.expected[port].values.copy()
    change(values)
    expected = {**one.expected, port: replace(one.expected[port], values=values, **others)}
    return replace(one, expected=expected)


def flip(place: Any) -> Callable[[Raw], Any]:
    def change(values: Raw) -> None:
        values[place] ^= np.uint64(1)

    return change


def test_ports_of_streams_go_by_their_names() -> None:
    widths = port_widths(Doubler())
    assert widths["o__payload"] == 80
    assert widths["o__valid"] == widths["i__ready"] == 1


def test_equal_is_equal_and_counted() -> None:
    cases = [case(seed) for seed in range(3)]
    found = compare_vectors(cases)
    assert found.mismatches == ()
    assert (found.cases, found.cycles, found.events) == (3, 3 * CYCLES, 0)
    assert found.values == sum(one.expected["o__payload"].counts.sum() for one in cases)


def test_names_the_first_wrong_value() -> None:
    wrong = [5, 6]
    found = compare_vectors([case(1), changed("o__payload", flip((wrong, [1, 0])))])
    (mismatch,) = found.mismatches
    assert (mismatch.kind, mismatch.cycle, mismatch.count) == ("values", 5, 2)
    assert mismatch.signal == "o__payload"
    # The bit that differs is the lowest one of the high word.
    assert mismatch.expected - mismatch.rtl == 1 << 64
    assert (mismatch.where, mismatch.repeat) == ("the doubler", "again")


def test_names_a_handshake_in_another_cycle() -> None:
    (mismatch,) = compare_vectors([changed("o__valid", flip(3))]).mismatches
    assert (mismatch.kind, mismatch.cycle, mismatch.signal) == ("cycles", 3, "o__valid")


def test_only_what_matters_is_compared() -> None:
    counts = case().expected["o__payload"].counts.copy()
    counts[5] = False
    assert not compare_vectors([changed("o__payload", flip((5, 0)), counts=counts)]).mismatches
    mask = np.full((CYCLES, 2), ~np.uint64(1))
    assert not compare_vectors([changed("o__payload", flip((5, 0)), mask=mask)]).mismatches
    assert compare_vectors([changed("o__payload", flip((5, 0)), mask=~mask)]).mismatches


def test_vectors_run_one_behind_the_other() -> None:
    parts = [case(seed) for seed in (4, 5)]
    inputs, expected = joined([(dict(one.inputs), dict(one.expected)) for one in parts])
    # A reset stands between the parts of a run of its own: no result comes over from the last.
    expected["o__valid"].counts[CYCLES] = False
    found = compare_vectors([replace(parts[0], inputs=inputs, expected=expected)])
    assert found.mismatches == ()
    assert found.cycles == 2 * CYCLES
