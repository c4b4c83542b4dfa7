"""Lockstep of parts without a memory port: vectors in Verilator, every output in its cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dovetail.lockstep.compare import Comparison, Kind, Mismatch
from dovetail.rtl.vector_bench import VectorRun, run_vectors
from dovetail.rtl.verilog import verilog
from dovetail.stimuli.ports import WORD_BITS, Raw

__all__ = ["Expected", "VectorCase", "Vectors", "compare_vectors", "joined"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """What an output port must show.

    Attributes
    ----------
    values : uint64, shape (cycles,) or (cycles, words)
    counts : bool, shape (cycles,)
        Cycles in which it matters.
    kind : str
        ``cycles`` for handshakes, which say when something happens; ``values`` for the others.
    mask : uint64, shape of ``values``, optional
        Bits that matter.
    """

    values: Raw
    counts: np.ndarray[Any, np.dtype[np.bool_]]
    kind: Literal["values", "cycles"] = "values"
    mask: Raw | None = None


Vectors = tuple[dict[str, Raw], dict[str, Expected]]
"""What enters a part, by port and cycle, and what must leave it."""


def joined(parts: Sequence[Vectors]) -> Vectors:
    """Vectors one after the other, without a reset between."""
    inputs = {port: np.concatenate([given[port] for given, _ in parts]) for port in parts[0][0]}
    expected = {}
    for port, first in parts[0][1].items():
        of_port = [answers[port] for _, answers in parts]
        masks = [one.mask for one in of_port if one.mask is not None]
        expected[port] = Expected(
            values=np.concatenate([one.values for one in of_port]),
            counts=np.concatenate([one.counts for one in of_port]),
            kind=first.kind,
            mask=np.concatenate(masks) if masks else None,
        )
    return inputs, expected


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorCase:
    """One run of a part.

    Attributes
    ----------
    component : callable
        Makes the part; the same for all cases of a comparison.
    inputs : dict of str to uint64
        As of :func:`dovetail.rtl.vector_bench.run_vectors`.
    expected : dict of str to Expected
        Of every output port that says something.
    where : str
        The part and its sizes.
    repeat : str
        Command that runs the case again.
    """

    component: Callable[[], Any]
    inputs: Mapping[str, Raw]
    expected: Mapping[str, Expected]
    where: str
    repeat: str = ""


def compare_vectors(
    cases: Sequence[VectorCase], *, waves: Path | None = None, most_waves: int = 1
) -> Comparison:
    """Run ``cases`` on the part that they share.

    There is no waveform of a mismatch: the bench records ports alone, so ``waves`` and
    ``most_waves`` are not used.
    """
    component = cases[0].component()
    widths = port_widths(component)
    text = verilog(component, name="unit")
    found: list[Mismatch] = []
    values = cycles = 0
    for case in cases:
        run = run_vectors(
            text,
            top="unit",
            inputs=case.inputs,
            outputs={port: widths[port] for port in case.expected},
        )
        cycles += run.cycles
        values += sum(
            int(port.counts.sum()) for port in case.expected.values() if port.kind == "values"
        )
        found += _differences(case, run)
    return Comparison(
        cases=len(cases), values=values, cycles=cycles, events=0, mismatches=tuple(found)
    )


def port_widths(component: Any) -> dict[str, int]:
    """Widths of all ports as Verilog names them, those of streams too."""
    widths: dict[str, int] = {}
    for path, _, value in component.signature.flatten(component):
        member = value.as_value() if hasattr(value, "as_value") else value
        widths["__".join(map(str, path))] = len(member)
    return widths


def _differences(case: VectorCase, run: VectorRun) -> list[Mismatch]:
    """The first difference of each kind."""
    first: dict[Kind, tuple[int, str, int, int]] = {}
    counts: dict[Kind, int] = {}
    for name, port in case.expected.items():
        got = run.outputs[name]
        wrong = got ^ port.values
        if port.mask is not None:
            wrong &= port.mask
        differs = (wrong != 0) if wrong.ndim == 1 else (wrong != 0).any(axis=1)
        places = np.flatnonzero(differs & port.counts)
        if not len(places):
            continue
        cycle = int(places[0])
        counts[port.kind] = counts.get(port.kind, 0) + len(places)
        seen = (cycle, name, _integer(got[cycle]), _integer(port.values[cycle]))
        first[port.kind] = min(first.get(port.kind, seen), seen)
    return [
        Mismatch(
            kind=kind,
            cycle=cycle,
            signal=name,
            rtl=got,
            expected=want,
            count=counts[kind],
            where=case.where,
            repeat=case.repeat,
        )
        for kind, (cycle, name, got, want) in first.items()
    ]


def _integer(value: Any) -> int:
    words = np.atleast_1d(value).tolist()
    return sum(word << (WORD_BITS * place) for place, word in enumerate(words))
