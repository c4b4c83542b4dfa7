"""rtl/deform/window_reader.py and line_writer.py: who waits for whom, and what is read where."""

import random
from dataclasses import asdict
from itertools import product
from typing import Any

import pytest

from dovetail.arch.deform import WINDOW_ADDRESS_CYCLES, DeformEngineConfig
from dovetail.arch.deform_call import DeformCall, describe_call
from dovetail.rtl.deform.line_writer import LineWriter
from dovetail.rtl.deform.window_reader import WindowReader
from dovetail.tests.rtl.simulation import simulate


def small(ports: Any = 3, lead: Any = "exact", bound: int = 2) -> DeformEngineConfig:
    return DeformEngineConfig(
        lanes=2, bound=bound, window_ports=ports, lead=lead, line_row_bytes=96, max_channels=8
    )


def a_call(stride: Any = 1, height: int = 9, width: int = 7) -> DeformCall:
    return DeformCall(
        height=height, width=width, in_channels=4, out_channels=4, pointwise=False, stride=stride,
        deform=True,
    )  # fmt: skip


def descriptor(config: DeformEngineConfig, call: DeformCall) -> dict[str, int]:
    return asdict(describe_call(config, call))


@pytest.mark.parametrize(("ports", "stride"), list(product([1, 3, 9], [1, 2])))
def test_each_window_is_read_at_its_taps(ports: Any, stride: int) -> None:
    config, call = small(ports), a_call(stride)
    dut = WindowReader(config)
    rng = random.Random(ports)
    offsets = {
        (r, c): rng.randrange(config.bound + 1)
        for r in range(call.out_height)
        for c in range(call.out_width)
    }
    banks = config.column_banks

    def place(row: int, col: int, group: int) -> tuple[int, int, int] | None:
        if not (0 <= row < call.height and 0 <= col < call.width):
            return None
        return row % config.buffer_rows, col % banks, col // banks * 2 + group

    expected = []
    for (r, c), s in offsets.items():
        for group in range(2):
            taps = [
                place(stride * r + i * s, stride * c + j * s, group)
                for i in (-1, 0, 1)
                for j in (-1, 0, 1)
            ]
            if ports == 3:  # a column of three rows at a time
                expected += [taps[j::3] for j in range(3)]
            else:
                expected += [taps[n : n + ports] for n in range(0, 9, ports)]

    async def check(ctx: Any) -> None:
        ctx.set(dut.descriptor, descriptor(config, call))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.written_row, call.height)  # all is there
        pixels = iter(offsets.values())
        ctx.set(dut.offset, next(pixels))
        seen = []
        steps = 0
        while len(seen) < len(expected):
            ctx.set(dut.room, rng.random() < 0.8)
            if ctx.get(dut.step.valid):
                rows = [(ctx.get(row.valid), ctx.get(row.slot)) for row in dut.read.rows]
                cols = [
                    (ctx.get(col.valid), ctx.get(col.bank), ctx.get(col.entry))
                    for col in dut.read.cols
                ]
                seen.append(
                    [
                        (slot, bank, entry) if row_valid and col_valid else None
                        for row_valid, slot in rows
                        for col_valid, bank, entry in cols
                    ]
                )
            moved = ctx.get(dut.pixel_last)
            steps += ctx.get(dut.issue)
            await ctx.tick()
            if moved:
                ctx.set(dut.offset, next(pixels, 1))
        assert seen == expected
        assert steps == len(expected)
        assert ctx.get(dut.done)

    simulate(dut, check)


@pytest.mark.parametrize(("lead", "stride"), list(product(["exact", "public"], [1, 2])))
def test_a_pixel_waits_for_the_farthest_that_its_window_can_reach(lead: Any, stride: int) -> None:
    config, call = small(9, lead), a_call(stride)
    dut = WindowReader(config)
    far = config.bound

    def needed(row: int, col: int) -> tuple[int, int]:
        if lead == "exact":
            return min(row + far, call.height - 1), min(col + far, call.width - 1)
        if row + far + 1 < call.height:
            return row + far + 1, col
        return call.height - 1, call.width - 1

    async def check(ctx: Any) -> None:
        ctx.set(dut.descriptor, descriptor(config, call))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.room, 1)
        outputs = product(range(0, call.height, stride), range(0, call.width, stride))
        waiting: list[tuple[int, int]] = list(outputs)
        for written in product(range(call.height), range(call.width)):
            # The writer stands on ``written``: all before is stored.
            ctx.set(dut.written_row, written[0])
            ctx.set(dut.written_col, written[1])
            while waiting and needed(*waiting[0]) < written:
                assert ctx.get(dut.issue)
                await ctx.tick()
                assert ctx.get(dut.issue)  # its second group of channels
                await ctx.tick()
                waiting.pop(0)
            assert not ctx.get(dut.issue), (written, waiting[0])
            await ctx.tick()
        ctx.set(dut.written_row, call.height)
        ctx.set(dut.written_col, 0)
        for _ in range(2 * len(waiting)):
            assert ctx.get(dut.issue)
            await ctx.tick()
        assert ctx.get(dut.done)
        for _ in range(WINDOW_ADDRESS_CYCLES):
            assert ctx.get(dut.read_row) < call.height
            await ctx.tick()
        assert ctx.get(dut.read_row) >= call.height

    simulate(dut, check)


@pytest.mark.parametrize(("lead", "width"), list(product(["exact", "public"], [1, 5, 7])))
def test_the_writer_keeps_what_a_reader_may_need(lead: Any, width: int) -> None:
    config, call = small(1, lead), a_call(height=14, width=width)
    dut = LineWriter(config)
    far, rows = config.bound, config.buffer_rows
    pixels = list(product(range(call.height), range(width)))

    def free(row: int, col: int, read: tuple[int, int]) -> bool:
        """Whether (row, col) may be written when all outputs before ``read`` are read."""
        if lead == "public":  # in step: the reader is N + 1 rows behind
            return row <= far or read >= (row - far - 1, col)
        # No output from ``read`` on reaches the pixel that is replaced.
        old = row - rows
        reach = [(r, c) for r, c in pixels if abs(r - old) <= far and abs(c - col) <= far]
        return old < 0 or all(output < read for output in reach)

    async def check(ctx: Any) -> None:
        ctx.set(dut.descriptor, descriptor(config, call))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        read = 0
        for number, (row, col) in enumerate(pixels):
            for group in range(2):
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.payload, 2 * number + group)
                while True:
                    position = [*pixels, (call.height, 0)][read]
                    ctx.set(dut.read_row, position[0])
                    ctx.set(dut.read_col, position[1])
                    assert ctx.get(dut.i.ready) == free(row, col, position), (row, col, position)
                    if ctx.get(dut.i.ready):
                        break
                    await ctx.tick()
                    read += 1
                assert ctx.get(dut.write)
                assert (ctx.get(dut.write_at.slot), ctx.get(dut.write_at.entry)) == (
                    row % rows,
                    2 * col + group,
                )
                assert ctx.get(dut.write_data) == 2 * number + group
                assert (ctx.get(dut.row), ctx.get(dut.col)) == (row, col)
                await ctx.tick()

    simulate(dut, check)
