"""A product and the addition behind it as one component, and the run of vectors through it."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from dovetail.arch.number_formats import FloatFormat
from dovetail.models.floating import add
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.vector_bench import run_vectors
from dovetail.rtl.verilog import verilog
from dovetail.tests.rtl.floating.operands import Words


class FusedProduct(wiring.Component):
    """``o = RN(accumulator + product)``, with the product's own operands as ports."""

    def __init__(self, product: Any, form: FloatFormat, grid: int | None) -> None:
        self._product = product
        self._form = form
        self._grid = grid
        members = dict(product.signature.members)
        del members["o"]
        self._operands = tuple(members)
        super().__init__({**members, "accumulator": In(form.bits), "o": Out(form.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.product = product = self._product
        m.submodules.add = add_unit = FusedAdd(
            product.exact, self._form, accumulator_grid=self._grid
        )
        for name in self._operands:
            m.d.comb += getattr(product, name).eq(getattr(self, name))
        m.d.comb += [
            add_unit.accumulator.eq(self.accumulator),
            add_unit.exact.eq(product.o),
            self.o.eq(add_unit.o),
        ]
        return m


def outputs(component: Any, inputs: dict[str, Words], bits: int) -> Words:
    """Port ``o`` of a combinational component for each vector of its inputs, in Verilator."""
    text = verilog(component, name="dut")
    return run_vectors(text, top="dut", inputs=inputs, outputs={"o": bits}).outputs["o"]


def check_fused(
    product: Any,
    form: FloatFormat,
    grid: int | None,
    operands: dict[str, Words],
    accumulator: Words,
    exact: NDArray[np.float64],
) -> None:
    """Assert that the RTL answers as the reference does, to the bit."""
    inputs = {**operands, "accumulator": accumulator}
    got = outputs(FusedProduct(product, form, grid), inputs, form.bits)
    want = add(accumulator, exact, form)
    wrong = np.flatnonzero(got != want)
    if wrong.size:
        at = int(wrong[0])
        vector = ", ".join(f"{name}={int(value[at]):#x}" for name, value in inputs.items())
        raise AssertionError(
            f"{wrong.size} of {len(got)} differ; {vector}: "
            f"{int(got[at]):#x} in RTL, {int(want[at]):#x} in the reference"
        )
