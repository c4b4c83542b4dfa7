"""The norm pass' cycles, and what its simulator and design refuse."""

import numpy as np
import pytest

from dovetail.arch.m3vit.norm import NormDesign
from dovetail.errors import ConfigError, ShapeError
from dovetail.sim.m3vit_norm import norm_times

EDGE_MOE = NormDesign(width=192, lanes=8)


def test_a_beat_comes_and_goes_each_cycle() -> None:
    times = norm_times(EDGE_MOE, 129, latency_cycles=20)
    assert len(times.write) == 129 * 24
    assert np.array_equal(np.diff(times.read), np.ones(129 * 24 - 1))
    # One token behind: its 24 beats, then 7 cycles of statistics, the queue, and 5 cycles.
    assert np.array_equal(times.write - times.read, np.full(129 * 24, 23 + 8 + 5))
    assert times.cycles == 20 + 130 * 24 + 12


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"^tokens=0 must be at least 1; raise it$"):
        norm_times(EDGE_MOE, 0, latency_cycles=1)


@pytest.mark.parametrize("field", ["width", "lanes", "block"])
def test_empty_designs_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{field}=0 must be at least 1; raise it$"):
        NormDesign(**{"width": 16, "lanes": 16, "block": 16} | {field: 0})


def test_beats_that_do_not_fill_a_block_are_refused() -> None:
    message = (
        r"^lanes=5 must divide the block=16 features to which tokens are filled up; change lanes$"
    )
    with pytest.raises(ConfigError, match=message):
        NormDesign(width=192, lanes=5)
