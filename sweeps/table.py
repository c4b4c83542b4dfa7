"""Tables of a store as pandas frames, and their export to Parquet and CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dovetail.errors import StoreError
from dovetail.models.whole_file import write_whole
from dovetail.sweeps.schema import JSON_COLUMNS, POINT_COLUMNS, column_sql
from dovetail.sweeps.store import Store

EXPORT_ROWS = 10_000  # rows in memory at a time
_DTYPES = {"INTEGER": "Int64", "REAL": "Float64", "TEXT": "string"}


def points(store: Store) -> pd.DataFrame:
    """Every point of the store, in order, with its workload.

    Returns
    -------
    DataFrame
        The columns of :data:`dovetail.sweeps.schema.POINT_COLUMNS` that are not JSON; the columns
        of the workload; each axis' field under its own name, such as ``engine.rows``; and the
        breakdowns as ``energy_<component>_pj`` and ``area_<component>_um2``; and the system's own
        measures under their names.
    """
    frames = list(_frames(store))
    return pd.concat(frames, ignore_index=True)


def workload_title(workload: Mapping[str, Any]) -> str:
    """A row of the table ``workloads`` in words; one pass over one image is just its network."""
    network, batch, seq = workload["network"], workload["batch"], workload["seq"]
    if workload["phase"] == "decode":
        return f"{network} decode, batch {batch}, 1 token after {seq:,}"
    if batch == seq == 1:
        return str(network)
    return f"{network} prefill, batch {batch}, {seq:,} tokens"


def operators(store: Store, point: int) -> pd.DataFrame:
    """Operators of one point in program order, one row a layer.

    Returns
    -------
    DataFrame
        ``layer``, ``name``, ``count`` (equal runs), the shape and mapping of what was run, and
        ``cycles`` and stall cycles of all ``count`` runs together.
    """
    rows: list[dict[str, Any]] = []
    after = False
    for stored in store.query("SELECT runs, operators FROM points WHERE point = ?", [point]):
        runs = json.loads(stored["runs"] or "[]")
        for at, operator in enumerate(json.loads(stored["operators"] or "[]")):
            run = dict(runs[operator["run"]])
            for name in run:
                if name == "cycles" or name.startswith("stall_"):
                    run[name] *= operator["count"]
            # Outside the layers (-1) stand what comes before them and what comes after.
            after = after or operator["layers"][0][0] >= 0
            for first, last in operator["layers"]:
                rows += [
                    {
                        "layer": layer,
                        "name": operator["name"],
                        "count": operator["count"],
                        **run,
                        "place": (layer if layer >= 0 else 1 << 30 if after else -1, at),
                    }
                    for layer in range(first, last + 1)
                ]
    rows.sort(key=lambda row: row["place"])
    return pd.DataFrame(rows).drop(columns="place") if rows else pd.DataFrame(rows)


def certificates(store: Store) -> pd.DataFrame:
    """Newest certificate of each point that has one.

    Returns
    -------
    DataFrame
        ``point``, ``rests_on`` (:func:`dovetail.provenance.certificate_id`), ``passed``, ``cases``
        (plain data), ``cycles``, ``mismatches``, ``seconds``.
    """
    names = ["point", "rests_on", "passed", "cases", "cycles", "mismatches", "seconds"]
    frame = pd.DataFrame(
        [dict(row) for row in store.query("SELECT * FROM newest_certificates ORDER BY point")],
        columns=names,
    )
    for name in ("cases", "mismatches"):
        frame[name] = frame[name].map(json.loads)
    return frame


def export(store: Store, path: Path) -> None:
    """Write :func:`points` to ``path``; its suffix says whether as Parquet or as CSV.

    The same sweep gives the same bytes, however it was run.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise StoreError(
            f"{path}: cannot be exported to; the suffix says the format: end it in .csv or .parquet"
        )
    try:
        if path.suffix == ".csv":
            write_whole(path, partial(_write_csv, store))
        else:
            write_whole(path, partial(_write_parquet, store))
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that has "
            f"room and that you may write to"
        ) from None


