"""stimuli/activity.py against toggles counted by hand."""

import numpy as np
import pytest

from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli import activity_summary


def test_toggles_per_bit_and_cycle() -> None:
    given = Stimulus(
        inputs={
            "a": np.array([0b00, 0b11, 0b10], dtype=np.uint64),  # 2, then 1
            "wide": np.array([[0, 0], [1, 1 << 7], [1, 1 << 7]], dtype=np.uint64),  # 2, then 0
        },
        expected={},
        check={},
        operations=3,
        origin="here",
    )
    summary = activity_summary(given, {"a": 2, "wide": 72})
    assert summary == pytest.approx({"a": 3 / 4, "wide": 2 / 144, "all": 5 / 148})
