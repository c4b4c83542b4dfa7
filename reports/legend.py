"""The legend below a figure's panels, in as many columns as the figure is wide enough for."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D


def legend_below(figure: Figure, handles: Sequence[Line2D], *, columns: int) -> None:
    """Put ``handles`` below the panels, in ``columns`` columns or as many fewer as it takes to fit.

    To be called once the panels are drawn, under the style that the figure is saved with, since
    that has the size of the letters.
    """
    for count in range(columns, 0, -1):
        legend = figure.legend(
            handles=list(handles), loc="outside lower center", ncols=count, frameon=False
        )
        if count == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()
