"""An engine in its ports only: copies what it reads to where results go, in time one can count.

It compiles in a few seconds, and its descriptor can make it do what no engine may do.
"""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.events import GEMM_EVENTS
from dovetail.rtl.gemm.descriptor import COUNTER_BITS, READ_COMMAND, descriptor_layout
from dovetail.rtl.gemm.writer import write_beat
from dovetail.rtl.verilog import verilog
from dovetail.tests.rtl.simulation import small_engine

CONFIG = small_engine(rows=1, cols=1, max_group=1, port_bits=16)


class EchoEngine(wiring.Component):
    """Read ``groups`` beats from ``activation_address`` on with one command; write the first ``k``.

    Fewer beats than it writes make it wait for ever.  Each beat is written in the cycle in which
    it is read.  Every counter shows its place among the events, from 1 on.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(stream.Signature(descriptor_layout(CONFIG))),
                "command": Out(stream.Signature(READ_COMMAND)),
                "read": In(stream.Signature(CONFIG.port_bits)),
                "write": Out(stream.Signature(write_beat(CONFIG))),
                "busy": Out(1),
                **{f"count_{event}": Out(COUNTER_BITS) for event in GEMM_EVENTS},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        descriptor = Signal(descriptor_layout(CONFIG))
        d: Any = descriptor
        command: Any = self.command.payload
        out: Any = self.write.payload
        done = Signal(32)
        m.d.comb += [
            self.start.ready.eq(~self.busy),
            command.address.eq(d.activation_address),
            command.beats.eq(d.groups),
            self.write.valid.eq(self.busy & self.read.valid),
            self.read.ready.eq(self.busy & self.write.ready),
            out.address.eq(d.output_address + done),
            out.data.eq(self.read.payload),
        ]
        for index, event in enumerate(GEMM_EVENTS):
            m.d.comb += getattr(self, f"count_{event}").eq(index + 1)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += [
                descriptor.eq(self.start.payload),
                self.busy.eq(1),
                self.command.valid.eq(1),
                done.eq(0),
            ]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += self.command.valid.eq(0)
        with m.If(self.write.valid & self.write.ready):
            m.d.sync += done.eq(done + 1)
            with m.If(done == d.k - 1):
                m.d.sync += self.busy.eq(0)
        return m


def echo_verilog() -> str:
    return verilog(EchoEngine(), name="engine")
