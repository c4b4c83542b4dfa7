"""M3ViT's units in Verilator against the reference, in the cycles that they state."""

import pytest

from dovetail.lockstep.m3vit_units import UNIT_NAMES, UNIT_PLAN, UnitDesign, unit_case
from dovetail.lockstep.vectors import compare_vectors
from dovetail.lockstep.verify import verify

pytestmark = pytest.mark.cosim

# One between streams and one whose answer comes in a known cycle; others take longer to build.
QUICK = (
    UnitDesign(name="gate", sizes={"k": 2, "experts": 5, "tokens": 7}),
    UnitDesign(name="statistics", sizes={"width": 17, "lanes": 4}),
)


@pytest.mark.parametrize("design", QUICK, ids=str)
def test_quick_units(design: UnitDesign) -> None:
    found = compare_vectors([unit_case(design, seed, repeat="") for seed in range(3)])
    assert found.mismatches == ()
    assert found.values > 20 and found.cycles > 1_000


@pytest.mark.long
def test_every_unit_in_five_sizes() -> None:
    seeds = 5 * 3 * len(UNIT_NAMES)
    report = verify("m3vit", seeds=seeds, plans=(UNIT_PLAN,))
    assert report.compared == seeds
    assert report.configurations == 5 * len(UNIT_NAMES)
    assert report.mismatches == {"values": 0, "cycles": 0, "events": 0}, report.lines
