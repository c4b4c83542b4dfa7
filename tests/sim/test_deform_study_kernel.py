"""sim/deform_study_kernel.py: small cases by hand, DRAM rows and cache lines by plain Python."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.sim.deform_study_kernel import Plan, _gate, _input_of, run_plan

BURST = 256
# A transaction in an open row: 100 + 20 + 80 ns, as its 64 ns on the bus are hidden by the beats.
PLAN = Plan(
    side=1,
    bound=1,
    reads_per_pixel=1,
    pixels_ahead=1,
    compute_ns=1000.0,
    weight_bursts=0,
    offset_bytes=0,
    burst_bytes=BURST,
    transaction_ns=100.0,
    transfer_ns=80.0,
    banks=8,
    row_bytes=1 << 20,
    trcd_ns=18.0,
    trp_ns=7.0,
    read_latency_ns=20.0,
    ns_per_byte=0.25,
    cached=False,
    sets=4,
    ways=2,
    line_bytes=64,
    hit_ns=10.0,
)
NONE = np.zeros(0, dtype=np.int64)
OPEN = 200.0


def centre(side: int) -> NDArray[np.int64]:
    """Nine taps of each pixel, all in the pixel itself."""
    return np.repeat(np.arange(side * side), 9)


@pytest.mark.parametrize(
    ("change", "taps", "end"),
    [
        # Open a row, read, compute, write in the open row.
        ({}, NONE, 18 + OPEN + 1000 + OPEN),
        # Each burst in a row of its own, of one bank: closed and opened for the write.
        ({"banks": 1, "row_bytes": BURST}, NONE, 18 + OPEN + 1000 + 7 + 18 + OPEN),
        # A bus that is slower than the beats: 256 ns.
        ({"ns_per_byte": 1.0}, NONE, 18 + 100 + 20 + 256 + 1000 + 100 + 20 + 256),
        # Weights before, offsets beside.
        ({"weight_bursts": 3}, NONE, 18 + 3 * OPEN + OPEN + 1000 + OPEN),
        # The offset is on the bus first, 64 ns; features wait for it.
        ({"offset_bytes": 18}, NONE, 18 + OPEN + 64 + 1000 + OPEN),
        # Taps wait for the offset, and follow one another.
        ({"reads_per_pixel": 9}, centre(1), 18 + 9 * OPEN + 1000 + OPEN),
        ({"reads_per_pixel": 9, "offset_bytes": 18}, centre(1), 18 + 10 * OPEN + 1000 + OPEN),
        # Cached, cold: a hit's time, four lines from DRAM; the write fills four lines, no DRAM.
        ({"cached": True}, NONE, 18 + 10 + OPEN + 1000 + 100 + 10 + 80),
        # Nine taps: eight of them hit.
        (
            {"cached": True, "reads_per_pixel": 9},
            centre(1),
            18 + 10 + OPEN + 8 * 190 + 1000 + 190,
        ),
    ],
)
def test_one_pixel_by_hand(change: dict[str, float], taps: NDArray[np.int64], end: float) -> None:
    assert run_plan(PLAN._replace(**change), taps).end_ns == pytest.approx(end, abs=1e-9)


@pytest.mark.parametrize(
    ("compute", "ahead", "end"),
    [
        # Serial: each of 16 pixels has nine reads and its computing.
        (1000, 1, 16 * (9 * OPEN + 1000) + OPEN),
        # Overlapped: the longer of the two, and the other once.
        (1000, 2, 16 * 9 * OPEN + 1000 + OPEN),
        (5000, 2, 9 * OPEN + 16 * 5000 + OPEN),
    ],
)
def test_gathering_serial_and_overlapped(compute: float, ahead: int, end: float) -> None:
    plan = PLAN._replace(
        side=4, reads_per_pixel=9, compute_ns=float(compute), pixels_ahead=ahead, ns_per_byte=0.0
    )
    assert run_plan(plan, centre(4)).end_ns == pytest.approx(18 + end, abs=1e-9)


@pytest.mark.parametrize(
    ("bound", "compute", "end"),
    [
        # Memory-bound: the last read completes pixel 10, and pixels 11 to 15 wait behind it, so
        # six results leave one after the other.
        (1, 1.0, 16 * OPEN + 1 + 5 * OPEN),
        # Compute-bound: a first window needs one row and two pixels.
        (1, 1e4, 6 * OPEN + 16 * 1e4),
        # N = 2: three rows' first three pixels; N = 3: the whole map.
        (2, 1e4, 11 * OPEN + 16 * 1e4),
        (3, 1e4, 16 * OPEN + 16 * 1e4),
    ],
)
def test_a_line_buffer_of_a_4_by_4_map(bound: int, compute: float, end: float) -> None:
    """The last write follows; a slow bus aside, reads and writes do not meet."""
    plan = PLAN._replace(side=4, bound=bound, compute_ns=compute, ns_per_byte=0.0)
    assert run_plan(plan, NONE).end_ns == pytest.approx(18 + end + OPEN, abs=1e-9)


@pytest.mark.parametrize(("side", "bound"), [(4, 1), (8, 1), (8, 2), (9, 3), (5, 7)])
def test_who_waits_for_whom_by_every_window(side: int, bound: int) -> None:
    """A window reaches N pixels each way; a read takes the place of the pixel 2N + 1 rows above."""
    plan = PLAN._replace(side=side, bound=bound)
    row, column = np.divmod(np.arange(side * side), side)
    reaches = (abs(row[:, None] - row) <= bound) & (abs(column[:, None] - column) <= bound)
    for pixel in range(side * side):
        assert _input_of(plan, pixel) == np.flatnonzero(reaches[pixel]).max()
        above = pixel - (2 * bound + 1) * side
        gate = np.flatnonzero(reaches[above]).max() if above >= 0 else -1
        assert _gate(plan, pixel) == gate


def test_rows_that_are_overwritten_hold_reading_back() -> None:
    """Three rows of eight: row 3 enters only as row 0 is computed, so reads do not run ahead."""
    plan = PLAN._replace(side=8, bound=1, compute_ns=1e4, ns_per_byte=0.0)
    held, free = run_plan(plan, NONE), run_plan(plan._replace(bound=4), NONE)
    # With one row ahead computing begins after 10 reads and never waits; with four after 37.
    assert held.end_ns == pytest.approx(18 + 10 * OPEN + 64 * 1e4 + OPEN)
    assert free.end_ns == pytest.approx(18 + 37 * OPEN + 64 * 1e4 + OPEN)


def serial_bursts(taps: NDArray[np.int64], pixels: int) -> Iterator[tuple[int, bool]]:
    """Bursts of a serial gather in order: a result leaves beside the next pixel's first tap."""
    for pixel in range(pixels):
        for tap in range(9):
            yield int(taps[pixel * 9 + tap]), False
            if pixel and not tap:
                yield pixels + pixel - 1, True
    yield 2 * pixels - 1, True


