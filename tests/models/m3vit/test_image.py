"""models/m3vit/image.py."""

import numpy as np
import pytest

from dovetail.errors import ShapeError
from dovetail.models.m3vit.image import photograph, resampled


def test_the_photograph_has_the_size_asked_for_and_is_no_noise() -> None:
    small, wide = photograph(64, 64), photograph(24, 48)
    assert small.shape == (64, 64, 3) and wide.shape == (24, 48, 3)
    assert small.dtype == np.uint8 and small.std() > 30
    steps = np.abs(np.diff(small.astype(int), axis=1)).mean()
    assert steps < small.std() / 2  # neighbours resemble each other


def test_the_same_size_is_the_same_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resampled(image, 9, 7), image)


def test_a_cut_keeps_the_middle() -> None:
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 2:6] = 200
    np.testing.assert_array_equal(resampled(image, 4, 4), np.full((4, 4, 3), 200))


def test_between_pixels_it_is_linear() -> None:
    row = np.array([[[0, 10, 20]] * 2, [[100, 50, 20]] * 2], np.uint8)
    got = resampled(row, 4, 4)
    np.testing.assert_array_equal(got[:, 0, 0], [0, 25, 75, 100])


def test_refuses_what_is_no_colour_image() -> None:
    with pytest.raises(ShapeError, match=r"^image has shape \(3, 3\); it must be \(rows, columns"):
        resampled(np.zeros((3, 3), np.uint8), 2, 2)
