"""The Pareto front of a store: the designs that nothing beats on their workload."""

from __future__ import annotations

import numpy as np

from dovetail.errors import StoreError
from dovetail.sweeps.axes import OBJECTIVES, check_objectives
from dovetail.sweeps.pareto import pareto_front
from dovetail.sweeps.schema import column_sql
from dovetail.sweeps.store import Store


def front_points(store: Store, objectives: tuple[str, ...] = ()) -> tuple[int, ...]:
    """Points of every workload's front, ascending.

    Points of two workloads are not compared: a decode step is not a better prefill.

    Parameters
    ----------
    store : Store
    objectives : tuple of str
        Columns to minimise; the sweep's own where empty.
    """
    sweep = store.meta("sweep")
    objectives = objectives or tuple(sweep["objectives"])
    measures = [measure["name"] for measure in sweep["measures"]]
    check_objectives(objectives, (*OBJECTIVES, *measures), source=f"{store.path}: objectives")
    columns = ", ".join(column_sql(name, measures) for name in objectives)
    front: list[int] = []
    for workload in store.query("SELECT workload FROM workloads ORDER BY workload"):
        rows = [
            tuple(row)
            for row in store.query(
                f"SELECT point, {columns} FROM points WHERE status = 'ok' AND workload = ?",
                [workload["workload"]],
            )
        ]
        if not rows:
            continue
        for name, value in zip(objectives, rows[0][1:], strict=True):
            if value is None:
                raise StoreError(
                    f"{store.path}: objective {name!r} was not measured in this sweep; "
                    f"leave it out, or run a sweep that names it among its objectives"
                )
        table = np.array(rows, dtype=np.float64)
        keep = pareto_front(table[:, 1:])
        front += table[keep, 0].astype(np.int64).tolist()
    return tuple(sorted(front))
