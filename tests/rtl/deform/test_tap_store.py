"""rtl/deform/tap_store.py against a queue of pixels, under random gaps."""

import random
from collections import deque
from dataclasses import asdict
from typing import Any

import pytest

from dovetail.arch.deform import DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, describe_call
from dovetail.rtl.deform.tap_store import TapStore
from dovetail.tests.rtl.simulation import simulate

PIXELS = 12


@pytest.mark.parametrize("core", ["depthwise", "full"])
@pytest.mark.parametrize("groups", [1, 3])
def test_windows_come_pass_by_pass_with_what_is_outside(groups: int, core: Any) -> None:
    full = core == "full"
    config = DeformEngineConfig(
        lanes=2, core=core, max_channels=8, pointwise_weight_bytes=18 * 12, window_ports=9
    )
    passes = 2 if full else 1
    call = DeformCall(
        height=1,
        width=PIXELS,
        in_channels=2 * groups,
        out_channels=2 * passes if full else 2 * groups,
        pointwise=False,
        full=full,
    )
    dut = TapStore(config)
    rng = random.Random(groups)
    pixels = [
        [[rng.randrange(1 << 16) for _ in range(9)] for _ in range(groups)] for _ in range(PIXELS)
    ]
    inside = [rng.randrange(512) | 1 << 4 for _ in range(PIXELS)]
    expected = deque(
        (
            sum(
                (tap if inside[pixel] >> place & 1 else 0x8080) << (16 * place)
                for place, tap in enumerate(pixels[pixel][group])
            ),
            group == groups - 1 if full else True,
            turn if full else group,
            turn * groups + group,
            bin(inside[pixel]).count("1"),
        )
        for pixel in range(PIXELS)
        for turn in range(passes)
        for group in range(groups)
    )

    async def check(ctx: Any) -> None:
        ctx.set(dut.descriptor, asdict(describe_call(config, call)))
        ctx.set(dut.passes, passes)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        todo = deque(range(PIXELS))
        coming: deque[int] = deque()  # groups of the pixel that arrives
        arriving = False
        taps: int | None = None
        for _ in range(600):
            if taps is not None:
                assert ctx.get(dut.taps) == taps
            take = bool(not arriving and todo and ctx.get(dut.free) and rng.random() < 0.5)
            ctx.set(dut.take, take)
            write = bool(arriving and coming and rng.random() < 0.7)
            ctx.set(dut.write, inside[todo[0]] if write else 0)
            if write:
                group = coming.popleft()
                ctx.set(dut.write_group, group)
                ctx.set(
                    dut.write_data,
                    sum(tap << (16 * n) for n, tap in enumerate(pixels[todo[0]][group])),
                )
            # With the last beat, or some time after it.
            end = bool(arriving and not coming and rng.random() < 0.5)
            ctx.set(dut.end, end)
            ctx.set(dut.inside, inside[todo[0]] if todo else 0)
            ctx.set(dut.room, rng.random() < 0.7)
            taps = None
            if ctx.get(dut.issue):
                taps, last, index, word, reads = expected.popleft()
                assert ctx.get(dut.step.valid)
                assert ctx.get(dut.step.last) == last
                assert ctx.get(dut.step.group) == index
                assert ctx.get(dut.word) == word
                assert ctx.get(dut.reads) == reads
            await ctx.tick()
            if take:
                arriving = True
                coming = deque(range(groups))
            if end:
                arriving = False
                todo.popleft()
        assert not expected
        assert ctx.get(dut.done)

    simulate(dut, check)
