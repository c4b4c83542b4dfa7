"""arch/technology.py and arch/memories.py: sources, pricing, and tables that are refused."""

import re
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from dovetail.arch.cores import CORES, MIXPE_CORES
from dovetail.arch.costs import Figure
from dovetail.arch.dram import dram
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.arch.memories import memories
from dovetail.arch.sram import sram_cost
from dovetail.arch.technology import Technology, load_technology, technologies, technology
from dovetail.arch.units import CORE_UNITS, TIME_EVENTS
from dovetail.errors import ConfigError

ENGINE = GemmEngineConfig(
    rows=2,
    cols=4,
    max_group=64,
    activation_buffer_bytes=64,
    weight_buffer_bytes=32,
    scale_buffer_bytes=16,
    accumulator_buffer_bytes=96,
    port_bits=32,
    clock_mhz=100.0,
)


# Bytes and bits of a row: the wider of the port and a word of activations, weights, scales.
SPADS = {"activation": (64, 32), "weight": (32, 32), "scale": (16, 64)}


def figure(value: float) -> str:
    return f'{{ value = {value}, uncertainty = 0.25, node_nm = 45, source = "hand" }}'


def unit(name: str, cost: float, **size: int) -> str:
    group = "".join(f"{axis} = {value}\n" for axis, value in size.items())
    return (
        f'[[units."{name}"]]\ncomponent = "by hand"\n{group}'
        f"area_um2 = {figure(100 * cost)}\ndata_pj_per_op = {figure(cost)}\n"
        f"clock_pj_per_cycle = {figure(cost / 4)}\nleakage_nw = {figure(1000 * cost)}\n"
        f"delay_ns = {figure(cost)}\n"
    )


TABLE = (
    'name = "hand"\ntitle = "by hand"\nnotes = ["round numbers"]\n'
    'clock_mhz = 100.0\nsram_node_nm = 45\ndram = "ddr4-2133"\n'
    '[sources]\nhand = "round numbers"\n'
    + unit("mixpe.pe_w4a8", 1, max_group=16)
    + unit("mixpe.pe_w4a8", 3, max_group=256)
    + unit("mixpe.group_sum", 0.5)
    + unit("mixpe.dequant", 4)
    + unit("mixpe.scale_queue", 1, depth=4)
    + unit("mixpe.scale_queue", 3, depth=12)
    + unit("gemm.register_bit", 0.01)
    + unit("gemm.accumulate", 8)
    + unit("gemm.output_round", 0.25)
)


def load(text: str, tmp_path: Path) -> Technology:
    path = tmp_path / "hand.toml"
    path.write_text(text)
    return load_technology(path)


EVENTS = {
    Event.CYCLE: 100,
    Event.STREAM: 60,
    Event.STALL_DRAIN: 40,
    Event.PE_OP: 300,
    Event.GROUP_SUM: 20,
    Event.GROUP_DEQUANT: 16,
    Event.ACCUMULATE: 12,
    Event.OUTPUT: 8,
    Event.ACTIVATION_READ: 10,
    Event.ACTIVATION_WRITE: 5,
    Event.WEIGHT_READ: 7,
    Event.ACCUMULATOR_WRITE: 3,
    Event.DRAM_READ: 9,
    Event.DRAM_WRITE: 2,
    Event.WEIGHT_DEQUANT: 0,
}


# max_group 64 lies half-way between 16 and 256 in the logarithm: a PE costs (1 + 3) / 2 = 2.
# (2 x 2 + 4 + 2) / 2 + 2 = 7 segments in flight lie 3/8 of the way from 4 to 12.
QUEUE = 1 + 2 * 3 / 8
SKEW = 8 * 1 + 4 * (1 + 2 + 3 + 4)  # bits of one row's activation and of four columns' weights
CONTROL = 4 * 4
RESULT = 14 + 3 + 1 + 12  # group sum, slot, nibble, scale of a column
RESULTS = 4 * RESULT + 1
# Address of two rows, half, valid, first, tile's end between columns; address, half, valid, half of
# the read-back inside.
LEAD = 5 + 4
LEADS = 4 * LEAD + 5 + 1


