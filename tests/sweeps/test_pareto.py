"""sweeps/pareto.py."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dovetail.errors import ShapeError
from dovetail.sweeps import pareto
from dovetail.sweeps.pareto import pareto_front


def brute_force(costs: np.ndarray) -> np.ndarray:
    """The definition: for each point, is there one no worse everywhere and better somewhere?"""
    return np.array(
        [not any((other <= one).all() and (other < one).any() for other in costs) for one in costs],
        dtype=bool,
    )


SMALL = st.integers(1, 4).flatmap(
    lambda objectives: arrays(
        np.float64,
        st.tuples(st.integers(0, 12), st.just(objectives)),
        elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.inf]),
    )
)


@settings(max_examples=300)
@given(SMALL)
def test_agrees_with_the_definition(costs: np.ndarray) -> None:
    np.testing.assert_array_equal(pareto_front(costs), brute_force(costs))


@settings(max_examples=50)
@given(SMALL)
def test_kernel_agrees_with_its_python_source(costs: np.ndarray) -> None:
    ordered = np.ascontiguousarray(costs[np.lexsort(costs.T[::-1])])
    compiled = pareto._front_of_sorted(ordered)
    np.testing.assert_array_equal(compiled, pareto._front_of_sorted.py_func(ordered))


def test_keeps_equal_points() -> None:
    costs = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0]])
    assert pareto_front(costs).tolist() == [True, True, True, False]


@pytest.mark.parametrize("points", [1, 2, 3])
def test_one_objective_keeps_the_least(points: int) -> None:
    assert pareto_front(np.arange(points, dtype=float)[:, None]).tolist() == [True] + [False] * (
        points - 1
    )


def test_a_hundred_thousand_points_take_seconds() -> None:
    costs = np.random.default_rng(1).random((100_000, 4))
    pareto_front(costs[:100])  # compiles
    began = time.perf_counter()
    front = pareto_front(costs)
    assert time.perf_counter() - began < 5
    # Whoever is on the front of all is on the front of a sample with it.
    sample = np.flatnonzero(front)[:20]
    for point in sample:
        worse = (costs <= costs[point]).all(axis=1) & (costs < costs[point]).any(axis=1)
        assert not worse.any()


def test_refuses_nan() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^costs\[1, 0\] is NaN, which has no order; drop that point or that objective$",
    ):
        pareto_front(np.array([[1.0, 2.0], [np.nan, 1.0]]))


def test_refuses_a_vector() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^costs has shape \(3,\); it must have shape \(points, objectives\): "
        r"pass one column per objective$",
    ):
        pareto_front(np.arange(3.0))
