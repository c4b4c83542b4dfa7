"""models/importers/workload.py: one front door for every kind of workload."""

import json
from pathlib import Path

import pytest

from dovetail.errors import TraceError
from dovetail.models.importers import load_workload
from dovetail.models.networks import network

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "vocab_size": 100,
}


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("Layer,M,N,K,\nfc,5,6,7,\n")
    return path


def test_a_name_gives_the_network() -> None:
    assert load_workload("llama2-7b") == network("llama2-7b")
    assert load_workload("opt-6.7b-authors") == network("opt-6.7b-authors")
    decode = load_workload("opt-6.7b", phase="decode", batch=2, seq=9)
    assert decode == network("opt-6.7b", phase="decode", batch=2, seq=9)


def test_a_csv_gives_its_gemms(csv: Path) -> None:
    assert load_workload(csv) == load_workload(str(csv))
    assert load_workload(csv).macs == 5 * 6 * 7


def test_a_config_gives_its_network(tmp_path: Path) -> None:
    path = tmp_path / "config.JSON"
    path.write_text(json.dumps(CONFIG))
    assert load_workload(path).seq == 2048
    trace = load_workload(path, phase="decode", batch=3, seq=7)
    assert (trace.phase, trace.batch, trace.seq) == ("decode", 3, 7)


def test_a_saved_trace_comes_back(tmp_path: Path) -> None:
    trace = network("vit-b-16", batch=2)
    trace.save(tmp_path / "vit.npz")
    assert load_workload(tmp_path / "vit.npz") == trace
    assert load_workload(tmp_path / "vit.npz", phase="prefill", batch=2, seq=197) == trace


@pytest.mark.parametrize(
    ("field", "asked", "fixed"),
    [("phase", "decode", "'prefill'"), ("batch", 2, "1"), ("seq", 2048, "1")],
)
def test_a_file_with_shapes_of_its_own_takes_no_others(
    csv: Path, field: str, asked: object, fixed: str
) -> None:
    message = (
        rf"^{csv}: {field}={asked!r} cannot be had, the file fixes it to {fixed}; leave {field} "
        rf"out or make another file$"
    )
    with pytest.raises(TraceError, match=message):
        load_workload(csv, **{field: asked})


@pytest.mark.parametrize("name", ["lama2-7b", "./nowhere", "mine.txt", "", "mine.csv.gz"])
def test_what_is_neither_lists_the_networks(name: str) -> None:
    message = (
        rf"^no network named '{name}'; .*the networks are llama2-7b, .*; one of your own is a "
        rf"\.csv, \.json or \.npz file$"
    )
    with pytest.raises(TraceError, match=message):
        load_workload(name)


def test_an_empty_phase_is_refused() -> None:
    with pytest.raises(TraceError, match=r"^phase='' must be prefill or decode; change phase$"):
        load_workload("llama2-7b", phase="")
