"""Certificates: run the designs on a front as RTL, in lockstep with the simulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from dovetail.models.trace import Trace
from dovetail.provenance import certificate_id
from dovetail.sweeps.schema import column_sql
from dovetail.sweeps.store import Store
from dovetail.systems import part, resolve, system


def certify_points(
    store: Store,
    points: Sequence[int],
    traces: Sequence[Trace],
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Certify each of ``points`` that this code has not certified, and store the certificates.

    A point whose newest certificate failed, or was made by other RTL, other references or other
    tools, is certified again; what was stored before stays.

    Parameters
    ----------
    store : Store
        Open for writing.
    points : sequence of int
    traces : sequence of Trace
        The workloads of the store, in its order.
    """
    rests_on = certificate_id()
    held = valid_certificates(store, rests_on)
    entry = system(store.meta("sweep")["system"])
    parse, certify = resolve(entry.design), part(entry, "certify")
    progress(0, len(points))
    for done, point in enumerate(points, 1):
        if point not in held:
            (row,) = store.query("SELECT design, workload FROM points WHERE point = ?", [point])
            design = parse(json.loads(row["design"]), source=f"point {point}")
            store.add_certificate(_row(point, rests_on, certify(design, traces[row["workload"]])))
        progress(done, len(points))


def valid_certificates(store: Store, rests_on: str) -> frozenset[int]:
    """Points whose newest certificate passed and rests on ``rests_on``."""
    return frozenset(
        row["point"]
        for row in store.query(
            "SELECT point FROM newest_certificates WHERE passed AND rests_on = ?", [rests_on]
        )
    )


def _row(point: int, rests_on: str, certificate: Any) -> dict[str, Any]:
    plain = asdict(certificate)
    return {
        "point": point,
        "rests_on": rests_on,
        "passed": int(certificate.passed),
        "cases": json.dumps(plain["cases"]),
        "cycles": certificate.cycles,
        "mismatches": json.dumps(plain["mismatches"]),
        "seconds": certificate.seconds,
    }


def first_to_certify(
    store: Store, front: Sequence[int], limit: int | None, objectives: Sequence[str] = ()
) -> tuple[int, ...]:
    """Choose at most ``limit`` points of a front, the telling ones first.

    In turn for each objective and workload the best point, then the second best, and so on, since
    those are the points that a reader quotes.
    """
    if limit is None or limit >= len(front):
        return tuple(front)
    sweep = store.meta("sweep")
    objectives = objectives or sweep["objectives"]
    measures = [measure["name"] for measure in sweep["measures"]]
    columns = ", ".join(column_sql(name, measures) for name in objectives)
    rows = [
        tuple(row)
        for row in store.query(
            f"SELECT point, workload, {columns} FROM points "
            f"WHERE point IN (SELECT value FROM json_each(?))",
            [json.dumps(list(front))],
        )
    ]
    ranked = [
        sorted((row for row in rows if row[1] == workload), key=lambda row: (row[at], row[0]))
        for at in range(2, 2 + len(objectives))
        for workload in sorted({row[1] for row in rows})
    ]
    chosen: dict[int, None] = {}
    for place in range(max(len(ranking) for ranking in ranked)):
        for ranking in ranked:
            if place < len(ranking) and len(chosen) < limit:
                chosen[ranking[place][0]] = None
    return tuple(sorted(chosen))
