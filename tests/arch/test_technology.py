"""arch/technology.py: sources, pricing, and tables that are refused."""

import re
import tomllib
from pathlib import Path

import pytest

from dovetail.arch.costs import Figure
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.technology import Technology, load_technology, technologies, technology
from dovetail.arch.units import CORE_UNITS, SCRATCHPADS, TIME_EVENTS
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
    clock_mhz=200.0,
)


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


def spad(name: str) -> str:
    return (
        f"[scratchpads.{name}]\nread_pj_per_bit = {figure(0.5)}\n"
        f"write_pj_per_bit = {figure(0.75)}\narea_um2_per_bit = {figure(2)}\n"
        f"leakage_nw_per_bit = {figure(10)}\naccess_ns = {figure(0.125)}\n"
    )


TABLE = (
    'name = "hand"\ntitle = "by hand"\nnotes = ["round numbers"]\n'
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
    + "".join(spad(s.name) for s in SCRATCHPADS)
    + f"[dram]\nread_pj_per_bit = {figure(1)}\nwrite_pj_per_bit = {figure(1.5)}\n"
    + f"static_w = {figure(0.002)}\n"
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
    # 100 cycles at 200 MHz are 0.5 us.
    # PEs, rows, four kinds per column, and registers between them.
    units = 8 * 2 + 2 * 0.5 + 4 * (4 + QUEUE + 8 + 0.25)
    units += 0.01 * (SKEW + CONTROL + RESULTS + LEADS)
    bits = 8 * (64 + 32 + 16 + 96)
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
        "leakage": (1000 * units + 10 * bits) * 0.5e-3,
        "activation_spad": 10 * 32 * 0.5 + 5 * 32 * 0.75,  # two words of 2 x 8 bits in a row
        "weight_spad": 7 * 32 * 0.5,
        "scale_spad": 0,
        "accumulator_spad": 3 * (4 * 48) * 0.75,
        "dram": 9 * 32 * 1 + 2 * 32 * 1.5,
        "dram_static": 0.002 * 0.5 * 1e6,
    }
    table = load(TABLE, tmp_path)
    assert table.energy_pj(ENGINE, EVENTS) == pytest.approx(want)
    low, high = table.energy_range_pj(ENGINE, EVENTS)
    assert (low, high) == pytest.approx((0.75 * sum(want.values()), 1.25 * sum(want.values())))


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
        "activation_spad": 64 * 8 * 2,
        "weight_spad": 32 * 8 * 2,
        "scale_spad": 16 * 8 * 2,
        "accumulator_spad": 96 * 8 * 2,
    }
    assert table.area_um2(ENGINE) == pytest.approx(want)
    array = ("pe", "group_sum", "dequantiser", "scale_queue", "skew", "column_pipe")
    assert table.array_um2(ENGINE) == pytest.approx(sum(want[name] for name in array))
    total = sum(want.values())
    assert table.area_range_um2(ENGINE) == pytest.approx((0.75 * total, 1.25 * total))


def test_the_slowest_unit_sets_the_clock(tmp_path: Path) -> None:
    assert load(TABLE, tmp_path).fmax_mhz(ENGINE) == pytest.approx(1e3 / 8)


def test_bounds_may_be_unequal(tmp_path: Path) -> None:
    text = TABLE.replace(
        f"static_w = {figure(0.002)}",
        'static_w = { value = 0.002, low = 0.001, high = 0.01, node_nm = 28, source = "hand" }',
    )
    table = load(text, tmp_path)
    low, high = table.energy_range_pj(ENGINE, {Event.CYCLE: 200})  # 1 us
    even_low, even_high = load(TABLE, tmp_path).energy_range_pj(ENGINE, {Event.CYCLE: 200})
    assert low - even_low == pytest.approx(1000 - 0.75 * 2000)
    assert high - even_high == pytest.approx(10000 - 1.25 * 2000)


@pytest.mark.parametrize("core", sorted(CORE_UNITS))
def test_every_event_has_a_price_in_some_core(core: str) -> None:
    memories = {e for s in SCRATCHPADS for e in (s.read, s.write)}
    dram = {Event.DRAM_READ, Event.DRAM_WRITE}
    logic = {unit.event for units in CORE_UNITS.values() for unit in units}
    assert logic | memories | dram | TIME_EVENTS == set(Event)


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


