"""The page that answers what M3ViT's schedules cost, with its figures, table and timeline.

``python -m dovetail.reports.m3vit_schedule -o DIR`` makes it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dovetail.reports.m3vit_figures import SCHEDULE_NAMES, write_schedule_figures
from dovetail.sweeps.m3vit_schedule import QUESTIONS, overlap_timeline, platforms, table

TIMELINE, POINTS, PAGE = "timeline.json", "points.csv", "index.html"
_SHOWN = (
    "network",
    "tokens",
    "experts",
    "top_k",
    "expert_hidden",
    "routing",
    "skew",
    "schedule",
    "cache_experts",
    "attention_parallel",
    "attention_reordered",
    "port_bits",
    "linear_inputs",
    "weight_buffer_bytes",
    "time_ms",
    "moe_ms",
    "experts_ms",
    "attention_ms",
    "wait_ms",
    "on_chip_bytes",
    "dram_bytes",
    "platform_mj",
    "dram_mj",
    "refused",
)


def write_schedule_report(
    frame: pd.DataFrame, timeline: dict[str, Any], folder: Path
) -> tuple[Path, ...]:
    """Write page, figures, table and timeline into ``folder``; return their paths.

    Parameters
    ----------
    frame, timeline
        Of :mod:`dovetail.sweeps.m3vit_schedule`.
    folder : Path
        Made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = write_schedule_figures(frame, timeline, folder)
    page, points, trace = folder / PAGE, folder / POINTS, folder / TIMELINE
    frame.to_csv(points, index=False)
    trace.write_text(json.dumps(timeline), encoding="utf-8")
    drawn = {path.stem: path.read_text("utf-8") for path in figures if path.suffix == ".svg"}
    page.write_text(_page(frame, drawn), encoding="utf-8")
    return (page, points, trace, *figures)


def answers(frame: pd.DataFrame) -> dict[str, list[str]]:
    """What the points say to each question, a sentence or two a network."""
    ran = frame[frame["refused"] == ""]
    said: dict[str, list[str]] = {}
    for question in QUESTIONS:
        rows = ran[ran["question"] == question]
        said[question] = [
            f"{network}: {_ANSWERS[question](some)}"
            for network, some in rows.groupby("network", sort=False)
        ]
    for row in frame[(frame["refused"] != "")].to_dict("records"):
        said[row["question"]].append(f"{row['network']}, refused: {row['refused']}.")
    return said


def _at(rows: pd.DataFrame, column: str, **values: Any) -> float:
    for name, value in values.items():
        rows = rows[rows[name] == value]
    return float(rows[column].iloc[0])


def _experts(rows: pd.DataFrame) -> str:
    ours = rows[rows["schedule"] == "expert_by_expert"].sort_values("experts")
    uses = float((ours["queue_length"] * ours["experts"]).iloc[0])
    queue = int(ours["break_even_queue"].iloc[0])
    hidden = ours[ours["queue_length"] >= queue]
    flat = (
        f"from {hidden['experts'].min()} to {hidden['experts'].max()} experts they take "
        f"{hidden['experts_ms'].min():.4g} to {hidden['experts_ms'].max():.4g} ms"
        if len(hidden)
        else "at none of the numbers tried are loads hidden"
    )
    most = ours.iloc[-1]
    return (
        f"expert by expert, computing hides the next load where a queue has {queue} tokens or "
        f"more, which is up to {uses / queue:.0f} experts when balanced: {flat}, and "
        f"{most['experts_ms']:.4g} ms at {most['experts']}, bound by loads. The gate, which takes "
        f"three cycles an expert, adds {ours['moe_ms'].iloc[0] - ours['experts_ms'].iloc[0]:.3g} "
        f"to {most['moe_ms'] - most['experts_ms']:.3g} ms. Memory for experts stays at the two "
        f"halves of the weight buffer."
    )


def _top_k(rows: pd.DataFrame) -> str:
    return _range(rows, "top_k", "experts a token")


def _expert_size(rows: pd.DataFrame) -> str:
    return _range(rows, "expert_hidden", "wide")


def _tokens(rows: pd.DataFrame) -> str:
    return _range(rows, "tokens", "tokens", column="time_ms")


def _range(rows: pd.DataFrame, by: str, unit: str, *, column: str = "moe_ms") -> str:
    parts = []
    for schedule, name in SCHEDULE_NAMES.items():
        some = rows[rows["schedule"] == schedule].sort_values(by)
        first, last = some.iloc[0], some.iloc[-1]
        parts.append(
            f"{name} {first[column]:.4g} ms at {first[by]:,} {unit}, {last[column]:.4g} at "
            f"{last[by]:,}"
        )
    return "; ".join(parts) + "."


def _memory(rows: pd.DataFrame) -> str:
    cached = rows[rows["schedule"] == "cached"].sort_values("cache_experts")
    ours, everything = (
        rows[rows["schedule"] == schedule].iloc[0] for schedule in ("expert_by_expert", "resident")
    )
    return (
        f"expert by expert takes {ours['moe_ms']:.4g} ms with {ours['on_chip_bytes'] / 2**20:.3g} "
        f"MiB; a cache of {cached['cache_experts'].iloc[0]} takes {cached['moe_ms'].iloc[0]:.4g} "
        f"and one of {cached['cache_experts'].iloc[-1]} {cached['moe_ms'].iloc[-1]:.4g} ms with "
        f"{cached['on_chip_bytes'].iloc[-1] / 2**20:.3g} MiB; all resident, "
        f"{everything['moe_ms']:.4g} ms with {everything['on_chip_bytes'] / 2**20:.3g} MiB."
    )


