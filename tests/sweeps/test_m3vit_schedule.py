"""sweeps/m3vit_schedule.py and its report, on M3ViT-tiny."""

import json
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dovetail.models.m3vit.config import TINY
from dovetail.reports.m3vit_figures import TRACK_NAMES
from dovetail.reports.m3vit_schedule import answers, write_schedule_report
from dovetail.sweeps.m3vit_schedule import (
    QUESTIONS,
    SKEWS,
    overlap_timeline,
    platforms,
    points,
    table,
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return table((TINY,))


def test_every_question_has_points(frame: pd.DataFrame) -> None:
    assert set(frame["question"]) == set(QUESTIONS)
    assert len(frame) == len(list(points((TINY,))))
    assert frame[frame["refused"] == ""]["time_ms"].notna().all()


def test_the_crossover_is_where_queues_are_as_long_as_loads(frame: pd.DataFrame) -> None:
    rows = frame[(frame["question"] == "experts") & (frame["schedule"] == "expert_by_expert")]
    rows = rows.set_index("experts")
    # A matrix of 192 x 384 with biases takes 9,264 cycles, a token 288.
    assert (rows["break_even_queue"] == -(-9264 // 288)).all()
    # Each expert loads both its matrices while less than that computes.
    bound_ms = 6 * 2 * 9252 * 64 / 300e3
    assert rows.loc[64, "experts_ms"] == pytest.approx(bound_ms, rel=0.05)
    # Of the first load, the clearing of the output hides 2 x 129 x 24 cycles.
    exposed = 9264 - 2 * 129 * 24
    assert rows.loc[4, "experts_ms"] == pytest.approx(6 * (258 * 576 + exposed) / 300e3)


def test_a_small_buffer_is_refused_with_the_matrix_that_does_not_fit(frame: pd.DataFrame) -> None:
    rows = frame[frame["question"] == "buffer"].set_index("weight_buffer_bytes")
    assert rows.loc[1 << 18, "refused"].startswith("fc1: its matrix of 294912 bytes must fit one")
    assert (rows.loc[[1 << 19, 1 << 20, 1 << 21], "refused"] == "").all()


def test_skew_helps_caches_and_costs_expert_by_expert_little(frame: pd.DataFrame) -> None:
    rows = frame[frame["question"] == "skew"]
    cached = rows[rows["schedule"] == "cached"].set_index("skew")["moe_ms"]
    assert list(cached) == sorted(cached, reverse=True) and len(cached) == len(SKEWS)
    ours = rows[rows["schedule"] == "expert_by_expert"].set_index("skew")["moe_ms"]
    assert ours.max() < 1.2 * ours[0.0] < cached[0.0] / 5


def test_platforms_have_the_published_energies() -> None:
    energies = platforms().set_index("platform")["energy_mj"] * 1e-3
    assert energies["GPU RTX A6000"] == pytest.approx(1.129, abs=1e-3)
    assert energies["CPU Xeon 6226R"] == pytest.approx(2.466, abs=1e-3)
    assert energies["Edge-MoE, published"] == pytest.approx(0.504, abs=1e-3)


def test_each_answer_names_its_network(frame: pd.DataFrame) -> None:
    said = answers(frame)
    assert list(said) == list(QUESTIONS)
    for sentences in said.values():
        assert sentences and all(sentence.startswith("m3vit-tiny") for sentence in sentences)
    assert "33 tokens or more" in said["experts"][0]
    assert "from 63.9 to 16.35 ms" in said["attention"][0]


def test_the_report_is_one_page_with_figures_table_and_timeline(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    timeline: dict[str, Any] = overlap_timeline()
    page, points_csv, trace, *figures = write_schedule_report(frame, timeline, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 7 and len(figures) == 14
    assert all(escape(question) in text for question in QUESTIONS.values())
    assert "CPU Xeon 6226R" in text and "<script" not in text and "src=" not in text
    assert len(pd.read_csv(points_csv)) == len(frame)
    events = json.loads(trace.read_text())["traceEvents"]
    names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert set(TRACK_NAMES) <= names
    assert max(event["ts"] + event["dur"] for event in events if event["ph"] == "X") > 30_000
