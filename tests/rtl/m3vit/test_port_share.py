"""rtl/m3vit/port_share.py: each part sees the port in its turn only, and the port sees one part."""

from typing import Any

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.rtl.m3vit.port_share import share_reads, share_writes
from dovetail.tests.rtl.simulation import simulate

COMMAND = data.StructLayout({"address": 8, "beats": 4})
TAGGED = data.StructLayout({"tag": 3, "address": 8, "beats": 4})
BEAT = data.StructLayout({"address": 8, "data": 16})


class Shared(wiring.Component):
    """Two parts whose ports are members, at one port."""

    def __init__(self) -> None:
        members: dict[str, Any] = {
            "turns": In(2),
            "command": Out(stream.Signature(COMMAND)),
            "read": In(stream.Signature(16)),
            "write": Out(stream.Signature(BEAT)),
        }
        for part, layout in (("a", COMMAND), ("b", TAGGED)):
            members[f"{part}_command"] = In(stream.Signature(layout))
            members[f"{part}_read"] = Out(stream.Signature(16))
            members[f"{part}_write"] = In(stream.Signature(BEAT))
        super().__init__(members)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        parts = [(self.turns[place], part) for place, part in enumerate("ab")]
        share_reads(
            m,
            command=self.command,
            read=self.read,
            users=[
                (turn, getattr(self, f"{part}_command"), getattr(self, f"{part}_read"))
                for turn, part in parts
            ],
        )
        share_writes(
            m,
            write=self.write,
            users=[(turn, getattr(self, f"{part}_write")) for turn, part in parts],
        )
        m.d.sync += Signal().eq(self.turns[0])  # there is a clock
        return m


def test_only_the_part_whose_turn_it_is_reaches_the_port() -> None:
    dut = Shared()

    async def drive(ctx: Any) -> None:
        for place, part in enumerate("ab"):
            command = getattr(dut, f"{part}_command")
            ctx.set(command.payload.address, 10 + place)
            ctx.set(command.payload.beats, 3 + place)
            ctx.set(getattr(dut, f"{part}_write").payload, {"address": 20 + place, "data": place})
        ctx.set(dut.b_command.payload.tag, 5)
        ctx.set(dut.read.payload, 77)
        for turns in (0, 1, 2):
            for willing in (0, 1):
                ctx.set(dut.turns, turns)
                for port in (dut.command, dut.write):
                    ctx.set(port.ready, willing)
                ctx.set(dut.read.valid, willing)
                for part in "ab":
                    for name in ("command", "write"):
                        ctx.set(getattr(dut, f"{part}_{name}").valid, 1)
                    ctx.set(getattr(dut, f"{part}_read").ready, 1)
                await ctx.delay(1e-9)
                for port in (dut.command, dut.write):
                    assert ctx.get(port.valid) == (turns != 0)
                assert ctx.get(dut.read.ready) == (turns != 0)
                for place, part in enumerate("ab"):
                    mine = turns == 1 << place
                    for name in ("command", "write"):
                        assert ctx.get(getattr(dut, f"{part}_{name}").ready) == (mine and willing)
                    read = getattr(dut, f"{part}_read")
                    assert ctx.get(read.valid) == (mine and willing)
                    if mine:
                        command, write = ctx.get(dut.command.payload), ctx.get(dut.write.payload)
                        assert (command.address, command.beats) == (10 + place, 3 + place)
                        assert (write.address, write.data) == (20 + place, place)
                        assert ctx.get(read.payload) == 77

    simulate(dut, drive)
