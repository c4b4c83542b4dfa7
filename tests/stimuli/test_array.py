"""stimuli/array.py: a whole core in Verilator reads back what the reference says."""

import numpy as np
import pytest

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.errors import ConfigError, ToolError
from dovetail.rtl.engines import compute_core
from dovetail.rtl.memory_ports import memory_port, verilog_without_memories
from dovetail.rtl.vector_bench import check_outputs, run_vectors
from dovetail.rtl.verilog import verilog
from dovetail.stimuli import array_stimulus
from dovetail.stimuli.ports import input_widths, output_widths
from dovetail.stimuli.tiles import Kind
from dovetail.tests.stimuli.weights import KINDS


def small(core: str, *, rows: int, cols: int) -> GemmEngineConfig:
    return GemmEngineConfig(
        core=core,
        rows=rows,
        cols=cols,
        max_group=16,
        accumulator_buffer_bytes=2 * rows * cols * 6,
    )


@pytest.mark.cosim
@pytest.mark.parametrize(("core", "rows", "cols"), [("mixpe_w4a8", 3, 5), ("int8", 4, 3)])
def test_a_core_reads_back_the_reference_and_counts_its_events(
    core: str, rows: int, cols: int
) -> None:
    config = small(core, rows=rows, cols=cols)
    component = compute_core(config)
    text = verilog(component, name="core")
    for kind in ("random", "zero"):
        given = array_stimulus(config, kind=kind, groups=60, zero_point=kind == "zero")
        assert given.stimulus.inputs.keys() == input_widths(component).keys()
        run = run_vectors(
            text, top="core", inputs=given.stimulus.inputs, outputs=output_widths(component)
        )
        check_outputs(given.stimulus, run)
        # The core's own counters, where it has them.
        counted = {
            event: int(run.outputs[f"count_{event}"].sum())
            for event in (Event.GROUP_SUM, Event.GROUP_DEQUANT, Event.WEIGHT_DEQUANT)
            if f"count_{event}" in run.outputs
        }
        assert counted == {event: given.events[event] for event in counted}
        assert len(counted) == len(given.events) - 4
        assert int(run.outputs["drained_cols"].sum()) == given.events[Event.ACCUMULATE]
        assert given.events[Event.PE_OP] == given.stimulus.operations == 60 * 16 * rows * cols
        assert given.events[Event.STREAM] == 60 * 16


@pytest.mark.cosim
@pytest.mark.parametrize(("core", "rows", "cols"), [("mixpe_w4a8", 3, 5), ("int8", 4, 3)])
def test_a_core_without_memories_writes_the_reference_into_them(
    core: str, rows: int, cols: int
) -> None:
    config = small(core, rows=rows, cols=cols)
    text = verilog_without_memories(compute_core(config), config, name="core")
    given = array_stimulus(config, kind="random", groups=60).without_memories
    outputs = {"tile_ready": 1, "drained_cols": 3 if cols == 5 else 2, "read_data": 48 * cols}
    bits = {"write_enable": 48, "write_data": 48, "write_address": 2}
    outputs |= {
        memory_port(col, half, port): width
        for col in range(cols)
        for half in range(2)
        for port, width in bits.items()
    }
    assert given.expected.keys() == outputs.keys()
    run = run_vectors(text, top="core", inputs=given.inputs, outputs=outputs)
    check_outputs(given, run)
    # A memory that delivers another column's sums is found out.
    wrong = dict(given.inputs)
    wrong[memory_port(1, 0, "read_data")] = wrong[memory_port(0, 0, "read_data")]
    run = run_vectors(text, top="core", inputs=wrong, outputs=outputs)
    with pytest.raises(ToolError, match=r"^output (read_data|accumulators_1_0_write_data) is "):
        check_outputs(given, run)


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_read_once_a_tile(kind: Kind) -> None:
    config = small("mixpe_w4a8", rows=4, cols=2)
    # k = 384 is 24 groups of 16: two whole tiles and 12 groups of a third.
    given = array_stimulus(config, kind=kind, groups=60).stimulus
    assert int(given.expected["tile_ready"].sum()) == 3
    assert int(given.check["read_data"].sum()) == 3 * 4
    halves = given.inputs["read_half"][given.inputs["read"] == 1]
    assert halves.tolist() == [0] * 4 + [1] * 4 + [0] * 4
    any_data = given.expected["read_data"][given.check["read_data"]].any()
    assert any_data == (kind != "zero")
    assert given.expected["read_data"].shape == (given.cycles, 2)  # 2 x 48 bits
    assert given.inputs["i"].dtype == np.uint64


def test_what_cannot_stream_without_a_pause_is_refused() -> None:
    config = GemmEngineConfig(rows=8, cols=2, max_group=4, accumulator_buffer_bytes=192)
    with pytest.raises(ConfigError, match=r"^core=mixpe_w4a8 with max_group=4 and rows=8: array "):
        array_stimulus(config, kind="zero")
    with pytest.raises(ConfigError, match=r"^groups=0 must be 1 or more; give a count$"):
        array_stimulus(small("int8", rows=2, cols=2), kind="zero", groups=0)
