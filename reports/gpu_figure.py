"""A figure of docs/gpu-model.md: where each machine's time goes, beside the published latency.

``python -m dovetail.reports.gpu_figure docs/images/gpu-latency.png`` draws it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dovetail.reports.style import PART_COLOURS
from dovetail.sweeps.gpu_study import PARTS, PHASES, latencies

__all__ = ["draw"]

_TITLES = {
    "prefill": "prefill, one sequence of 2,048",
    "decode": "decode, 1,024 sequences",
}


def draw(path: Path) -> None:
    """Write the figure to ``path``; its suffix names the format."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, phase in zip(axes, PHASES, strict=True):
        rows = latencies(phase)
        at = range(len(rows))
        left = [0.0] * len(rows)
        for part, colour in zip(PARTS, PART_COLOURS, strict=False):
            widths = [ours.part_ms(part) for _, _, ours in rows]
            axis.barh(at, widths, left=left, color=colour, label=f"ours: {part}", height=0.6)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        published = [milliseconds for _, milliseconds, _ in rows]
        axis.plot(published, at, "D", color="#000000", markersize=5, label="published")
        axis.set_yticks(list(at), [machine for machine, _, _ in rows])
        axis.set_xlabel("time (ms)")
        axis.set_title(_TITLES[phase], fontsize=9)
        axis.set_xlim(0, 1.05 * max(*published, *left))
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
    axes[0].invert_yaxis()
    axes[0].legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=160)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
