"""Build an engine in Verilator and run cases on it; builds are cached by content.

The DRAM model is C++ (``harness.cpp``), since a Python loop around every cycle runs twenty times
slower.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.events import GEMM_EVENTS, Event
from dovetail.rtl.engines import engine_verilog
from dovetail.rtl.gemm.descriptor import descriptor_layout
from dovetail.rtl.verilate import cached, run_model, verilate

__all__ = ["Build", "Case", "CaseResult", "EngineRtl", "build", "build_engine"]

_STATUS = {
    1: "the engine did not finish",
    2: "the engine used an address outside its operands",
    3: "the engine finished before its read data arrived",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRtl:
    """What the memory model must know of an engine.

    Attributes
    ----------
    verilog : str
        Top module ``engine``, with ``start``, ``write``, ``busy`` and counters as
        :class:`dovetail.rtl.gemm.engine.GemmEngine` has them, and ``read_ports``.
    descriptor : data.StructLayout
        Of its run-time registers.
    port_bits : int
        One beat of read or write data.
    events : tuple of Event
        Its counters.
    read_ports : tuple of (str, str)
        Names of the streams of commands and of their data.
    """

    verilog: str
    descriptor: Any
    port_bits: int
    events: tuple[Event, ...]
    read_ports: tuple[tuple[str, str], ...] = (("command", "read"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run of the engine.

    Attributes
    ----------
    descriptor : dict of str to int
        Its run-time registers, such as the fields of :class:`dovetail.arch.descriptor.Descriptor`.
    memory : bytes
        What can be read, from beat 0 on, whole beats.
    output_address, output_beats : int
        Beats that can be written; they may lie in ``memory``.
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
    output_address: int
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
        What is in those beats in the end.
    written_at : tuple of int
        Cycle after start in which each of them was written last; 0 for never.
    """

    problem: str | None
    cycles: int
    events: dict[Event, int]
    output: bytes
    written_at: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """A compiled engine.

    Attributes
    ----------
    engine : EngineRtl
    executable : Path
    digest : str
        Of the Verilog, the harness and the tool versions: the cache's key.
    cached : bool
        True where it was there already.
    """

    engine: EngineRtl
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
        layout = self.engine.descriptor
        beat_bytes = self.engine.port_bits // 8
        descriptor_words = -(-layout.size // 32)
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
                            case.output_address,
                            case.output_beats,
                            *case.waves,
                        )
                    )
                    packed = layout.const(case.descriptor).as_value().value
                    file.write(packed.to_bytes(4 * descriptor_words, "little"))
                    file.write(case.memory)
            command = [str(self.executable), str(case_path), str(result_path)]
            if waves is not None:
                command.append(str(waves))
            run_model(command, what="engine")
            return _results(result_path.read_bytes(), cases, beat_bytes, self.engine.events)


def _results(
    data: bytes, cases: Sequence[Case], beat_bytes: int, events: Sequence[Event]
) -> list[CaseResult]:
    results = []
    at = 0
    for case in cases:
        if at == len(data):
            break
        status, cycles = struct.unpack_from("<IQ", data, at)
        at += 12
        counts = struct.unpack_from(f"<{len(events)}Q", data, at)
        at += 8 * len(events)
        size = case.output_beats * beat_bytes
        output = data[at : at + size]
        at += size
        written_at = struct.unpack_from(f"<{case.output_beats}I", data, at)
        at += 4 * case.output_beats
        results.append(
            CaseResult(
                problem=_STATUS[status] if status else None,
                cycles=cycles,
                events=dict(zip(events, counts, strict=True)),
                output=output,
                written_at=written_at,
            )
        )
    return results


def build(config: GemmEngineConfig, *, traced: bool = False) -> Build:
    """Compile the GEMM engine of ``config``: see :func:`build_engine`."""
    engine = EngineRtl(
        verilog=engine_verilog(config),
        descriptor=descriptor_layout(config),
        port_bits=config.port_bits,
        events=GEMM_EVENTS,
    )
    return build_engine(engine, traced=traced)


def build_engine(engine: EngineRtl, *, traced: bool = False) -> Build:
    """Compile ``engine``, or find it in the cache.

    Parameters
    ----------
    engine : EngineRtl
    traced : bool
        Able to write waveforms; slower.

    Raises
    ------
    ToolError
        Where g++ or the Verilator package is missing, or a tool fails.
    """
    text = engine.verilog
    harness = (files("dovetail.rtl") / "harness.cpp").read_text()

    def make(folder: Path) -> tuple[str, ...]:
        (folder / "engine.v").write_text(text)
        (folder / "harness.cpp").write_text(harness)
        verilate(
            ["engine.v"],
            top="engine",
            executable="engine",
            folder=folder,
            defines={
                "COUNTERS": " ".join(f"COUNTER({event})" for event in engine.events),
                "PORTS": " ".join(f"PORT({command},{read})" for command, read in engine.read_ports),
            },
            options=("--output-split", "0", "--x-initial", "fast"),
            traced=traced,
        )
        return ("engine", "engine.v")

    folder, found = cached("engines", (text, harness, str(engine.read_ports), str(traced)), make)
    return Build(engine, folder / "engine", folder.name, found)
