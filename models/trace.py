"""The workload trace: a network's operators in program order, with shapes and formats.

A trace holds no cycles and no addresses; simulator and RTL are both driven by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError
from dovetail.models.checks import MAX_COUNT, check_count
from dovetail.models.conv_ops import ConvOp, MoveOp
from dovetail.models.whole_file import write_whole

TRACE_VERSION = 1
MAX_OPERATIONS = (1 << 63) - 1
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

    def __post_init__(self) -> None:
        for name in ("m", "n", "k", "count"):
            check_count(
                getattr(self, name),
                what=f"{self.name}: {name}",
                most=MAX_COUNT,
                advice="correct the operator",
            )
        if self.weights not in get_args(Operand):
            raise TraceError(
                f"{self.name}: weights={self.weights!r} must be parameter or activation; "
                f"correct the operator"
            )

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
    values_read, values_written : int
        Values that a kernel of its own takes from memory and leaves there; what is read once for
        all rows, such as a norm's weight, is not counted.
    """

    name: str
    layer: int
    kind: str
    operations: int
    values_read: int = 0
    values_written: int = 0

    def __post_init__(self) -> None:
        for field_name in ("operations", "values_read", "values_written"):
            check_count(
                getattr(self, field_name),
                what=f"{self.name}: {field_name}",
                least=0,
                most=MAX_OPERATIONS,
                advice="correct the operator",
            )


