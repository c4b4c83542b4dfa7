"""rtl/verilator.py and rtl/harness.cpp: the memory model, the cache, and what can go wrong."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dovetail.arch.descriptor import register_names
from dovetail.arch.events import GEMM_EVENTS
from dovetail.errors import ToolError
from dovetail.rtl import verilate, verilator
from dovetail.rtl.verilate import cache_folder
from dovetail.rtl.verilator import Build, Case, build
from dovetail.tests.rtl.echo_engine import CONFIG, echo_verilog

pytestmark = pytest.mark.cosim

BEAT_BYTES = CONFIG.port_bits // 8
# Builds the echo engine in a process of its own and prints what came out.
_BUILD = """
from dovetail.rtl import verilator
from dovetail.tests.rtl.echo_engine import CONFIG, echo_verilog
verilator.engine_verilog = lambda config: echo_verilog()
built = verilator.build(CONFIG)
print(built.cached, built.executable, flush=True)
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache with Verilator's run time, which takes longest to compile, and the echo engine."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "verilator").mkdir()
    shutil.copy(verilate._runtime(traced=False), folder / "verilator")
    text = echo_verilog()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOVETAIL_CACHE", str(folder))
        patch.setattr(verilator, "engine_verilog", lambda config: text)
        assert not build(CONFIG).cached
        yield folder


@pytest.fixture
def echo(runtime: Path) -> Build:
    return build(CONFIG)


@pytest.fixture
def empty_cache(runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with Verilator's run time alone."""
    shutil.copytree(runtime / "verilator", tmp_path / "cache" / "verilator")
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def case(*, read: int, write: int, at: int = 0, latency: int = 5, memory: int = 12) -> Case:
    descriptor = dict.fromkeys(register_names(CONFIG), 0)
    descriptor |= {"groups": read, "k": write, "activation_address": at, "output_address": 100}
    return Case(
        descriptor=descriptor,
        memory=bytes(range(1, 1 + memory * BEAT_BYTES)),
        output_address=100,
        output_beats=8,
        latency_cycles=latency,
        max_cycles=400,
    )


@pytest.mark.parametrize("latency", [1, 2, 17])
def test_memory_answers_after_its_latency_and_then_every_cycle(echo: Build, latency: int) -> None:
    one = case(read=6, write=6, at=3, latency=latency)
    (result,) = echo.run([one])
    assert result.problem is None
    # Start in cycle 0, command in 1, first beat ``latency`` later, one a cycle from then on.
    assert result.written_at == tuple(1 + latency + beat for beat in range(6)) + (0, 0)
    assert result.cycles == 1 + latency + 5
    data = one.memory[3 * BEAT_BYTES : 9 * BEAT_BYTES]
    assert result.output == data + bytes(2 * BEAT_BYTES)


def test_counters_come_under_their_own_names(echo: Build) -> None:
    (result,) = echo.run([case(read=1, write=1)])
    assert result.events == {event: index for index, event in enumerate(GEMM_EVENTS, start=1)}


def test_gaps_delay_but_lose_nothing(echo: Build) -> None:
    plain = case(read=8, write=8)
    gapped = [replace(plain, gap_256=160, gap_seed=seed) for seed in range(6)]
    exact, *results = echo.run([plain, *gapped])
    assert {result.output for result in results} == {exact.output}
    assert all(result.cycles > exact.cycles for result in results)
    assert len({result.written_at for result in results}) > 3  # each seed has its own gaps


def test_cases_run_one_after_the_other_without_a_trace_of_the_last(echo: Build) -> None:
    cases = [case(read=n, write=n, at=n // 2) for n in (8, 1, 3)]
    together = echo.run(cases)
    assert together == [echo.run([one])[0] for one in cases]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"read": 2, "write": 3}, "the engine did not finish"),
        ({"read": 3, "write": 3, "at": 10}, "the engine used an address outside its operands"),
        ({"read": 3, "write": 3, "at": 12}, "the engine used an address outside its operands"),
        ({"read": 0, "write": 1}, "the engine used an address outside its operands"),
        ({"read": 9, "write": 9}, "the engine used an address outside its operands"),
        ({"read": 3, "write": 2}, "the engine finished before its read data arrived"),
    ],
)
def test_names_what_no_engine_may_do_and_stops(
    echo: Build, wrong: dict[str, int], problem: str
) -> None:
    good = case(read=2, write=2)
    results = echo.run([good, case(**wrong), good])
    assert [result.problem for result in results] == [None, problem]


