"""What stands behind a report's figures: certificates, prices, versions, and work left out."""

from __future__ import annotations

from typing import Any

from dovetail.reports.study import Study, records
from dovetail.reports.style import rounded


def other_work(study: Study) -> list[dict[str, Any]]:
    """Work that is not a GEMM, by kind, with its share of each workload's scalar operations.

    A MAC counts as two operations.
    """
    found = []
    for row in records(study.workloads):
        kinds: dict[str, int] = {}
        for other in row["others"]:
            kinds[other["kind"]] = kinds.get(other["kind"], 0) + other["operations"]
        total = 2 * row["macs"] + sum(kinds.values())
        found.append(
            {
                "title": row["title"],
                "macs": row["macs"],
                "kinds": sorted(kinds.items(), key=lambda item: -item[1]),
                "share": sum(kinds.values()) / total if total else 0.0,
                "shares": {kind: count / total for kind, count in kinds.items()},
                "notes": row["notes"],
            }
        )
    return found


def certificate_rows(study: Study) -> list[dict[str, Any]]:
    """Each certificate with the shapes that were run and what was compared."""
    rows = []
    for number, row in zip(study.certificates.index, records(study.certificates), strict=True):
        rows.append(
            {
                "point": number,
                "verdict": "passed" if row["passed"] else "failed",
                "cases": len(row["cases"]),
                "shapes": "; ".join(_case(case) for case in row["cases"]),
                "cycles": row["cycles"],
                "mismatches": ", ".join(f"{k} {v}" for k, v in row["mismatches"].items()),
                "seconds": row["seconds"],
                "rests_on": row["rests_on"],
            }
        )
    return rows


def _case(case: Any) -> str:
    if isinstance(case, dict):
        return ", ".join(f"{key} {value}" for key, value in case.items())
    return str(case)


def technology_rows(study: Study) -> dict[str, Any]:
    """The table that priced the sweep, one row a number with its bounds and source."""
    assert study.technology is not None
    figures = study.technology["figures"]
    sources = list(dict.fromkeys(figure["source"] for figure in figures.values()))
    return {
        "title": study.technology["title"],
        "notes": study.technology["notes"],
        "sources": sources,
        "rows": [
            {
                "path": path,
                "value": f"{figure['value']:.4g}",
                "bounds": f"{rounded(figure['low'])} to {rounded(figure['high'])}",
                "node": f"{figure['node_nm']:g} nm" if figure["node_nm"] else "off-chip",
                "source": sources.index(figure["source"]) + 1,
            }
            for path, figure in figures.items()
        ],
    }


def provenance_rows(study: Study) -> list[tuple[str, str]]:
    """What made the numbers, as name and value."""
    source = study.provenance
    packages = ", ".join(f"{name} {version}" for name, version in source["packages"].items())
    rows = [
        ("store", study.path.name),
        ("sweep", f"{study.sweep['name']}, {study.sweep['points']:,} points"),
        ("objectives", ", ".join(study.sweep["objectives"])),
        ("technology", study.sweep["technology"] or "none: energy and area are not priced"),
        ("Dovetail", source["dovetail"]),
        ("source", source["source"]),
        ("packages", packages),
    ]
    for row in records(study.workloads):
        rows.append(("trace", f"{row['trace_id']}: {row['title']}"))
    for number, run in zip(study.runs.index, records(study.runs), strict=True):
        machine = run["provenance"]
        tools = ", ".join(f"{k} {v}" for k, v in machine.get("packages", {}).items())
        rows.append(
            (
                f"run {number}",
                f"{run['started']}: {run['points']:,} points in {run['seconds']:.1f} s with "
                f"{run['jobs']} processes; Python {machine.get('python', '?')}, {tools}",
            )
        )
    return rows
