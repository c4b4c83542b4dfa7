"""models/trace.py."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dovetail
from dovetail.errors import TraceError
from dovetail.models.conv_ops import ConvOp, MoveOp
from dovetail.models.networks import network
from dovetail.models.trace import GemmOp, OtherOp, Trace

OPS = (
    GemmOp(name="fc", layer=0, m=2, n=3, k=4, count=5),
    OtherOp(name="relu", layer=0, kind="activation", operations=30),
    GemmOp(name="scores", layer=0, m=6, n=7, k=8, weights="activation"),
)
PLAIN = Trace(network="small", phase="prefill", batch=1, seq=2, ops=OPS, notes=("a note",))
RNG = np.random.default_rng(5)
WITH_OPERANDS = replace(
    PLAIN,
    operands={
        "0.fc.a": RNG.standard_normal((2, 4), dtype=np.float32),
        "0.fc.w": RNG.standard_normal((3, 4), dtype=np.float32),
    },
)
WITH_DATA = replace(
    WITH_OPERANDS,
    data={
        "1.experts": np.array([[0, 3], [2, 1]], np.int16),
        "1.scores": np.array([[0.5, 0.25], [0.75, 0.125]], np.float32),
    },
)


def rewritten(path: Path, **changes: object) -> Path:
    """The trace at ``path`` with fields of its header replaced."""
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays.pop("header"))) | changes
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
    return path


CONVOLUTIONS = Trace(
    network="convolutions",
    phase="prefill",
    batch=1,
    seq=1,
    ops=(
        ConvOp(name="pw", layer=0, height=5, width=7, in_channels=6, out_channels=8, stride=2),
        ConvOp(
            name="dw",
            layer=0,
            height=3,
            width=4,
            in_channels=8,
            out_channels=8,
            kernel=3,
            groups=8,
            deform=True,
        ),
        MoveOp(name="shuffle", layer=0, kind="shuffle", channels=8, height=3, width=4),
    ),
    data={"0.dw.s": RNG.random((3, 4), dtype=np.float32)},
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "t.npz"
    PLAIN.save(path)
    return path


def test_macs_are_those_of_the_gemms() -> None:
    assert PLAIN.macs == 2 * 3 * 4 * 5 + 6 * 7 * 8
    assert PLAIN.gemms == (OPS[0], OPS[2])
    assert PLAIN.others == (OPS[1],)


@pytest.mark.parametrize(
    "trace", [PLAIN, WITH_OPERANDS, WITH_DATA, network("llama2-7b"), network("vit-b-16", batch=3)]
)
def test_a_saved_trace_comes_back_equal(tmp_path: Path, trace: Trace) -> None:
    trace.save(tmp_path / "t.npz")
    back = Trace.load(tmp_path / "t.npz")
    assert back == trace
    assert back.trace_id == trace.trace_id
    assert (back.ops, back.notes) == (trace.ops, trace.notes)
    assert back.operands.keys() == trace.operands.keys()
    for name, array in trace.operands.items():
        np.testing.assert_array_equal(back.operands[name], array)
    assert back.data.keys() == trace.data.keys()
    for name, array in trace.data.items():
        assert back.data[name].dtype == array.dtype
        np.testing.assert_array_equal(back.data[name], array)


def test_saving_twice_gives_the_same_bytes_and_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    WITH_OPERANDS.save(path)
    first = path.read_bytes()
    WITH_OPERANDS.save(path)
    assert path.read_bytes() == first
    assert os.listdir(tmp_path) == ["t.npz"]


def test_saving_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    link = tmp_path / "link.npz"
    link.symlink_to(tmp_path / "t.npz")
    PLAIN.save(link)
    assert link.is_symlink()
    assert Trace.load(tmp_path / "t.npz") == PLAIN


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAIN, network="other"),
        replace(PLAIN, phase="decode"),
        replace(PLAIN, batch=2),
        replace(PLAIN, seq=3),
        replace(PLAIN, ops=OPS[:2]),
        replace(PLAIN, ops=(replace(OPS[0], count=6), *OPS[1:])),
        replace(PLAIN, notes=()),
        WITH_OPERANDS,
        replace(PLAIN, operands={"0.fc.a": np.zeros((2, 4), np.float32)}),
        # The same bytes in another shape, and under another name.
        replace(PLAIN, operands={"0.fc.a": np.zeros((4, 2), np.float32)}),
        replace(PLAIN, operands={"0.fc.w": np.zeros((2, 4), np.float32)}),
        # The same array as data is not an operand.
        replace(PLAIN, data={"0.fc.a": np.zeros((2, 4), np.float32)}),
    ],
)
def test_different_content_has_a_different_id(other: Trace) -> None:
    assert other.trace_id != PLAIN.trace_id
    assert other != PLAIN


def test_different_operands_have_different_ids() -> None:
    zeros = np.zeros((2, 4), np.float32)
    shapes = [zeros, zeros.reshape(4, 2), zeros.reshape(8), zeros + 1]
    ids = {replace(PLAIN, operands={"0.fc.a": array}).trace_id for array in shapes}
    assert len(ids) == len(shapes)


def test_equal_traces_are_one_key() -> None:
    assert len({PLAIN, replace(PLAIN), WITH_OPERANDS, replace(WITH_OPERANDS)}) == 2
    assert PLAIN != "small"


@pytest.mark.parametrize("keep", [0, 1, 30, 100, 0.5, 0.9, -22, -1])
def test_a_truncated_file_is_one_line(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "t.npz"
    WITH_OPERANDS.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    message = rf"^{path}: not a complete trace file \(\w+\); make it again with `dovetail trace`$"
    with pytest.raises(TraceError, match=message):
        Trace.load(path)


@settings(max_examples=300)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_harmless_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, position: float, bit: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "t.npz"
    WITH_OPERANDS.save(path)
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        assert Trace.load(path) == WITH_OPERANDS
    except TraceError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)


def test_a_trace_of_another_version_is_named(saved: Path) -> None:
    message = (
        rf"^{saved}: trace version 2, this Dovetail reads 1; make it again with `dovetail trace`$"
    )
    with pytest.raises(TraceError, match=message):
        Trace.load(rewritten(saved, version=2))


def test_content_that_does_not_match_its_id_is_refused(saved: Path) -> None:
    message = (
        rf"^{saved}: not a complete trace file \(its content is [0-9a-f]{{12}}, its id "
        rf"'{PLAIN.trace_id}'\); make it again with `dovetail trace`$"
    )
    with pytest.raises(TraceError, match=message):
        Trace.load(rewritten(saved, seq=3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phase": "train"}, r"phase='train' must be prefill or decode; change phase"),
        ({"batch": 0}, r"batch=0 must be a whole number from 1 to 2147483647; change batch"),
        ({"seq": float("nan")}, r"seq=nan must be a whole number from 1 to 2147483647; change seq"),
        (
            {"ops": [{"op": "gemm", "name": "fc", "layer": 0, "m": -2, "n": 3, "k": 4}]},
            r"fc: m=-2 must be a whole number from 1 to 2147483647; correct the operator",
        ),
        (
            {
                "ops": [
                    {"op": "gemm", "name": "fc", "layer": 0, "m": 2, "n": 3, "k": 4, "weights": ""}
                ]
            },
            r"fc: weights='' must be parameter or activation; correct the operator",
        ),
        (
            {"ops": [{"op": "other", "name": "x", "layer": 0, "kind": "norm", "operations": -1}]},
            r"x: operations=-1 must be a whole number from 0 to 9223372036854775807; correct the "
            r"operator",
        ),
        (
            {"ops": [{"op": "gemm", "name": "fc", "cols": 2}]},
            r"a field of the trace is missing or unknown \(.*'cols'\); make it again with "
            r"`dovetail trace`",
        ),
        (
            {"ops": ["fc"]},
            r"a field of the trace is missing or unknown \(.*\); make it again with "
            r"`dovetail trace`",
        ),
    ],
)
def test_a_bad_field_is_named(saved: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=rf"^{saved}: {message}$"):
        Trace.load(rewritten(saved, **changes))


def test_a_file_from_before_there_was_data_keeps_its_id() -> None:
    assert WITH_OPERANDS.trace_id == "edd2613c6430"


def test_data_must_be_finite() -> None:
    message = r"^data 1\.scores holds NaN or infinity; every value must be finite, so correct the"
    with pytest.raises(TraceError, match=message):
        replace(PLAIN, data={"1.scores": np.array([[1.0, np.inf]], np.float32)})


def test_operands_must_be_finite() -> None:
    message = r"^operand 0\.fc\.a holds NaN or infinity; every value must be finite, so correct the"
    with pytest.raises(TraceError, match=message):
        replace(PLAIN, operands={"0.fc.a": np.array([[1.0, np.nan]], np.float32)})


@pytest.mark.parametrize(
    "content", [b"", b"Layer,M,N,K\n", b"{}", b"\x80\x04\x95", b"PK\x03\x04", b"\x93NUMPY"]
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(content)
    message = rf"^{path}: not a complete trace file \(\w+\); make it again with `dovetail trace`$"
    with pytest.raises(TraceError, match=message):
        Trace.load(path)


def test_a_single_array_named_npz_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(TraceError, match=rf"^{path}: not a complete trace file \(\w+\); make it a"):
        Trace.load(path)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    message = rf"^{path}: no such file; make it with `dovetail trace NETWORK -o {path}`$"
    with pytest.raises(TraceError, match=message):
        Trace.load(path)


def test_a_folder_is_not_read(tmp_path: Path) -> None:
    message = rf"^{tmp_path}: cannot be read \(Is a directory\); name a file that can$"
    with pytest.raises(TraceError, match=message):
        Trace.load(tmp_path)


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may read and write everything, so as root the test runs as a user who may not."""
    before = os.geteuid()
    os.seteuid(65534 if before == 0 else before)
    yield
    os.seteuid(before)


