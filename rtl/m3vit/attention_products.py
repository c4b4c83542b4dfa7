"""Both products of attention from DRAM to DRAM: queries once, keys and values over and over."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.arch.m3vit.formats import FEATURE
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, READ_COMMAND, SIZE_BITS
from dovetail.rtl.m3vit.attention_block import AttentionBlock

__all__ = ["AttentionProducts", "PassCommands", "attention_job"]


def attention_job(max_tokens: int) -> data.StructLayout:
    """What both products work on: how many tokens, and the first beat of each map."""
    return data.StructLayout(
        {
            "tokens": range(max_tokens + 1),
            "query_address": ADDRESS_BITS,
            "key_address": ADDRESS_BITS,
            "value_address": ADDRESS_BITS,
            "output_address": ADDRESS_BITS,
        }
    )


class PassCommands(wiring.Component):
    """Ask for a map as often as the diagonal order needs it, and for part of it at the end.

    The order takes ``a * tokens + r`` tokens, ``tokens + parallel - 1 = a * parallel + r``: that is
    the whole map once, then once more for each further ``parallel`` of the ``tokens - 1`` queries
    behind the first, then as many tokens as are left of these.

    :Latency: the first command stands one cycle after ``start``.
    :Throughput: one command per cycle.
    :Ready path: none.
    :Reference: :func:`dovetail.sim.m3vit_steps.attention_steps`.

    Parameters
    ----------
    parallel, max_tokens : int
    token_beats : int
        From one token of the map to the next.

    Members
    -------
    start, tokens, address : In
        A map of 1 to ``max_tokens`` tokens; not while commands are still to come.
    o : Out(stream.Signature(READ_COMMAND))
    """

    def __init__(self, *, parallel: int, max_tokens: int, token_beats: int) -> None:
        self._parallel = parallel
        self._token_beats = token_beats
        super().__init__(
            {
                "start": In(1),
                "tokens": In(range(max_tokens + 1)),
                "address": In(ADDRESS_BITS),
                "o": Out(stream.Signature(READ_COMMAND)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        tokens = Signal.like(self.tokens)
        behind = Signal.like(self.tokens)  # queries that the passes asked for do not cover
        asked = Signal.like(self.tokens)
        address = Signal(ADDRESS_BITS)
        command: Any = self.o.payload
        m.d.comb += [
            command.address.eq(address),
            command.beats.eq(asked * self._token_beats),
        ]
        with m.If(self.start):
            m.d.sync += [
                tokens.eq(self.tokens),
                behind.eq(self.tokens - 1),
                asked.eq(self.tokens),
                address.eq(self.address),
                self.o.valid.eq(1),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            whole = behind >= self._parallel
            m.d.sync += [
                asked.eq(Mux(whole, tokens, behind)),
                behind.eq(Mux(whole, behind - self._parallel, 0)),
                self.o.valid.eq(behind != 0),
            ]
        return m


class AttentionProducts(wiring.Component):
    """:class:`AttentionBlock` between four ports of a memory, each of a beat's width.

    :Latency: :func:`dovetail.sim.m3vit_attention.block_times` with memory's latency as ``first``;
        its cycle 0 is the one after ``start``.
    :Throughput: as of :class:`AttentionBlock`.
    :Ready path: as of :class:`AttentionBlock`.
    :Reference: :func:`dovetail.models.m3vit.fixed_attention.fixed_attention`.

    Parameters
    ----------
    design : AttentionDesign

    Members
    -------
    start : unsigned(1)
        Not while ``busy``.
    job : attention_job(max_tokens)
        With ``start``; from 1 to ``max_tokens`` tokens.
    busy : unsigned(1)
        From the cycle after ``start`` to the last beat written.
    command, read
        Of queries.
    key_command, key_read, value_command, value_read
        Of keys and values.
    write : Out(stream of address and data)
    """

    def __init__(self, design: AttentionDesign) -> None:
        self._design = design
        beat = design.lanes * FEATURE.bits
        members: dict[str, Any] = {
            "start": In(1),
            "job": In(attention_job(design.max_tokens)),
            "busy": Out(1),
            "write": Out(
                stream.Signature(data.StructLayout({"address": ADDRESS_BITS, "data": beat}))
            ),
        }
        for of in ("", "key_", "value_"):
            members[f"{of}command"] = Out(stream.Signature(READ_COMMAND))
            members[f"{of}read"] = In(stream.Signature(beat))
        super().__init__(members)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        job: Any = self.job
        m.submodules.block = block = AttentionBlock(design)
        m.d.comb += [block.start.eq(self.start), block.tokens.eq(job.tokens)]
        wiring.connect(m, wiring.flipped(self.read), block.i_q)

        queries: Any = self.command.payload
        with m.If(self.start):
            m.d.sync += [
                self.command.valid.eq(1),
                queries.address.eq(job.query_address),
                queries.beats.eq(job.tokens * design.token_beats),
            ]
        with m.Elif(self.command.ready):
            m.d.sync += self.command.valid.eq(0)

        for of, port, address in (
            ("key", block.i_k, job.key_address),
            ("value", block.i_v, job.value_address),
        ):
            m.submodules[f"{of}_passes"] = passes = PassCommands(
                parallel=design.parallel,
                max_tokens=design.max_tokens,
                token_beats=design.token_beats,
            )
            m.d.comb += [
                passes.start.eq(self.start),
                passes.tokens.eq(job.tokens),
                passes.address.eq(address),
            ]
            wiring.connect(m, passes.o, wiring.flipped(getattr(self, f"{of}_command")))
            wiring.connect(m, wiring.flipped(getattr(self, f"{of}_read")), port)

        to_write = Signal(SIZE_BITS)
        output_address = Signal(ADDRESS_BITS)
        written = Signal()
        write: Any = self.write.payload
        m.d.comb += [
            self.write.valid.eq(block.o.valid),
            write.address.eq(output_address),
            write.data.eq(block.o.payload),
            block.o.ready.eq(self.write.ready),
            written.eq(self.write.valid & self.write.ready),
            self.busy.eq(to_write != 0),
        ]
        with m.If(self.start):
            m.d.sync += [
                to_write.eq(job.tokens * design.token_beats),
                output_address.eq(job.output_address),
            ]
        with m.Elif(written):
            m.d.sync += [to_write.eq(to_write - 1), output_address.eq(output_address + 1)]
        return m
