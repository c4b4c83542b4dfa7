"""Layout of a result store: the tables of its SQLite file and the version of their format."""

from __future__ import annotations

from collections.abc import Iterable

from dovetail.arch.events import Event

FORMAT_VERSION = 3
APPLICATION_ID = 0x446F7665  # "Dove", in the header of every store

POINT_COLUMNS = (
    ("point", "INTEGER PRIMARY KEY"),  # index in the sweep's fixed order
    ("status", "TEXT NOT NULL CHECK (status IN ('ok', 'rejected', 'failed'))"),
    ("reason", "TEXT"),  # why a point was rejected or failed
    ("workload", "INTEGER NOT NULL"),  # row of the table of workloads
    ("settings", "TEXT NOT NULL"),  # JSON: value of each axis' fields
    ("design_id", "TEXT"),
    ("design", "TEXT"),  # JSON: the whole design, from which it can be built again
    ("backend", "TEXT"),  # what counted the events
    ("cycles", "INTEGER"),
    ("macs", "INTEGER"),
    ("stall_cycles", "INTEGER"),
    ("peak_macs_per_cycle", "INTEGER"),
    ("utilization", "REAL"),
    ("time_ms", "REAL"),
    ("energy_pj", "REAL"),
    ("energy_low_pj", "REAL"),  # from the uncertainty of the technology's figures
    ("energy_high_pj", "REAL"),
    ("area_um2", "REAL"),
    ("area_low_um2", "REAL"),
    ("area_high_um2", "REAL"),
    ("array_um2", "REAL"),  # of the array alone
    ("error", "REAL"),  # of the real-weight network against floating point
    ("energy", "TEXT"),  # JSON: component to pJ
    ("area", "TEXT"),  # JSON: component to um2
    ("measures", "TEXT"),  # JSON: the system's own columns by name
    ("runs", "TEXT"),  # JSON: each distinct GEMM or call of an engine, with its cycles and stalls
    ("operators", "TEXT"),  # JSON: operators in program order, identical layers merged
    *((event.value, "INTEGER") for event in Event),
)
"""Columns of the table ``points``: one row a design point on one workload."""

JSON_COLUMNS = ("settings", "design", "energy", "area", "measures", "runs", "operators")


def column_sql(name: str, measures: Iterable[str]) -> str:
    """The SQL of a column of ``points``, or of one of the system's own ``measures``."""
    return f"json_extract(points.measures, '$.{name}')" if name in measures else f'points."{name}"'


_POINTS = ", ".join(f'"{name}" {kind}' for name, kind in POINT_COLUMNS)

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE workloads (
    workload INTEGER PRIMARY KEY, network TEXT NOT NULL, phase TEXT NOT NULL,
    batch INTEGER NOT NULL, seq INTEGER NOT NULL, trace_id TEXT NOT NULL, macs INTEGER NOT NULL,
    notes TEXT NOT NULL, others TEXT NOT NULL
) STRICT;
CREATE TABLE points ({_POINTS}) STRICT;
CREATE TABLE certificates (
    certificate INTEGER PRIMARY KEY, point INTEGER NOT NULL REFERENCES points (point),
    rests_on TEXT NOT NULL, passed INTEGER NOT NULL, cases TEXT NOT NULL, cycles INTEGER NOT NULL,
    mismatches TEXT NOT NULL, seconds REAL NOT NULL
) STRICT;
CREATE VIEW newest_certificates AS SELECT * FROM certificates
    WHERE certificate IN (SELECT max(certificate) FROM certificates GROUP BY point);
CREATE TABLE runs (
    run INTEGER PRIMARY KEY, started TEXT NOT NULL, seconds REAL NOT NULL, points INTEGER NOT NULL,
    jobs INTEGER NOT NULL, provenance TEXT NOT NULL
) STRICT;
""" + "".join(
    f"CREATE TRIGGER {table}_{action} BEFORE {action} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, 'a store is append-only'); END;\n"
    for table in ("meta", "workloads", "points", "certificates", "runs")
    for action in ("update", "delete")
)
"""All tables.  ``meta``, ``workloads`` and ``points`` depend on the sweep and the code alone;
wall-clock times stand in ``certificates.seconds`` and in ``runs``.  A point may be certified again:
``certificates.rests_on`` is :func:`dovetail.provenance.certificate_id` of the code that did it."""
