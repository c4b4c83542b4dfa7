"""The loader: reads the sections of a call in order and hands beats to where they belong."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.deform import SECTIONS
from dovetail.rtl.deform.descriptor import ADDRESS_BITS, DESCRIPTOR, READ_COMMAND

__all__ = ["Loader"]

_FEATURES = len(SECTIONS) - 1


class Loader(wiring.Component):
    """One command for each section that a call has; then its beats, in the same order.

    :Latency: the command of section n is valid in cycle n + 1 after start; beats pass in the cycle
        in which they come.
    :Throughput: one beat per cycle; an absent section takes a cycle.
    :Ready path: ``features.ready`` to ``read.ready``.
    :Reference: :mod:`dovetail.sim.deform_kernel`.

    Members
    -------
    start, descriptor : In
    command, read : streams
        Of the engine's DRAM port.
    preload : Out(5)
        This beat belongs to section n, not the features.
    data : Out(port_bits)
        The beat.
    features : Out(stream)
    loading : Out(1)
        The features' turn has not come.
    """

    def __init__(self, *, port_bits: int) -> None:
        super().__init__(
            {
                "start": In(1),
                "descriptor": In(DESCRIPTOR),
                "command": Out(stream.Signature(READ_COMMAND)),
                "read": In(stream.Signature(port_bits)),
                "preload": Out(_FEATURES),
                "data": Out(port_bits),
                "features": Out(stream.Signature(port_bits)),
                "loading": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        d: Any = self.descriptor
        beats = Array(getattr(d, f"{name}_beats") for name in SECTIONS)
        addresses = Array(getattr(d, f"{name}_address") for name in SECTIONS)
        end = len(SECTIONS)

        asked = Signal(range(end + 1), init=end)
        command: Any = self.command.payload
        m.d.comb += [
            command.address.eq(addresses[asked]),
            command.beats.eq(beats[asked]),
            self.command.valid.eq((asked != end) & (command.beats != 0)),
        ]
        with m.If((asked != end) & (self.command.ready | ~self.command.valid)):
            m.d.sync += asked.eq(asked + 1)

        section = Signal(range(end + 1), init=end)
        beat = Signal(ADDRESS_BITS)
        here = Signal(ADDRESS_BITS)
        accepted = Signal()
        m.d.comb += [
            here.eq(beats[section]),
            self.data.eq(self.read.payload),
            self.loading.eq(section < _FEATURES),
            self.features.payload.eq(self.read.payload),
            self.features.valid.eq(self.read.valid & (section == _FEATURES)),
            accepted.eq(self.read.valid & self.read.ready),
        ]
        with m.If(section == _FEATURES):
            m.d.comb += self.read.ready.eq(self.features.ready)
        with m.Elif(section != end):
            m.d.comb += [
                self.read.ready.eq(here != 0),
                self.preload.eq(accepted << section),
            ]
        with m.If(accepted):
            m.d.sync += beat.eq(beat + 1)
        with m.If((section != end) & ((here == 0) | (accepted & (beat == here - 1)))):
            m.d.sync += [section.eq(section + 1), beat.eq(0)]
        with m.If(self.start):
            m.d.sync += [asked.eq(0), section.eq(0), beat.eq(0)]
        return m