def test_prices_a_run_as_by_hand(tmp_path: Path) -> None:
    # 100 cycles at 100 MHz are 1 us.
    # PEs, rows, four kinds per column, and registers between them.
    units = 8 * 2 + 2 * 0.5 + 4 * (4 + QUEUE + 8 + 0.25)
    units += 0.01 * (SKEW + CONTROL + RESULTS + LEADS)
    spads = {name: sram_cost(*size, 45) for name, size in SPADS.items()}
    column = sram_cost(12, 48, 45)  # 2 rows of 48 bits; two such memories a column
    sram_nw = sum(cost.leakage_nw.value for cost in spads.values()) + 8 * column.leakage_nw.value
    off_chip = dram("ddr4-2133")
    want = {
        "pe": 300 * 2,
        "idle_pe": (60 * 8 - 300) * (8 + 4) * 0.01,
        "group_sum": 20 * 0.5,
        "dequantiser": 16 * 4,
        "scale_queue": 16 * QUEUE,
        "skew": 60 * SKEW * 0.01,
        "column_pipe": (60 * CONTROL + 16 * RESULT) * 0.01,
        "accumulator": 12 * (8 + LEAD * 0.01),
        "output": 8 * 0.25,
        "clock": 100 * units / 4,
        "leakage": (1000 * units + sram_nw) * 1e-3,
        "activation_spad": 10 * spads["activation"].read_pj.value
        + 5 * spads["activation"].write_pj.value,
        "weight_spad": 7 * spads["weight"].read_pj.value,
        "scale_spad": 0,
        "accumulator_spad": 3 * 4 * column.write_pj.value,
        "dram": 9 * 32 * off_chip.read_pj_per_bit.value + 2 * 32 * off_chip.write_pj_per_bit.value,
        "dram_static": off_chip.static_w.value * 1e6,  # one channel: 0.4 GB/s of 17
    }
    table = load(TABLE, tmp_path)
    assert table.energy_pj(ENGINE, EVENTS) == pytest.approx(want)
    low, high = table.energy_range_pj(ENGINE, EVENTS)
    assert low < sum(want.values()) < high


def test_bounds_of_logic_are_those_of_its_figures(tmp_path: Path) -> None:
    """A quarter up and down, on what one operation of a PE adds."""
    table = load(TABLE, tmp_path)
    low, high = table.energy_range_pj(ENGINE, EVENTS)
    more = EVENTS | {Event.PE_OP: EVENTS[Event.PE_OP] + 1}
    more_low, more_high = table.energy_range_pj(ENGINE, more)
    moved = 2 - (8 + 4) * 0.01  # a PE at work is no longer an idle one
    assert more_low - low == pytest.approx(0.75 * moved)
    assert more_high - high == pytest.approx(1.25 * moved)


def test_adds_up_area_as_by_hand(tmp_path: Path) -> None:
    table = load(TABLE, tmp_path)
    want = {
        "pe": 8 * 200,
        "group_sum": 2 * 50,
        "dequantiser": 4 * 400,
        "scale_queue": 4 * QUEUE * 100,
        "skew": SKEW,
        "column_pipe": CONTROL + RESULTS,
        "accumulator": 4 * 800 + LEADS,
        "output": 4 * 25,
        **{f"{n}_spad": sram_cost(*size, 45).area_um2.value for n, size in SPADS.items()},
        "accumulator_spad": 8 * sram_cost(12, 48, 45).area_um2.value,
    }
    assert table.area_um2(ENGINE) == pytest.approx(want)
    array = ("pe", "group_sum", "dequantiser", "scale_queue", "skew", "column_pipe")
    assert table.array_um2(ENGINE) == pytest.approx(sum(want[name] for name in array))
    low, high = table.area_range_um2(ENGINE)
    assert low < sum(want.values()) < high


