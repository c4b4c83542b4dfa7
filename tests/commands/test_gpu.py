"""``dovetail gpu``."""

import json
import re

import pytest
from typer.testing import CliRunner

from dovetail.cli import app

RUN = ("gpu", "a100-lut-4x", "--network", "bitnet-3b")


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_prints_where_the_time_goes() -> None:
    code, out, _ = call(*RUN, "--phase", "decode", "--batch", "1024", "--seq", "1", "--json")
    assert code == 0
    data = json.loads(out)
    assert data["level"] == "cycle-approximate"
    assert (data["network"], data["phase"], data["batch"], data["seq"]) == (
        "bitnet-3b",
        "decode",
        1024,
        1,
    )
    assert sum(data["parts_ms"].values()) == pytest.approx(data["time_ms"])
    assert data["time_ms"] == pytest.approx(data["cycles"] / 1.41e6)
    linear = sum(entry["runs"] for entry in data["gemms"] if entry["k"] in (3200, 8640))
    assert linear == 26 * 7 + 1  # q, k, v, o, gate, up, down, and the head
    text = call(*RUN)[1]
    assert "cycle-approximate" in text and "q_proj" in text


def test_fields_and_tables_can_be_changed() -> None:
    one = json.loads(call(*RUN, "--set", "register_capacity=1", "--json")[1])
    eight = json.loads(call(*RUN, "--set", "register_capacity=8", "--json")[1])
    assert (one["register_capacity"], eight["register_capacity"]) == (1, 8)
    assert eight["time_ms"] < one["time_ms"]
    separate = json.loads(call(*RUN, "--precompute", "separate", "--json")[1])
    assert separate["parts_ms"]["precompute"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gpu", "tpu", "--network", "bitnet-3b"), r"^error: no machine named 'tpu'; the machines"),
        ((*RUN, "--set", "weight_bits=9"), r"^error: machine a100-lut-4x with --set weight_bits=9"),
        ((*RUN, "--set", "lanes=9"), r"^error: --set lanes=9: no field named 'lanes'; the fields "),
        ((*RUN, "--precompute", "later"), r"^error: precompute='later' must be none, separate or "),
        (("gpu", "a100-fp16", "--network", "x"), r"^error: no network named 'x'; "),
    ],
)
def test_refuses_in_one_line(words: tuple[str, ...], message: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert re.match(message, err) and err.count("\n") == 1