def _write_csv(store: Store, file: IO[bytes]) -> None:
    for at, frame in enumerate(_frames(store)):
        frame.to_csv(file, index=False, header=at == 0, lineterminator="\n")


def _write_parquet(store: Store, file: IO[bytes]) -> None:
    frames = _frames(store)
    first = pa.Table.from_pandas(next(frames), preserve_index=False)
    with pq.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first)
        for frame in frames:
            writer.write_table(
                pa.Table.from_pandas(frame, schema=first.schema, preserve_index=False)
            )


def commonest_reasons(store: Store, limit: int = 3) -> list[dict[str, Any]]:
    """Why points have no result: ``status``, ``points`` and an ``example``, failures first.

    Reasons that differ in their numbers alone count as one.
    """
    kinds: dict[tuple[str, str], dict[str, Any]] = {}
    for row in store.query(
        "SELECT status, reason FROM points WHERE status != 'ok' ORDER BY status, point"
    ):
        kind = (row["status"], re.sub(r"\d[\d.e+-]*", "#", row["reason"]))
        found = kinds.setdefault(
            kind, {"status": row["status"], "points": 0, "example": row["reason"]}
        )
        found["points"] += 1
    return sorted(kinds.values(), key=lambda kind: (kind["status"], -kind["points"]))[:limit]


def _frames(store: Store) -> Iterator[pd.DataFrame]:
    """Points in order, ``EXPORT_ROWS`` at a time; one empty frame where there are none."""
    columns = _columns(store)
    names = list(columns)
    select = ", ".join(f'{sql} AS "{name}"' for name, (sql, _) in columns.items())
    rows = store.query(
        f"SELECT {select} FROM points JOIN workloads USING (workload) ORDER BY point"
    )
    held: list[tuple[Any, ...]] = []
    sent = False
    for row in rows:
        held.append(tuple(row))
        if len(held) == EXPORT_ROWS:
            yield _frame(held, names, columns)
            held, sent = [], True
    if held or not sent:
        yield _frame(held, names, columns)


def _frame(
    rows: list[tuple[Any, ...]], names: list[str], columns: dict[str, tuple[str, str]]
) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=names, dtype=object)
    return frame.astype({name: _DTYPES[kind] for name, (_, kind) in columns.items()})


def _columns(store: Store) -> dict[str, tuple[str, str]]:
    """Name of each column of the table to its SQL and its SQLite type."""
    columns: dict[str, tuple[str, str]] = {}
    for name, declared in POINT_COLUMNS:
        if name not in JSON_COLUMNS:
            columns[name] = (f'points."{name}"', declared.split()[0])
        if name == "workload":
            for of_workload, kind in _WORKLOAD.items():
                columns[of_workload] = (f"workloads.{of_workload}", kind)
    sweep = store.meta("sweep")
    measures = [measure["name"] for measure in sweep["measures"]]
    columns |= {name: (column_sql(name, measures), "REAL") for name in measures}
    for axis in sweep["axes"]:
        for at, field in enumerate(axis["fields"]):
            linked = len(axis["fields"]) > 1
            values = [value[at] if linked else value for value in axis["values"]]
            columns[field] = (f"json_extract(points.settings, '$.\"{field}\"')", _kind(values))
    for name, unit in (("energy", "pj"), ("area", "um2")):
        keys = store.query(
            f"SELECT DISTINCT parts.key FROM points, json_each(points.{name}) AS parts ORDER BY 1"
        )
        for (key,) in keys:
            sql = f"json_extract(points.{name}, '$.\"{key}\"')"
            columns[f"{name}_{key}_{unit}"] = (sql, "REAL")
    return columns


def _kind(values: list[Any]) -> str:
    if all(isinstance(value, int) for value in values):  # true and false come out as 1 and 0
        return "INTEGER"
    return "REAL" if all(isinstance(value, int | float) for value in values) else "TEXT"


_WORKLOAD = {
    "network": "TEXT",
    "phase": "TEXT",
    "batch": "INTEGER",
    "seq": "INTEGER",
    "trace_id": "TEXT",
}
