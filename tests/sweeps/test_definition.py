"""sweeps/definition.py."""

from pathlib import Path

import pytest

from dovetail.errors import ConfigError
from dovetail.sweeps.definition import load_sweep, sweep_names

pytestmark = pytest.mark.usefixtures("fake")

GOOD = """
name = "mine"
question = "Which group?"
system = "fake"
preset = "w4a8-8x8"

[axes]
group = [32, 64]
"engine.rows" = [4, 8]

[axes.engine]
cols = [8]

[[linked]]
fields = ["engine.core", "engine.port_bits"]
values = [["int8", 128], ["mixpe_w4a8", 256]]

[[workloads]]
network = "llama2-7b"
phase = "decode"
seq = 64

[limits]
time_ms = 5
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_reads_a_file(tmp_path: Path) -> None:
    sweep = load_sweep(write(tmp_path, GOOD))
    assert len(sweep) == 8
    assert sweep.candidate(0).settings == {
        "engine.core": "int8",
        "engine.port_bits": 128,
        "group": 32,
        "engine.rows": 4,
        "engine.cols": 8,
    }
    assert sweep.base["engine"]["dram_latency_cycles"] == 16  # the preset's
    assert sweep.limits == {"time_ms": 5.0}


def test_finds_a_sweep_by_name() -> None:
    assert "fake" in sweep_names()
    assert load_sweep("fake").name == "fake"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "mine"\n', ""), r"name is missing; add it$"),
        (('name = "mine"\n', 'name = "a/b"\n'), r"name: 'a/b' must match pattern .*; change it$"),
        (
            ("question", "qestion"),
            r"question is missing; add it; .*mine\.toml: qestion is not a field of a",
        ),
        (('preset = "w4a8-8x8"\n', ""), r"base: give either preset = \"\.\.\.\" or a \[base\] tab"),
        (('"fake"', '"fike"'), None),
        (("group = [32, 64]", "group = 32"), r"axes: group: 32 must be a list of values; put it "),
        (("group = [32, 64]", "group = []"), r"axes: group: empty; give at least one value$"),
        (("group = [32, 64]", "group = [nan]"), r"axes: group: nan is not a number; remove it$"),
        (("group = [32, 64]", "group = [32, 32]"), r"axes: group: 32 is given twice; remove one"),
        (("engine.rows", "engine.rws"), r"axes: engine\.rws: no such field of a fake design; did"),
        (("seq = 64", "seq = 0"), r"workloads\[0\]\.seq: 0 must be greater than 0; change it$"),
        (("seq = 64", "seq = true"), r"workloads\[0\]\.seq: True must be a valid integer; "),
        (
            ('"int8", 128', "[8], 128"),
            r"axes: .*: \[8\] must be a number, a string, true or false; ",
        ),
        (("time_ms = 5", "time_ms = nan"), r"limits: time_ms: nan must be a positive number for"),
        (("time_ms = 5", "tme = 5"), r"limits: tme: 5\.0 must be a positive number for one of ti"),
        (("group = [32, 64]", "group = [32"), r"not TOML: .*; correct that place$"),
    ],
)
def test_names_file_and_field(tmp_path: Path, change: tuple[str, str], message: str | None) -> None:
    path = write(tmp_path, GOOD.replace(*change))
    start = f"^{path}: " if message else r"^no system named 'fike'; did you mean fake\? the systems"
    with pytest.raises(ConfigError, match=start + (message or "")) as caught:
        load_sweep(path)
    assert "\n" not in str(caught.value)


def test_refuses_a_file_without_axes(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("[axes]")] + '[[workloads]]\nnetwork = "vit-b-16"\n'
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"^{path}: axes: empty; name at least one field and"):
        load_sweep(path)


def test_a_system_that_no_table_prices_is_swept_by_its_own_measures(tmp_path: Path) -> None:
    text = """
name = "mine"
question = "How many ports?"
system = "deform"
preset = "codenet"
objectives = ["frame_ms", "bram36"]
limits = { dsp = 360 }

[axes]
"engine.window_ports" = [1, 3]

[[workloads]]
network = "codenet-c"
"""
    mine = load_sweep(str(write(tmp_path, text)))
    assert mine.technology is None and mine.objectives == ("frame_ms", "bram36")
    path = write(tmp_path, text.replace('"bram36"', '"energy_pj"'))
    with pytest.raises(ConfigError, match=rf"^{path}: objectives: no objective named 'energy_pj'"):
        load_sweep(str(path))


def test_refuses_what_is_no_file() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^no sweep named 'dmo'; did you mean demo\? the sweeps .*, or give",
    ):
        load_sweep("dmo")
    with pytest.raises(ConfigError, match=r"^/no/x\.toml: cannot be read \(No such file or dir"):
        load_sweep("/no/x.toml")


def test_refuses_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=rf"^{path}: not TOML: 'utf-8' codec .*; correct that"):
        load_sweep(str(path))


PYTHON = """
from dovetail.sweeps.axes import Sweep, Workload


def sweep():
    return Sweep(
        name="mine",
        question="Which group?",
        system="fake",
        base={"engine": {"rows": 8, "cols": 8}},
        axes={"group": (32, 64)},
        workloads=(Workload(network="vit-b-16"),),
        technology="nangate45",
    )
"""


def write_python(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def test_reads_a_python_file(tmp_path: Path) -> None:
    path = write_python(tmp_path, PYTHON)
    sweep = load_sweep(path)
    assert [candidate.settings for candidate in sweep.points()] == [{"group": 32}, {"group": 64}]
    assert sweep.source == path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("def sweep()", "def swep()"), r"has no function sweep\(\); it must return the Sweep: ad"),
        (("return Sweep", "return dict"), r"sweep\(\) returned {'name'.*}, which must be a dovet"),
        (('"group": ', '"grup": '), None),
        (('work="vit-b-16"', 'work="vit-b-16", batch=0'), r"batch: 0 must be greater than 0; chan"),
        (('rows": 8', 'rows": 1 // 0'), r"line 10: ZeroDivisionError: .*; sweep\(\) must run: "),
        (("return Sweep(", "return Sweep(" * 2), r"line 6: SyntaxError: invalid syntax"),
    ],
)
def test_says_what_is_wrong_with_a_python_file(
    tmp_path: Path, change: tuple[str, str], message: str | None
) -> None:
    path = write_python(tmp_path, PYTHON.replace(*change))
    start = f"^{path}: " if message else r"^sweep: axes: grup: no such field of a fake design; "
    with pytest.raises(ConfigError, match=start + (message or "")) as caught:
        load_sweep(path)
    assert "\n" not in str(caught.value)


def test_refuses_a_python_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"^/no/x\.py: no such file; correct the path, or name "):
        load_sweep("/no/x.py")
