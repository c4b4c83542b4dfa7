"""Run operand vectors through any component, RTL or netlist, in Verilator; count net toggles."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ConfigError, ShapeError, ToolError
from dovetail.rtl.flat_netlist import FlatNetlist, read_flat_netlist, read_ports
from dovetail.rtl.stimulus import Stimulus
from dovetail.rtl.vector_wrapper import WRAPPER, Interface, interface, words, wrapper
from dovetail.rtl.verilate import cached, run_model, verilate

__all__ = ["VectorRun", "check_outputs", "run_vectors"]

# Verilator removes nets in these passes, or makes them local to a function.  Start values of
# all nets would be half of the C++.
_KEEP_NETS = [
    *("-fno-dfg", "-fno-gate", "-fno-life", "-fno-localize", "-fno-subst"),
    *("--x-initial", "fast"),
]

# Places from the end of the counts.
_CLOCK, _CONSTANT = -2, -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorRun:
    """What a component did with its vectors.

    Attributes
    ----------
    outputs : dict of str to uint64, shape (cycles,) or (cycles, words)
        Each output port once the logic of the cycle has settled, before its clock edge; a port of
        more than 64 bits takes several words, little end first.
    toggles : dict of str to int
        Changes of each net bit from one cycle to the next; empty unless they were counted.  The
        key is ``net`` or ``bus[3]``, as in the Verilog text but without the backslash of an escaped
        name.
    cycles : int
        Number of vectors.
    """

    outputs: Mapping[str, NDArray[np.uint64]]
    toggles: Mapping[str, int]
    cycles: int


def run_vectors(
    verilog: str,
    *,
    top: str,
    inputs: Mapping[str, NDArray[np.uint64]],
    outputs: Mapping[str, int],
    cells: str = "",
    count_toggles: bool = False,
    reset_cycles: int = 1,
) -> VectorRun:
    """Drive a component with one vector per cycle and record what it answers.

    Ports ``clk`` and ``rst`` are driven where they exist: ``reset_cycles`` cycles of reset with all
    inputs 0, then the vectors.  Each vector is applied just after a rising edge, and outputs are
    read before the next one.  What has no reset starts from random bits, the same ones each time,
    or from zero where toggles are counted.

    Toggles are those of logic without delay: it settles once after each clock edge, so the glitches
    of real gates are not in them.  Counted are the cycles - 1 steps from one vector to the next; a
    latch, or a gated clock, may change twice in one.  The clock itself counts 2 per cycle.  Nets
    that are joined by an ``assign`` each have the count; constants have 0.

    Parameters
    ----------
    verilog : str
        The component; where toggles are counted, a flat netlist of cells.
    top : str
        Name of its module.
    inputs : dict of str to uint64, shape (cycles,) or (cycles, words)
        Raw bits of every input port but ``clk`` and ``rst``, as in
        :class:`dovetail.rtl.stimulus.Stimulus`.
    outputs : dict of str to int
        Output ports to record, and their widths.
    cells : str
        Verilog models of the cells that a netlist places.
    count_toggles : bool
        Takes time for each net.
    reset_cycles : int
        Rising edges in reset, before the vectors.

    Raises
    ------
    ToolError
        A tool is missing, or refuses the text.
    ConfigError
        A port does not exist, or has another width.
    ShapeError
        An array does not fit its port, or is not as long as the others.
    """
    if reset_cycles < 0:
        raise ConfigError(f"reset_cycles={reset_cycles} must be 0 or more; give a count")
    bench = _build(verilog, cells, top, count_toggles)
    _check_ports(bench.interface, top, inputs, outputs)
    stimulus = _stimulus(bench.interface, inputs)
    with tempfile.TemporaryDirectory(prefix="dovetail-vectors-") as scratch:
        names = ("stimulus", "response", "toggles")
        stimulus_path, response_path, toggles_path = (Path(scratch) / name for name in names)
        stimulus.tofile(stimulus_path)
        run_model(
            [
                *(str(bench.executable), str(len(stimulus)), str(reset_cycles)),
                *(str(path) for path in (stimulus_path, response_path, toggles_path)),
            ],
            what="component",
        )
        response = np.fromfile(response_path, dtype="<u8")
        counts = np.fromfile(toggles_path, dtype="<u8").tolist()
    counts += [2 * len(stimulus), 0]  # _CLOCK and _CONSTANT
    return VectorRun(
        outputs=_split(bench.interface, response, outputs),
        toggles={name: counts[index] for name, index in bench.nets.items()},
        cycles=len(stimulus),
    )


def check_outputs(stimulus: Stimulus, run: VectorRun) -> None:
    """Compare what a component answered with what its stimulus expects.

    Raises
    ------
    ToolError
        Where they differ in a cycle that counts: names port, cycle and both values.
    """
    for port, expected in stimulus.expected.items():
        got = run.outputs[port]
        differs = got != expected
        if differs.ndim > 1:
            differs = differs.any(axis=1)
        differs &= stimulus.check[port]
        if differs.any():
            cycle = int(np.argmax(differs))
            raise ToolError(
                f"output {port} is {_hex(got[cycle])} in cycle {cycle} and must be "
                f"{_hex(expected[cycle])}; {int(differs.sum())} of "
                f"{int(stimulus.check[port].sum())} checked values of it differ"
            )


def _hex(value: NDArray[np.uint64] | np.uint64) -> str:
    return hex(int.from_bytes(np.asarray(value).astype("<u8").tobytes(), "little"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """A compiled component; ``nets`` is the index in the counts of each name of a net."""

    interface: Interface
    executable: Path
    nets: Mapping[str, int]


def _build(verilog: str, cells: str, top: str, count_toggles: bool) -> _Bench:
    package = files("dovetail.rtl")
    harness = (package / "vector_bench.cpp").read_text()
    makers = [(package / f"{name}.py").read_text() for name in ("vector_wrapper", "flat_netlist")]

    def make(folder: Path) -> tuple[str, ...]:
        for name, text in (("dut.v", verilog), ("cells.v", cells), ("bench.cpp", harness)):
            (folder / name).write_text(text)
        nets: dict[str, int] = {}
        counted: list[int] = []
        options = ["--x-initial", "unique"]
        if count_toggles:
            netlist = read_flat_netlist(folder, "dut.v", top=top)
            (folder / "dut.v").write_text(netlist.verilog(top=top))
            counted, nets = _counted(netlist)
            ports = {name: (way, len(bits)) for name, (way, bits) in netlist.ports.items()}
            options = _KEEP_NETS
        else:
            ports = read_ports(folder, "dut.v", top=top)
        found = interface(ports, top=top)
        (folder / "bench.v").write_text(wrapper(found, top=top))
        (folder / "nets.inc").write_text("".join(f"NET(n{net})\n" for net in counted))
        (folder / "bench.json").write_text(json.dumps({"interface": asdict(found), "nets": nets}))
        verilate(
            ["dut.v", "cells.v", "bench.v"],
            top=WRAPPER,
            executable="bench",
            folder=folder,
            defines={
                "CLOCKED": str(int(found.clocked)),
                "RESETTABLE": str(int(found.resettable)),
                "STIMULUS_WORDS": str(sum(map(words, found.inputs.values()))),
                "RESPONSE_WORDS": str(sum(map(words, found.outputs.values()))),
                "NETS": str(len(counted)),
            },
            # Lint is not the bench's business: unconnected outputs of cells are usual.
            options=("--flatten", "-Wno-lint", "-Wno-fatal", *options),
        )
        return ("bench", "bench.json", "bench.v", "dut.v")

    folder, _ = cached("vectors", (verilog, cells, top, str(count_toggles), harness, *makers), make)
    stored = json.loads((folder / "bench.json").read_text())
    return _Bench(
        interface=Interface(**stored["interface"]),
        executable=folder / "bench",
        nets=stored["nets"],
    )


def _counted(netlist: FlatNetlist) -> tuple[list[int], dict[str, int]]:
    """Nets to count, and for each name its place among them, ``_CLOCK`` or ``_CONSTANT``."""
    clock = netlist.ports["clk"][1][0] if "clk" in netlist.ports else None
    counted = [net for net in netlist.nets() if net != clock]
    places = {net: place for place, net in enumerate(counted)} | {clock: _CLOCK}
    # A net that leads nowhere is one, too: an unused wire of the text.
    return counted, {name: places.get(bit, _CONSTANT) for name, bit in netlist.names.items()}


def _check_ports(
    interface: Interface,
    top: str,
    inputs: Mapping[str, NDArray[np.uint64]],
    outputs: Mapping[str, int],
) -> None:
    for port in inputs:
        if port not in interface.inputs:
            raise ConfigError(
                f"{top} has no input {port!r}, only {', '.join(interface.inputs)}; "
                f"give vectors for these"
            )
    for port in interface.inputs:
        if port not in inputs:
            raise ConfigError(f"no vectors for input {port!r} of {top}; give some for every input")
    for port, bits in outputs.items():
        actual = interface.outputs.get(port)
        if actual is None:
            raise ConfigError(
                f"{top} has no output {port!r}, only {', '.join(interface.outputs)}; ask for these"
            )
        if actual != bits:
            raise ConfigError(
                f"output {port!r} of {top} has {actual} bits, not {bits}; give its width"
            )


def _stimulus(interface: Interface, inputs: Mapping[str, NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Vectors of all inputs side by side, shape (cycles, words)."""
    columns: list[NDArray[np.uint64]] = []
    for port, bits in interface.inputs.items():
        vectors = inputs[port]
        shape = (len(vectors),) if bits <= 64 else (len(vectors), words(bits))
        if vectors.dtype != np.uint64 or vectors.shape != shape:
            rule = "(cycles,)" if bits <= 64 else f"(cycles, {words(bits)})"
            raise ShapeError(
                f"vectors of input {port!r} are {vectors.dtype} of shape {vectors.shape}; "
                f"{bits} bits take uint64 of shape {rule}"
            )
        column = vectors.reshape(len(vectors), words(bits))
        if columns and len(column) != len(columns[0]):
            raise ShapeError(
                f"{len(column)} vectors for input {port!r} but {len(columns[0])} for "
                f"{next(iter(interface.inputs))!r}; give one per cycle for each"
            )
        if bits % 64 and len(column) and int(column[:, -1].max()) >> bits % 64:
            cycle = int(np.argmax(column[:, -1]))
            raise ShapeError(
                f"vector {_hex(vectors[cycle])} of input {port!r} in cycle {cycle} has more than "
                f"its {bits} bits; give raw bits of that width"
            )
        columns.append(column)
    return np.ascontiguousarray(np.concatenate(columns, axis=1), dtype="<u8")


def _split(
    interface: Interface, response: NDArray[np.uint64], outputs: Mapping[str, int]
) -> dict[str, NDArray[np.uint64]]:
    """Columns of the outputs asked for."""
    rows = response.reshape(-1, sum(map(words, interface.outputs.values())))
    found = {}
    at = 0
    for port, bits in interface.outputs.items():
        if port in outputs:
            columns = rows[:, at : at + words(bits)]
            found[port] = np.ascontiguousarray(columns[:, 0] if bits <= 64 else columns)
        at += words(bits)
    return found