def test_the_slowest_unit_sets_the_clock(tmp_path: Path) -> None:
    assert load(TABLE, tmp_path).fmax_mhz(ENGINE) == pytest.approx(1e3 / 8)


def test_a_slow_memory_sets_the_clock_too(tmp_path: Path) -> None:
    """As one that is 10 times too large for one cycle of 125 MHz does at 130 nm."""
    text = TABLE.replace("sram_node_nm = 45", "sram_node_nm = 130")
    engine = replace(ENGINE, activation_buffer_bytes=2**22)
    access_ns = sram_cost(2**22, 32, 130).access_ns.value
    assert access_ns > 8
    table = load(text, tmp_path)
    assert table.fmax_mhz(engine) == pytest.approx(1e3 / access_ns)
    message = (
        rf"^clock_mhz=124 exceeds the {1e3 / access_ns:.0f} MHz of activation_spad, the slowest "
        r"part in technology 'hand'; lower clock_mhz$"
    )
    with pytest.raises(ConfigError, match=message):
        table.area_um2(replace(engine, clock_mhz=124.0))


def test_refuses_to_price_a_design_that_cannot_run_at_its_clock(tmp_path: Path) -> None:
    table = load(TABLE, tmp_path)
    at_limit, beyond = replace(ENGINE, clock_mhz=125.0), replace(ENGINE, clock_mhz=125.1)
    table.energy_pj(at_limit, EVENTS)
    table.area_um2(at_limit)
    message = (
        r"^clock_mhz=125\.1 exceeds the 125 MHz of gemm\.accumulate, the slowest part in "
        r"technology 'hand'; lower clock_mhz$"
    )
    with pytest.raises(ConfigError, match=message):
        table.energy_pj(beyond, EVENTS)
    with pytest.raises(ConfigError, match=message):
        table.area_um2(beyond)


def test_a_wide_port_pays_for_the_channels_that_it_needs(tmp_path: Path) -> None:
    table = load(TABLE, tmp_path).with_dram("lpddr4-3200")
    engine = GemmEngineConfig(
        rows=2, cols=4, max_group=64, port_bits=2048, clock_mhz=100.0
    )  # 25.6 GB/s of 12.8
    assert table.dram_channels(engine) == 2
    static = table.energy_pj(engine, {Event.CYCLE: 100})["dram_static"]
    assert static == pytest.approx(2 * dram("lpddr4-3200").static_w.value * 1e6)


def test_a_beat_costs_its_share_of_a_row_and_at_most_all_of_it(tmp_path: Path) -> None:
    """Rows of 2 x 8 bits are wider than a beat of 8: a write enables half of a row."""
    engine = replace(ENGINE, port_bits=8)
    assert (engine.activation.row_bits, engine.activation.beat_bits) == (16, 8)
    table = load(TABLE, tmp_path)
    one, two = ({Event.CYCLE: 1, Event.ACTIVATION_WRITE: n} for n in (1, 2))
    whole = sram_cost(64, 16, 45).write_pj.range
    beat = table.energy_pj(engine, one)["activation_spad"]
    assert beat == pytest.approx(whole.value / 2)
    lower, upper = (
        b - a
        for a, b in zip(
            table.energy_range_pj(engine, one), table.energy_range_pj(engine, two), strict=True
        )
    )
    assert (lower, upper) == pytest.approx((whole.low / 2, whole.high))


