"""``dovetail sweep``: evaluate a design space into a store, and show its front."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dovetail.commands.design import AsJson

FRONT_SHOWN = 10  # rows a workload, on a terminal


def sweep(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="a sweep, a .toml or a .py file")
    ],
    store: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="reports/out/NAME/sweep.sqlite unless given"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="continue a store that exists")] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="worker processes; one a processor unless given")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="what the front minimises; the sweep's own unless given"),
    ] = None,
    certify: Annotated[
        bool, typer.Option("--certify", help="run every design on the front in Verilator")
    ] = False,
    certify_limit: Annotated[
        int | None, typer.Option(min=1, help="certify at most so many, the telling ones first")
    ] = None,
    json: AsJson = False,
) -> None:
    """Evaluate every point of a design space into a result store, then show the Pareto front.

    Exits with 1 where a certificate fails.

    Example: dovetail sweep demo --certify --certify-limit 4
    """
    from dovetail.commands.output import note, print_json, progress_bar
    from dovetail.errors import ConfigError
    from dovetail.provenance import certificate_id
    from dovetail.sweeps.axes import check_objectives
    from dovetail.sweeps.certify import certify_points, first_to_certify, valid_certificates
    from dovetail.sweeps.definition import load_sweep
    from dovetail.sweeps.front import front_points
    from dovetail.sweeps.runner import load_traces, run_sweep
    from dovetail.sweeps.store import Store
    from dovetail.sweeps.table import commonest_reasons

    if certify_limit is not None and not certify:
        raise ConfigError(
            "--certify-limit belongs to --certify; leave it out, or give --certify as well"
        )
    chosen = load_sweep(name)
    path = store or Path("reports") / "out" / chosen.name / "sweep.sqlite"
    wanted = tuple(objectives.split(",")) if objectives else ()
    check_objectives(wanted, chosen.columns, source="--objectives")
    if "error" in wanted and not chosen.measures_error:
        raise ConfigError(
            f"--objectives {objectives}: sweep {chosen.name!r} does not measure error, since no "
            f"axis changes it; leave it out, or name it among the sweep's own objectives"
        )
    with progress_bar(chosen.name, unit="points") as move:
        summary = run_sweep(chosen, path, resume=resume, jobs=jobs, progress=move)
    with Store.append(path) if certify else Store.open(path) as opened:
        front = front_points(opened, wanted)
        if certify:
            first = first_to_certify(opened, front, certify_limit, wanted)
            with progress_bar("certify", unit="designs") as move:
                certify_points(opened, first, load_traces(chosen), progress=move)
        valid = valid_certificates(opened, certificate_id())
        verdicts = {
            row["point"]: "yes"
            if row["point"] in valid
            else "outdated"
            if row["passed"]
            else "FAILED"
            for row in opened.query("SELECT point, passed FROM newest_certificates ORDER BY point")
        }
        if not json:
            _print_front(opened, front, wanted, verdicts)
        reasons = commonest_reasons(opened)
    failed = [point for point, verdict in verdicts.items() if verdict == "FAILED"]
    outdated = [point for point, verdict in verdicts.items() if verdict == "outdated"]
    data = {
        "points": summary.points,
        "rejected": summary.rejected,
        "failed": summary.failed,
        "front": list(front),
        "certified": len(valid),
        "not_certified": failed,
        "outdated": outdated,
        "reasons": reasons,
        "store": str(path),
        "points_per_second": summary.points_per_second,
        "seconds": summary.seconds,
    }
    if json:
        print_json(data)
    else:
        print(
            f"{summary.points} points, {summary.rejected} rejected, {summary.failed} failed; "
            f"{summary.evaluated} evaluated now, {summary.points_per_second:.0f} a second"
        )
        print(f"front: {len(front)} points, {data['certified']} certified\nstore: {path}")
    if summary.failed or not summary.points:
        for reason in reasons:
            note(f"{reason['points']} {reason['status']}, such as {reason['example']}")
    if outdated:
        note(
            f"{len(outdated)} certificates were made by other RTL or tools; --resume --certify "
            f"makes them again"
        )
    if failed:
        note(f"certificates failed: points {', '.join(map(str, failed))}")
        raise typer.Exit(1)


def _print_front(
    store: Any, front: tuple[int, ...], objectives: tuple[str, ...], verdicts: dict[int, str]
) -> None:
    """One table a workload, its best point in the first objective first."""
    import json as decoder

    from dovetail.commands.output import print_table
    from dovetail.sweeps.schema import column_sql
    from dovetail.sweeps.table import workload_title

    sweep = store.meta("sweep")
    names = objectives or tuple(sweep["objectives"])
    measures = [measure["name"] for measure in sweep["measures"]]
    columns = [column_sql(name, measures) for name in names]
    selected = ", ".join(f'{sql} AS "{name}"' for sql, name in zip(columns, names, strict=True))
    fields = [field for axis in sweep["axes"] for field in axis["fields"]]
    print(sweep["question"])
    for workload in store.query("SELECT * FROM workloads ORDER BY workload"):
        rows = list(
            store.query(
                f"SELECT point, settings, {selected} FROM points WHERE workload = ? AND point IN "
                f"(SELECT value FROM json_each(?)) ORDER BY {columns[0]}, point",
                [workload["workload"], decoder.dumps(front)],
            )
        )
        settings = [decoder.loads(row["settings"]) for row in rows]
        # What all of the front shares is said once, below the table.
        apart = [name for name in fields if len({str(one[name]) for one in settings}) > 1]
        cells = [
            (
                row["point"],
                *(_cell(name, row[name]) for name in names),
                " ".join(str(one[name]) for name in apart),
                verdicts.get(row["point"], ""),
            )
            for row, one in zip(rows[:FRONT_SHOWN], settings, strict=False)
        ]
        short = [name.rsplit(".", 1)[-1] for name in apart]
        print_table(
            f"{workload_title(dict(workload))}: front of {len(rows)}",
            ("point", *(_head(name) for name in names), "settings", "certified"),
            cells,
            right="r" + "r" * len(names),
        )
        print(f"settings: {', '.join(short) or 'the same for all'}")
        if len(rows) > FRONT_SHOWN:
            print(f"... and {len(rows) - FRONT_SHOWN} more, in the report")


def _head(name: str) -> str:
    """A column's name without the unit that its cells have."""
    return name.rsplit("_", 1)[0] if name.endswith(("_ms", "_pj", "_um2")) else name


def _cell(name: str, value: Any) -> str:
    from dovetail.commands.output import engineering, shown

    if name.endswith("_ms"):
        return engineering(value * 1e-3, "s")
    if name.endswith("_pj"):
        return engineering(value * 1e-12, "J")
    if name.endswith("_um2"):
        return shown(value * 1e-6, "mm2")
    return shown(int(value) if float(value).is_integer() else value)
