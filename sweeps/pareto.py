"""Which design points no other point beats."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dovetail.errors import ShapeError


def pareto_front(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points that no other point dominates; less is better in every objective.

    A point dominates another when it is no worse in every objective and better in at least one.
    Equal points do not dominate each other, so both are kept.

    Parameters
    ----------
    costs : float64, shape (points, objectives)
        Finite or infinite; no NaN.

    Returns
    -------
    bool, shape (points,)
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.ndim != 2:
        raise ShapeError(
            f"costs has shape {costs.shape}; it must have shape (points, objectives): "
            f"pass one column per objective"
        )
    if np.isnan(costs).any():
        point, objective = np.argwhere(np.isnan(costs))[0]
        raise ShapeError(
            f"costs[{point}, {objective}] is NaN, which has no order; "
            f"drop that point or that objective"
        )
    front = np.zeros(len(costs), dtype=np.bool_)
    if costs.shape[1] == 0:
        return ~front
    # After this sort nobody is dominated by a later point, so the front only grows.
    order = np.lexsort(costs.T[::-1])
    front[order] = _front_of_sorted(np.ascontiguousarray(costs[order]))
    return front


@njit(cache=True)
def _front_of_sorted(costs):  # type: ignore[no-untyped-def]
    """Kernel of :func:`pareto_front`: ``costs`` ascends lexicographically."""
    points, objectives = costs.shape
    keep = np.zeros(points, dtype=np.bool_)
    members = np.empty(points, dtype=np.int64)
    count = 0
    for i in range(points):
        dominated = False
        for at in range(count):
            j = members[at]
            no_worse = True
            better = False
            for c in range(objectives):
                if costs[j, c] > costs[i, c]:
                    no_worse = False
                    break
                if costs[j, c] < costs[i, c]:
                    better = True
            if no_worse and better:
                dominated = True
                # What dominated the last point often dominates the next one too.
                members[at] = members[0]
                members[0] = j
                break
        if not dominated:
            keep[i] = True
            members[count] = i
            count += 1
    return keep
