"""The attention unit's simulator against published cycles, closed forms and its own Python."""

import numpy as np
import pytest

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.errors import ConfigError, ShapeError
from dovetail.sim import m3vit_attention_kernel as kernel
from dovetail.sim.m3vit_attention import (
    block_times,
    product_cycles,
    score_times,
    value_times,
)

EDGE_MOE = AttentionDesign(parallel=4, lanes=8, heads=3, head_dim=64, max_tokens=129)


def test_both_products_of_edge_moe_take_102_168_cycles() -> None:
    times, output = score_times(EDGE_MOE, 129), value_times(EDGE_MOE, 129)
    assert product_cycles(EDGE_MOE, 129) == 102_168
    for passed in (times.key, output.value):
        assert len(passed) == 102_168
        assert passed[-1] - passed[0] + 1 == 102_168
    # Tail of the first: scores of the last head, its four turns, a softmax step, the division.
    assert times.cycles == 102_168 + 6 + 4 + 8 + 33
    # Of the second, before its first value: four turns and a probability; and behind its last one.
    assert output.cycles == 4 + 9 + 102_168 + 4


def test_both_at_once_take_little_more_than_one() -> None:
    times = block_times(EDGE_MOE, 129)
    assert len(times.value) == 102_168
    # A row ends 128 tokens and a head after it began; its division and probabilities follow.
    first = 128 * 24 + 64 // 8 - 1 + 47 + 4 + 9 + 4
    assert times.value[0] == first
    assert times.cycles == first + 102_168 + 4 == 105_315
    # Of the 102,168 / 8 scores that the authors write to DRAM, as many as are kept on chip:
    assert EDGE_MOE.score_store == 128 * 3 + 1 + 6


def test_ports_of_half_the_width_take_twice_the_cycles() -> None:
    times = score_times(EDGE_MOE, 129, key=2, query=2)
    assert times.key[-1] - times.key[0] == 2 * (102_168 - 1)
    values = value_times(EDGE_MOE, 129, value=2).value
    assert values[-1] - values[0] == 2 * (102_168 - 1)


def test_queries_slow_only_the_keys_with_which_they_come() -> None:
    times = score_times(EDGE_MOE, 129, query=2)
    # A query's 24 beats take 2 cycles each where the beat before it is a query's too; a query is
    # first of its batch 33 times, and then the beat before it left its port long ago.
    assert times.key[-1] + 1 == 102_168 + 129 * 24 - 33


@pytest.mark.parametrize("tokens", [1, 3, 4, 5, 30])
def test_memory_that_answers_later_shifts_what_it_feeds(tokens: int) -> None:
    at_once, later = block_times(EDGE_MOE, tokens), block_times(EDGE_MOE, tokens, first=40)
    assert later.cycles == at_once.cycles + 40
    for port in ("query", "key", "output"):
        assert np.array_equal(getattr(later, port), getattr(at_once, port) + 40)


def test_values_that_are_there_late_come_as_memory_gives_them() -> None:
    # After a row, probabilities wait for the first value; then one beat follows the other.
    late = block_times(EDGE_MOE, 2, first=1000)
    assert late.query[0] == late.key[0] == 1000
    assert late.value[0] == 1000 + 24 + 8 - 1 + 47 + 4 + 9 + 4


def test_kernel_is_what_it_is_in_python() -> None:
    args = (
        np.array([5, 3, 2, 4, 11]),
        np.array([[2, 0], [1, 3], [5, 0], [40, 7]]),
        np.array([6, 50]),
        np.array([2, 13]),
    )
    for function in (kernel.scores, kernel.values):
        for compiled, plain in zip(function(*args), function.py_func(*args), strict=True):
            assert compiled.tolist() == plain.tolist()
    longer = (*args[:2], np.array([6, 50, 12, 4]), np.array([2, 13, 4, 5, 22]), 4)
    for compiled, plain in zip(kernel.block(*longer), kernel.block.py_func(*longer), strict=True):
        assert compiled.tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lanes": 5}, r"^lanes=5 must divide head_dim=64; change lanes$"),
        ({"parallel": 0}, r"^parallel=0 must be at least 1; raise it$"),
        ({"lanes": 64, "heads": 2}, r"^a token has 2 beats, heads=2 .* lower lanes$"),
    ],
)
def test_refuses_a_design_that_cannot_be(change: dict[str, int], message: str) -> None:
    values = {"parallel": 4, "lanes": 8, "heads": 3, "head_dim": 64, "max_tokens": 129}
    with pytest.raises(ConfigError, match=message):
        AttentionDesign(**{**values, **change})


def test_refuses_tokens_that_do_not_fit_and_ports_without_time() -> None:
    with pytest.raises(ShapeError, match=r"^tokens=130 must be from 1 to max_tokens=129; change"):
        score_times(EDGE_MOE, 130)
    with pytest.raises(ShapeError, match=r"^tokens=0 must be from 1"):
        product_cycles(EDGE_MOE, 0)
    with pytest.raises(ShapeError, match=r"^tokens=0 must be from 1"):
        value_times(EDGE_MOE, 0)
    with pytest.raises(ShapeError, match=r"^key=0 must be at least 1 cycle a transfer; raise it$"):
        score_times(EDGE_MOE, 129, key=0)
    with pytest.raises(ShapeError, match=r"^first=-1 must be 0 or more; raise it$"):
        block_times(EDGE_MOE, 129, first=-1)
