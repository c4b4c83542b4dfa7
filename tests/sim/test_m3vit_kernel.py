"""sim/m3vit_kernel.py against a simulation cycle by cycle, and caches of the standard library."""

from collections import OrderedDict, deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.sim.m3vit_kernel import FIFO, LRU, run_cache, run_steps

Step = tuple[int, int, int, int, int]


def cycle_by_cycle(steps: list[Step]) -> list[tuple[int, int]]:
    """Begin and end of each step, found by letting one cycle pass after the other."""
    half_of, half = {}, 0
    for at, (_, load, _, _, whole) in enumerate(steps):
        if load:
            half_of[at] = 2 if whole else half
            half = half if whole else 1 - half
    loads = [at for at in half_of]
    loaded: set[int] = set()
    begin, end = {}, {}
    loading, load_left, running, run_left, now = None, 0, None, 0, 0
    holder: dict[int, int] = {}  # place to the step whose weights it holds or gets
    while len(end) < len(steps):
        changed = True
        while changed:  # everything that takes no time
            changed = False
            if loading is not None and load_left == 0:
                loaded.add(loading)
                loading, changed = None, True
            if running is not None and run_left == 0:
                end[running] = now
                running, changed = None, True
            if loading is None and loads:
                step = loads[0]
                _, load, known, overlap, _ = steps[step]
                place = half_of[step]
                free = place not in holder or holder[place] in end
                chosen = known < 0 or known in end
                turn = overlap or step == 0 or step - 1 in end
                if free and chosen and turn:
                    holder[place] = step
                    loading, load_left, changed = loads.pop(0), load, True
            step = len(begin)
            ready = step < len(steps) and (step not in half_of or step in loaded)
            if running is None and ready:
                begin[step], running, run_left, changed = now, step, steps[step][0], True
        now += 1
        load_left -= loading is not None
        run_left -= running is not None
    return [(begin[at], end[at]) for at in range(len(steps))]


@st.composite
def programs(draw: st.DrawFn) -> list[Step]:
    steps: list[Step] = []
    for at in range(draw(st.integers(1, 9))):
        stream, load = draw(st.integers(0, 7)), draw(st.sampled_from([0, 0, 1, 3, 8]))
        known = draw(st.integers(-1, at - 1))
        overlap, whole = draw(st.integers(0, 1)), draw(st.sampled_from([0, 0, 1]))
        steps.append((stream, load, known, overlap, whole))
    return steps


def run(function: object, steps: list[Step]) -> list[tuple[int, int]]:
    columns = [np.array(column, np.int64) for column in zip(*steps, strict=True)]
    begin, end, _ = function(*columns)  # type: ignore[operator]
    return list(zip(begin.tolist(), end.tolist(), strict=True))


@settings(max_examples=150)
@given(programs())
def test_steps_run_as_cycle_by_cycle(steps: list[Step]) -> None:
    want = cycle_by_cycle(steps)
    assert run(run_steps, steps) == want
    assert run(run_steps.py_func, steps) == want


def test_ping_pong_by_hand() -> None:
    # Loads of 5 beside steps of 3: bound by loads, but the last step runs after the last load.
    steps = [(3, 5, -1, 1, 0)] * 4
    assert run(run_steps, steps) == [(5, 8), (10, 13), (15, 18), (20, 23)]
    # Loads of 3 beside steps of 5: the third load waits for the first half.
    steps = [(5, 3, -1, 1, 0)] * 4
    assert run(run_steps, steps) == [(3, 8), (8, 13), (13, 18), (18, 23)]
    # Without overlap they add up.
    assert run(run_steps, [(3, 5, -1, 0, 0)] * 2) == [(5, 8), (13, 16)]


def misses_of(uses: list[int], capacity: int, policy: int) -> int:
    if policy == LRU:
        held: OrderedDict[int, None] = OrderedDict()
        misses = 0
        for expert in uses:
            if expert not in held:
                misses += 1
                if len(held) == capacity:
                    held.popitem(last=False)
            held[expert] = None
            held.move_to_end(expert)
        return misses
    queue: deque[int] = deque(maxlen=capacity)
    misses = 0
    for expert in uses:
        if expert not in queue:
            misses += 1
            queue.append(expert)
    return misses


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=60),
    st.integers(1, 7),
    st.sampled_from([LRU, FIFO]),
    st.integers(0, 1),
)
def test_a_cache_misses_what_standard_ones_miss(
    uses: list[int], capacity: int, policy: int, prefetch: int
) -> None:
    load, stream = 11, 4
    arguments = (np.array(uses, np.int64), 7, capacity, policy, load, stream, prefetch)
    cycles, misses = run_cache(*arguments)
    assert (cycles, misses) == run_cache.py_func(*arguments)
    assert misses == misses_of(uses, capacity, policy)
    if not prefetch:
        assert cycles == misses * load + len(uses) * stream
    else:
        assert max(misses * load, len(uses) * stream) < cycles
        assert cycles <= misses * load + len(uses) * stream


@pytest.mark.parametrize(("capacity", "cycles"), [(1, 4 * (11 + 4)), (2, 11 * 4 + 4)])
def test_a_prefetch_needs_room_for_two(capacity: int, cycles: int) -> None:
    uses = np.array([0, 1, 2, 3], np.int64)
    assert run_cache(uses, 4, capacity, LRU, 11, 4, 1) == (cycles, 4)
