"""The workload trace: a network's operators in program order, with shapes and formats.

A trace holds no cycles and no addresses; simulator and RTL are both driven by it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError

TRACE_VERSION = 1
Phase = Literal["prefill", "decode"]
Operand = Literal["parameter", "activation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GemmOp:
    """``count`` independent GEMMs ``Y[m, n] = sum_k A[m, k] * W[n, k]`` of one shape.

    Attributes
    ----------
    name : str
        Operator, such as ``q_proj`` or ``attention_scores``.
    layer : int
        Index of the layer, -1 for what stands outside the layers (embedding, head).
    m, n, k : int
        Rows of activations, output channels, reduction length.
    count : int
        How many such GEMMs run (batch x heads for attention); they share nothing.
    weights : str
        ``parameter``: W is stored and quantised in groups.  ``activation``: W is computed at run
        time (keys, values), so it is INT8 or, with ``kv_bits = 4``, INT4.
    """

    name: str
    layer: int
    m: int
    n: int
    k: int
    count: int = 1
    weights: Operand = "parameter"

    @property
    def macs(self) -> int:
        return self.m * self.n * self.k * self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherOp:
    """Work that is not a GEMM and costs no time in the engine's model; reports list its share.

    Attributes
    ----------
    name, layer : str, int
        As in :class:`GemmOp`.
    kind : str
        ``norm``, ``softmax``, ``activation``, ``rope``, ``residual``, ``embedding`` ...
    operations : int
        Scalar operations, additions and multiplications counted alike.
    """

    name: str
    layer: int
    kind: str
    operations: int


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A network at one batch, sequence length and phase.

    Attributes
    ----------
    network : str
    phase : str
        ``prefill``: all ``seq`` tokens at once.  ``decode``: one token after ``seq`` cached ones.
    batch, seq : int
    ops : tuple of GemmOp and OtherOp
        Program order.
    notes : tuple of str
        What is modelled, approximated and left out.
    operands : dict of str to array
        Real operands where the trace came from a real forward pass: ``<layer>.<name>.a`` is
        float32 of shape (m, k), ``<layer>.<name>.w`` float32 of shape (n, k).
    """

    network: str
    phase: Phase
    batch: int
    seq: int
    ops: tuple[GemmOp | OtherOp, ...]
    notes: tuple[str, ...] = ()
    operands: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def gemms(self) -> tuple[GemmOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, GemmOp))

    @property
    def others(self) -> tuple[OtherOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, OtherOp))

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.gemms)

    @property
    def trace_id(self) -> str:
        """Twelve hex digits that name the content; equal traces have equal ids."""
        digest = hashlib.sha256(self._header().encode())
        for name in sorted(self.operands):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.operands[name]).tobytes())
        return digest.hexdigest()[:12]

    def _header(self) -> str:
        ops: list[dict[str, Any]] = []
        for op in self.ops:
            ops.append({"op": "gemm" if isinstance(op, GemmOp) else "other", **asdict(op)})
        return json.dumps(
            {
                "version": TRACE_VERSION,
                "network": self.network,
                "phase": self.phase,
                "batch": self.batch,
                "seq": self.seq,
                "notes": list(self.notes),
                "ops": ops,
            },
            sort_keys=True,
        )

    def save(self, path: Path) -> None:
        """Write the trace as ``.npz``; ``Trace.load`` reads it back equal."""
        arrays = {f"operand:{name}": array for name, array in self.operands.items()}
        with path.open("wb") as file:
            np.savez_compressed(file, header=np.array(self._header()), **arrays)  # type: ignore[arg-type]

    @staticmethod
    def load(path: Path) -> Trace:
        """Read a trace that :meth:`save` wrote.

        Raises
        ------
        TraceError
            Where the file is missing, truncated, of another version or not a trace.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                header = json.loads(str(archive["header"]))
                operands = {
                    name.removeprefix("operand:"): archive[name]
                    for name in archive.files
                    if name.startswith("operand:")
                }
        except FileNotFoundError:
            raise TraceError(
                f"{path}: no such file; make it with `dovetail trace NETWORK -o {path}`"
            ) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise TraceError(
                f"{path}: not a complete trace file ({type(error).__name__}); "
                f"make it again with `dovetail trace`"
            ) from None
        return _trace_from(header, operands, path)


def _trace_from(header: Any, operands: dict[str, Any], path: Path) -> Trace:
    version = header.get("version") if isinstance(header, dict) else None
    if version != TRACE_VERSION:
        raise TraceError(
            f"{path}: trace version {version!r}, this Dovetail reads {TRACE_VERSION}; "
            f"make it again with `dovetail trace`"
        )
    try:
        ops = []
        for fields in header["ops"]:
            kind = fields.pop("op")
            ops.append(GemmOp(**fields) if kind == "gemm" else OtherOp(**fields))
        return Trace(
            network=header["network"],
            phase=header["phase"],
            batch=header["batch"],
            seq=header["seq"],
            ops=tuple(ops),
            notes=tuple(header["notes"]),
            operands=operands,
        )
    except (KeyError, TypeError) as error:
        raise TraceError(
            f"{path}: a field of the trace is missing or unknown ({error}); "
            f"make it again with `dovetail trace`"
        ) from None