def test_no_permission_to_read_is_one_line(saved: Path, unprivileged: None) -> None:
    if os.access(saved, os.W_OK, effective_ids=True):
        saved.chmod(0)
    message = rf"^{saved}: cannot be read \(Permission denied\); name a file that can$"
    with pytest.raises(TraceError, match=message):
        Trace.load(saved)


def test_no_permission_to_write_is_one_line(tmp_path: Path, unprivileged: None) -> None:
    if os.access(tmp_path, os.W_OK, effective_ids=True):
        tmp_path.chmod(0o500)
    path = tmp_path / "t.npz"
    with pytest.raises(TraceError, match=rf"^{path}: cannot be written \(Permission denied\); nam"):
        PLAIN.save(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no/folder/t.npz", "No such file or directory"),
        ("", "Is a directory"),
        ("f/t.npz", "Not a directory"),
    ],
)
def test_a_place_that_takes_no_file_is_one_line(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "f").write_text("a file")
    path = tmp_path / name
    message = (
        rf"^{path}: cannot be written \({reason}\); name a file in a folder that has room and "
        rf"that you may write to$"
    )
    with pytest.raises(TraceError, match=message):
        PLAIN.save(path)


def test_a_pipe_takes_the_bytes_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe, copy = tmp_path / "pipe", tmp_path / "copy.npz"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        content = pool.submit(pipe.read_bytes)
        PLAIN.save(pipe)
        copy.write_bytes(content.result(timeout=10))
    assert pipe.is_fifo()
    assert Trace.load(copy) == PLAIN


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_device_is_one_line_and_stays_a_device() -> None:
    path = Path("/dev/full")
    message = rf"^{path}: cannot be written \(No space left on device\); name a file in a folder"
    with pytest.raises(TraceError, match=message):
        PLAIN.save(path)
    assert path.is_char_device()


