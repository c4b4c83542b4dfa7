"""array_energy.py: the sum of parts prices what the whole takes."""

from pathlib import Path

import pytest

from dovetail.arch.cores import Core
from dovetail.arch.events import Event
from dovetail.arch.units import CORE_UNITS
from dovetail.array_energy import array_energy, main
from dovetail.tests.rtl.liberty import library_files
from dovetail.tests.stimuli.weights import needs_weights

DYNAMIC = ("dynamic_pj", "data_pj", "clock_pj")


@pytest.mark.long
@pytest.mark.cosim
@needs_weights
@pytest.mark.parametrize("core", ["mixpe_w4a8", "int8"])
def test_the_sum_of_parts_is_the_whole_to_15_percent(core: Core) -> None:
    found = array_energy(core, liberty=library_files("nangate45"), clock_mhz=500.0, rows=4, cols=4)
    for figure in (*DYNAMIC, "area_um2", "leakage_nw"):
        assert abs(found.gap(figure)) <= 0.15, f"{figure}: {found.gap(figure):+.1%}"
    assert found.report.meets_clock
    # Every unit of the core is in the sum, but the one that rounds what is written back.
    assert [part.unit for part in found.parts] == list(CORE_UNITS[core][:-1])
    assert CORE_UNITS[core][-1].name == "gemm.output_round"
    assert found.events[Event.PE_OP] == 16 * 32 * 128
    # Energy, to the bit what the netlist's report says of the run.
    whole = found.report.energy.total_pj * found.events[Event.CYCLE]
    assert found.whole.dynamic_pj == pytest.approx(whole)
    assert found.total.dynamic_pj == pytest.approx(
        sum(part.cost.data_pj + part.cost.clock_pj for part in found.parts)
    )


def test_floating_cores_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["fp16", "--liberty", str(tmp_path / "none.lib")]) == 2
    assert capsys.readouterr().err.startswith("core=fp16 with max_group=128 and rows=8: array ")
