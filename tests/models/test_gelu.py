"""models/gelu.py."""

import math

import numpy as np

from dovetail.models.gelu import erf, gelu

# Dense around the table's points, its end and zero; and far outside.
POINTS = np.concatenate(
    [np.linspace(-6, 6, 60_001), [0.0, 3.999, 4.0, 4.001, -4.0, 1e-30, -1e30, 1e30]]
).astype(np.float32)


def test_erf_is_exact_to_one_float32_rounding() -> None:
    want = np.array([math.erf(x) for x in POINTS.tolist()])
    got = erf(POINTS)
    assert got.dtype == np.float32
    # Half a float32 step at 1, and a quarter more for the additions below 1.
    assert np.abs(got - want).max() <= 0.75 * 2.0**-23


def test_gelu_is_the_definition() -> None:
    x = POINTS[np.abs(POINTS) < 10]
    want = np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()])
    got = gelu(x.reshape(1, -1))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[0], want, rtol=0, atol=6e-7)
