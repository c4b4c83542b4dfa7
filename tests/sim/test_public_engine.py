"""sim/public_engine.py against the measured calls."""

import pytest

from dovetail.arch.deform_board import call_of, ultra96
from dovetail.arch.deform_call import DeformCall
from dovetail.sim.public_engine import calibrated

BOARD = ultra96()
PUBLIC = calibrated(BOARD)


def milliseconds(row: tuple[int, int, int, int]) -> float:
    return PUBLIC.cycles(call_of(row)) / 250e3


@pytest.mark.parametrize("row", [*BOARD.calls.pointwise_bound, *BOARD.calls.window_bound])
def test_the_calibrating_calls_come_out_exactly(row: tuple[int, int, int, int]) -> None:
    """Which also says that each is bound by the loop that it was named for."""
    assert milliseconds(row) == pytest.approx(BOARD.calls.milliseconds(row), rel=1e-9)


def test_the_other_calls_are_predicted() -> None:
    assert len(BOARD.calls.predicted) == 11
    errors = {
        row: milliseconds(row) / BOARD.calls.milliseconds(row) - 1 for row in BOARD.calls.predicted
    }
    assert max(map(abs, errors.values())) < 0.16
    assert sum(map(abs, errors.values())) / 11 < 0.07


def test_the_constants_are_those_of_a_pipeline() -> None:
    """A loop fills in some cycles, windows take at least the 3 of three ports, 0.1 ms a call."""
    assert 5 < PUBLIC.pass_cycles < 15
    assert 60 < PUBLIC.write_cycles + PUBLIC.read_cycles < 75
    assert 3 < PUBLIC.window_cycles < 9
    assert 0.05 < PUBLIC.call_cycles / 250e3 < 0.1


def test_skipped_convolutions_take_no_weights_and_no_windows() -> None:
    both = DeformCall(height=8, width=8, in_channels=32, out_channels=32)
    array = 64 * (2 + 4 + PUBLIC.pass_cycles * 3)
    lines = 64 * (2 + PUBLIC.write_cycles) + 64 * (2 * PUBLIC.window_cycles + PUBLIC.read_cycles)
    assert PUBLIC.cycles(both) == pytest.approx(PUBLIC.call_cycles + 64 + max(array, lines))
    pointwise = DeformCall(height=8, width=8, in_channels=32, out_channels=32, depthwise=False)
    copied = 64 * (2 + PUBLIC.write_cycles)
    assert PUBLIC.cycles(pointwise) == pytest.approx(PUBLIC.call_cycles + 64 + max(array, copied))
    depthwise = DeformCall(height=8, width=8, in_channels=32, out_channels=32, pointwise=False)
    assert PUBLIC.cycles(depthwise) == pytest.approx(PUBLIC.call_cycles + lines)
