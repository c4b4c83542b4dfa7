"""The report of a store: one HTML file that needs nothing else, and the figures beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from dovetail.errors import StoreError
from dovetail.reports import charts
from dovetail.reports.answer import answer
from dovetail.reports.appendix import (
    certificate_rows,
    other_work,
    provenance_rows,
    technology_rows,
)
from dovetail.reports.breakdowns import (
    area_bars,
    cycle_bars,
    energy_bars,
    operator_table,
    shape_of,
)
from dovetail.reports.figures import write_figures
from dovetail.reports.findings import Findings
from dovetail.reports.shapes import has_shapes, shape_chart
from dovetail.reports.study import Study, read_study
from dovetail.reports.style import ERROR, TIME, setting_name
from dovetail.systems import resolve, systems

_TABLE = (
    ("title", "workload"),
    ("series", "design"),
    ("time_s", "time (s)"),
    ("energy_j", "energy (J)"),
    ("area_mm2", "area (mm²)"),
    ("error", ERROR.name),
    ("utilization", "utilisation"),
    ("cycles", "cycles"),
    ("stall_cycles", "stall cycles"),
    ("front", "front"),
    ("certificate", "certificate"),
    ("design_id", "design id"),
)


def write_report(store: Path, out: Path) -> Path:
    """Write ``index.html`` and ``figures/`` of a store into the folder ``out``.

    Parameters
    ----------
    store : Path
        What a sweep wrote.
    out : Path
        Made where it is missing; files of an earlier report are replaced.

    Returns
    -------
    Path
        ``out / "index.html"``.

    Raises
    ------
    StoreError
        Where the store cannot be read, or ``out`` not written.
    """
    study = read_study(store)
    findings = _findings(study)
    page = out / "index.html"
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        figures = write_figures(study, out / "figures", findings.figures if findings else {})
        text = render(study, [path.name for path in figures], findings)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"{error.filename or out}: cannot be written ({error.strerror}); a report needs a "
            f"folder that you may write to: name another with --output"
        ) from None
    return page


def render(study: Study, figures: list[str], findings: Findings | None) -> str:
    """The page of ``study``; ``figures`` are the names of the files beside it."""
    environment = Environment(
        loader=PackageLoader("dovetail.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    priced = bool(study.technology) and len(study.points) > 0
    return environment.get_template("report.html.j2").render(
        name=study.sweep["name"],
        question=study.sweep["question"],
        answer=answer(study),
        facts=_facts(study),
        tradeoffs=_tradeoffs(study),
        shapes=shape_chart(study) if has_shapes(study) else "",
        energy=charts.stacked(study, energy_bars, name="energy") if priced else "",
        area=charts.stacked(study, area_bars, name="area") if priced else "",
        cycles=charts.stacked(study, cycle_bars, name="cycles") if len(study.points) else "",
        findings=findings,
        findings_chart=_findings_chart(findings),
        operators=[_operators(study, title) for title in study.titles],
        points=_script_json(_point_table(study)),
        refused=_script_json(_refused_table(study)),
        refused_count=len(study.refused),
        others=other_work(study),
        certificates=certificate_rows(study),
        technology=technology_rows(study) if study.technology else None,
        provenance=provenance_rows(study),
        figures=figures,
        plotly=get_plotlyjs() if len(study.points) else "",
    )


def _findings(study: Study) -> Findings | None:
    """What the sweep's system says of its parts; nothing where no point was simulated."""
    known = [entry for entry in systems() if entry.name == study.sweep["system"]]
    if study.points.empty or not known or not known[0].findings:
        return None
    found: Findings = resolve(known[0].findings)(study)
    return found


def _findings_chart(findings: Findings | None) -> str:
    if findings is None or findings.chart is None:
        return ""
    return charts.page_part(findings.chart, "findings")


def _facts(study: Study) -> list[tuple[str, str]]:
    points = study.points
    return [
        (f"{len(points):,}", "points simulated"),
        (f"{len(study.refused):,}", "rejected or failed"),
        (f"{points['front'].sum():,}", "on a front"),
        (f"{(points['certificate'] == 'passed').sum():,}", "certified in Verilator"),
    ]


def _tradeoffs(study: Study) -> list[tuple[str, str]]:
    if study.points.empty:
        return []
    return [
        (f"{x.name} against {y.name}", charts.tradeoff(study, x, y)) for x, y in study.tradeoffs
    ]


def _operators(study: Study, title: str) -> dict[str, Any]:
    shown = study.fastest(title)
    labels = study.labels(study.points.loc[list(shown.values())])
    tables = []
    for series, number in shown.items():
        table = operator_table(study, number)
        rows = [{**row, "time": TIME.text(row["time_s"])} for row in table.to_dict("records")]
        tables.append({"name": f"{series} {labels[number]}", "rows": rows})
    shape = shape_of(study.operators[next(iter(shown.values()))])
    return {
        "title": title,
        "chart": charts.operator_times(study, title),
        "tables": tables,
        "shape": shape.shape,
        "kind": shape.kind,
    }


def _point_table(study: Study) -> dict[str, Any]:
    """Every point, column names and rows of plain values."""
    names = {field: setting_name(field) for field in study.fields}
    names |= {column: name for column, name in _TABLE}
    own = {
        measure["name"]: f"{measure['title']} ({measure['unit']})"
        if measure["unit"]
        else measure["title"]
        for measure in study.sweep["measures"]
    }
    names |= own
    order = ["title", "series", *study.fields, *own, *(c for c, _ in _TABLE[2:])]
    frame = study.points[order]
    empty = [c for c in ("energy_j", "area_mm2", "error") if frame[c].isna().all()]
    frame = frame.drop(columns=empty)
    return {
        "columns": ["point", *(names[column] for column in frame.columns)],
        "rows": _rows(frame),
    }


def _refused_table(study: Study) -> dict[str, Any]:
    frame = study.refused
    return {
        "columns": ["point", "status", "workload", "settings", "reason"],
        "rows": _rows(frame),
    }


def _rows(frame: pd.DataFrame) -> list[list[Any]]:
    return [[int(n), *map(_plain, row)] for n, *row in frame.itertuples(name=None)]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value


def _script_json(data: dict[str, Any]) -> str:
    """JSON that may stand inside a script element: no ``</script>`` can occur in it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
