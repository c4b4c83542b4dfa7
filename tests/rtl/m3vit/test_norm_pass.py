"""The norm pass in RTL: maps as the fixed-point reference, every beat in the simulator's cycle."""

from typing import Any

import numpy as np
import pytest
from amaranth import Value

from dovetail.arch.m3vit.norm import NormDesign
from dovetail.models.m3vit.fixed_norm import FixedNorm, fixed_layer_norm
from dovetail.models.m3vit.maps import pack_map, pack_norm, unpack_map
from dovetail.rtl.m3vit.norm_pass import NormPass
from dovetail.sim.m3vit_norm import norm_times
from dovetail.tests.rtl.m3vit.memory_port import ReadPort, chances
from dovetail.tests.rtl.simulation import simulate

PARAMETERS, MAP = 3, 200
OUTPUT = 600


def run(design: NormDesign, sizes: list[int], *, latency: int, chance: float) -> None:
    """Passes over maps of ``sizes`` tokens, one after the other without a reset."""
    rng = np.random.default_rng(design.width)
    dut = NormPass(design, max_tokens=max(sizes))
    seed = iter(range(100))
    gap, refuse, full = (chances(chance, next(seed)) for _ in range(3))

    async def drive(ctx: Any) -> None:
        for tokens in sizes:
            x = rng.normal(0, 2.0 ** rng.integers(10, 29, (tokens, 1)), (tokens, design.width))
            x = x.astype(np.int64)
            x[0] = rng.choice([-(2**31), 2**31 - 1], design.width)
            norm = FixedNorm(*rng.integers(-(2**15), 2**15, (2, design.width)))
            image = {PARAMETERS: pack_norm(norm, design), MAP: pack_map(x, design)}
            memory = [0] * OUTPUT
            for start, words in image.items():
                for beat, lanes in enumerate(words.reshape(-1, design.lanes).astype(np.uint32)):
                    memory[start + beat] = int.from_bytes(lanes.tobytes(), "little")
            ports = [
                ReadPort(dut.command, dut.read, latency),
                ReadPort(dut.parameter_command, dut.parameter_read, latency),
            ]
            written: dict[int, int] = {}
            cycles: list[int] = []
            taken: list[int] = []
            for name, value in {
                "tokens": tokens,
                "address": MAP,
                "parameter_address": PARAMETERS,
                "output_address": OUTPUT,
            }.items():
                ctx.set(getattr(dut.job, name), value)
            ctx.set(dut.start, 1)
            cycle = 0
            while cycle == 0 or ctx.get(dut.busy):
                assert cycle < 5000, "the pass hangs"
                for port in ports:
                    port.offer(ctx, cycle, gap(), refuse())
                ctx.set(dut.write.ready, not full())
                if ctx.get(dut.write.valid) and ctx.get(dut.write.ready):
                    beat = ctx.get(dut.write.payload)
                    written[beat.address - OUTPUT] = beat.data
                    cycles.append(cycle)
                if ctx.get(dut.read.valid) and ctx.get(dut.read.ready):
                    taken.append(cycle)
                for port in ports:
                    port.take(ctx, cycle, memory)
                await ctx.tick()
                ctx.set(dut.start, 0)
                ctx.set(Value.cast(dut.job), 0)
                cycle += 1
            assert sorted(written) == list(range(tokens * design.token_beats))
            got = np.frombuffer(
                b"".join(
                    written[beat].to_bytes(4 * design.lanes, "little") for beat in sorted(written)
                ),
                dtype=np.int32,
            )
            want = fixed_layer_norm(x, norm)
            # Features that fill a token up are written as zeros.
            np.testing.assert_array_equal(got, pack_map(want, design).ravel())
            np.testing.assert_array_equal(unpack_map(got, design), want)
            if not chance:
                times = norm_times(design, tokens, latency_cycles=latency)
                assert taken == times.read.tolist()
                assert cycles == times.write.tolist()
                # Fill, a token's beats, eight cycles to its statistics, five to its first result.
                last = latency + (tokens + 1) * design.token_beats + 12
                assert cycle - 1 == times.cycles == last

    simulate(dut, drive)


DESIGNS = [
    NormDesign(width=16, lanes=16),
    NormDesign(width=1, lanes=1, block=1),
    NormDesign(width=17, lanes=8),
    NormDesign(width=40, lanes=4, block=8),
    NormDesign(width=20, lanes=1, block=4),
]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("latency", [1, 17])
def test_maps_beat_by_beat(design: NormDesign, latency: int) -> None:
    run(design, [1, 2, 5], latency=latency, chance=0.0)


@pytest.mark.parametrize("design", DESIGNS)
def test_maps_under_gaps_and_back_pressure(design: NormDesign) -> None:
    run(design, [3, 1], latency=5, chance=0.4)
