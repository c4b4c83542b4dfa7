"""Both products between memory ports: commands, values, and every beat in the simulator's cycle."""

from typing import Any

import pytest
from amaranth import Value

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.rtl.m3vit.attention_products import AttentionProducts
from dovetail.sim.m3vit_attention import block_times
from dovetail.tests.rtl.m3vit.attention_cases import SHAPES, beats, design, operands, visits
from dovetail.tests.rtl.m3vit.memory_port import ReadPort, chances
from dovetail.tests.rtl.simulation import simulate

QUERIES, KEYS, VALUES, OUTPUT = 7, 200, 400, 1000


def run(shape: AttentionDesign, sizes: list[int], *, latency: int, chance: float) -> None:
    """Attentions of ``sizes`` tokens, one after the other without a reset."""
    dut = AttentionProducts(shape)
    seed = iter(range(100))
    gap, refuse, full = (chances(chance, next(seed)) for _ in range(3))

    async def drive(ctx: Any) -> None:
        for tokens in sizes:
            q, k, v = operands(shape, tokens, extreme=bool(chance))
            memory = [0] * OUTPUT
            for at, values in ((QUERIES, q), (KEYS, k), (VALUES, v)):
                packed = [beat for token in beats(values, shape) for beat in token]
                memory[at : at + len(packed)] = packed
            ports = [
                ReadPort(getattr(dut, f"{of}command"), getattr(dut, f"{of}read"), latency)
                for of in ("", "key_", "value_")
            ]
            read: list[list[int]] = [[], [], []]
            written: list[tuple[int, int, int]] = []
            for name, value in {
                "tokens": tokens,
                "query_address": QUERIES,
                "key_address": KEYS,
                "value_address": VALUES,
                "output_address": OUTPUT,
            }.items():
                ctx.set(getattr(dut.job, name), value)
            ctx.set(dut.start, 1)
            cycle = -1  # of the start
            while cycle < 0 or ctx.get(dut.busy):
                assert cycle < 20_000, "the products hang"
                for port in ports:
                    port.offer(ctx, cycle, gap(), refuse())
                ctx.set(dut.write.ready, not full())
                if ctx.get(dut.write.valid) and ctx.get(dut.write.ready):
                    beat = ctx.get(dut.write.payload)
                    written.append((cycle, beat.address, beat.data))
                for port, taken in zip(ports, read, strict=True):
                    if ctx.get(port.read.valid) and ctx.get(port.read.ready):
                        taken.append(cycle)
                    port.take(ctx, cycle, memory)
                await ctx.tick()
                ctx.set(dut.start, 0)
                ctx.set(Value.cast(dut.job), 0)
                cycle += 1

            want = beats(fixed_attention(q, k, v, parallel=shape.parallel), shape)
            flat = [beat for token in want for beat in token]
            assert [beat for _, _, beat in written] == flat
            assert [at for _, at, _ in written] == list(range(OUTPUT, OUTPUT + len(flat)))
            # What is asked for is what each query meets, told from each query alone.
            met = [
                start + visit.key * shape.token_beats + beat
                for start in (KEYS, VALUES)
                for visit in visits(tokens, shape.parallel)
                for beat in range(shape.token_beats)
            ]
            asked = [
                at + beat
                for port in ports[1:]
                for _, at, count in port.commands
                for beat in range(count)
            ]
            assert asked == met
            assert [command[1:] for command in ports[0].commands] == [
                (QUERIES, tokens * shape.token_beats)
            ]
            if not chance:
                times = block_times(shape, tokens, first=latency)
                assert read == [times.query.tolist(), times.key.tolist(), times.value.tolist()]
                assert [at for at, _, _ in written] == times.output.tolist()
                assert cycle == times.cycles

    simulate(dut, drive)


@pytest.mark.parametrize("latency", [1, 19])
def test_every_beat_in_the_cycle_of_the_simulator(latency: int) -> None:
    run(design(3, 2, 4, 4), [1, 2, 3, 4, 7], latency=latency, chance=0.0)


def test_one_query_at_a_time() -> None:
    run(SHAPES[0], [1, 3], latency=2, chance=0.0)


def test_extreme_operands_under_gaps_and_back_pressure() -> None:
    run(design(4, 1, 2, 4), [5, 1], latency=4, chance=0.4)
