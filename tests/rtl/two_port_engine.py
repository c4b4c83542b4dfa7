"""An engine in its ports only, with two read ports: when it reads back its write is a choice."""

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.events import Event
from dovetail.rtl.gemm.descriptor import COUNTER_BITS, READ_COMMAND
from dovetail.rtl.verilator import EngineRtl
from dovetail.rtl.verilog import verilog

PORT_BITS = 32
START = data.StructLayout({"source": 32, "target": 32, "wait": 32})


class TwoPortEngine(wiring.Component):
    """Copy beat ``source`` to ``target`` by one port, ``target`` to the next beat by the other.

    The second command goes out ``wait`` cycles after start, whatever was written until then.
    """

    def __init__(self) -> None:
        command, beat = stream.Signature(READ_COMMAND), stream.Signature(PORT_BITS)
        write = data.StructLayout({"address": 32, "data": PORT_BITS})
        super().__init__(
            {
                "start": In(stream.Signature(START)),
                "command": Out(command),
                "read": In(beat),
                "late_command": Out(command),
                "late_read": In(beat),
                "write": Out(stream.Signature(write)),
                "busy": Out(1),
                "count_cycle": Out(COUNTER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers: Any = Signal(START)
        age, written = Signal(32), Signal(2)
        commands: list[tuple[Any, Value, int]] = [
            (self.command, registers.source, 1),
            (self.late_command, registers.target, registers.wait),
        ]
        m.d.comb += self.start.ready.eq(~self.busy)
        for port, address, due in commands:
            sent = Signal()
            m.d.comb += [
                port.valid.eq(self.busy & ~sent & (age >= due)),
                port.payload.address.eq(address),
                port.payload.beats.eq(1),
            ]
            with m.If(port.valid & port.ready):
                m.d.sync += sent.eq(1)
            with m.If(~self.busy):
                m.d.sync += sent.eq(0)
        out: Any = self.write.payload
        for place, port in enumerate((self.read, self.late_read)):
            with m.If(port.valid & (written == place)):
                m.d.comb += [
                    self.write.valid.eq(1),
                    port.ready.eq(self.write.ready),
                    out.address.eq(registers.target + place),
                    out.data.eq(port.payload),
                ]
        m.d.sync += age.eq(age + 1)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [
                registers.eq(self.start.payload),
                self.busy.eq(1),
                age.eq(1),
                written.eq(0),
            ]
        with m.If(self.write.valid & self.write.ready):
            m.d.sync += written.eq(written + 1)
            with m.If(written == 1):
                m.d.sync += self.busy.eq(0)
        return m


def two_port_engine() -> EngineRtl:
    return EngineRtl(
        verilog=verilog(TwoPortEngine(), name="engine"),
        descriptor=START,
        port_bits=PORT_BITS,
        events=(Event.CYCLE,),
        read_ports=(("command", "read"), ("late_command", "late_read")),
    )
