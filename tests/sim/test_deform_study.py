"""sim/deform_study.py: the calibrated cell, the documented table, and what must hold anywhere."""

import re
from pathlib import Path

import pytest

from dovetail.errors import ConfigError
from dovetail.sim.deform_study import MODES, Mode, calibrated_transaction_ns, operator_time

DOC = Path(__file__).resolve().parents[2] / "docs" / "deformable.md"
TRANSACTIONS = {"stream": 2 * 4096, "gather": 10 * 4096, "line_buffer": 2 * 4096}
OFFSET_BURSTS = {"stream": 0, "gather": 288, "line_buffer": 288, "line_buffer_3": 16}
CELLS = [(full, cached) for full in (True, False) for cached in (False, True)]


def test_only_the_calibrated_cell_is_met_by_construction() -> None:
    cell = operator_time("gather", full=False, cached=False)
    assert cell.milliseconds == pytest.approx(20.5, abs=1e-4)
    # 20.5 ms are 36,864 transactions of 556 ns, of which DRAM has at least its latency and 16
    # beats, and each pixel has 16 cycles of computing.
    assert 350 < calibrated_transaction_ns() < 20.5e6 / 36864 - 21.3 - 80


def test_the_table_of_the_docs() -> None:
    rows = re.findall(r"^\| (full|depthwise), (DRAM|cache) \|(.*)\|$", DOC.read_text(), re.M)
    assert len(rows) == 4
    for engine, memory, cells in rows:
        ours = [float(cell.split("/")[1]) for cell in cells.split("|")]
        made = [
            operator_time(mode, full=engine == "full", cached=memory == "cache").milliseconds
            for mode in MODES
        ]
        assert made == pytest.approx(ours, abs=0.0501)


def test_the_figures_of_the_docs() -> None:
    t = {
        (mode, full, cached): operator_time(mode, full=full, cached=cached).milliseconds
        for mode in MODES
        for full, cached in CELLS
    }
    ratios = [
        t["gather", True, False] / t["line_buffer_3", True, False],
        t["gather", False, False] / t["line_buffer_3", False, False],
        t["line_buffer", False, False] / t["line_buffer_3", False, False],
        t["line_buffer_3", False, False] / t["stream", False, False],
    ]
    text = DOC.read_text()
    said = re.findall(r"^\| \w+ over \w+, \w+ \| [\d.]+ \| ([\d.]+) \|", text, re.M)
    assert [f"{ratio:.2f}" for ratio in ratios] == said
    effects = [100 * (t["gather", full, True] / t["gather", full, False] - 1) for full in (0, 1)]
    said = re.findall(r"^\| cache on gathering, \w+ \| \S+ % \| (\S+) % \|", text, re.M)
    assert [f"{effect:.0f}" for effect in effects] == said
    overlapped = operator_time("gather", full=True, cached=False, overlap=True).milliseconds
    assert f"{overlapped:.1f} ms, so {overlapped / t['line_buffer_3', True, False]:.2f}x" in text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("full", [False, True])
def test_every_burst_and_every_line_is_counted_once(mode: Mode, full: bool) -> None:
    weights = 9 * 256 * (256 if full else 1) // 256
    bursts = weights + OFFSET_BURSTS[mode] + TRANSACTIONS.get(mode, 2 * 4096)
    plain = operator_time(mode, full=full, cached=False)
    assert plain.counts.row_hits + plain.counts.row_misses == bursts
    assert plain.counts.line_hits + plain.counts.line_misses == 0
    cached = operator_time(mode, full=full, cached=True)
    assert cached.counts.line_hits + cached.counts.line_misses == 4 * bursts
    # The bus moves every byte, and the engine computes every pixel.
    assert plain.counts.end_ns > bursts * 256 / 4.26
    steps = 2048 if full else {"stream": 16, "gather": 16, "line_buffer": 144}.get(mode, 48)
    assert min(plain.counts.end_ns, cached.counts.end_ns) > 4096 * steps * 5.0


@pytest.mark.parametrize(("full", "operations"), [(True, 4.832e9), (False, 0.018874e9)])
def test_operations_over_time(full: bool, operations: float) -> None:
    """4.832 and 0.01887 GOP: two for each of 64 x 64 x 9 x 256 (x 256) products."""
    made = operator_time("stream", full=full, cached=False)
    assert made.gops * made.milliseconds * 1e6 == pytest.approx(operations, rel=1e-4)


def test_a_mode_of_another_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="^mode='scatter' must be one of stream, gather, line_"):
        operator_time("scatter", full=True, cached=False)  # type: ignore[arg-type]
