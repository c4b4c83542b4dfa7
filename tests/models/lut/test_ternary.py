"""models/lut/ternary.py: three in five bits, and BitNet's quantiser."""

from itertools import product

import numpy as np
import pytest

from dovetail.errors import ShapeError
from dovetail.models.lut.formats import LutFormat
from dovetail.models.lut.mpgemm import accumulate_lut
from dovetail.models.lut.ternary import (
    pack_ternary,
    packed_row_bytes,
    quantize_ternary,
    unpack_ternary,
)
from dovetail.models.lut.weights import codes_of_signed
from dovetail.models.mpgemm import GemmOperands


def test_every_three_weights_have_five_bits_of_their_own() -> None:
    w = np.array(list(product((-1, 0, 1), repeat=3)))
    packed = pack_ternary(codes_of_signed(w, 2))
    assert packed.shape == (27, 1)
    want = [(c + 1) * 9 + (b + 1) * 3 + a + 1 for a, b, c in w.tolist()]
    assert packed[:, 0].tolist() == want and max(want) < 32


@pytest.mark.parametrize("k", [1, 2, 3, 4, 8, 9, 23, 24, 25, 64, 65])
def test_packing_is_undone(k: int) -> None:
    w = np.random.default_rng(k).integers(-1, 2, (3, k))
    packed = pack_ternary(codes_of_signed(w, 2))
    assert packed.shape == (3, packed_row_bytes(k))
    np.testing.assert_array_equal(unpack_ternary(packed, k), codes_of_signed(w, 2))
    # Bit by bit, without numpy's packing.
    for row, stored in zip(w.tolist(), packed.tolist(), strict=True):
        row = row + [0] * (-k % 3)
        stream = "".join(
            f"{row[i] + 1 + 3 * (row[i + 1] + 1) + 9 * (row[i + 2] + 1):05b}"[::-1]
            for i in range(0, len(row), 3)
        )
        stream += "0" * (-len(stream) % 8)
        assert stored == [int(stream[i : i + 8][::-1], 2) for i in range(0, len(stream), 8)]


def test_five_bits_for_three_are_five_sixths_of_two_each() -> None:
    k = 3 * 8 * 100
    assert packed_row_bytes(k) * 6 == 5 * (2 * k // 8)
    assert [packed_row_bytes(k) for k in (1, 3, 4, 24, 25)] == [1, 1, 2, 5, 6]


def test_bitnet_rounds_to_the_mean_magnitude() -> None:
    w = np.array([[0.1, -0.9, 2.0, 0.0], [-0.3, 0.5, 0.49, -4.0]])
    got = quantize_ternary(w, group=4)
    mean = (0.1 + 0.9 + 2 + 0.3 + 0.5 + 0.49 + 4) / 8
    want = [[0, -1, 1, 0], [0, 0, 0, -1]]  # 0.5 and 0.49 are less than half the mean, 1.036
    np.testing.assert_array_equal(got.codes.astype(int) - 2, want)
    np.testing.assert_allclose(got.dequantize(), np.array(want) * mean, rtol=1e-12)


def test_ternary_weights_run_as_two_bits() -> None:
    rng = np.random.default_rng(0)
    weights = quantize_ternary(rng.standard_normal((5, 33)), group=16)
    a = rng.integers(-128, 128, (4, 33)).astype(np.int8)
    given = GemmOperands(
        activations=a, weights=weights.codes, scale=weights.scale, zero=weights.zero, group=16
    )
    got = accumulate_lut(given, LutFormat(weight_bits=2, levels="twos_complement"))
    np.testing.assert_array_equal(got, 2 * a.astype(int) @ (weights.codes.astype(int) - 2).T)


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="a weight is -2; only -1, 0 and"):
        pack_ternary(np.zeros((1, 3), np.uint8))
    with pytest.raises(ShapeError, match="code=4 must be from 0 to 3"):
        pack_ternary(np.full((1, 3), 4, np.uint8))
    with pytest.raises(ShapeError, match=r"packed has shape \(1, 2\); k=3 ternary weights need"):
        unpack_ternary(np.zeros((1, 2), np.uint8), 3)
    with pytest.raises(ShapeError, match="five bits hold 31; three ternary weights are 0 to 26"):
        unpack_ternary(np.full((1, 1), 31, np.uint8), 3)
