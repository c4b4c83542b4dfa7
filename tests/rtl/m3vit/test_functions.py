"""GELU, exponential and inverse root in RTL against the fixed-point reference."""

import numpy as np

from dovetail.arch.m3vit.tables import EPSILON
from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.models.m3vit.exponential import exp_negative
from dovetail.models.m3vit.fixed_norm import inverse_root
from dovetail.rtl.m3vit.exponential import ExpNegative
from dovetail.rtl.m3vit.gelu import DeltaGelu
from dovetail.rtl.m3vit.inverse_root import InverseRoot
from dovetail.tests.rtl.m3vit.pipeline import through

RNG = np.random.default_rng(5)


def neighbours(values: list[int]) -> list[int]:
    return sorted({value + step for value in values for step in (-1, 0, 1)})


def test_gelu() -> None:
    edges = [0, 1 << 17, 176 << 17, 175 << 17, 177 << 17, 1 << 22, (1 << 31) - 2]
    values = neighbours([*edges, *(-edge for edge in edges)])
    values += [-(1 << 31), *RNG.integers(-(6 << 22), 6 << 22, 400).tolist()]
    values += RNG.integers(-(1 << 31), 1 << 31, 100).tolist()
    want = delta_gelu(np.array(values)).tolist()
    assert [o for (o,) in through(DeltaGelu(), {"i": values}, ["o"])] == want


def test_exponential() -> None:
    edges = [1, 1 << 14, 1 << 22, 16 << 22, 17 << 22, 1 << 32, (1 << 33) - 2]
    values = neighbours(edges) + RNG.integers(0, 20 << 22, 400).tolist()
    values += RNG.integers(0, 1 << 33, 50).tolist()
    want = exp_negative(np.array(values)).tolist()
    assert [o for (o,) in through(ExpNegative(), {"t": values}, ["o"])] == want


def test_inverse_root() -> None:
    powers = [1 << place for place in range(13, 50)]
    values = [EPSILON, 1 << 50, *neighbours(powers)]
    values += (2 ** RNG.uniform(12.1, 50, 300)).astype(np.int64).tolist()
    want = inverse_root(np.array(values)).tolist()
    assert [o for (o,) in through(InverseRoot(), {"i": values}, ["o"])] == want
