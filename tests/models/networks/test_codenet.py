"""models/networks/codenet.py and codenet_trace.py."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import TraceError
from dovetail.models.conv_ops import ConvOp, MoveOp
from dovetail.models.networks import network
from dovetail.models.networks.codenet import CODENETS, codenet_layers
from dovetail.models.networks.codenet_trace import (
    CODENET_NAMES,
    codenet_of_image,
    codenet_trace,
    synthetic_trace,
)
from dovetail.models.trace import Trace

PUBLISHED = {
    # parameters in millions, size in MiB at 4 bytes, GMAC
    "codenet-a": (1.588, 6.06, 0.280),
    "codenet-b": (1.588, 6.06, 0.288),
    "codenet-c": (1.588, 6.06, 1.119),
    "codenet-d": (6.082, 23.20, 3.507),
    "codenet-e": (6.082, 23.20, 3.539),
    "codenet-coco-1x": (1.592, 6.07, 1.182),
    "codenet-coco-2x": (6.139, 23.42, 4.324),
}


@pytest.mark.parametrize("name", CODENETS)
def test_parameters_and_macs_are_the_published_ones_to_their_last_digit(name: str) -> None:
    layers = codenet_layers(CODENETS[name])
    parameters = sum(layer.parameters for layer in layers)
    macs = sum(layer.op.macs for layer in layers if isinstance(layer.op, ConvOp))
    millions, mebibytes, giga = PUBLISHED[name]
    assert round(parameters / 1e6, 3) == millions
    assert round(parameters * 4 / 2**20, 2) == mebibytes
    assert round(macs / 1e9, 3) == giga


C = {
    # Section 4 of the notes: MMAC of one operator of configuration c, in the order of its table.
    0: {"stem": 10.6},
    1: {
        "short_dw": 0.885,
        "short_pw": 5.70,
        "branch_pw1": 22.81,
        "branch_dw": 2.14,
        "branch_pw2": 13.78,
    },
    2: {"branch_pw1": 13.78, "branch_dw": 2.14, "branch_pw2": 13.78},
    5: {
        "short_dw": 1.07,
        "short_pw": 13.78,
        "branch_pw1": 55.12,
        "branch_dw": 1.07,
        "branch_pw2": 13.78,
    },
    12: {"branch_pw1": 13.78, "branch_dw": 1.07, "branch_pw2": 13.78},
    13: {
        "short_dw": 0.535,
        "short_pw": 13.78,
        "branch_pw1": 55.12,
        "branch_dw": 0.535,
        "branch_pw2": 13.78,
    },
    16: {"branch_pw1": 13.78, "branch_dw": 0.535, "branch_pw2": 13.78},
    17: {"conv5": 121.6},
    18: {"offset": 0.26, "deform": 2.36, "pw": 67.1},
    19: {"offset": 0.26, "deform": 2.36, "pw": 33.6},
    20: {"offset": 0.52, "deform": 4.72, "pw": 33.6},
    21: {"classes_pw1": 67.1, "classes_dw": 9.44, "classes_pw2": 21.0},
    22: {"size_pw1": 67.1, "size_dw": 9.44, "size_pw2": 2.1},
    23: {"shift_pw1": 67.1, "shift_dw": 9.44, "shift_pw2": 2.1},
}


@pytest.mark.parametrize("block", C)
def test_the_layers_of_configuration_c_are_those_of_the_table(block: int) -> None:
    layers = [layer.op for layer in codenet_layers(CODENETS["codenet-c"])]
    found = {
        op.name: op.macs / 1e6 for op in layers if isinstance(op, ConvOp) and op.layer == block
    }
    assert list(found) == list(C[block])
    for name, published in C[block].items():
        assert found[name] == pytest.approx(published, rel=0.009), name


def test_the_split_of_configuration_cs_macs() -> None:
    ops = network("codenet-c").convolutions
    plain = sum(op.macs for op in ops if op.depthwise and not op.deform)
    deformed = sum(op.macs for op in ops if op.deform)
    pointwise = sum(op.macs for op in ops if op.kernel == 1)
    assert round(pointwise / 1e6) == 1049
    assert round(plain / 1e6) == 50
    assert round(deformed / 1e6, 1) == 9.4


@pytest.mark.parametrize("name", CODENETS)
def test_maps_fit_from_layer_to_layer(name: str) -> None:
    """Within a block each convolution of the long branch takes what the one before made."""
    ops = [layer.op for layer in codenet_layers(CODENETS[name])]
    for before, after in pairwise(ops):
        if isinstance(before, MoveOp) or isinstance(after, MoveOp):
            continue
        if before.layer == after.layer and after.name.split("_")[0] == before.name.split("_")[0]:
            assert after.in_channels == before.out_channels
            assert (after.height, after.width) == (before.out_height, before.out_width)
    shuffles = [op for op in ops if isinstance(op, MoveOp) and op.kind == "shuffle"]
    assert len(shuffles) == 4 + 8 + 4
    last = max(shuffles, key=lambda op: op.layer)
    assert (last.height, last.width) == (CODENETS[name].image // 32,) * 2


@pytest.mark.parametrize("name", CODENET_NAMES)
def test_every_named_network_carries_its_offsets(name: str, tmp_path: Path) -> None:
    trace = network(name)
    deformable = [op for op in trace.convolutions if op.deform]
    assert len(deformable) == (0 if name.endswith("plain") else 3)
    for op in deformable:
        s = trace.data[f"{op.layer}.{op.name}.s"]
        assert s.shape == (op.out_height, op.out_width)
        assert s.min() >= 0
        assert 3.3 < s.mean() < 4.3
    trace.save(tmp_path / "t.npz")
    assert Trace.load(tmp_path / "t.npz") == trace


def test_a_seed_names_a_trace() -> None:
    config = CODENETS["codenet-a"]
    first = synthetic_trace(config, distribution="gamma", seed=3)
    assert first == synthetic_trace(config, distribution="gamma", seed=3)
    assert first != synthetic_trace(config, distribution="gamma", seed=4)
    assert first != synthetic_trace(config, distribution="lognormal", seed=3)


def test_offsets_with_nan_or_of_another_shape_are_refused() -> None:
    config = CODENETS["codenet-a"]
    offsets = [np.ones((size, size), dtype=np.float32) for size in (8, 16, 32)]
    offsets[1][2, 3] = np.nan
    with pytest.raises(
        TraceError,
        match=r"^data 19\.deform\.s holds NaN or infinity; every value must be finite, so "
        r"correct the weights or the input it came from$",
    ):
        codenet_trace(config, offsets, source="a test")
    offsets[1] = np.ones((8, 16), dtype=np.float32)
    with pytest.raises(
        TraceError,
        match=r"^data 19\.deform\.s is of shape \(8, 16\); a deformable convolution needs one "
        r"square offset for each output pixel, of shape \(16, 16\)$",
    ):
        codenet_trace(config, offsets, source="a test")


@pytest.mark.parametrize(("field", "value"), [("phase", "decode"), ("batch", 2), ("seq", 5)])
def test_what_an_image_network_has_not_is_refused(field: str, value: object) -> None:
    fixed = {"phase": "prefill", "batch": 1, "seq": 1}[field]
    with pytest.raises(
        TraceError,
        match=re.escape(
            f"codenet-a: {field}={value!r} must be {fixed!r}, since the network sees one image at "
            f"a time; leave {field} out"
        ),
    ):
        network("codenet-a", **{field: value})  # type: ignore[arg-type]


def test_a_network_without_images_takes_none(tmp_path: Path) -> None:
    with pytest.raises(
        TraceError, match=r"^network 'llama2-7b' takes no image; the networks that do are codenet-a"
    ):
        codenet_of_image("llama2-7b", tmp_path / "x.jpg")
