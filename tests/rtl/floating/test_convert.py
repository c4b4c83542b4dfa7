"""rtl/floating/convert.py against the reference, in Verilator."""

import numpy as np
import pytest

from dovetail.arch.number_formats import FP16, FP32
from dovetail.models.floating import int_to_fp16, round_output
from dovetail.rtl.floating.convert import FpOutputRound, IntToFp16
from dovetail.tests.rtl.floating.fused import outputs
from dovetail.tests.rtl.floating.operands import corners, crossed, numbers

pytestmark = pytest.mark.cosim


def test_every_17_bit_integer_with_every_shift() -> None:
    value, shift = crossed(list(range(1 << 17)), list(range(16)))
    got = outputs(IntToFp16(), {"i": value, "shift": shift}, FP16.bits)
    signed = (value.astype(int) + (1 << 16)) % (1 << 17) - (1 << 16)
    np.testing.assert_array_equal(got, int_to_fp16(signed, shift.astype(int)))


def check_outputs_are_rounded(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shift = rng.integers(0, 64, count, dtype=np.uint64)
    bits = numbers(rng, count, FP32)
    # Two thirds near FP16's range, and as often a tie as not.
    field = (shift.astype(int) + rng.integers(127 - 27, 127 + 19, count)).astype(np.uint64)
    near = bits & np.uint64(0x807FFFFF) | field << np.uint64(23)
    near = np.where(rng.random(count) < 0.5, near & np.uint64(0xFFFFF000), near)
    bits = np.where(rng.random(count) < 2 / 3, near, bits)
    crossing = crossed(corners(FP32), list(range(64)))
    bits, shift = np.append(bits, crossing[0]), np.append(shift, crossing[1])
    got = outputs(FpOutputRound(), {"i": bits, "shift": shift}, FP16.bits)
    np.testing.assert_array_equal(got, round_output(bits, shift.astype(int)))


def test_outputs_are_rounded() -> None:
    check_outputs_are_rounded(500_000, seed=0)


@pytest.mark.long
def test_ten_million_outputs_are_rounded() -> None:
    for seed in range(1, 11):
        check_outputs_are_rounded(1_000_000, seed)
