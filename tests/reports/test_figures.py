"""reports/figures.py: the figures beside the page."""

from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dovetail.reports.breakdowns import energy_bars
from dovetail.reports.figures import STYLE, stacked, tradeoff
from dovetail.reports.study import Study
from dovetail.reports.style import ENERGY, TIME

NAMES = (
    "time-energy",
    "time-area",
    "error-energy",
    "energy",
    "area",
    "cycles",
    "operators",
    "design-space",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_shows_something_in_colour(page: Path, name: str) -> None:
    image = matplotlib.image.imread(page.parent / "figures" / f"{name}.png")
    height, width, _ = image.shape
    assert width == 2100, "seven inches at 300 dots each"
    assert height > 500
    for colour in ("#0072b2", "#d55e00"):
        wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        near = np.abs(image[..., :3] - wanted).max(axis=-1) < 0.02
        # The six bars of `cycles` hardly stall, so the second colour is thin there.
        assert near.sum() > (200 if colour == "#0072b2" else 20), colour


def test_titles_and_legends_stay_on_the_page(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    # Names as long as those of table lookup leave bars a third of the width.
    monkeypatch.setattr(
        "dovetail.reports.figures.bar_names", lambda _, rows: ["a point of a name " * 6] * len(rows)
    )
    with matplotlib.rc_context(STYLE):
        figures = [stacked(study, energy_bars), tradeoff(study, TIME, ENERGY)]
        for figure in figures:
            FigureCanvasAgg(figure).draw()
            texts = [title for axes in figure.axes for title in (axes.title, axes._right_title)]  # type: ignore[attr-defined]
            for item in (*texts, *figure.legends):
                box = item.get_window_extent()
                assert 0 <= box.x0 and box.x1 <= figure.bbox.width, item


@pytest.mark.parametrize("name", NAMES)
def test_an_svg_is_well_formed_and_undated(page: Path, name: str) -> None:
    path = page.parent / "figures" / f"{name}.svg"
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    assert "dc:date" not in path.read_text(encoding="utf-8")


def test_there_are_no_other_figures(page: Path) -> None:
    found = {path.name for path in (page.parent / "figures").iterdir()}
    assert found == {f"{name}.{ending}" for name in NAMES for ending in ("png", "svg")}
