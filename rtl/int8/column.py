"""One column of an array that dequantises before the product: PEs and accumulators."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.gemm.accumulators import AccumulatorBank
from dovetail.rtl.gemm.drain import row_control
from dovetail.rtl.gemm.pe import PE_CONTROL, OutputStationaryPe
from dovetail.rtl.gemm.pe_column import PeColumn
from dovetail.rtl.leaf import Leaf

__all__ = ["BeforeLoopColumn"]


class BeforeLoopColumn(wiring.Component):
    """All of one output channel: from weights at the top to accumulators at the bottom.

    :Latency: accumulators are written 2 cycles after ``row_i``.
    :Throughput: one k in and one row out per cycle.
    :Ready path: none.
    :Reference: the sum of products.

    Parameters
    ----------
    config : GemmEngineConfig
    pe : OutputStationaryPe
    accumulate : wiring.Component
        With the ports of :class:`~dovetail.rtl.gemm.accumulate.Accumulate`.

    Members
    -------
    a_i, a_o : activation_bits * rows bits
    w_i : unsigned(weight_bits)
    weight_shift : unsigned(4)
        Only where the PEs take it.
    control_i, control_o : PE_CONTROL
    row_i, row_o : row_control(config)
    drain : unsigned(1)
        A segment is complete in this column.
    read, read_address, read_half, read_data
        As in :class:`~dovetail.rtl.gemm.accumulators.AccumulatorBank`.
    """

    def __init__(
        self, config: GemmEngineConfig, *, pe: OutputStationaryPe, accumulate: Any
    ) -> None:
        self._config = config
        self._pe = pe
        self._accumulate = accumulate
        leaf = Leaf("before_loop_pe", pe)
        self._pes = Leaf("before_loop_pe_column", PeColumn(pe=leaf, rows=config.rows))
        activations = config.spec.activation_bits * config.rows
        shift = {"weight_shift": In(4)} if pe.shifts_weight else {}
        row = row_control(config)
        super().__init__(
            {
                "a_i": In(activations),
                "a_o": Out(activations),
                "w_i": In(pe.weight_bits),
                **shift,
                "control_i": In(PE_CONTROL),
                "control_o": Out(PE_CONTROL),
                "row_i": In(row),
                "row_o": Out(row),
                "drain": Out(1),
                "read": In(1),
                "read_address": In(row["address"].shape),
                "read_half": In(1),
                "read_data": Out(accumulate.shape),
            }
        )

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self._pes,)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self._config
        total = Signal(self._pe.sum_shape)
        shift = {"weight_shift": self.weight_shift} if self._pe.shifts_weight else {}
        m.submodules.pes = self._pes.instance(
            a_i=self.a_i,
            a_o=self.a_o,
            w_i=self.w_i,
            control_i=self.control_i,
            control_o=self.control_o,
            drain=self.drain,
            sum=total,
            **shift,
        )
        m.submodules.accumulators = bank = AccumulatorBank(
            depth=config.accumulator_half_tiles * config.rows,
            accumulate=self._accumulate,
        )
        row: Any = self.row_i
        m.d.comb += [
            bank.valid.eq(row.valid),
            bank.address.eq(row.address),
            bank.half.eq(row.half),
            bank.first.eq(row.first),
            bank.increment.eq(total),
            bank.read.eq(self.read),
            bank.read_address.eq(self.read_address),
            bank.read_half.eq(self.read_half),
            self.read_data.eq(bank.read_data),
        ]
        m.d.sync += self.row_o.eq(self.row_i)
        return m
