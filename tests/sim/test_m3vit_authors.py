"""sim/m3vit_authors.py against arithmetic on the published figures."""

from dataclasses import replace

import pytest

from dovetail.models.m3vit.config import PASCAL, SMALL
from dovetail.sim.m3vit_authors import (
    M3vitAuthors,
    calibrated,
    expert_bytes,
    expert_loads,
    memory_difference_bytes,
)

ON_PASCAL = replace(SMALL, dataset=PASCAL)


def test_a_use_without_reordering_costs_23_microseconds() -> None:
    model = calibrated(ON_PASCAL, dense_ms=68.931, by_token_ms=637.478, reordered_ms=69.033)
    assert expert_loads(ON_PASCAL) == 6 * 1025 * 4 and expert_bytes(ON_PASCAL) == 591_360
    per_use_us = (637.478 - 69.033) * 1e3 / (6 * 1025 * 4)
    assert per_use_us == pytest.approx(23.1075, abs=1e-3)
    assert model.load_gb_s == pytest.approx(591_360 / per_use_us * 1e-3)
    assert model.macs_per_cycle == pytest.approx(1535, abs=1)
    # What it was calibrated on comes out again; the other data set within a percent.
    assert model.dense_ms(ON_PASCAL) == pytest.approx(68.931)
    assert model.by_token_ms(ON_PASCAL, reordered_ms=69.033) == pytest.approx(637.478)
    assert model.by_token_ms(SMALL, reordered_ms=84.538) == pytest.approx(750.557, rel=1e-3)


def test_terms_by_hand() -> None:
    model = M3vitAuthors(macs_per_cycle=1000, load_gb_s=10.0)
    gates = 6 * 1025 * 384 * 16
    assert model.gate_ms(ON_PASCAL) == pytest.approx(gates / 1000 / 300e3)
    dense = 31_786_841_088 - gates
    assert model.dense_ms(ON_PASCAL) == pytest.approx(dense / 1000 / 300e3)
    assert model.reordered_ms(ON_PASCAL) == pytest.approx((dense + gates) / 1000 / 300e3)
    loads_ms = 24_600 * 591_360 / 10e9 * 1e3
    assert model.by_token_ms(ON_PASCAL, reordered_ms=1.0) == pytest.approx(1 + loads_ms)


def test_memory_beyond_the_reordered_scheme_is_that_of_12_experts() -> None:
    assert memory_difference_bytes(SMALL) == 12 * 591_360
