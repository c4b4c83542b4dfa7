"""sweeps/mixpe_functional.py."""

import numpy as np
import pytest

from dovetail.models.mpgemm import GemmOperands
from dovetail.sweeps import mixpe_functional
from dovetail.sweeps.mixpe_functional import SHAPES, compare_with_integers


@pytest.mark.parametrize("order", ["after the group", "before the loop"])
@pytest.mark.parametrize("kind", ["random", "edge"])
def test_no_value_is_wrong_and_all_are_compared(order: str, kind: str) -> None:
    compared = compare_with_integers(order, kind)
    grouped = 3 * 2 * sum(m * n for m, n, _ in SHAPES)  # group sizes, with and without zero point
    pairs = 256 * 16 * (3 + 6) if kind == "edge" else 0
    assert compared.mismatches == 0
    assert compared.values == grouped + pairs


def test_the_plain_product_by_hand() -> None:
    """Two groups of 2, the last one short: 3 * (1 * (5 - 2) + 4 * (0 - 2)) + 7 * 6 * (15 - 1)."""
    operands = GemmOperands(
        activations=np.array([[1, 4, 6]], dtype=np.int8),
        weights=np.array([[5, 0, 15]], dtype=np.int8),
        scale=np.array([[3, 7]]),
        zero=np.array([[2, 1]]),
        group=2,
    )
    assert mixpe_functional._plain_product(operands).tolist() == [[3 * (3 - 8) + 7 * 6 * 14]]


def test_a_wrong_reference_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = mixpe_functional.accumulate_after_group
    monkeypatch.setattr(
        mixpe_functional, "accumulate_after_group", lambda operands: right(operands) + 1
    )
    compared = compare_with_integers("after the group", "random")
    assert compared.mismatches == compared.values
