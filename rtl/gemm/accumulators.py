"""One column's accumulators over all groups of an output tile, double-buffered."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["AccumulatorBank"]


class AccumulatorBank(wiring.Component):
    """Add a stream of increments to addressed accumulators; read the other half.

    Each half is one memory with one read and one write port.  The half that accumulates is never
    the half that is read back, so the two users share its read port.

    :Latency: an increment is in the memory 2 cycles after ``valid``; a read returns after 1.
    :Throughput: one increment and one read-back per cycle; the same address at most every second
        cycle.
    :Ready path: none.
    :Reference: that of the adder.

    Parameters
    ----------
    depth : int
        Accumulators in each half.
    accumulate : wiring.Component
        The adder, with ports and timing of :class:`~dovetail.rtl.gemm.accumulate.Accumulate`.

    Members
    -------
    valid, address, half, first : In
        Where the increment of the same cycle goes; ``first`` stores instead of adding.
    increment : accumulate.increment_shape
    read, read_address, read_half : In
        Read-back; the data hold while ``read`` is low.
    read_data : accumulate.shape
    """

    def __init__(self, *, depth: int, accumulate: Any) -> None:
        self._depth = depth
        self._accumulate = accumulate
        address_bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "valid": In(1),
                "address": In(address_bits),
                "half": In(1),
                "first": In(1),
                "increment": In(accumulate.increment_shape),
                "read": In(1),
                "read_address": In(address_bits),
                "read_half": In(1),
                "read_data": Out(accumulate.shape),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        valid = Signal()
        half = Signal()
        address = Signal.like(self.address)
        m.submodules.accumulate = accumulate = self._accumulate
        read_half = Signal()
        stored = []
        m.d.sync += [
            valid.eq(self.valid),
            half.eq(self.half),
            address.eq(self.address),
        ]
        with m.If(self.read):
            m.d.sync += read_half.eq(self.read_half)
        for index in range(2):
            bank = memory.Memory(shape=accumulate.shape, depth=self._depth, init=[])
            m.submodules[f"half_{index}"] = bank
            read, write = bank.read_port(), bank.write_port()
            adds = Signal(name=f"adds_{index}")
            reads = Signal(name=f"reads_{index}")
            m.d.comb += [
                adds.eq(self.valid & (self.half == index)),
                reads.eq(self.read & (self.read_half == index)),
                read.addr.eq(Mux(adds, self.address, self.read_address)),
                read.en.eq((adds & ~self.first) | reads),
                write.addr.eq(address),
                write.data.eq(accumulate.o),
                write.en.eq(valid & (half == index)),
            ]
            stored.append(read.data)
        m.d.comb += [
            accumulate.first.eq(self.first),
            accumulate.increment.eq(self.increment),
            accumulate.stored.eq(Mux(half, stored[1], stored[0])),
            self.read_data.eq(Mux(read_half, stored[1], stored[0])),
        ]
        return m
