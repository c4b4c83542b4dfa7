"""src/dovetail/cli.py and src/dovetail/commands/."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from dovetail import systems
from dovetail.arch.mixpe import preset as mixpe_preset
from dovetail.cli import app
from dovetail.commands.design import chosen_design
from dovetail.models.trace import Trace
from dovetail.tests.sweeps import fake_system

COMMANDS = (
    "list",
    "trace",
    "run",
    "gpu",
    "schedule",
    "verify",
    "rtl",
    "synth",
    "sweep",
    "report",
    "reproduce",
)
Invoke = Callable[..., Result]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Run the command in an empty folder, with the fake system registered."""
    monkeypatch.setattr(systems, "_SYSTEMS", dict(systems._SYSTEMS))
    fake_system.add()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words: str) -> Result:
        return CliRunner().invoke(app, words)

    return call


def refused(result: Result) -> str:
    """The one line of a refused command."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(invoke: Invoke, command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Example: dovetail {command}" in result.stdout
    assert "--json" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_help_lists_the_commands_and_starts_fast() -> None:
    began = time.perf_counter()
    text = subprocess.check_output([sys.executable, "-m", "dovetail", "--help"], text=True)
    assert time.perf_counter() - began < 5  # 0.4 s on an idle machine
    assert all(re.search(rf"^. {command} ", text, re.MULTILINE) for command in COMMANDS)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, dovetail.cli; "
        "print([m for m in ('numpy', 'numba', 'pandas', 'pydantic', 'amaranth', 'plotly') "
        "if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "list everything",
            r"^got unexpected extra argument\(s\) \(everything\); see `\S+ list --h",
        ),
        ("lst", r"^no such command 'lst'. Did you mean 'list'\?; see `\S+ --help`$"),
        ("--fast", r"^no such option: --fast; see `\S+ --help`$"),
        ("list --fast", r"^no such option: --fast; see `\S+ list --help`$"),
        ("run fake", r"^missing option '--network'; see `\S+ run --help`$"),
        ("sweep fake --jobs 0", r"^invalid value for '--jobs': '0' must be greater t"),
        ("verify fake --seeds 0", r"^invalid value for '--seeds': '0' must be greater t"),
        (
            "run fake --network vit-b-16 --phase encode",
            r"^invalid value for '--phase': 'encode' is not one of 'prefill', 'decode'; see",
        ),
        (
            "schedule edge-moe-zcu102 --network m3vit-tiny --skew 1 --seed -1",
            r"^invalid value for '--seed': '-1' must be greater than or equal to 0; see",
        ),
        ("sweep fake --certify-limit 2", r"^--certify-limit belongs to --certify; "),
        (
            "run fake --network vit-b-16 --batch 0",
            r"^invalid value for '--batch': '0' must be greater t",
        ),
    ],
)
def test_usage_errors_are_one_line(invoke: Invoke, words: str, message: str) -> None:
    assert re.match(message, refused(invoke(*words.split())))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("run mixp --network vit-b-16", "mixpe"),
        ("run mixpe --network vit-b-61", "vit-b-16"),
        ("run mixpe --network vit-b-16 --preset W4A8-32X23", "w4a8-32x32"),
        ("run mixpe --network vit-b-16 --set rows=8", "engine.rows"),
        ("run mixpe --network vit-b-16 --technology nangate", "nangate45"),
        ("run mixpe --network vit-b-16 --accounting author", "authors"),
        ("sweep dmo", "demo"),
        ("sweep fake --objectives time", "time_ms"),
        ("reproduce mixp", "mixpe"),
        ("gpu a100-lut --network vit-b-16", "a100-lut-8x"),
        ("schedule edge-moe --network m3vit-tiny", "edge-moe-zcu102"),
        ("synth mixpe.pe_w4a9 --fpga xcup", "mixpe.pe_w4a8"),
        ("synth mixpe --fpga xcup --device zu3", "zu3eg"),
    ],
)
def test_a_near_name_is_suggested(invoke: Invoke, words: str, meant: str) -> None:
    assert f"; did you mean {meant}? " in refused(invoke(*words.split()))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [("list",), ("--version",)])
def test_a_full_disk_beneath_standard_output_is_one_line(words: Sequence[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dovetail", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: standard output: cannot be written (No space left on device); "
        "name a place with room\n"
    )


def test_the_command_alone_gives_help_and_its_version(invoke: Invoke) -> None:
    assert invoke().stdout == invoke("--help").stdout
    assert re.fullmatch(r"dovetail \d+\.\d+\.\d+\n", invoke("--version").stdout)


def test_list_names_everything(invoke: Invoke) -> None:
    data = json.loads(invoke("list", "--json").stdout)
    assert {"fake", "mixpe"} <= set(data["systems"])
    assert "w4a8-32x32" in data["presets"]["mixpe"]
    assert data["default_presets"]["mixpe"] == "w4a8-32x32"
    assert {"llama2-7b", "opt-6.7b", "vit-b-16"} <= set(data["networks"])
    assert "nangate45" in data["technologies"]
    assert {"demo", "mixpe_vs_int8", "fake"} <= set(data["sweeps"])
    assert {"lut-tensor-core", "m3vit", "mixpe"} <= set(data["papers"])
    assert "a100-lut-4x" in data["machines"]
    assert "edge-moe-zcu102" in data["schedules"]
    text = invoke("list").stdout
    assert "llama2-7b" in text and "w4a8-32x32 unless given" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) <= 80


def test_trace_writes_what_loads(invoke: Invoke) -> None:
    words = ("trace", "llama2-7b", "--phase", "decode", "--batch", "2", "--seq", "64")
    data = json.loads(invoke(*words, "-o", "t.npz", "--json").stdout)
    trace = Trace.load(Path("t.npz"))
    assert (trace.phase, trace.batch, trace.seq) == ("decode", 2, 64)
    assert (data["trace_id"], data["macs"]) == (trace.trace_id, trace.macs)
    assert "macs" in invoke(*words, "-o", "t.npz").stdout


def test_trace_refuses(invoke: Invoke) -> None:
    assert re.match(
        r"^no network named 'llama9'; ", refused(invoke("trace", "llama9", "-o", "t.npz"))
    )
    message = refused(invoke("trace", "vit-b-16", "-o", "t.txt"))
    assert message == "t.txt: a trace is an .npz file; end its name in .npz, such as t.npz"
    assert not Path("t.txt").exists() and not Path("t.txt.npz").exists()
    message = refused(invoke("trace", "vit-b-16", "-o", "/proc/no/t.npz"))
    assert re.match(r"^/proc/no/t\.npz: cannot be written \(.*\); name a file in a folder", message)


RUN = ("run", "fake", "--preset", "w4a8-8x8", "--network", "vit-b-16")


def test_run_gives_the_fields_that_scripts_rely_on(invoke: Invoke) -> None:
    data = json.loads(invoke(*RUN, "--set", "engine.rows=4", "--json").stdout)
    stream = data["events"]["stream"]
    stall = data["events"]["stall_weights"]
    assert data["cycles"] == stream + stall and data["stall_cycles"] == stall
    assert data["utilization"] == pytest.approx(data["macs"] / (32 * data["cycles"]))
    assert data["energy_pj"] == pytest.approx(sum(data["energy"].values()))
    assert data["area_um2"] == pytest.approx(sum(data["area"].values()))
    assert data["simulation_s"] > 0
    assert data["time_ms"] == pytest.approx(data["cycles"] / 500e3)


def test_run_fits_eighty_columns(invoke: Invoke) -> None:
    text = invoke(*RUN).stdout
    assert "utilization" in text and "not modelled in time" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_run_without_prices_gives_time_and_events(invoke: Invoke) -> None:
    words = ("run", "deform", "--network", "codenet-a")
    data = json.loads(invoke(*words, "--json").stdout)
    assert data["energy_pj"] is None and data["area_um2"] is None
    stalls = sum(count for name, count in data["events"].items() if name.startswith("stall"))
    assert data["cycles"] == data["events"]["stream"] + stalls
    assert data["stall_cycles"] == stalls
    assert data["time_ms"] == pytest.approx(data["cycles"] / 250e3)
    # 16 x 16 and 16 x 9 multipliers.
    assert data["utilization"] == pytest.approx(data["macs"] / (400 * data["cycles"]))
    text = invoke(*words).stdout
    assert "not priced: no technology table prices the units of deform" in text
    # The stem, 3 channels to 24 over 3 x 3 pixels, runs on the host.
    assert "not on this engine: 0.95% of the MACs" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    message = refused(invoke(*words, "--technology", "nangate45"))
    assert message.startswith("core 'depthwise' has no price: ")


def test_run_of_an_unpriced_design_of_a_priced_system_says_why(invoke: Invoke) -> None:
    words = ("run", "lut", "--preset", "w2a8-m2n4k4", "--network", "vit-b-16")
    unpriced = (*words, "--set", "engine.zero_bits=8")
    data = json.loads(invoke(*unpriced, "--json").stdout)
    assert data["energy_pj"] is None and data["area_um2"] is None and data["energy"] == {}
    assert data["unpriced"].startswith("zero_bits=8 of core 'lut_int8' has no price: ")
    assert "\n" not in data["unpriced"]
    stalls = sum(count for name, count in data["events"].items() if name.startswith("stall"))
    assert data["cycles"] == data["events"]["stream"] + stalls
    text = invoke(*unpriced).stdout
    assert "not priced: zero_bits=8 of core 'lut_int8' has no price" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    # Prices that were asked for are another matter, and so is a clock that no unit reaches.
    message = refused(invoke(*unpriced, "--technology", "nangate45"))
    assert message == data["unpriced"]
    assert "exceeds" in refused(invoke(*words, "--set", "engine.clock_mhz=5000.0"))


def test_run_takes_a_design_from_a_file(invoke: Invoke) -> None:
    Path("d.toml").write_text('group = 64\n[engine]\ncore = "int8"\nrows = 4\ncols = 4\n')
    words = ("run", "fake", "--preset", "d.toml", "--network", "vit-b-16", "--json")
    changed = json.loads(invoke(*words, "--set", "engine.core=mixpe_w4a8").stdout)
    assert changed["design_id"] != json.loads(invoke(*words).stdout)["design_id"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--set", "engine.rows=0"],
            r"^preset w4a8-8x8 with --set engine\.rows=0: engine\.rows: 0 must be greater than 0; ",
        ),
        (
            ["--set", "engine.rws=8"],
            r"^--set engine\.rws=8: no field named 'engine\.rws'; did you mean engine\.rows\? "
            r"the fields are engine\.co",
        ),
        (
            ["--set", "nought.rows=8"],
            r"^--set nought\.rows=8: no field named 'nought\.rows'; did you mean \S+\? the f",
        ),
        (
            ["--set", "group.x=8"],
            r"^--set group\.x=8: no field named 'group\.x'; did you mean group\? .*, kv_bits$",
        ),
        (["--set", "engine"], r"^--set engine: must be FIELD=VALUE, such as engine\.rows=16; corr"),
        (["--set", "group=96"], r"--set group=96: group=96 must be a power of two u"),
        (["--set", "group=256"], r"group=256 must be a power of two up to max_group=128; use a sh"),
        (["--set", "engine.clock_mhz=nan"], r"engine\.clock_mhz: nan must be a finite number; "),
        (
            ["--set", "engine.clock_mhz=4000.0"],
            r"^clock_mhz=4000 exceeds the 1000 MHz of mixpe\.sc",
        ),
        (
            ["--technology", "7nm"],
            r"^no technology named '7nm'; the technologies are asap7, nangate45, nangate45-250, "
            r"sky130hd",
        ),
        (["--technology", "7nm.toml"], r"^7nm\.toml: No such file or directory; give a readable T"),
        (["--accounting", "mine"], r"^no accounting named 'mine'; those of fake are honest$"),
        (
            ["--preset", "w4a8-9x9"],
            r"^no preset named 'w4a8-9x9'; did you mean w4a8-8x8\? the presets "
            r"are fp16-32x28, fp16-8x8, int",
        ),
        (["--preset", "no.toml"], r"^no\.toml: cannot be read \(No such file or directory\); corr"),
        (["--preset", "bad.toml"], r"^bad\.toml: not TOML: .*; correct that place$"),
        (["--preset", "empty.toml"], r"^empty\.toml: engine is missing; add it$"),
        (["--network", "cut.npz"], r"^cut\.npz: not a complete trace file"),
        (["--network", "no.csv"], r"^no\.csv: "),
    ],
)
def test_run_refuses_in_one_line(invoke: Invoke, words: Sequence[str], message: str) -> None:
    Path("bad.toml").write_text("engine = [")
    Path("empty.toml").write_text("group = 64")
    invoke("trace", "vit-b-16", "-o", "whole.npz")
    Path("cut.npz").write_bytes(Path("whole.npz").read_bytes()[:500])
    assert re.search(message, refused(invoke(*RUN, *words)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mixpe", "--timeline", "no/t.json"), r"^no/t\.json: cannot be written \(No such file"),
        (("m3vit", "--timeline", "t.json"), r"^system 'm3vit' has no timeline; those that have "),
    ],
)
def test_a_timeline_that_cannot_be_is_refused_before_the_run(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], message: str
) -> None:
    monkeypatch.setattr("dovetail.models.importers.load_workload", None)
    assert re.match(message, refused(invoke("run", *words, "--network", "codenet-c")))


def test_a_system_without_a_preset_is_the_system_not_a_baseline(invoke: Invoke) -> None:
    core = chosen_design(systems.system("mixpe"), None, None).engine.core
    assert core == "mixpe_w4a8"  # arXiv 2411.16158; its baselines are presets too
    named = json.loads(invoke(*RUN[:2], "--network", "vit-b-16", "--json").stdout)
    assert named["design_id"] == mixpe_preset("w4a8-32x32").design_id


def test_an_unknown_system_is_refused(invoke: Invoke) -> None:
    message = refused(invoke("verify", "tpu"))
    assert message == "no system named 'tpu'; the systems are " + ", ".join(
        sorted(entry.name for entry in systems.systems())
    )


def test_verify_says_what_was_compared(invoke: Invoke) -> None:
    result = invoke("verify", "fake", "--seeds", "3")
    assert (result.exit_code, result.stdout) == (0, "compared 7 outputs: 0 mismatches\n")
    data = json.loads(invoke("verify", "fake", "--seeds", "3", "--json").stdout)
    assert data["configurations"] == 3
    assert data["mismatches"] == {"values": 0, "cycles": 0, "events": 0}


def test_verify_fails_where_something_differs(invoke: Invoke) -> None:
    result = invoke("verify", "fake", "--seed", "2", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["mismatches"]["values"] == 2


def test_sweep_resumes_certifies_and_is_exported(invoke: Invoke) -> None:
    Path("s.toml").write_text(
        'name = "mine"\nquestion = "Which?"\nsystem = "fake"\npreset = "w4a8-8x8"\n'
        '[axes]\n"engine.rows" = [8, 4, 14]\ngroup = [32, 64]\n'
        '[[workloads]]\nnetwork = "vit-b-16"\n'
    )
    words = ("sweep", "s.toml", "--jobs", "1")
    first = json.loads(invoke(*words, "--json").stdout)
    assert (first["points"], first["rejected"], first["failed"]) == (4, 2, 0)
    assert (first["certified"], first["store"]) == (0, "reports/out/mine/sweep.sqlite")
    assert set(first["front"]) <= {0, 1, 2, 3} and first["points_per_second"] > 0
    assert re.match(r"^reports/out/mine/sweep\.sqlite: exists already; ", refused(invoke(*words)))
    again = ("--resume", "--certify", "--certify-limit", "1", "--objectives", "area_um2")
    chosen = json.loads(invoke(*words, *again, "--json").stdout)
    assert (chosen["front"], chosen["certified"]) == ([2, 3], 1)  # 4 rows: the smaller engine
    text = invoke(*words, "--resume", "--objectives", "area_um2").stdout
    assert "settings: group" in text and "yes" in text  # the two differ in the group alone
    assert max(len(line) for line in text.splitlines()) <= 80
    report = invoke("report", first["store"], "--table", "t.csv", "--json")
    assert Path(json.loads(report.stdout)["report"]).is_file()
    assert len(pd.read_csv("t.csv")) == 6


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (
            "foo",
            r"^--objectives: no objective named 'foo'; the objectives are time_ms,",
        ),
        ("error", r"^--objectives error: sweep 'one' does not measure error, since no axis chang"),
    ],
)
def test_objectives_are_checked_before_the_sweep(
    invoke: Invoke, objectives: str, message: str
) -> None:
    Path("s.toml").write_text(ONE_POINT)
    assert re.match(message, refused(invoke("sweep", "s.toml", "--objectives", objectives)))
    assert not Path("reports").exists()


def test_a_sweep_without_a_result_says_why(invoke: Invoke) -> None:
    Path("s.toml").write_text(ONE_POINT.replace("[1]", "[13, 14, 8, 4]") + "[limits]\ncycles = 9\n")
    result = invoke("sweep", "s.toml", "--jobs", "1", "--json")
    data = json.loads(result.stdout)
    assert (data["points"], data["rejected"], data["failed"]) == (0, 3, 1)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("1 failed, such as ZeroDivisionError: rows of 13 bring bad luck")
    # 8 and 4 rows are above the limit by different numbers of cycles: one reason.
    assert re.match(r"^2 rejected, such as cycles=\S+ exceeds the sweep's limit of 9$", lines[1])
    assert lines[2].startswith("1 rejected, such as rows=14 has no mapping; ")
    assert [(reason["status"], reason["points"]) for reason in data["reasons"]] == [
        ("failed", 1),
        ("rejected", 2),
        ("rejected", 1),
    ]


def test_a_certificate_of_other_rtl_does_not_count(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("s.toml").write_text(ONE_POINT.replace("[1]", "[8]"))
    words = ("sweep", "s.toml", "--jobs", "1", "--resume", "--json")
    assert json.loads(invoke(*words, "--certify").stdout)["certified"] == 1
    monkeypatch.setattr("dovetail.provenance.certificate_id", lambda: "other")
    result = invoke(*words)
    data = json.loads(result.stdout)
    assert (data["certified"], data["not_certified"], data["outdated"]) == (0, [], [0])
    assert result.stderr.startswith("1 certificates were made by other RTL or tools; ")
    assert "outdated" in invoke(*words[:-1]).stdout


ONE_POINT = (
    'name = "one"\nquestion = "Which?"\nsystem = "fake"\npreset = "w4a8-8x8"\n'
    '[axes]\n"engine.rows" = [1]\n[[workloads]]\nnetwork = "vit-b-16"\n'
)


def test_a_failed_certificate_ends_with_one(invoke: Invoke) -> None:
    Path("s.toml").write_text(ONE_POINT)
    result = invoke("sweep", "s.toml", "--jobs", "1", "--certify")
    assert result.exit_code == 1
    assert result.stderr == "certificates failed: points 0\n"
    assert "FAILED" in result.stdout


def test_report_refuses_what_is_no_store(invoke: Invoke) -> None:
    Path("s.sqlite").write_text("not a database")
    assert re.match(r"^s\.sqlite: not a result store; ", refused(invoke("report", "s.sqlite")))
    assert re.match(r"^no\.sqlite: no such store; ", refused(invoke("report", "no.sqlite")))


def test_rtl_writes_verilog(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "module engine;\nendmodule\n"
    monkeypatch.setattr(systems, "resolve", faked_verilog(systems.resolve, text))
    result = invoke("rtl", "fake", "--preset", "w4a8-8x8", "-o", "e.v", "--json")
    assert json.loads(result.stdout)["lines"] == 2
    assert Path("e.v").read_text() == text
    assert re.match(
        r"^/proc/no\.v: cannot be written \(.*\); name a file in a folder that has room and "
        r"that you may write to$",
        refused(invoke("rtl", "fake", "-o", "/proc/no.v")),
    )


def faked_verilog(resolve: Callable[[str], Any], text: str) -> Callable[[str], Any]:
    """The registry, but for the generator of Verilog, which has tests of its own."""
    return lambda path: (lambda engine: text) if "verilog" in path else resolve(path)


def test_reproduce_gives_every_field(invoke: Invoke) -> None:
    result = invoke("reproduce", "mixpe", "--json")
    rows = json.loads(result.stdout)["rows"]
    fields = "paper row what published ours deviation tolerance accounting verdict why"
    assert all(set(fields.split()) <= set(row) for row in rows)
    assert result.exit_code == int(any(row["verdict"] == "not reproduced" for row in rows))
    table = invoke("reproduce", "mixpe")
    assert table.exit_code == result.exit_code
    assert "reasons" in table.output and all(row["verdict"] in table.output for row in rows)
    page = invoke("reproduce", "mixpe", "--markdown")
    assert page.exit_code == result.exit_code
    assert page.stdout.startswith("| paper | row |") and page.stdout.count("| mixpe |") > len(rows)
    assert re.match(
        r"^no paper named 'x'; the papers are deformable-conv, lut-tensor-core, m3vit, mixpe$",
        refused(invoke("reproduce", "x")),
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("verify", "fake"), "interrupted"),
        (
            ("sweep", "fake"),
            "interrupted; what was stored is kept: continue with --resume",
        ),
    ],
)
def test_ctrl_c_ends_with_one_line(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], line: str
) -> None:
    def interrupt(*_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(systems, "system", interrupt)
    monkeypatch.setattr("dovetail.sweeps.definition.load_sweep", interrupt)
    result = invoke(*words)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{line}\n")


@pytest.mark.parametrize(
    "words",
    [
        "gpu a100-lut-8x --network llama2-70b-layer --batch 1",
        "schedule edge-moe-zcu102 --network m3vit-tiny",
        "run mixpe --network vit-authors --accounting authors",
    ],
)
def test_headings_fit_eighty_columns(invoke: Invoke, words: str) -> None:
    result = invoke(*words.split())
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