@pytest.mark.parametrize("core", sorted(CORE_UNITS))
def test_memories_are_those_of_the_rtl(core: str) -> None:
    """Bits of rtl/gemm/spad.py and accumulators.py: rows of both halves, words of both halves."""
    lut_k = 4 if CORES[core].broadcast else 1  # type: ignore[index]
    engine = GemmEngineConfig(core=core, rows=8, cols=16, lut_k=lut_k, port_bits=64)  # type: ignore[arg-type]
    activation, weight, scale, accumulator = memories(engine)
    for memory, shape, capacity in (
        (activation, engine.activation, engine.activation_buffer_bytes),
        (weight, engine.weight, engine.weight_buffer_bytes),
        (scale, engine.scale, engine.scale_buffer_bytes),
    ):
        assert memory.count == memory.together == 1
        assert (memory.words, memory.word_bits) == (2 * shape.half_rows, shape.row_bits)
        assert memory.capacity_bytes == capacity
        assert memory.written_bits == 64
    assert (accumulator.count, accumulator.together) == (32, 16)
    bits = accumulator.count * accumulator.words * accumulator.word_bits
    assert 0.95 < bits / 8 / engine.accumulator_buffer_bytes <= 1


@pytest.mark.parametrize("core", sorted(CORE_UNITS))
def test_every_event_has_a_price_in_some_core(core: str) -> None:
    spads = {e for memory in memories(ENGINE) for e in (memory.read, memory.write)}
    off_chip = {Event.DRAM_READ, Event.DRAM_WRITE}
    logic = {unit.event for units in CORE_UNITS.values() for unit in units}
    assert logic | spads | off_chip | TIME_EVENTS == set(GEMM_EVENTS)


def test_refuses_to_leave_a_counted_event_out(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^technology 'hand' has no cost for weight_dequant in core 'mixpe_w4a8'; "
        r"add their unit to the core in arch/units\.py and to the table$",
    ):
        load(TABLE, tmp_path).energy_pj(ENGINE, EVENTS | {Event.WEIGHT_DEQUANT: 1})


def test_refuses_a_run_without_cycles(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^the run counted 0 cycles; energy needs at least 1: price a finished run$",
    ):
        load(TABLE, tmp_path).energy_pj(ENGINE, {Event.PE_OP: 5})


def test_refuses_a_core_whose_unit_the_table_lacks(tmp_path: Path) -> None:
    engine = GemmEngineConfig(core="int8", rows=2, cols=2)
    with pytest.raises(
        ConfigError,
        match=r"^technology 'hand' has no unit 'int8\.pe', which core 'int8' consists of; "
        r"add \[\[units\.'int8\.pe'\]\] with its source$",
    ):
        load(TABLE, tmp_path).area_um2(engine)


def test_refuses_to_extrapolate(tmp_path: Path) -> None:
    engine = GemmEngineConfig(rows=2, cols=2, max_group=512)
    with pytest.raises(
        ConfigError,
        match=r"^technology 'hand' knows unit 'mixpe\.pe_w4a8' for max_group from 16 to 256, "
        r"not 512; add an entry for it$",
    ):
        load(TABLE, tmp_path).area_um2(engine)


def test_refuses_a_queue_deeper_than_any_in_the_table(tmp_path: Path) -> None:
    engine = GemmEngineConfig(rows=2, cols=32, max_group=64)
    with pytest.raises(
        ConfigError,
        match=r"^technology 'hand' knows unit 'mixpe\.scale_queue' for depth from 4 to 12, "
        r"not 21; add an entry for it$",
    ):
        load(TABLE, tmp_path).area_um2(engine)


def test_takes_the_unit_that_was_built_for_the_engine_s_sums(tmp_path: Path) -> None:
    text = TABLE + "".join(
        unit("gemm.output_round", cost).replace("area_um2", f'sum_format = "{form}"\narea_um2')
        for form, cost in (("fp16", 2), ("fp32", 5))
    )
    text = text.replace(unit("gemm.output_round", 0.25), "")
    assert load(text, tmp_path).area_um2(ENGINE)["output"] == 4 * 500  # integer cores: fp32
    with pytest.raises(
        ConfigError,
        match=r"^technology 'hand' has no unit 'gemm\.output_round' for sum_format=fp32; "
        r"add an entry for it$",
    ):
        load(text[: text.rindex("[[units")], tmp_path).area_um2(ENGINE)


