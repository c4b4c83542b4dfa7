"""rtl/floating/group_dequant.py and accumulate.py, one behind the other, against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FP16, FP32, FloatFormat
from dovetail.models.floating import add, multiply, to_float
from dovetail.models.mpgemm_floating import dequantize_after_group
from dovetail.rtl.floating.accumulate import AccumulateScaled, AccumulateSum
from dovetail.rtl.floating.group_dequant import FloatGroupDequant
from dovetail.rtl.vector_bench import run_vectors
from dovetail.rtl.verilog import verilog
from dovetail.tests.rtl.floating.operands import corners, numbers

CYCLES = 4000


class ScaledSum(wiring.Component):
    """A dequantiser and the adder that takes its result in the same cycle."""

    def __init__(self, form: FloatFormat) -> None:
        self._dequant = FloatGroupDequant(form)
        self._accumulate = AccumulateScaled(form)
        ports = dict(self._dequant.signature.members)
        del ports["o"]
        self._ports = tuple(ports)
        super().__init__({**ports, "first": In(1), "stored": In(32), "o": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dequant = dequant = self._dequant
        m.submodules.accumulate = accumulate = self._accumulate
        for name in self._ports:
            m.d.comb += getattr(dequant, name).eq(getattr(self, name))
        m.d.comb += [
            accumulate.first.eq(self.first),
            accumulate.stored.eq(self.stored),
            accumulate.increment.eq(dequant.o),
            self.o.eq(accumulate.o),
        ]
        return m


@pytest.mark.parametrize("form", [FP16, FP32])
def test_corrected_scaled_and_accumulated(form: FloatFormat) -> None:
    rng = np.random.default_rng(form.bits)
    edges = np.array(corners(form), dtype=np.uint64)

    def sums() -> np.ndarray:
        return np.where(
            rng.random(CYCLES) < 0.3, rng.choice(edges, CYCLES), numbers(rng, CYCLES, form)
        )

    p, s = sums(), sums()
    zero = np.where(rng.random(CYCLES) < 0.3, 0, rng.integers(0, 16, CYCLES)).astype(np.uint64)
    scale = rng.integers(0, 4096, CYCLES).astype(np.uint64)
    high, first = (rng.integers(0, 2, CYCLES).astype(np.uint64) for _ in range(2))
    stored = numbers(rng, CYCLES, FP32)
    # Scale and nibble come 2 cycles after the sums, what is stored 3.
    later = {
        "scale": np.roll(scale, 2),
        "high": np.roll(high, 2),
        "first": np.roll(first, 2),
        "stored": np.roll(stored, 3),
    }
    run = run_vectors(
        verilog(ScaledSum(form), name="dut"),
        top="dut",
        inputs={"p": p, "s": s, "zero": zero, **later},
        outputs={"o": 32},
    )
    for cycle in range(CYCLES - 3):
        at = slice(cycle, cycle + 1)
        scaled = dequantize_after_group(
            p[at][:, None],
            s[at][:, None],
            scale[at].astype(np.int64),
            zero[at].astype(np.int64),
            form,
        )
        before = np.where(first[at], 0, stored[at])
        want = add(before[:, None], multiply(scaled, 16.0 if high[cycle] else 1.0), FP32)
        assert run.outputs["o"][cycle + 3] == want[0, 0], (cycle, p[cycle], s[cycle], zero[cycle])


@pytest.mark.parametrize("form", [FP16, FP32])
def test_sums_of_pes_are_added_as_they_are(form: FloatFormat) -> None:
    rng = np.random.default_rng(form.bits)
    increment, stored = numbers(rng, CYCLES, form), numbers(rng, CYCLES, FP32)
    first = rng.integers(0, 2, CYCLES).astype(np.uint64)
    run = run_vectors(
        verilog(AccumulateSum(form), name="dut"),
        top="dut",
        inputs={"increment": increment, "first": first, "stored": np.roll(stored, 1)},
        outputs={"o": 32},
    )
    want = add(np.where(first, 0, stored), to_float(increment, form), FP32)
    np.testing.assert_array_equal(run.outputs["o"][1:], want[:-1])
