"""Make or reopen the store of one sweep, with what its points depend on recorded beside them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dovetail.arch.technology import Technology
from dovetail.errors import StoreError
from dovetail.models.trace import Trace
from dovetail.provenance import result_provenance
from dovetail.sweeps.axes import Sweep
from dovetail.sweeps.evaluate import find_technology
from dovetail.sweeps.store import Store


def open_store(sweep: Sweep, traces: tuple[Trace, ...], path: Path, *, resume: bool) -> Store:
    """Open the store at ``path`` to append to: a new one, or one that holds this very sweep.

    Raises
    ------
    StoreError
        Where ``path`` exists and is not to be resumed, or holds another sweep, other prices or the
        results of other code.
    """
    # Through JSON, as it will be read back.
    definition = json.loads(json.dumps(sweep.definition()))
    prices = None
    if sweep.technology is not None:
        prices = json.loads(json.dumps(_prices(find_technology(sweep.technology))))
    provenance = result_provenance()
    workloads = [_workload_row(at, trace) for at, trace in enumerate(traces)]
    if not (resume and path.exists()):
        meta = {"sweep": definition, "technology": prices, "provenance": provenance}
        return Store.create(path, meta=meta, workloads=workloads)
    store = Store.append(path)
    try:
        held = store.meta("sweep")
        changed = sorted(key for key in definition if held.get(key) != definition[key])
        ids = [row["trace_id"] for row in store.query("SELECT * FROM workloads ORDER BY workload")]
        if not changed and ids != [row["trace_id"] for row in workloads]:
            changed = ["a network"]
        if not changed and store.meta("technology") != prices:
            changed = ["the technology table"]
        if changed:
            raise StoreError(
                f"{path}: holds a sweep that differs from {sweep.name!r} in {', '.join(changed)}; "
                f"undo the change, or name another file with --store"
            )
        if store.meta("provenance") != provenance:
            raise StoreError(
                f"{path}: was begun by other code (source {store.meta('provenance')['source']}, "
                f"this is {provenance['source']}), whose numbers may differ; continue it with "
                f"that code and its packages, or name another file with --store"
            )
    except BaseException:
        store.close()
        raise
    return store


def _prices(table: Technology) -> dict[str, Any]:
    """What the report needs of a technology, each figure with its source."""
    return {
        "name": table.name,
        "title": table.title,
        "notes": list(table.notes),
        "figures": {
            path: {
                "value": figure.range.value,
                "low": figure.range.low,
                "high": figure.range.high,
                "node_nm": figure.node_nm,
                "source": figure.source,
            }
            for path, figure in table.figures().items()
        },
    }


def _workload_row(at: int, trace: Trace) -> dict[str, Any]:
    return {
        "workload": at,
        "network": trace.network,
        "phase": trace.phase,
        "batch": trace.batch,
        "seq": trace.seq,
        "trace_id": trace.trace_id,
        "macs": trace.macs,
        "notes": json.dumps(trace.notes),
        "others": json.dumps([asdict(op) for op in trace.others]),
    }
