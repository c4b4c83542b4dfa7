"""One column of output-stationary PEs with its drain chain."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.gemm.pe import PE_CONTROL, OutputStationaryPe
from dovetail.rtl.leaf import Leaf
from dovetail.rtl.skew import delayed

__all__ = ["PeColumn"]


class PeColumn(wiring.Component):
    """``rows`` PEs; weights go down, activations pass through, sums drain at the bottom.

    Row ``r`` takes its activation ``r`` cycles after the weight that meets it enters the top.

    :Latency: ``rows`` cycles, and the PE's ``product_cycles``, from the weight with ``last`` to
        ``drain``; results follow in that cycle and the next ones, last row first, one a cycle.
    :Throughput: one k per cycle; segments end at least ``rows`` cycles apart.
    :Ready path: none.
    :Reference: the integer sums of products of ``rows`` rows.

    Parameters
    ----------
    pe : Leaf
        The PE to place.
    rows : int

    Members
    -------
    a_i, a_o : activation_bits * rows bits
        Activations, row 0 in the low bits.
    w_i : weight bits
        Absent where the PE has no weight.
    weight_shift : unsigned(4)
        Only where the PEs take it.
    control_i, control_o : PE_CONTROL
        With the weight; to the next column one cycle later.
    drain : unsigned(1)
        A segment is complete; ``sum`` holds the last row.
    sum : signed
        The drain chain's end.
    """

    def __init__(self, *, pe: Leaf, rows: int) -> None:
        self._pe = pe
        self._rows = rows
        component: OutputStationaryPe = pe.component
        self._weight_bits = component.weight_bits
        weight = {"w_i": In(component.weight_bits)} if component.weight_bits else {}
        shift = {"weight_shift": In(4)} if component.shifts_weight else {}
        super().__init__(
            {
                "a_i": In(component.activation_bits * rows),
                "a_o": Out(component.activation_bits * rows),
                **weight,
                **shift,
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
                "drain": Out(1),
                "sum": Out(component.sum_shape),
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._pe,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        pe: OutputStationaryPe = self._pe.component
        bits = pe.activation_bits
        weight: Value | None = self.w_i if self._weight_bits else None
        control: Value = self.control_i
        total: Value = Signal(pe.sum_shape, name="sum_top")
        shift: Value = Signal(name="shift_top")
        passed = []
        drain = Signal()
        for row in range(self._rows):
            a = Signal(bits, name=f"a_{row}")
            ports = {"control_o": Signal(PE_CONTROL, name=f"control_{row}")}
            if weight is not None:
                ports |= {"w_i": weight, "w_o": Signal(self._weight_bits, name=f"w_{row}")}
            if pe.shifts_weight:
                ports["weight_shift"] = self.weight_shift
            ports |= {
                "sum_o": Signal(pe.sum_shape, name=f"sum_{row}"),
                "shift_o": Signal(name=f"shift_{row}"),
            }
            m.submodules[f"row_{row}"] = self._pe.instance(
                a_i=self.a_i.word_select(row, bits),
                a_o=a,
                control_i=control,
                drain_i=drain,
                shift_i=shift,
                sum_i=total,
                **ports,
            )
            control, total, shift = ports["control_o"], ports["sum_o"], ports["shift_o"]
            weight = ports.get("w_o")
            passed.append(a)
        m.d.sync += self.control_o.eq(self.control_i)
        m.d.comb += [
            self.a_o.eq(Cat(*passed)),
            drain.eq(
                delayed(m, control.valid & control.last, pe.product_cycles, name="drain_wait")
            ),
            self.drain.eq(drain),
            self.sum.eq(total),
        ]
        return m
