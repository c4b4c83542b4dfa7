"""Drive a unit of a broadcast array as the array does, segment after segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Module
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.dot.unit import UNIT_CONTROL, BroadcastUnit, sum_control
from dovetail.tests.rtl.simulation import simulate

Step = tuple[Any, Sequence[int]]
"""What is broadcast of the activations, and the step's slices, plane 0 first."""


class Driven(wiring.Component):
    """A unit with its control made as an array makes it; ``done`` is the column's drain."""

    def __init__(self, unit: BroadcastUnit) -> None:
        self._unit = unit
        super().__init__(
            {
                "a": In(unit.operand),
                "w": In(unit.weight_bits),
                "control": In(UNIT_CONTROL),
                "above": In(unit.sum_shape),
                "done": Out(1),
                "sum": Out(unit.sum_shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.unit = unit = self._unit
        control = sum_control(m, self.control, unit)
        m.d.sync += self.done.eq(control.valid & control.last)
        m.d.comb += [
            unit.a_i.eq(self.a),
            unit.w_i.eq(self.w),
            unit.control_i.eq(self.control),
            unit.sum_control_i.eq(control),
            unit.drain_i.eq(self.done),
            unit.sum_i.eq(self.above),
            self.sum.eq(unit.sum_o),
        ]
        return m


def run_segments(unit: BroadcastUnit, segments: Sequence[Sequence[Step]]) -> list[int]:
    """Sums of the segments, in order; a cycle without operands, full of others, follows some."""
    dut = Driven(unit)
    sums = []

    async def bench(ctx: Any) -> None:
        async def cycle() -> None:
            await ctx.tick()
            if ctx.get(dut.done):
                sums.append(ctx.get(dut.sum))

        for number, segment in enumerate(segments):
            for at, (operand, slices) in enumerate(segment):
                ctx.set(dut.a, operand)
                for plane, bits in enumerate(slices):
                    ctx.set(dut.w, bits)
                    ctx.set(
                        dut.control,
                        {
                            "valid": 1,
                            "first": at == 0,
                            "last": at == len(segment) - 1,
                            "plane_first": plane == 0,
                            "plane_last": plane == len(slices) - 1,
                            "plane": plane,
                        },
                    )
                    await cycle()
            if number % 2 or number == len(segments) - 1:
                ctx.set(dut.control, {"valid": 0, "first": 1, "last": 1, "plane_last": 1})
                for _ in range(1 + unit.product_cycles):
                    await cycle()

    simulate(dut, bench)
    return sums