def test_refuses_a_table_without_a_memory(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^technology 'hand' has no scratchpad 'scale'; "
        r"add \[scratchpads\.scale\] with its source$",
    ):
        load(TABLE.replace(spad("scale"), ""), tmp_path).area_um2(ENGINE)


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
        ('{ value = 1, uncertainty = 0.1, source = "hand" }', r"\.node_nm is missing; add it$"),
        (
            '{ value = nan, uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: Input should be a finite number \(got nan\)$",
        ),
        (
            '{ value = inf, uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: Input should be a finite number \(got inf\)$",
        ),
        (
            '{ value = -1, uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: Input should be greater than 0 \(got -1\)$",
        ),
        (
            '{ value = "1", uncertainty = 0.1, node_nm = 45, source = "hand" }',
            r"\.value: Input should be a valid number \(got '1'\)$",
        ),
        (
            '{ value = 1, uncertainty = 1.5, node_nm = 45, source = "hand" }',
            r"\.uncertainty: Input should be less than or equal to 1 \(got 1\.5\)$",
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
        ("[dram]", "[flash]", r": dram is missing; add it; \S+: flash is not a field of a "
         r"technology table; remove it$"),
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
        ConfigError, match=r"^no technology named 'tsmc3'; the technologies are mixed-28-45$"
    ):
        technology("tsmc3")


@pytest.mark.parametrize("name", technologies())
def test_every_packaged_number_is_sourced(name: str) -> None:
    table = technology(name)
    assert table.name == name
    numbers = _numbers(tomllib.loads((_folder() / f"{name}.toml").read_text()))
    assert len(table.figures()) == numbers
    for path, figure in table.figures().items():
        assert len(figure.source) > 40, path
        low, high = figure.range.low, figure.range.high
        assert 0 <= low < figure.value < high, path


def _folder() -> Path:
    return Path(__file__).resolve().parents[2] / "arch" / "technologies"


def _numbers(value: object) -> int:
    """Entries called ``value``, counted in the TOML itself."""
    if isinstance(value, dict):
        return sum(1 if key == "value" else _numbers(item) for key, item in value.items())
    return sum(map(_numbers, value)) if isinstance(value, list) else 0


@pytest.mark.parametrize("core", sorted(CORE_UNITS))
@pytest.mark.parametrize("max_group", [1, 16, 32, 64, 128, 256, 1024])
def test_packaged_tables_price_every_engine(core: str, max_group: int) -> None:
    engine = GemmEngineConfig(core=core, rows=4, cols=4, max_group=max_group)  # type: ignore[arg-type]
    for name in technologies():
        table = technology(name)
        counted = {e: 10 for e in Event if e in TIME_EVENTS} | {
            unit.event: 10 for unit in CORE_UNITS[engine.core]
        }
        energy = table.energy_pj(engine, counted)
        low, high = table.energy_range_pj(engine, counted)
        assert low < sum(energy.values()) < high
        assert 0 < table.array_um2(engine) < sum(table.area_um2(engine).values())
        assert table.fmax_mhz(engine) >= 500  # the clock that its logic was sized for


def test_memories_are_the_source_s() -> None:
    """The per-bit figures that follow from the recorded CACTI rows of the authors' repository."""
    table = technology("mixed-28-45")
    want = {
        "weight": (0.0330, 0.0397),
        "activation": (0.0347, 0.0486),
        "accumulator": (0.00922, 0.0130),
    }
    for name, (read, write) in want.items():
        cost = table.scratchpads[name]
        assert cost.read_pj_per_bit.value == pytest.approx(read, rel=2e-3)
        assert cost.write_pj_per_bit.value == pytest.approx(write, rel=2e-3)
    assert table.dram.read_pj_per_bit.value == pytest.approx(0.629, rel=1e-3)
    assert table.dram.write_pj_per_bit.value == pytest.approx(0.766, rel=1e-3)
    assert table.dram.static_w.value == pytest.approx(0.485, rel=1e-3)
    # The source's whole buffers: banks x mm2/bank and banks x mW/bank.
    engine = GemmEngineConfig(rows=32, cols=32)  # 256 KiB, 128 KiB, 128 KiB
    area = table.area_um2(engine)
    assert area["activation_spad"] == pytest.approx(32 * 0.05558e6, rel=1e-3)
    assert area["weight_spad"] == pytest.approx(32 * 0.04607e6, rel=1e-3)
    assert area["accumulator_spad"] == pytest.approx(1024 * 0.001026e6, rel=1e-3)


def test_says_that_it_mixes_nodes() -> None:
    table = technology("mixed-28-45")
    nodes = {path.split(".")[0]: set() for path in table.figures()}
    for path, figure in table.figures().items():
        nodes[path.split(".")[0]].add(figure.node_nm)
    assert nodes == {"scratchpads": {28}, "dram": {28}, "units": {45}}
    assert "mixes nodes" in table.notes[0]


def test_a_figure_made_in_python_keeps_its_source() -> None:
    assert Figure(value=1.0, uncertainty=0.1, node_nm=7.0, source="measured").source == "measured"
