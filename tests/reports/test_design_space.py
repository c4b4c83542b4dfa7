"""reports/design_space.py: the plot of a made-up table."""

import re
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from dovetail.reports.design_space import (
    PE_LOOKS,
    design_space_figure,
    design_space_page,
    write_design_space,
)
from dovetail.sweeps.mixpe_design_space import PUBLISHED_EFFICIENCY, design_space
from dovetail.sweeps.pe_snr import PES
from dovetail.tests.sweeps.pe_tables import table

AREAS = (600.0, 700.0, 350.0, 55.0, 60.0, 110.0, 50.0, 45.0, 30.0)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Three tables whose PEs differ as much as real ones do."""
    return design_space(
        table(
            name,
            {
                pe: (area * size, area * size / 5e3, 0.02, 10.0)
                for pe, area in zip(PES, AREAS, strict=True)
            },
        )
        for name, size in (("small", 1.0), ("middle", 12.0), ("large", 60.0))
    )


@pytest.fixture(scope="module")
def written(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = write_design_space(frame, tmp_path_factory.mktemp("plot"))
    return {path.suffix: path for path in paths}


def test_the_picture_has_the_width_of_a_page_and_every_colour(written: dict[str, Path]) -> None:
    image = matplotlib.image.imread(written[".png"])
    assert image.shape[1] == 2100, "seven inches at 300 dots each"
    for colour in {look.colour for _, look in PE_LOOKS.values()}:
        wanted = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        assert (np.abs(image[..., :3] - wanted).max(axis=-1) < 0.02).sum() > 500, colour


def test_the_svg_is_well_formed_and_undated(written: dict[str, Path]) -> None:
    assert ElementTree.parse(written[".svg"]).getroot().tag.endswith("svg")
    assert "dc:date" not in written[".svg"].read_text(encoding="utf-8")


def test_each_panel_has_every_pe_at_its_place_with_a_whisker(frame: pd.DataFrame) -> None:
    figure = design_space_figure(frame)
    assert [axes.get_title() for axes in figure.axes] == ["small", "middle", "large"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        rows = frame[frame["technology"] == axes.get_title()]
        points = {
            (line.get_color(), line.get_marker()): line.get_xydata()
            for line in axes.lines
            if line.get_markerfacecolor() != "none"
        }
        for row in rows.itertuples():
            look = PE_LOOKS[row.pe][1]
            (at,) = points[look.colour, look.marker]
            assert tuple(at) == (row.relative, row.snr_db)
        ends = {
            tuple(segment[:, 1]) for bars in axes.collections for segment in bars.get_segments()
        }
        assert ends == set(zip(rows["snr_db_least"], rows["snr_db_most"], strict=True))


def test_published_abscissae_stand_above_the_panel_without_an_ordinate(frame: pd.DataFrame) -> None:
    axes = design_space_figure(frame).axes[0]
    above = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert sorted(line.get_xdata()[0] for line in above) == sorted(PUBLISHED_EFFICIENCY.values())
    assert all(line.get_ydata()[0] > 1 for line in above), "in parts of the panel's height"
    assert len({(line.get_xdata()[0], line.get_ydata()[0]) for line in above}) == len(above)


def test_every_pe_has_a_look_of_its_own() -> None:
    assert set(PE_LOOKS) == set(PES)
    looks = [look for _, look in PE_LOOKS.values()]
    assert len({(look.colour, look.marker) for look in looks}) == len(looks)
    assert len({(look.colour, look.symbol) for look in looks}) == len(looks)


def test_the_page_needs_nothing_else_and_names_every_pe_once(
    frame: pd.DataFrame, written: dict[str, Path]
) -> None:
    assert not re.search(r'<(script|link)[^>]*(src|href)="http', written[".html"].read_text())
    page = design_space_page(frame)
    assert page.count('"showlegend":true') == len(PES)
    assert "paper: 133.38" in page


def test_a_table_without_an_fp16_pe_has_no_panel() -> None:
    pes = {"int8.pe": (50.0, 0.1, 0.02, 10.0)}
    frame = design_space(
        [table("no", pes), table("yes", {**pes, "fp16.pe": (500.0, 1.0, 0.1, 9.0)})]
    )
    assert [axes.get_title() for axes in design_space_figure(frame).axes] == ["yes"]
