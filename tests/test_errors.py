"""src/dovetail/errors.py"""

import pytest

from dovetail.errors import did_you_mean

NAMES = ("w4a8-32x32", "engine.rows", "OPT-6.7B")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("w4a8-32x33", "w4a8-32x32"),
        ("W4A8-32X32", "w4a8-32x32"),
        ("rows", "engine.rows"),
        ("opt-6.7", "OPT-6.7B"),
    ],
)
def test_the_nearest_name_is_suggested(name: str, meant: str) -> None:
    assert did_you_mean(name, NAMES) == f"did you mean {meant}? "


@pytest.mark.parametrize("name", ["", "quantum", "."])
def test_what_is_near_nothing_gets_no_suggestion(name: str) -> None:
    assert did_you_mean(name, NAMES) == ""