def _buffer(rows: pd.DataFrame) -> str:
    least = rows.sort_values("weight_buffer_bytes").iloc[0]
    return (
        f"the smallest half tried that holds every matrix has "
        f"{least['weight_buffer_bytes'] / 1024:g} KiB; larger ones change nothing."
    )


def _ports(rows: pd.DataFrame) -> str:
    bound = rows["queue_length"] < rows["break_even_queue"]
    sides = []
    for side, some in rows.groupby("linear_inputs"):
        free = some[~bound[some.index]]["port_bits"]
        least = f"from {free.min()} bits on" if len(free) else "at no width tried"
        sides.append(f"{side} × {side} hides its loads {least}")
    return "with a bus that never limits, " + ", ".join(sides) + "."


def _attention(rows: pd.DataFrame) -> str:
    ordered = rows[rows["attention_reordered"]]
    best = ordered.sort_values("attention_ms").iloc[0]
    plain = _at(rows, "attention_ms", attention_reordered=False, attention_parallel=4)
    four = _at(rows, "attention_ms", attention_reordered=True, attention_parallel=4)
    return (
        f"at p = 4 reordering takes attention from {plain:.4g} to {four:.4g} ms; without it p buys "
        f"nothing, since the port is the bound. The best p tried is {best['attention_parallel']} "
        f"({best['attention_ms']:.4g} ms)."
    )


def _skew(rows: pd.DataFrame) -> str:
    parts = []
    for schedule in ("cached", "expert_by_expert"):
        some = rows[rows["schedule"] == schedule]
        balanced = _at(some, "moe_ms", skew=0.0)
        worst = some.sort_values("moe_ms").iloc[-1]
        same = _at(some, "moe_ms", skew=math.inf)
        parts.append(
            f"{SCHEDULE_NAMES[schedule]} {balanced:.4g} ms balanced, at worst "
            f"{worst['moe_ms']:.4g} (skew {worst['skew']:g}), {same:.4g} with all tokens on the "
            f"same experts"
        )
    return "; ".join(parts) + "."


def _tasks(rows: pd.DataFrame) -> str:
    ours = rows[rows["schedule"] == "expert_by_expert"]
    times = ", ".join(f"{row.routing} {row.time_ms:.5g} ms" for row in ours.itertuples())
    return (
        f"nothing beyond the gate's own weights, which every MoE block loads anyway; on the "
        f"photograph, with each task's own gates, {times}: what differs is the routing."
    )


_ANSWERS: dict[str, Callable[[pd.DataFrame], str]] = {
    "experts": _experts,
    "top_k": _top_k,
    "expert_size": _expert_size,
    "tokens": _tokens,
    "memory": _memory,
    "buffer": _buffer,
    "ports": _ports,
    "attention": _attention,
    "skew": _skew,
    "tasks": _tasks,
}


def _page(frame: pd.DataFrame, figures: dict[str, str]) -> str:
    body = []
    for question, said in answers(frame).items():
        body.append(f"<h2>{escape(QUESTIONS[question])}</h2>")
        body += [f"<p>{escape(sentence)}</p>" for sentence in said]
        drawn = ("memory", "energy") if question == "memory" else (question,)
        body += [_inline(figures, name) for name in drawn]
        rows = frame[frame["question"] == question]
        shown = [name for name in _SHOWN if name in rows and rows[name].nunique(dropna=False) > 1]
        cells = rows[shown].to_html(index=False, float_format="{:.5g}".format, na_rep="")
        body.append(f"<details><summary>{len(rows)} points</summary>{cells}</details>")
    return (
        "<!doctype html><meta charset='utf-8'><title>M3ViT schedules</title><style>"
        "body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;font-size:12px}td,th{padding:2px 6px;text-align:right}"
        "svg{max-width:100%;height:auto}details{overflow-x:auto}</style>"
        "<h1>What M3ViT's schedules cost</h1>"
        "<p>Edge-MoE's hardware but for what a question varies. Cycle-approximate: units, ports "
        "and bus beat by beat, without filling pipelines. platform_mj is published power times "
        "latency (the authors' accounting); dram_mj is off-chip memory alone, DDR4-2133.</p>"
        f"<h2>Beside published platforms, M3ViT-tiny on Cityscapes</h2>"
        f"{platforms().to_html(index=False, float_format='{:.4g}'.format)}"
        f"<h2>What ping and pong hide</h2>{_inline(figures, 'timeline')}"
        f"<p>The whole image: <code>{TIMELINE}</code>, for ui.perfetto.dev.</p>"
        f"{''.join(body)}\n"
    )


def _inline(figures: dict[str, str], name: str) -> str:
    text = figures.get(name, "")
    return text[text.find("<svg") :] if text else ""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dovetail.reports.m3vit_schedule")
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="folder")
    options = parser.parse_args()
    for path in write_schedule_report(table(), overlap_timeline(), options.output):
        print(path)


if __name__ == "__main__":
    main()
