"""sweeps/reproduce_lut_models.py."""

import pytest

from dovetail.sweeps import reproduce_lut_models
from dovetail.sweeps.lut_functional import Comparison
from dovetail.sweeps.reproduce_lut import published
from dovetail.sweeps.reproduce_lut_models import rows
from dovetail.sweeps.reproduction import ReproductionRow


@pytest.fixture(scope="module")
def found() -> list[ReproductionRow]:
    return rows(published())


def test_values_are_exact_for_each_width_and_kind(found: list[ReproductionRow]) -> None:
    exact = [row for row in found if row.row == "1"]
    assert len(exact) == 8
    assert {(row.ours, row.verdict) for row in exact} == {(0, "reproduced")}


def test_storage_is_that_of_the_formula(found: list[ReproductionRow]) -> None:
    """Equation 7, M * 2^(k-1) * bits, for M = 2, k = 4 and entries of 16, 8 and 11 bits."""
    storage = [row for row in found if row.row == "2"]
    assert [row.ours for row in storage] == [16, 16 * 16, 16 * 8, 16 * 11]
    assert {row.verdict for row in storage} == {"reproduced"}


def test_perplexity_is_not_claimed(found: list[ReproductionRow]) -> None:
    (row,) = [row for row in found if row.row == "20"]
    assert row.verdict == "not measured" and row.ours is None
    assert "cannot be run here" in row.why


def test_a_wrong_value_is_no_reproduction(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Comparison(values=10, mismatches=1)
    monkeypatch.setattr(reproduce_lut_models, "compare_with_integers", lambda *_: wrong)
    assert {row.verdict for row in rows(published()) if row.row == "1"} == {"not reproduced"}
