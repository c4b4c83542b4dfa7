"""Layer norm of a whole feature map: from DRAM to DRAM, token by token, in one pass."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.m3vit.formats import BIAS, FEATURE, RSTD
from dovetail.arch.m3vit.norm import NormDesign
from dovetail.rtl.gemm.descriptor import ADDRESS_BITS, READ_COMMAND, SIZE_BITS
from dovetail.rtl.m3vit.layer_norm import NormaliseFeature, TokenStatistics
from dovetail.rtl.m3vit.reserved_queue import ReservedQueue
from dovetail.rtl.skew import delayed

__all__ = ["NormPass", "norm_job"]

_STATISTICS = data.StructLayout({"mean": signed(FEATURE.bits), "rstd": RSTD.bits})
_PARAMETER_BITS = 2 * BIAS.bits


def norm_job(max_tokens: int) -> data.StructLayout:
    """What one pass works on: how many tokens, and the first beat of each map."""
    return data.StructLayout(
        {
            "tokens": range(max_tokens + 1),
            "address": ADDRESS_BITS,
            "parameter_address": ADDRESS_BITS,
            "output_address": ADDRESS_BITS,
        }
    )


class NormPass(wiring.Component):
    """``output[token] = norm(input[token])``; scale and shift of the norm are loaded first.

    While a token's statistics are made its beats wait in a queue, and the next token's follow them:
    a beat comes in and a beat goes out in every cycle.

    :Latency: :func:`dovetail.sim.m3vit_norm.norm_times`, exactly.
    :Throughput: one beat per cycle.
    :Ready path: none between ports.
    :Reference: :func:`dovetail.models.m3vit.fixed_norm.fixed_layer_norm`.

    Parameters
    ----------
    design : NormDesign
    max_tokens : int

    Members
    -------
    start : unsigned(1)
        Not while ``busy``.
    job : norm_job(max_tokens)
        With ``start``; from 1 to ``max_tokens`` tokens.
    busy : unsigned(1)
        From the cycle after ``start`` to the last beat written.
    command, read
        Of the input map, in one burst.
    parameter_command, parameter_read
        Of scale (low half) and shift (high half) of each feature, 32 bits together; zeros for the
        features that fill a token up.
    write : Out(stream of address and data)
    """

    def __init__(self, design: NormDesign, *, max_tokens: int) -> None:
        self._design = design
        self._max_tokens = max_tokens
        beat = design.lanes * FEATURE.bits
        super().__init__(
            {
                "start": In(1),
                "job": In(norm_job(max_tokens)),
                "busy": Out(1),
                "command": Out(stream.Signature(READ_COMMAND)),
                "read": In(stream.Signature(beat)),
                "parameter_command": Out(stream.Signature(READ_COMMAND)),
                "parameter_read": In(stream.Signature(beat)),
                "write": Out(
                    stream.Signature(data.StructLayout({"address": ADDRESS_BITS, "data": beat}))
                ),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        design = self._design
        beats, lanes = design.token_beats, design.lanes
        beat_bits = lanes * FEATURE.bits
        m.submodules.statistics = statistics = TokenStatistics(width=design.width, lanes=lanes)
        m.submodules.waiting = waiting = fifo.SyncFIFOBuffered(
            width=beat_bits, depth=design.beat_queue
        )
        m.submodules.known = known = fifo.SyncFIFO(
            width=_STATISTICS.size, depth=design.statistics_queue
        )
        m.submodules.outputs = outputs = ReservedQueue(bits=beat_bits, depth=design.output_queue)
        m.submodules.parameters = parameters = memory.Memory(
            shape=lanes * _PARAMETER_BITS, depth=beats, init=[]
        )

        job: Any = self.job
        to_read = Signal(SIZE_BITS)  # beats of the map
        to_write = Signal(SIZE_BITS)
        output_address = Signal(ADDRESS_BITS)
        command: Any = self.command.payload
        parameter_command: Any = self.parameter_command.payload
        written = Signal()
        with m.If(self.command.ready):
            m.d.sync += self.command.valid.eq(0)
        with m.If(self.parameter_command.ready):
            m.d.sync += self.parameter_command.valid.eq(0)
        loaded = Signal()  # scale and shift
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                self.command.valid.eq(1),
                command.address.eq(job.address),
                command.beats.eq(job.tokens * beats),
                self.parameter_command.valid.eq(1),
                parameter_command.address.eq(job.parameter_address),
                parameter_command.beats.eq(beats),
                to_read.eq(job.tokens * beats),
                to_write.eq(job.tokens * beats),
                output_address.eq(job.output_address),
                loaded.eq(0),
            ]
        with m.Elif(written & (to_write == 1)):
            m.d.sync += self.busy.eq(0)

        # Scale and shift.
        load = parameters.write_port()
        place = Signal(range(max(2, beats)))
        load_last = Signal()
        m.d.comb += [
            self.parameter_read.ready.eq(self.busy & ~loaded),
            load.en.eq(self.parameter_read.valid & self.parameter_read.ready),
            load.addr.eq(place),
            load.data.eq(self.parameter_read.payload),
            load_last.eq(place == beats - 1),
        ]
        with m.If(load.en):
            m.d.sync += place.eq(Mux(load_last, 0, place + 1))
            with m.If(load_last):
                m.d.sync += loaded.eq(1)

        # Beats in: to the statistics, and to wait for them.
        enter = Signal()
        entering = Signal(range(max(2, beats)))
        statistics_i: Any = statistics.i
        m.d.comb += [
            self.read.ready.eq((to_read != 0) & waiting.w_rdy),
            enter.eq(self.read.valid & self.read.ready),
            waiting.w_en.eq(enter),
            waiting.w_data.eq(self.read.payload),
            statistics.valid.eq(enter),
            statistics.first.eq(entering == 0),
            statistics.last.eq(entering == beats - 1),
            statistics_i.as_value().eq(self.read.payload),
            # A token is known before its last beat leaves, so there always is a place.
            known.w_en.eq(statistics.done),
            known.w_data.eq(Cat(statistics.mean, statistics.rstd)),
        ]
        with m.If(enter):
            m.d.sync += [
                to_read.eq(to_read - 1),
                entering.eq(Mux(statistics.last, 0, entering + 1)),
            ]

        # Beats on: memory, normalise, queue.
        use = Signal()
        using = Signal(range(max(2, beats)))
        using_last = Signal()
        fetch = parameters.read_port()
        of_token: Any = data.View(_STATISTICS, known.r_data)
        m.d.comb += [
            use.eq(waiting.r_rdy & known.r_rdy & loaded & outputs.room),
            using_last.eq(using == beats - 1),
            waiting.r_en.eq(use),
            known.r_en.eq(use & using_last),
            outputs.reserve.eq(use),
            fetch.en.eq(use),
            fetch.addr.eq(using),
        ]
        with m.If(use):
            m.d.sync += using.eq(Mux(using_last, 0, using + 1))
        features: Any = delayed(m, waiting.r_data, 1, name="features", reset_less=True)
        mean: Any = delayed(m, of_token.mean, 1, name="mean", reset_less=True)
        rstd: Any = delayed(m, of_token.rstd, 1, name="rstd", reset_less=True)
        normed = []
        for lane in range(lanes):
            m.submodules[f"normalise_{lane}"] = normalise = NormaliseFeature()
            parameter = fetch.data.word_select(lane, _PARAMETER_BITS)
            m.d.comb += [
                normalise.i.eq(features.word_select(lane, FEATURE.bits)),
                normalise.mean.eq(mean),
                normalise.rstd.eq(rstd),
                normalise.gamma.eq(parameter[: BIAS.bits]),
                normalise.beta.eq(parameter[BIAS.bits :]),
            ]
            normed.append(normalise.o)
        done: Any = delayed(m, use, design.output_cycles - 1, name="done")
        write: Any = self.write.payload
        m.d.comb += [
            outputs.push.eq(done),
            outputs.i.eq(Cat(*normed)),
            self.write.valid.eq(outputs.o.valid),
            write.address.eq(output_address),
            write.data.eq(outputs.o.payload),
            outputs.o.ready.eq(self.write.ready),
            written.eq(self.write.valid & self.write.ready),
        ]
        with m.If(written):
            m.d.sync += [to_write.eq(to_write - 1), output_address.eq(output_address + 1)]
        return m