DEQUANT_AREA = f"area_um2 = {figure(400)}"
WHERE = r"^\S+hand\.toml: units\.mixpe\.dequant\[0\]\.area_um2"


@pytest.mark.parametrize(
    ("replacement", "message"),
    [
        ("{ value = 1, uncertainty = 0.1, node_nm = 45 }", r"\.source is missing; add it$"),
        (
            '{ value = 1, uncertainty = 0.1, node_nm = 45, source = "rumour" }',
            r"\.source: source 'rumour' is not in \[sources\]; add it there, as text "
            r"\(got 'rumour'\)$",
        ),
        (
            '{ value = 1, node_nm = 45, source = "hand" }',
            r": has no single uncertainty; give either uncertainty, relative such as 0\.2, "
            r"or low and high$",
        ),
        (
            '{ value = 1, uncertainty = 0.1, low = 0.5, node_nm = 45, source = "hand" }',
            r": has no single uncertainty; give either uncertainty, relative such as 0\.2, "
            r"or low and high$",
        ),
        (
            '{ value = 1, low = 0.5, node_nm = 45, source = "hand" }',
            r": low=0\.5, high=None must be two bounds around value=1\.0; correct them$",
        ),
        (
            '{ value = 1, low = 2, high = 3, node_nm = 45, source = "hand" }',
            r": low=2\.0, high=3\.0 must be two bounds around value=1\.0; correct them$",
        ),
        ('{ uncertainty = 0.1, node_nm = 45, source = "hand" }', r"\.value is missing; add it$"),
        (
            '{ value = nan, uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: nan must be a finite number; change it$",
        ),
        (
            '{ value = inf, uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: inf must be a finite number; change it$",
        ),
        (
            '{ value = -1, uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: -1 must be greater than 0; change it$",
        ),
        (
            '{ value = "1", uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: '1' must be a valid number; change it$",
        ),
        (
            '{ value = 1, uncertainty = 1.5, node_nm = 45, source = "hand" }',
            r"\.uncertainty: 1\.5 must be less than or equal to 1; change it$",
        ),
        (
            '{ value = 1, uncertainty = 0.1, node_nm = 45, source = "hand", unit = "um2" }',
            r"\.unit is not a field of a technology table; remove it$",
        ),
    ],
)
def test_refuses_a_figure_and_names_it(tmp_path: Path, replacement: str, message: str) -> None:
    text = TABLE.replace(DEQUANT_AREA, f"area_um2 = {replacement}")
    assert text != TABLE
    with pytest.raises(ConfigError, match=WHERE + message):
        load(text, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dram =", "flash =", r": dram is missing; add it; \S+: flash is not a field of a "
         r"technology table; remove it$"),
        ('"ddr4-2133"', '"ddr6"', r": table: no DRAM named 'ddr6'; the DRAMs are ddr4-2133, hbm2, "
         r"lpddr4-1066, lpddr4-3200, mixpe-authors$"),
        ("sram_node_nm = 45", "sram_node_nm = 28", r": table: sram_node_nm=28 has no memories; "
         r"give one of 7, 22, 32, 45, 65, 130$"),
        ("max_group = 256", 'max_group = 256\nsum_format = "fp16"', r": table: unit "
         r"mixpe\.pe_w4a8 has entries with and without sum_format; give all of them one, or none$"),
        ('notes = ["round numbers"]', "notes = []", r": table: notes is empty; say what the "
         r"table covers and what it leaves out$"),
        ('name = "hand"', "name =", r": is not TOML: Invalid value \(at line 1, column 7\); "
         r"correct that line$"),
        ("max_group = 256", "max_group = 8", r": table: unit mixpe\.pe_w4a8 has entries for "
         r"max_group \[16, 8\]; give one entry without max_group, or several with rising ones$"),
        ("depth = 12", "depth = 4", r": table: unit mixpe\.scale_queue has entries for depth "
         r"\[4, 4\]; give one entry without depth, or several with rising ones$"),
        ("depth = 12", "max_group = 12", r": table: unit mixpe\.scale_queue has both depth and "
         r"max_group; give one of them$"),
        (f"clock_pj_per_cycle = {figure(1.0)}\n", "", r": units\.mixpe\.dequant\[0\]: needs "
         r"clock_pj_per_cycle, or combinational = true where it has no register, and not both$"),
    ],
)  # fmt: skip
def test_refuses_a_table(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TABLE
    with pytest.raises(ConfigError, match=r"^\S+hand\.toml" + message):
        load(TABLE.replace(old, new), tmp_path)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(
        ConfigError,
        match=rf"^{re.escape(str(path))}: No such file or directory; give a readable TOML file$",
    ):
        load_technology(path)


def test_refuses_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        ConfigError, match=rf"^{re.escape(str(path))}: is not UTF-8 text; give a TOML file$"
    ):
        load_technology(path)


