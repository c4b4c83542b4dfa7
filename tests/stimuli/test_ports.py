"""stimuli/ports.py against integers written out."""

import numpy as np
from amaranth.lib import data

from dovetail.stimuli.ports import lanes, raw, structs, words


def test_patterns_are_two_s_complement() -> None:
    assert raw([-1, 0, 1, -8, 7], 4).tolist() == [15, 0, 1, 8, 7]
    assert raw(np.array([-1, -(1 << 63)]), 64).tolist() == [(1 << 64) - 1, 1 << 63]


def test_lanes_start_at_the_low_bits() -> None:
    assert lanes([[1, -1], [-2, 0]], 4) == [0xF1, 0x0E]


def test_a_wide_port_takes_several_words_low_one_first() -> None:
    assert words([5, 6], 64).tolist() == [5, 6]
    assert words([1 << 64 | 3, 1 << 127], 128).tolist() == [[3, 1], [0, 1 << 63]]


def test_fields_are_placed_as_the_layout_says() -> None:
    layout = data.StructLayout({"low": 4, "unset": 3, "high": 2})
    assert structs(layout, {"high": [2, 0], "low": [9, 1]}) == [9 | 2 << 7, 1]
