"""arch/devices.py: limits, shares, what does not fit."""

import pytest

from dovetail.arch.devices import device, devices
from dovetail.errors import ConfigError

# As others state them: Vivado utilization reports published with designs (column "Available"), and
# board tables of other projects for what those reports leave out.
PUBLISHED = {
    "zu3eg": {"lut": 70_560, "ff": 141_120, "dsp": 360, "bram36": 216, "uram": 0},
    "xczu7ev": {"lut": 230_400, "ff": 460_800, "dsp": 1_728, "bram36": 312, "uram": 96},
    "xczu9eg": {"lut": 274_080, "ff": 548_160, "dsp": 2_520, "bram36": 912, "uram": 0},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_limits_are_those_that_others_state(name: str) -> None:
    limits = device(name).limits
    assert {key: limits[key] for key in PUBLISHED[name]} == PUBLISHED[name]


@pytest.mark.parametrize("name", devices())
def test_a_slice_has_eight_luts_two_flip_flops_each_and_one_carry(name: str) -> None:
    limits = device(name).limits
    assert limits["ff"] == 2 * limits["lut"] and 8 * limits["carry"] == limits["lut"]
    assert device(name).family == "xcup" and "DS891" in device(name).source


def test_shares_and_what_is_missing() -> None:
    board = device("zu3eg")
    used = {"lut": 35_280, "ff": 0, "carry": 882, "dsp": 361, "bram36": 216.0, "uram": 1}
    shares = board.share(used)
    assert shares["lut"] == 0.5 and shares["carry"] == 0.1 and shares["bram36"] == 1.0
    assert shares["dsp"] == pytest.approx(361 / 360)
    assert shares["uram"] is None  # the device has none
    assert board.share({**used, "uram": 0})["uram"] == 0.0
    assert board.overflow(used) == {"dsp": 1, "uram": 1}
    assert board.overflow({**used, "dsp": 360, "uram": 0}) == {}


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^no device named 'vu9p'; the devices are zu3eg, x"):
        device("vu9p")