def test_refuses_a_name_that_is_not_packaged() -> None:
    with pytest.raises(
        ConfigError, match=r"^no technology named 'tsmc3'; the technologies are .*nangate45.*$"
    ):
        technology("tsmc3")


@pytest.mark.parametrize("name", technologies())
def test_every_packaged_number_is_sourced(name: str) -> None:
    table = technology(name)
    assert table.name == name
    numbers = _numbers(tomllib.loads((_folder() / f"{name}.toml").read_text()))
    logic = {path: f for path, f in table.figures().items() if path.startswith("units.")}
    assert len(logic) == numbers
    for path, figure in logic.items():
        assert len(figure.source) > 40, path
        low, high = figure.range.low, figure.range.high
        assert 0 <= low < figure.value < high, path


def test_a_table_without_a_source_for_one_number_is_refused(tmp_path: Path) -> None:
    """Any number of a shipped table, for the first and the last of its figures."""
    for name in technologies():
        text = (_folder() / f"{name}.toml").read_text()
        lines = [line for line in text.splitlines() if line.rstrip().endswith('" }')]
        for line in (lines[0], lines[-1]):
            bare = line[: line.index(", source")] + " }"
            with pytest.raises(ConfigError, match=r"\.source is missing; add it$"):
                load(text.replace(line, bare, 1), tmp_path)


def _folder() -> Path:
    return Path(__file__).resolve().parents[2] / "arch" / "technologies"


def _numbers(value: object) -> int:
    """Entries called ``value``, counted in the TOML itself."""
    if isinstance(value, dict):
        return sum(1 if key == "value" else _numbers(item) for key, item in value.items())
    return sum(map(_numbers, value)) if isinstance(value, list) else 0


@pytest.mark.parametrize("core", list(MIXPE_CORES))
@pytest.mark.parametrize("max_group", [1, 16, 32, 64, 128, 256, 1024])
def test_packaged_tables_price_every_engine(core: str, max_group: int) -> None:
    for name in technologies():
        table = technology(name)
        engine = GemmEngineConfig(
            core=core,  # type: ignore[arg-type]
            rows=4,
            cols=4,
            max_group=max_group,
            clock_mhz=50.0,
            activation_buffer_bytes=8192,
        )
        counted = {e: 10 for e in Event if e in TIME_EVENTS} | {
            unit.event: 10 for unit in CORE_UNITS[engine.core]
        }
        energy = table.energy_pj(engine, counted)
        low, high = table.energy_range_pj(engine, counted)
        assert low < sum(energy.values()) < high
        assert 0 < table.array_um2(engine) < sum(table.area_um2(engine).values())
        # Units that miss the clock that they were sized for are named in the table's notes.
        late = any(note.startswith("Not as fast as") for note in table.notes)
        assert table.fmax_mhz(engine) >= table.clock_mhz or (late and engine.spec.floating)


