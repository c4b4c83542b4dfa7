"""The kernel of sim/authors_search.py against an enumeration of its own and against Python."""

from itertools import permutations, product
from math import ceil, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.sim import authors_search

# loop of the nest: the tensors whose tile changes when it steps
TOUCHES = {"b": "ao", "ow": "ao", "oh": "ao", "ic": "wa", "oc": "wo"}
COSTS = (7.0, 3.0, 0.5, 0.25, 0.625, 0.125, 0.375, 0.75, 2.0, 2.5)
PORT_BITS, OUTPUT_BITS = 32, 16


def powers_of_two_up_to(n: int) -> list[int]:
    return sorted({min(1 << i, n) for i in range(n.bit_length() + 1)})


def cost(tile_sizes, order, *, shape, kernel_area, bits, rows, cols, halves):  # type: ignore[no-untyped-def]
    """Cycles and energy of one mapping by whole products over the loop nest; None: no room.

    ``order`` is outermost first.
    """
    b, ow, oh, ic, oc = tile_sizes
    batch, size, ins, outs = shape
    trips = {
        "b": ceil(batch / b),
        "ow": ceil(size / ow),
        "oh": ceil(size / oh),
        "ic": ceil(ins / ic),
        "oc": ceil(outs / oc),
    }
    tiles = prod(trips.values())
    depth, positions = kernel_area * ic, b * ow * oh
    tile = {
        "w": ceil(depth / rows) * rows * oc * bits,
        "a": ceil(depth / cols) * cols * positions * bits,
        "o": positions * oc * OUTPUT_BITS,
    }
    if tile["w"] > halves["w"] or tile["a"] > halves["a"]:
        return None
    inner_first = order[::-1]
    total, resident, stored_at_end = {}, {}, tile["o"]
    for t in "wao":
        touching = [i for i, loop in enumerate(inner_first) if t in TOUCHES[loop]]
        held = tile[t]
        overflow = None
        for i in touching:
            if held * trips[inner_first[i]] > halves[t]:
                overflow = i
                break
            held *= trips[inner_first[i]]
            if t == "o":
                stored_at_end = 0  # a slip of the source, kept: see the kernel
        resident[t] = held
        repeats = prod(trips[inner_first[i]] for i in touching)
        if overflow is not None:
            repeats *= prod(
                trips[loop]
                for i, loop in enumerate(inner_first)
                if i > overflow and i not in touching
            )
        total[t] = tile[t] * repeats
    compute = tiles * ceil(positions / rows) * ceil(oc / cols) * depth
    operands = tiles * positions * oc * depth * bits
    first = resident["w"] + resident["a"]
    middle = sum(total.values()) - first - stored_at_end
    stalls = max(0, ceil(middle / PORT_BITS) - compute)
    stalls += ceil(first / PORT_BITS) + ceil(stored_at_end / PORT_BITS)
    results = tiles * tile["o"]
    counts = (
        compute + stalls, compute, operands, total["w"], operands, total["a"],
        results + total["o"], results, total["w"] + total["a"], total["o"],
    )  # fmt: skip
    return compute + stalls, sum(c * n for c, n in zip(COSTS, counts, strict=True))


def brute_force(**case):  # type: ignore[no-untyped-def]
    """Least (cycles, energy) over every tiling and order; None where nothing fits."""
    costs = (
        cost((b, o, o, ic, oc), order, **case)
        for b, o, ic, oc in product(*map(powers_of_two_up_to, case["shape"]))
        for order in permutations(TOUCHES)
    )
    return min((found for found in costs if found is not None), default=None)


def arguments(shape, kernel_area, bits, rows, cols, halves):  # type: ignore[no-untyped-def]
    return (
        authors_search._ORDERS,
        authors_search._DEPENDS,
        np.array(shape, dtype=np.int64),
        kernel_area,
        bits,
        rows,
        cols,
        np.array([halves["w"], halves["a"], halves["o"]], dtype=np.int64),
        PORT_BITS,
        OUTPUT_BITS,
        np.array(COSTS),
    )


def energy_of(found: np.ndarray) -> float:
    """Price the traffic that the kernel returns; the costs are exact in binary."""
    cycles, stalls = int(found[6]), int(found[7])
    counts = (cycles, cycles - stalls, *(int(n) for n in found[8:]))
    return sum(c * n for c, n in zip(COSTS, counts, strict=True))


CASES = {
    "shape": st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    "kernel_area": st.sampled_from([1, 4]),
    "bits": st.sampled_from([4, 8]),
    "rows": st.integers(1, 3),
    "cols": st.integers(1, 3),
    # Small enough that some loops overflow a buffer and some do not.
    "halves": st.fixed_dictionaries(
        {t: st.sampled_from([32, 64, 200, 512, 4096]) for t in ("w", "a", "o")}
    ),
}


@settings(max_examples=60)
@given(**CASES)
def test_the_search_finds_the_optimum_of_an_independent_enumeration(**case) -> None:
    want = brute_force(**case)
    found = authors_search._search(*arguments(**case))
    if want is None:
        assert not found.any()
    else:
        assert (int(found[6]), energy_of(found)) == want
        order = [tuple(TOUCHES)[loop] for loop in authors_search.ORDERS[found[5]]]
        assert cost(found[:5].tolist(), order, **case) == want


@settings(max_examples=15)
@given(**CASES)
def test_the_kernel_agrees_with_its_python_source(**case) -> None:
    compiled = authors_search._search(*arguments(**case))
    interpreted = authors_search._search.py_func(*arguments(**case))
    np.testing.assert_array_equal(compiled, interpreted)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9])
def test_tiles_are_powers_of_two_and_the_whole(size: int) -> None:
    """The source counts ceil(log2(n)) + 1 sizes, min(2**i, n)."""
    steps = int(np.ceil(np.log2(size))) + 1
    assert powers_of_two_up_to(size) == [min(2**i, size) for i in range(steps)]
