"""Anyone's network as a list of GEMMs: SCALE-Sim's topology file in its M, N, K format."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from dovetail.arch.engine import MAX_K
from dovetail.arch.gemm import MAX_DIMENSION
from dovetail.errors import TraceError
from dovetail.models.checks import check_count
from dovetail.models.trace import GemmOp, Trace

_NOTES = (
    "modelled: each row as one GEMM, a batch column as that many independent ones",
    "approximated: the file does not say which operands are computed at run time, so every W "
    "counts as a stored weight, also in attention",
    "not modelled: all work that is not a GEMM",
    "the file states no phase, batch or sequence: the trace says prefill, 1 and 1",
)


def trace_from_topology_csv(path: Path) -> Trace:
    """Read a header row and one GEMM a row: name, M, N, K.

    M is the rows of the activations, N the columns of the weights, K the reduction length.  A
    comma at the end of a row is allowed and not needed.  As in SCALE-Sim a fifth column may hold a
    batch count (independent GEMMs of that shape) or a sparsity ratio, which must be dense, and a
    sixth the batch count after a ratio.

    Raises
    ------
    TraceError
        Names file, line, value and rule of the first row that cannot be read.
    """
    rows = _rows(path)
    if not rows:
        raise TraceError(
            f"{path}: the file is empty; write a header row `Layer, M, N, K` and one GEMM a row"
        )
    header_line, header = rows[0]
    _check_header(f"{path}:{header_line}", header)
    ops = tuple(
        _gemm(f"{path}:{line}", cells, layer) for layer, (line, cells) in enumerate(rows[1:])
    )
    if not ops:
        raise TraceError(f"{path}: there is a header and no row; write one GEMM a row")
    return Trace(network=path.stem, phase="prefill", batch=1, seq=1, ops=ops, notes=_NOTES)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells of every row that is not blank, without the empty cells at its end."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}; name a topology file that exists") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise TraceError(f"{path}: not a text file; a topology file is CSV in UTF-8")
    rows = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise TraceError(
            f"{path}:{reader.line_num}: not a row of a CSV file ({error}); correct the row"
        ) from None
    return rows


def _check_header(where: str, header: list[str]) -> None:
    if len(header) >= 8:
        raise TraceError(
            f"{where}: {len(header)} columns are SCALE-Sim's convolution format; only its GEMM "
            f"format is read, so write each convolution as M = output pixels, N = filters, "
            f"K = filter height x width x channels"
        )
    if [cell.upper() for cell in header[1:4]] != ["M", "N", "K"]:
        raise TraceError(
            f"{where}: the header is {', '.join(header)!r}; it must be `Layer, M, N, K`, in this "
            f"order; put this row first"
        )


def _gemm(where: str, cells: list[str], layer: int) -> GemmOp:
    if not 4 <= len(cells) <= 6:
        raise TraceError(
            f"{where}: {len(cells)} columns; a row holds name, M, N, K and at most a sparsity "
            f"ratio and a batch count; correct the row"
        )
    name, m, n, k, *rest = cells
    if not name:
        raise TraceError(f"{where}: the layer has no name; write one in the first column")
    if rest and ":" in rest[0]:
        _check_dense(where, rest.pop(0))
    if len(rest) > 1:
        raise TraceError(
            f"{where}: columns 5 and 6 are {', '.join(rest)!r}; two of them must be a sparsity "
            f"ratio and a batch count; correct the row"
        )
    return GemmOp(
        name=name,
        layer=layer,
        m=_size(where, "M", m, MAX_DIMENSION),
        n=_size(where, "N", n, MAX_DIMENSION),
        k=_size(where, "K", k, MAX_K),
        count=_size(where, "batch", rest[0], MAX_DIMENSION) if rest else 1,
    )


def _check_dense(where: str, ratio: str) -> None:
    kept, _, of = ratio.partition(":")
    if not kept or kept != of:
        raise TraceError(
            f"{where}: sparsity {ratio!r} is not modelled; every GEMM is dense, so write 1:1 or "
            f"leave the column out"
        )


def _size(where: str, column: str, cell: str, most: int) -> int:
    # int() would also take 1_000, digits of other scripts, and numbers of any length.
    value = int(cell) if re.fullmatch("[0-9]{1,18}", cell) else cell
    return check_count(value, what=f"{where}: {column}", most=most, advice="correct the row")
