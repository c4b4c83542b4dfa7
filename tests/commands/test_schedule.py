"""``dovetail schedule``."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dovetail.cli import app
from dovetail.models.m3vit.config import TINY
from dovetail.models.networks.m3vit_trace import drawn_trace

RUN = ("schedule", "edge-moe-zcu102", "--network", "m3vit-tiny-balanced")


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_prints_where_the_time_goes() -> None:
    code, out, _ = call(*RUN, "--json")
    assert code == 0
    data = json.loads(out)
    assert data["level"] == "cycle-approximate"
    assert (data["network"], data["seq"], data["macs"]) == ("m3vit-tiny-balanced", 129, TINY.macs)
    assert sum(data["parts_ms"].values()) == pytest.approx(data["time_ms"])
    assert data["parts_ms"]["attention"] == pytest.approx(24 * 2 * 102_168 / 300e3)
    text = call(*RUN)[1]
    assert "cycle-approximate" in text and "queue that hides a load" in text


def test_fields_and_routing_can_be_changed(tmp_path: Path) -> None:
    base = json.loads(call(*RUN, "--json")[1])
    cached = json.loads(call(*RUN, "--set", "schedule=cached", "--json")[1])
    assert cached["time_ms"] > 2 * base["time_ms"] and cached["expert_loads"] > 1000
    words = ("--experts", "64", "--top-k", "1", "--skew", "1.5", "--seed", "2")
    drawn = json.loads(call(*RUN, *words, "--json")[1])
    assert (drawn["experts"], drawn["top_k"], drawn["expert_uses"]) == (64, 1, 6 * 129)
    longer = json.loads(call(*RUN, "--seq", "1025", "--json")[1])
    assert longer["seq"] == 1025


def test_tasks_differ_in_routing_alone() -> None:
    words = ("schedule", "edge-moe-zcu102", "--network", "m3vit-tiny", "--json", "--task")
    one, other = (json.loads(call(*words, task)[1]) for task in ("segmentation", "depth"))
    assert one["trace_id"] != other["trace_id"]
    for part in ("attention", "attention_linear", "dense", "other"):
        assert one["parts_ms"][part] == other["parts_ms"][part]
    assert one["platform_mj"] == pytest.approx(14.54 * one["time_ms"])
    # 11.6 pJ a bit and 0.262 W.
    dram_mj = 11.6e-12 * 8 * one["dram_bytes"] * 1e3 + 0.262 * one["time_ms"]
    assert one["dram_mj"] == pytest.approx(dram_mj)


def test_a_saved_trace_gives_the_same_and_a_timeline(tmp_path: Path) -> None:
    trace, timeline = tmp_path / "t.npz", tmp_path / "t.json"
    drawn_trace(TINY, skew=0.0).save(trace)
    words = ("schedule", "edge-moe-zcu102", "--network", str(trace), "--timeline", str(timeline))
    data = json.loads(call(*words, "--json")[1])
    assert data["cycles"] == json.loads(call(*RUN, "--json")[1])["cycles"]
    assert json.loads(timeline.read_text())["otherData"]["cycles"] == data["cycles"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("schedule", "tpu", "--network", "m3vit-tiny"), r"^error: no preset named 'tpu'"),
        ((*RUN, "--top-k", "17"), r"^error: m3vit-tiny: top_k=17 must be from 1 to experts=16; "),
        ((*RUN, "--experts", "1"), r"^error: m3vit-tiny: top_k=2 must be from 1 to experts=1; low"),
        ((*RUN, "--experts", "0"), r"^error: m3vit-tiny: top_k=2 must be from 1 to experts=0; low"),
        ((*RUN, "--skew", "-1"), r"^error: skew=-1.0 must be at least 0; change skew"),
        ((*RUN, "--seq", "7"), r"^error: m3vit-tiny: seq=7 must be 1025 \(pascal-context\), 1201 "),
        ((*RUN, "--set", "weight_buffer_bytes=9"), r"^error: q_proj: its matrix of 73728 bytes mu"),
        ((*RUN, "--set", "schedule=lazy"), r"^error: schedule edge-moe-zcu102 with --set schedule"),
        ((*RUN, "--task", "parts"), r"^error: task='parts' is not one of cityscapes, which has s"),
        ((*RUN, "--task", "depth", "--skew", "1"), r"^error: --task depth routes the photograph, "),
        (
            ("schedule", "edge-moe-zcu102", "--network", "vit-b-16"),
            r"^error: network 'vit-b-16' has no routing of experts; the networks that have are m3v",
        ),
        (
            ("schedule", "edge-moe-zcu102", "--network", "vit-b-16", "--skew", "0"),
            r"^error: no M3ViT network named 'vit-b-16'; the networks are m3vit-tiny, m3vit-smal",
        ),
    ],
)
def test_refuses_in_one_line(words: tuple[str, ...], message: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert re.match(message, err) and err.count("\n") == 1


def test_a_trace_for_another_number_of_experts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    drawn_trace(replace(TINY, experts=8), skew=0.0).save(path)
    code, _, err = call("schedule", "edge-moe-zcu102", "--network", str(path))
    assert code == 2
    assert re.match(
        r"^error: m3vit-tiny: the routing of block 1 has experts=8, the network 16; make the", err
    )
