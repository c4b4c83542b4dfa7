"""reports/legend.py"""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dovetail.reports.legend import legend_below


@pytest.mark.parametrize(("letters", "columns"), [(10, 3), (25, 2), (60, 1)])
def test_a_legend_has_the_columns_that_fit(letters: int, columns: int) -> None:
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    handles = [Line2D([], [], label=f"{at}" * letters) for at in range(7)]
    legend_below(figure, handles, columns=3)
    (legend,) = figure.legends
    FigureCanvasAgg(figure).draw()
    extent = legend.get_window_extent()
    assert 0 <= extent.x0 and extent.x1 <= 700  # seven inches at Matplotlib's 100 dots each
    starts = [text.get_window_extent().x0 for text in legend.get_texts()]
    assert len({round(start) for start in starts}) == columns