def test_a_write_that_fails_half_way_leaves_the_old_file(saved: Path) -> None:
    """A limit on the size of files stands for a full disk: the write fails in the middle."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from dovetail.models.networks import network\n"
        "trace = network('llama2-7b')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "trace.save(Path(sys.argv[1]))\n"
    )
    before = saved.read_bytes()
    result = subprocess.run(
        [sys.executable, "-c", program, str(saved)],
        env=os.environ | {"PYTHONPATH": str(Path(dovetail.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    last = result.stderr.splitlines()[-1]
    assert last.startswith(
        f"dovetail.errors.TraceError: {saved}: cannot be written (File too large); name a file in"
    )
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_a_convolution_counts_its_taps() -> None:
    pw, dw = CONVOLUTIONS.convolutions
    assert (pw.out_height, pw.out_width, pw.depthwise, pw.weights) == (3, 4, False, 48)
    assert (dw.weights, dw.depthwise) == (72, True)
    assert CONVOLUTIONS.macs == 3 * 4 * 48 + 3 * 4 * 72
    assert [op.kind for op in CONVOLUTIONS.moves] == ["shuffle"]


def test_a_network_with_convolutions_is_not_for_gemm_engines() -> None:
    assert PLAIN.transformer_ops == PLAIN.ops
    with pytest.raises(
        TraceError,
        match="^convolutions has 2 convolutions, and this system runs GEMMs only; choose another "
        "network, or run it on the system deform$",
    ):
        _ = CONVOLUTIONS.transformer_ops


def test_groups_that_do_not_divide_are_refused() -> None:
    with pytest.raises(
        TraceError,
        match="^dw: groups=4 must divide in_channels=8 and out_channels=6; correct the operator$",
    ):
        ConvOp(name="dw", layer=0, height=3, width=4, in_channels=8, out_channels=6, groups=4)


def test_a_deformable_convolution_without_offsets_is_refused() -> None:
    with pytest.raises(
        TraceError,
        match=r"^data 0\.dw\.s is missing; a deformable convolution needs one square offset for "
        r"each output pixel, of shape \(3, 4\)$",
    ):
        replace(CONVOLUTIONS, data={})