@pytest.mark.parametrize(("banks", "bursts_a_row"), [(1, 1), (2, 1), (4, 2), (8, 3)])
def test_open_rows_by_a_dictionary(banks: int, bursts_a_row: int) -> None:
    taps = np.random.default_rng(3).integers(0, 64, 64 * 9)
    opened: dict[int, int] = {}
    hits = 0
    for burst, _ in serial_bursts(taps, 64):
        row = burst // bursts_a_row
        hits += opened.get(row % banks) == row
        opened[row % banks] = row
    plan = PLAN._replace(
        side=8, reads_per_pixel=9, banks=banks, row_bytes=bursts_a_row * BURST, transaction_ns=200.0
    )
    made = run_plan(plan, taps)
    assert (made.row_hits, made.row_misses) == (hits, 640 - hits)


@pytest.mark.parametrize(("sets", "ways"), [(4, 2), (16, 4), (2, 16), (1024, 1)])
def test_lines_by_lists(sets: int, ways: int) -> None:
    """Pseudo-random replacement: bits of the sequence x^16 + x^14 + x^13 + x^11 + 1."""
    taps = np.random.default_rng(4).integers(0, 64, 64 * 9)
    held: list[list[int]] = [[] for _ in range(sets)]
    changed: set[int] = set()
    random, hits, written_back, fetched = 1, 0, 0, 0
    for burst, write in serial_bursts(taps, 64):
        missed = False
        for line in range(4 * burst, 4 * burst + 4):
            group = held[line % sets]
            if line in group:
                hits += 1
            elif len(group) < ways:
                group.append(line)
                missed = True
            else:
                victim = group[random % ways]
                written_back += victim in changed
                changed.discard(victim)
                group[random % ways] = line
                random = (random >> 1) ^ (0xB400 * (random % 2))
                missed = True
            if write:
                changed.add(line)
        fetched += missed and not write
    made = run_plan(
        PLAN._replace(side=8, reads_per_pixel=9, cached=True, sets=sets, ways=ways), taps
    )
    assert (made.line_hits, made.line_misses) == (hits, 4 * 640 - hits)
    # DRAM sees the lines that are written back and one burst for each read that misses.
    assert made.row_hits + made.row_misses == written_back + fetched
    if sets * ways >= 1024:
        assert made.line_misses == 4 * (np.unique(taps).size + 64)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"reads_per_pixel": 9, "offset_bytes": 18},
        {"reads_per_pixel": 9, "offset_bytes": 18, "pixels_ahead": 2, "cached": True},
        {"bound": 3, "offset_bytes": 200, "weight_bursts": 5, "cached": True},
    ],
)
def test_compiled_and_interpreted(change: dict[str, int]) -> None:
    plan = PLAN._replace(side=6, compute_ns=70.0, banks=2, row_bytes=512, **change)
    taps = np.random.default_rng(5).integers(0, 36, 36 * 9)
    assert run_plan(plan, taps) == run_plan.py_func(plan, taps)


def test_offsets_are_held_two_bursts_at_a_time() -> None:
    """A burst holds one pixel's offsets: the third is asked for when the first is computed.

    With N = 3 sixteen reads of 210 ns complete the first window, which frees a place; fourteen
    bursts follow one another, then the last pixel and its write of 190 ns.  Had offsets been read
    ahead, sixteen writes in a row would end it 91 ns sooner.
    """
    plan = PLAN._replace(
        side=4, bound=3, offset_bytes=BURST, compute_ns=1.0, ns_per_byte=0.0, cached=True
    )
    expected = 18 + 16 * 210 + 1 + 14 * 210 + 1 + 190
    assert run_plan(plan, NONE).end_ns == pytest.approx(expected, abs=1e-9)
