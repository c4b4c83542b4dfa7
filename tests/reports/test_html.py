"""reports/html.py: the page of a store."""

import json
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dovetail.errors import StoreError
from dovetail.reports.html import write_report
from dovetail.tests.reports.synthetic import refuse_all, sweep, write_store

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background"}


class Page(HTMLParser):
    """Attributes that make a browser load something, and the text of script and style elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.styles: list[str] = []
        self.data: dict[str, Any] = {}
        self._inside: tuple[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in LOADING]
        if tag in ("script", "style"):
            self._inside = (tag, dict(attrs).get("id"))

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[0] == "style":
            self.styles.append(data)
        elif self._inside and self._inside[1]:
            self.data[self._inside[1]] = json.loads(data)


@pytest.fixture(scope="module")
def parsed(page: Path) -> Page:
    return Page(page.read_text(encoding="utf-8"))


def test_the_page_loads_nothing_from_anywhere(parsed: Page) -> None:
    assert parsed.loads == []
    assert not any(re.search(r"@import|url\(", style) for style in parsed.styles)


def test_plotly_is_embedded_once(page: Path) -> None:
    assert page.read_text(encoding="utf-8").count("* plotly.js v") == 1


def test_every_point_of_the_store_is_in_the_page(parsed: Page, store: Path) -> None:
    with sqlite3.connect(store) as connection:
        held = connection.execute("SELECT point, status, time_ms, design_id FROM points").fetchall()
    table = parsed.data["points"]
    at = {name: column for column, name in enumerate(table["columns"])}
    shown = {row[0]: (row[at["time (s)"]], row[at["design id"]]) for row in table["rows"]}
    wanted = {p: (ms / 1e3, design) for p, status, ms, design in held if status == "ok"}
    assert shown.keys() == wanted.keys()
    for point, (seconds, design) in wanted.items():
        assert shown[point] == (pytest.approx(seconds, rel=1e-5), design)
    refused = {row[0] for row in parsed.data["refused"]["rows"]}
    assert refused == {point for point, status, *_ in held if status != "ok"}
    assert len(shown) + len(refused) == len(held) == 72


def test_the_reason_of_a_rejected_point_cannot_break_the_page(parsed: Page) -> None:
    reasons = {row[-1] for row in parsed.data["refused"]["rows"]}
    assert reasons == {"rows=22 x cols=22 of INT8 exceed </script><b>the</b> area; use fewer"}


def test_the_page_says_what_is_known_of_the_system_s_pes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (section,) = re.findall(r'<section id="findings">.*?</section>', text, flags=re.DOTALL)
    assert "<b>Does shift-and-add beat a multiplier?</b>" in section
    assert all(library in section for library in ("ASAP7", "Nangate45", "sky130hd"))
    assert 'id="chart-findings"' in section and "http" not in section


def test_work_that_costs_no_time_is_listed_with_its_share(page: Path) -> None:
    macs = 4 * 256 * (3072 * 1024 + 1024 * 1024 + 256 * 64)
    share = 10**6 / (2 * macs + 10**6)
    text = page.read_text(encoding="utf-8")
    assert f"{macs:,} MACs; other work is {share:.3%} of the operations." in text
    assert "costs no time and no energy in this model" in text


def test_certificates_are_shown_with_their_verdict(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    rows = re.findall(r'<tr><td class="n">(\d+)<td>(passed|failed)', text)
    assert rows == [("0", "passed"), ("1", "passed"), ("2", "failed")]


def test_every_figure_of_the_technology_has_a_source(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "units.mixpe.pe_w4a8[0].area_um2" in text
    sources = len(re.findall(r"<li>", text.split("each with its bounds and its source")[1]))
    numbers = {int(n) for n in re.findall(r'<td class="n">\[(\d+)\]', text)}
    assert numbers == set(range(1, sources + 1))


@pytest.mark.parametrize(
    ("points", "refuse", "said"),
    [
        (0, None, "This store holds no point yet: continue the sweep with --resume."),
        (9, refuse_all, "No point of this sweep could be simulated: 9 were rejected or failed"),
    ],
    ids=["empty", "all rejected"],
)
def test_a_store_without_results_says_so(
    tmp_path: Path, points: int, refuse: Any, said: str
) -> None:
    options = {"refuse": refuse} if refuse else {}
    path = write_store(tmp_path / "s.sqlite", sweep(), most=points, **options)
    page = write_report(path, tmp_path)
    assert said in page.read_text(encoding="utf-8")
    assert list((tmp_path / "figures").iterdir()) == []


def test_a_store_of_one_point_has_a_report(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.sqlite", sweep(), most=1, certify=False)
    text = write_report(path, tmp_path).read_text(encoding="utf-8")
    assert "1 of 1 points are on the front (1 MixPE W4A8)." in text
    assert "No point was certified" in text
    assert len(list((tmp_path / "figures").iterdir())) == 14


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite").write_text("nothing of the kind")
    with pytest.raises(StoreError, match=r"s\.sqlite: not a result store; "):
        write_report(tmp_path / "s.sqlite", tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(
        StoreError,
        match=r"^.*out/figures: cannot be written \(Not a directory\); a report needs a folder "
        r"that you may write to: name another with --output$",
    ):
        write_report(store, tmp_path / "out")