Op = GemmOp | OtherOp | ConvOp | MoveOp
_KINDS: dict[str, type[Op]] = {"gemm": GemmOp, "other": OtherOp, "conv": ConvOp, "move": MoveOp}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """A network at one batch, sequence length and phase; equal where ``trace_id`` is.

    Attributes
    ----------
    network : str
    phase : str
        ``prefill``: all ``seq`` tokens at once.  ``decode``: one token after ``seq`` cached ones.
    batch, seq : int
    ops : tuple of GemmOp, OtherOp, ConvOp and MoveOp
        Program order.
    notes : tuple of str
        What is modelled, approximated and left out.
    operands : dict of str to array
        Real operands where the trace came from a real forward pass: ``<layer>.<name>.a`` is
        float32 of shape (m, k), ``<layer>.<name>.w`` float32 of shape (n, k).
    data : dict of str to array
        What the hardware's time depends on beside shapes, such as which experts each token goes
        to; the network that made the trace says names, shapes and types.  Of a deformable
        convolution ``<layer>.<name>.s``, float32 of shape (out_height, out_width): square offsets
        before any bound or rounding, which are the design's.
    """

    network: str
    phase: Phase
    batch: int
    seq: int
    ops: tuple[Op, ...]
    notes: tuple[str, ...] = ()
    operands: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    data: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.phase not in get_args(Phase):
            raise TraceError(f"phase={self.phase!r} must be prefill or decode; change phase")
        for name in ("batch", "seq"):
            check_count(getattr(self, name), what=name, most=MAX_COUNT, advice=f"change {name}")
        for name, array in self._arrays.items():
            if not np.isfinite(array).all():
                raise TraceError(
                    f"{name.replace(':', ' ', 1)} holds NaN or infinity; every value must be "
                    f"finite, so correct the weights or the input it came from"
                )
        for op in self.convolutions:
            if op.deform:
                self._check_offsets(op)

    def _check_offsets(self, op: ConvOp) -> None:
        name, shape = f"{op.layer}.{op.name}.s", (op.out_height, op.out_width)
        found = self.data[name].shape if name in self.data else None
        if found != shape:
            raise TraceError(
                f"data {name} is {'missing' if found is None else f'of shape {found}'}; a "
                f"deformable convolution needs one square offset for each output pixel, of shape "
                f"{shape}"
            )

    def __eq__(self, other: object) -> bool:
        return self.trace_id == other.trace_id if isinstance(other, Trace) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.trace_id)

    @property
    def gemms(self) -> tuple[GemmOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, GemmOp))

    @property
    def others(self) -> tuple[OtherOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, OtherOp))

    @property
    def transformer_ops(self) -> tuple[GemmOp | OtherOp, ...]:
        """Every operator, for a system that runs GEMMs only.

        Raises
        ------
        TraceError
            Where the network has convolutions.
        """
        if self.convolutions:
            raise TraceError(
                f"{self.network} has {len(self.convolutions)} convolutions, and this system runs "
                f"GEMMs only; choose another network, or run it on the system deform"
            )
        return tuple(op for op in self.ops if isinstance(op, GemmOp | OtherOp))

    @property
    def convolutions(self) -> tuple[ConvOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, ConvOp))

    @property
    def moves(self) -> tuple[MoveOp, ...]:
        return tuple(op for op in self.ops if isinstance(op, MoveOp))

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.gemms) + sum(op.macs for op in self.convolutions)

    @property
    def trace_id(self) -> str:
        """Twelve hex digits that name the content; equal traces have equal ids."""
        digest = hashlib.sha256(self._header().encode())
        for name, array in sorted(self._arrays.items()):
            # Names of operands stand bare, as in files that were made before there was data.
            digest.update(f"{name.removeprefix('operand:')} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:12]

    @property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by kind and name, as files hold them."""
        return {
            f"{kind}:{name}": array
            for kind, arrays in (("operand", self.operands), ("data", self.data))
            for name, array in arrays.items()
        }

    def _header(self) -> str:
        names = {kind: name for name, kind in _KINDS.items()}
        ops: list[dict[str, Any]] = []
        for op in self.ops:
            fields = asdict(op)
            # Files from before these were counted have neither, and keep their id.
            for name in ("values_read", "values_written"):
                if fields.get(name) == 0:
                    del fields[name]
            ops.append({"op": names[type(op)], **fields})
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
        """Write the trace as ``.npz``; :meth:`load` reads it back equal.

        The file appears whole or not at all: a failed write leaves what was there before.

        Raises
        ------
        TraceError
            Where the file cannot be written: no such folder, no permission, a full disk.
        """
        try:
            write_whole(path, self._write)
        except OSError as error:
            raise TraceError(
                f"{path}: cannot be written ({error.strerror}); "
                f"name a file in a folder that has room and that you may write to"
            ) from None

    def _write(self, file: IO[bytes]) -> None:
        header, trace_id = np.array(self._header()), np.array(self.trace_id)
        np.savez_compressed(file, header=header, trace_id=trace_id, **self._arrays)  # type: ignore[arg-type]

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
                trace_id = str(archive["trace_id"])
                operands, data = (
                    {
                        name.removeprefix(kind): archive[name]
                        for name in archive.files
                        if name.startswith(kind)
                    }
                    for kind in ("operand:", "data:")
                )
        except FileNotFoundError:
            raise TraceError(
                f"{path}: no such file; make it with `dovetail trace NETWORK -o {path}`"
            ) from None
        except (PermissionError, IsADirectoryError) as error:
            raise TraceError(
                f"{path}: cannot be read ({error.strerror}); name a file that can"
            ) from None
        except Exception as error:
            # NumPy's, zipfile's and json's parsers raise some fifteen kinds on a damaged file.
            raise _not_a_trace(path, type(error).__name__) from None
        trace = _trace_from(header, operands, data, path)
        if trace.trace_id != trace_id:
            raise _not_a_trace(path, f"its content is {trace.trace_id}, its id {trace_id!r}")
        return trace


def _not_a_trace(path: Path, why: str) -> TraceError:
    return TraceError(
        f"{path}: not a complete trace file ({why}); make it again with `dovetail trace`"
    )


def _trace_from(header: Any, operands: dict[str, Any], data: dict[str, Any], path: Path) -> Trace:
    version = header.get("version") if isinstance(header, dict) else None
    if version != TRACE_VERSION:
        raise TraceError(
            f"{path}: trace version {version!r}, this Dovetail reads {TRACE_VERSION}; "
            f"make it again with `dovetail trace`"
        )
    try:
        ops = []
        for fields in header["ops"]:
            ops.append(_KINDS[fields.pop("op")](**fields))
        return Trace(
            network=header["network"],
            phase=header["phase"],
            batch=header["batch"],
            seq=header["seq"],
            ops=tuple(ops),
            notes=tuple(header["notes"]),
            operands=operands,
            data=data,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise TraceError(
            f"{path}: a field of the trace is missing or unknown ({error}); "
            f"make it again with `dovetail trace`"
        ) from None
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from None
