"""rtl/deform/line_buffer.py against a dictionary of beats."""

import random
from typing import Any

import pytest

from dovetail.arch.deform import DeformEngineConfig
from dovetail.rtl.deform.line_buffer import LineBuffer, line_ports
from dovetail.tests.rtl.simulation import simulate

OUTSIDE = int.from_bytes(bytes([128, 128]), "little")


@pytest.mark.parametrize("ports", [1, 3, 9])
def test_taps_are_what_was_written_and_minus_128_outside(ports: Any) -> None:
    config = DeformEngineConfig(
        lanes=2, bound=2, window_ports=ports, line_row_bytes=24, max_channels=4
    )
    dut = LineBuffer(config)
    rows, cols = line_ports(config)
    assert rows * cols == ports
    rng = random.Random(ports)
    banks, entries = config.column_banks, min(4, config.bank_beats)

    async def check(ctx: Any) -> None:
        stored = {}
        for slot in range(config.buffer_rows):
            for bank in range(banks):
                for entry in range(entries):
                    data = rng.randrange(1 << 16)
                    stored[slot, bank, entry] = data
                    ctx.set(dut.write, 1)
                    ctx.set(dut.write_at, {"slot": slot, "bank": bank, "entry": entry})
                    ctx.set(dut.write_data, data)
                    await ctx.tick()
        ctx.set(dut.write, 0)
        for _ in range(150):
            same = rng.random() < 0.2  # all ports at one place, as with s = 0
            slots = [rng.randrange(config.buffer_rows)] * 3
            if not same:
                slots = rng.sample(range(config.buffer_rows), 3)
            place = [(rng.randrange(banks), rng.randrange(entries))] * 3
            if not same and banks > 1:
                chosen = rng.sample(range(banks), 3)
                place = [(bank, rng.randrange(entries)) for bank in chosen]
            row_valid = [rng.random() < 0.8 for _ in range(rows)]
            col_valid = [rng.random() < 0.8 for _ in range(cols)]
            ctx.set(
                dut.read,
                {
                    "rows": [{"valid": row_valid[i], "slot": slots[i]} for i in range(rows)],
                    "cols": [
                        {"valid": col_valid[j], "bank": place[j][0], "entry": place[j][1]}
                        for j in range(cols)
                    ],
                },
            )
            touched = {
                (slots[i], place[j][0])
                for i in range(rows)
                for j in range(cols)
                if row_valid[i] and col_valid[j]
            }
            assert ctx.get(dut.reads) == len(touched)
            await ctx.tick()
            taps = ctx.get(dut.taps)
            for i in range(rows):
                for j in range(cols):
                    inside = row_valid[i] and col_valid[j]
                    want = stored[slots[i], *place[j]] if inside else OUTSIDE
                    assert taps >> (16 * (i * cols + j)) & 0xFFFF == want

    simulate(dut, check)
