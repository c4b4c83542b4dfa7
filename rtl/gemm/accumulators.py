"""One column's accumulators over all groups of an output tile, double-buffered."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import ACCUMULATOR_BITS
from dovetail.rtl.gemm.accumulate import Accumulate

__all__ = ["AccumulatorBank"]


class AccumulatorBank(wiring.Component):
    """Add a stream of increments to addressed 48-bit accumulators; read the other half.

    Each half is one memory with one read and one write port.  The half that accumulates is never
    the half that is read back, so the two users share its read port.

    :Latency: an increment is in the memory 2 cycles after ``valid``; a read returns after 1.
    :Throughput: one increment and one read-back per cycle; the same address at most every second
        cycle.
    :Ready path: none.
    :Reference: integer addition modulo 2^48.

    Parameters
    ----------
    depth : int
        Accumulators in each half.
    increment_bits : int
        Width of the signed increment.

    Members
    -------
    valid, address, half, first : In
        Where the increment of the same cycle goes; ``first`` stores instead of adding.
    increment : signed(increment_bits)
    read, read_address, read_half : In
        Read-back; the data hold while ``read`` is low.
    read_data : signed(48)
    """

    def __init__(self, *, depth: int, increment_bits: int) -> None:
        self._depth = depth
        self._increment_bits = increment_bits
        address_bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "valid": In(1),
                "address": In(address_bits),
                "half": In(1),
                "first": In(1),
                "increment": In(signed(increment_bits)),
                "read": In(1),
                "read_address": In(address_bits),
                "read_half": In(1),
                "read_data": Out(signed(ACCUMULATOR_BITS)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        valid = Signal()
        half = Signal()
        address = Signal.like(self.address)
        m.submodules.accumulate = accumulate = Accumulate(increment_bits=self._increment_bits)
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
            bank = memory.Memory(shape=signed(ACCUMULATOR_BITS), depth=self._depth, init=[])
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