@pytest.mark.parametrize(
    ("core", "change"),
    [
        *((core, {}) for core in sorted(CORE_UNITS) if CORES[core].broadcast),
        ("lut_int8", {"tables": "loaded"}),
        ("lut_int16", {"tables": "loaded"}),
        ("lut_fp16", {"sum_format": "fp16"}),
        ("lut_fp16", {"max_group": 64}),
    ],
)
def test_packaged_tables_price_cores_that_broadcast(core: str, change: dict[str, Any]) -> None:
    shape: dict[str, Any] = {"core": core, "rows": 4, "cols": 8, "lut_k": 4, "clock_mhz": 20.0}
    engine = GemmEngineConfig(**shape | change)
    counted = {e: 10 for e in Event if e in TIME_EVENTS}
    counted |= {unit.event: 10 for unit in CORE_UNITS[engine.core]}
    for name in technologies():
        table = technology(name)
        assert sum(table.energy_pj(engine, counted).values()) > 0
        # 32 units, the adders of which alone are some hundred gates of 0.1 um2 (7 nm) and more.
        assert 32 * 10 < table.array_um2(engine) < sum(table.area_um2(engine).values())
        late = any(note.startswith("Not as fast as") for note in table.notes)
        assert table.fmax_mhz(engine) >= table.clock_mhz or (late and engine.spec.floating)


def test_loaded_tables_save_the_heads_and_what_waits_for_them() -> None:
    shape: dict[str, Any] = {"core": "lut_int8", "rows": 4, "cols": 8, "lut_k": 4}
    table = technology("nangate45")
    made, loaded = (
        table.area_um2(GemmEngineConfig(**shape, tables=tables)) for tables in ("made", "loaded")
    )
    assert "precompute" in made and "precompute" not in loaded
    assert loaded["pe"] == made["pe"] and loaded["operand_pipe"] < made["operand_pipe"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lut_k": 3}, "lut_k=3 of core 'lut_int8' has no price: technology tables have its units"),
        ({"max_group": 64}, "max_group=64 of core 'lut_int8' has no price"),
        ({"table": "int8"}, "table=int8 of core 'lut_int8' has no price"),
        ({"zero_bits": 8}, "zero_bits=8 of core 'lut_int8' has no price"),
    ],
)
def test_a_unit_is_priced_only_as_it_was_built(change: dict[str, Any], message: str) -> None:
    shape: dict[str, Any] = {"core": "lut_int8", "rows": 4, "cols": 8, "lut_k": 4}
    with pytest.raises(ConfigError) as info:
        technology("nangate45").area_um2(GemmEngineConfig(**shape | {"clock_mhz": 50.0} | change))
    assert str(info.value).startswith(message) and "\n" not in str(info.value)


@pytest.mark.parametrize("name", technologies())
def test_logic_of_a_packaged_table_is_of_one_node(name: str) -> None:
    """A published figure of another node is never mixed in."""
    table = technology(name)
    nodes = {figure.node_nm for path, figure in table.figures().items() if "units" in path}
    assert nodes == {float(table.sram_node_nm)}


def test_a_figure_made_in_python_keeps_its_source() -> None:
    assert Figure(value=1.0, uncertainty=0.1, node_nm=7.0, source="measured").source == "measured"


def test_a_table_that_is_wrong_throughout_names_the_first_places(tmp_path: Path) -> None:
    text = (files("dovetail.arch") / "technologies" / "nangate45.toml").read_text()
    wrong, count = re.subn(r"(?<=delay_ns = \{ value = )[0-9.e-]+", "-1.0", text)
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    with pytest.raises(ConfigError) as caught:
        load_technology(path)
    places = str(caught.value).split("; ")
    assert sum(place.endswith("-1.0 must be greater than 0") for place in places) == 8
    assert places[-1] == f"and {count - 8} more like these"