def test_finds_its_own_build_again(echo: Build) -> None:
    assert echo.cached
    assert echo.executable.is_file()
    assert not list(cache_folder().rglob(".building-*"))


@pytest.mark.parametrize("change", ["text", "harness", "compiler"])
def test_a_change_of_what_it_is_made_from_is_another_build(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def stop(*_: Any) -> None:
        raise ToolError("builds anew")

    monkeypatch.setattr(verilate, "_run", stop)
    if change == "text":
        monkeypatch.setattr(verilator, "engine_verilog", lambda config: "// another")
    elif change == "harness":
        (tmp_path / "harness.cpp").write_text("// another")
        monkeypatch.setattr(verilator, "files", lambda package: tmp_path)
    elif change == "compiler":
        monkeypatch.setattr(verilate, "_compiler_version", lambda: "0.1")
    with pytest.raises(ToolError, match=r"^builds anew$"):
        build(CONFIG)


def start_build(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD],
        env={**os.environ, "DOVETAIL_CACHE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_killed_build_leaves_nothing_that_could_be_taken_for_one(empty_cache: Path) -> None:
    process = start_build(empty_cache)
    deadline = time.monotonic() + 60
    while not list(empty_cache.glob("engines/.building-*/*.o")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    out, _ = process.communicate()
    assert out == ""
    names = [path.name for path in (empty_cache / "engines").iterdir()]
    assert names and all(name.startswith(".building-") for name in names)


def test_two_builds_at_once_do_no_harm(empty_cache: Path) -> None:
    left_behind = empty_cache / "engines" / ".building-killed"
    left_behind.mkdir(parents=True)
    processes = [start_build(empty_cache) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0][0].split()[1] == outputs[1][0].split()[1]
    built = build(CONFIG)
    assert built.cached
    assert built.run([case(read=1, write=1)])[0].problem is None
    names = {path.name for path in (empty_cache / "engines").iterdir()}
    assert names == {built.digest, left_behind.name}


def test_refuses_a_cache_that_cannot_be_written(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DOVETAIL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        ToolError,
        match=rf"^cannot write the build cache {tmp_path}/file/cache/\w+: Not a directory; "
        r"set DOVETAIL_CACHE to a folder with space that you may write$",
    ):
        build(CONFIG)


def test_reports_a_full_disk(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(
        ToolError,
        match=rf"^cannot write the build cache {empty_cache}/engines: No space left on device; "
        r"set DOVETAIL_CACHE to a folder with space that you may write$",
    ):
        build(CONFIG)
    assert not list((empty_cache / "engines").iterdir())


def test_names_the_package_where_the_compiler_is_missing(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verilate._compiler_version.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        ToolError, match=r"^g\+\+ is missing; install it with `apt-get install g\+\+`$"
    ):
        build(CONFIG)


def test_reports_the_line_that_verilator_refuses(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verilator, "engine_verilog", lambda config: "module engine(;\nendmodule\n")
    with pytest.raises(ToolError, match=r"^verilator_bin failed: %Error: engine\.v:1:\d+: .+$"):
        build(CONFIG)
    assert not list((empty_cache / "engines").iterdir())


def test_reports_a_build_that_crashes(echo: Build, tmp_path: Path) -> None:
    broken = replace(echo, executable=tmp_path / "engine")
    broken.executable.write_text("#!/bin/sh\necho no memory >&2\nexit 3\n")
    broken.executable.chmod(0o755)
    with pytest.raises(
        ToolError,
        match=rf"^the verilated engine ended with code 3: no memory; delete {tmp_path} to build "
        r"it again$",
    ):
        broken.run([case(read=1, write=1)])


def test_reports_a_build_that_cannot_be_started(echo: Build, tmp_path: Path) -> None:
    broken = replace(echo, executable=tmp_path / "engine")
    broken.executable.write_bytes(b"half of it")
    broken.executable.chmod(0o755)
    with pytest.raises(
        ToolError,
        match=rf"^cannot start the verilated engine: Exec format error; delete {tmp_path} to "
        r"build it again$",
    ):
        broken.run([case(read=1, write=1)])


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.delenv("DOVETAIL_CACHE", raising=False)
    assert cache_folder() == Path("/elsewhere/dovetail")
    monkeypatch.setenv("DOVETAIL_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
    monkeypatch.delenv("DOVETAIL_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "dovetail"
