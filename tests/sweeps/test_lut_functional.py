"""sweeps/lut_functional.py."""

import numpy as np
import pytest

from dovetail.models.lut.formats import Levels, LutFormat
from dovetail.models.mpgemm import GemmOperands
from dovetail.sweeps import lut_functional
from dovetail.sweeps.lut_functional import LUT_K, SHAPES, compare_with_integers


@pytest.mark.parametrize("kind", ["random", "edge"])
def test_no_value_is_wrong_and_all_are_compared(kind: str) -> None:
    compared = compare_with_integers((1, 8), "int16", kind)  # type: ignore[arg-type]
    assert compared.mismatches == 0
    assert compared.values == 2 * 3 * len(LUT_K) * sum(m * n for m, n, _ in SHAPES)


@pytest.mark.parametrize(
    ("levels", "want"),
    [
        # Twice the weights: of codes 0, 3, 2 with scales 3, 3, 7 and zero points 1, 1, 2.
        ("odd", 1 * 3 * -3 + 4 * 3 * 3 + 6 * 7 * 1),
        ("twos_complement", 1 * 3 * -4 + 4 * 3 * 2 + 6 * 7 * 0),
        ("zero_point", 1 * 3 * -2 + 4 * 3 * 4 + 6 * 7 * 0),
    ],
)
def test_the_plain_product_by_hand(levels: Levels, want: int) -> None:
    operands = GemmOperands(
        activations=np.array([[1, 4, 6]], dtype=np.int8),
        weights=np.array([[0, 3, 2]], dtype=np.uint8),
        scale=np.array([[3, 7]]),
        zero=np.array([[1, 2]]),
        group=2,
    )
    form = LutFormat(weight_bits=2, levels=levels, lut_k=2)
    assert lut_functional._plain_product(operands, form).tolist() == [[want]]


def test_a_wrong_reference_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = lut_functional.accumulate_lut
    monkeypatch.setattr(
        lut_functional, "accumulate_lut", lambda operands, form: right(operands, form) + 1
    )
    compared = compare_with_integers((2,), "int8", "random")
    assert compared.mismatches == compared.values
