"""rtl/asic/clock_search.py on flows whose best clock is known."""

import threading

import pytest

from dovetail.rtl.asic.clock_search import highest_clock


@pytest.mark.parametrize("best", [500.0, 510.0, 777.0, 1000.0, 4900.0])
def test_finds_the_highest_clock_to_two_percent(best: float) -> None:
    """Sizing meets any clock up to ``best``, and gives up on others somewhat below it."""
    tried = []

    def reach(clock: float) -> float:
        tried.append(clock)
        return clock if clock <= best else 0.9 * best

    found = highest_clock(reach, 500.0)
    assert best / 1.02 <= found <= best
    assert len(tried) <= 18


def test_what_a_netlist_reaches_counts_even_if_it_was_sized_for_more() -> None:
    assert highest_clock(lambda clock: 560.0 if clock > 550 else 500.0, 500.0) == 560.0


def test_a_netlist_that_cannot_be_made_faster_is_not_tried_for_long() -> None:
    tried = []

    def reach(clock: float) -> float:
        tried.append(clock)
        return 300.0

    assert highest_clock(reach, 300.0) == 300.0
    assert len(tried) <= 6


def test_two_clocks_are_tried_at_a_time() -> None:
    together = threading.Barrier(2, timeout=10)

    def reach(clock: float) -> float:
        together.wait()
        return 100.0

    assert highest_clock(reach, 100.0) == 100.0
