"""src/dovetail/lockstep/deform.py: what the random calls are made of."""

from collections import Counter

import numpy as np
import pytest

from dovetail.arch.deform_call import call_problem
from dovetail.arch.events import DEFORM_EVENTS
from dovetail.lockstep.deform import DeformCase, build_index, random_case, random_engine


def case(seed: int) -> DeformCase:
    return random_case(random_engine(build_index(seed)), seed, repeat="")


@pytest.fixture(scope="module")
def cases() -> list[DeformCase]:
    return [case(seed) for seed in range(200)]


@pytest.mark.parametrize("seeds", [1, 3, 12, 24, 96, 200])
@pytest.mark.parametrize("first", [0, 1000])
def test_there_are_enough_engines(seeds: int, first: int) -> None:
    engines = {random_engine(build_index(first + number)) for number in range(seeds)}
    assert len(engines) >= min(seeds, max(3, seeds // 8))


def test_a_case_is_fixed_by_its_seed_alone() -> None:
    for seed in (0, 17, 4321):
        one, other = case(seed), case(seed)
        assert (one.config, one.call, one.gap_seed) == (other.config, other.call, other.gap_seed)
        np.testing.assert_array_equal(one.operands.image, other.operands.image)


def test_200_cases_have_all_that_the_engine_does(cases: list[DeformCase]) -> None:
    assert all(call_problem(one.config, one.call) is None for one in cases)
    for name, values in {
        "lanes": {2, 4, 8, 16},
        "bound": {1, 2, 3, 4, 5, 7, 8},
        "window_ports": {1, 3, 9},
        "core": {"depthwise", "full"},
        "memory": {"line_buffer", "gather"},
        "packed_products": {False, True},
        "lead": {"exact", "public"},
    }.items():
        assert {getattr(one.config, name) for one in cases} == values
    kinds = Counter((one.call.pointwise, one.call.depthwise) for one in cases)
    assert min(kinds[kind] for kind in ((True, True), (True, False), (False, True))) >= 15
    for flag in ("deform", "relu1", "relu3"):
        assert {getattr(one.call, flag) for one in cases} == {False, True}
    assert {one.call.stride for one in cases} == {1, 2}
    odd = [one for one in cases if one.call.out_channels % one.config.lanes]
    assert len(odd) > 50
    full = [
        one
        for one in cases
        if one.operands.offsets is not None and one.operands.offsets.max() == one.config.bound
    ]
    assert len(full) > 60
    # Rows of the line buffer come round, and are waited for.
    again = [
        one for one in cases if one.call.depthwise and one.call.height > one.config.buffer_rows
    ]
    assert len(again) > 60


def test_200_cases_count_every_event(cases: list[DeformCase]) -> None:
    counts = Counter[str]()
    for one in cases:
        for event, count in one.simulate().events.items():
            counts[event] += count > 0
    assert min(counts[event] for event in DEFORM_EVENTS) >= 20, counts
