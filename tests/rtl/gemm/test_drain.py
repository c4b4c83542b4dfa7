"""rtl/gemm/drain.py against a plain queue."""

import random
from typing import Any

import pytest

from dovetail.rtl.gemm.drain import DrainControl
from dovetail.tests.rtl.simulation import simulate, small_engine


@pytest.mark.parametrize("patient", [False, True])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (1, 5), (2, 4), (4, 1), (5, 4)])
def test_drains_each_segment_last_row_first(rows: int, cols: int, patient: bool) -> None:
    config = small_engine(rows=rows, cols=cols, accumulator_buffer_bytes=36 * rows * cols)
    dut = DrainControl(config)
    rng = random.Random(rows)
    depth = config.segments_in_flight
    addresses = range(0, config.accumulator_half_tiles * rows, rows)

    def draw() -> dict[str, int]:
        return {
            "address": rng.choice(addresses),
            "half": rng.randrange(2),
            "first": rng.randrange(2),
            "high": rng.randrange(2),
            "tile_last": rng.randrange(2),
            "rows_valid": rng.randint(1, rows),
            "cols_valid": rng.randint(1, cols),
        }

    async def check(ctx: Any) -> None:
        queue: list[tuple[int, dict[str, int]]] = []  # slot and entry, oldest first
        pushed = drained = most = 0
        left = 0  # rows of the oldest entry that have still to drain; 0 while none drains
        wait = 0  # until the next segment may end
        while drained < 40:
            # Fill the queue up before anything leaves, or empty it as soon as it can be.
            drain = not left and wait == 0 and bool(queue)
            drain = drain and (len(queue) == depth if patient else rng.random() < 0.9)
            push = len(queue) < depth and rng.random() < 0.7
            entry = draw()
            ctx.set(dut.push, push)
            ctx.set(dut.entry, entry)
            ctx.set(dut.drain, drain)
            assert ctx.get(dut.push_slot) == pushed % depth
            if drain:
                left, wait = rows, config.drain_cycles
            row = ctx.get(dut.row)
            if left:
                slot, oldest = queue[0]
                now = left - 1
                valid = now < oldest["rows_valid"]
                assert row.valid == valid
                assert ctx.get(dut.drained_cols) == (oldest["cols_valid"] if valid else 0)
                assert row.tile_done == (oldest["tile_last"] and now == 0)
                if valid:
                    assert row.address == oldest["address"] + now
                    assert (row.half, row.first, row.high) == (
                        oldest["half"],
                        oldest["first"],
                        oldest["high"],
                    )
                assert row.slot == slot
            else:
                assert (row.valid, row.tile_done, ctx.get(dut.drained_cols)) == (0, 0, 0)
            await ctx.tick()
            if left == 1:
                queue.pop(0)
                drained += 1
            left, wait = max(0, left - 1), max(0, wait - 1)
            if push:
                queue.append((pushed % depth, entry))
                pushed += 1
            most = max(most, len(queue))
        assert most == depth or not patient

    simulate(dut, check)
