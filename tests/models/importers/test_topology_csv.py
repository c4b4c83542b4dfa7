"""models/importers/topology_csv.py."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.errors import TraceError
from dovetail.models.importers.topology_csv import trace_from_topology_csv

HEADER = "Layer name, M, N, K,\n"


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "mine.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_reads_scale_sims_own_form(tmp_path: Path) -> None:
    """Header and rows end in a comma, as in SCALE-Sim's topologies/GEMM_mnk."""
    text = "Layer,M,N,K,\nqkv_1,128,1536,512,\nattn_score_1,512,128,128,\n"
    trace = trace_from_topology_csv(written(tmp_path, text))
    assert trace.network == "mine"
    assert [(op.name, op.layer, op.m, op.n, op.k, op.count) for op in trace.gemms] == [
        ("qkv_1", 0, 128, 1536, 512, 1),
        ("attn_score_1", 1, 512, 128, 128, 1),
    ]
    assert trace.macs == 128 * 1536 * 512 + 512 * 128 * 128
    assert any("every W counts as a stored weight" in note for note in trace.notes)


@pytest.mark.parametrize(
    "text",
    [
        "Layer name, M, N, K\nfc, 5, 6, 7",
        "Layer,m,n,k,\n\n  fc ,5, 6 ,7,\n\n",
        "\ufeffLayer;x,M,N,K\r\nfc,5,6,7\r\n",
        'Layer,M,N,K,,\n"fc",5,6,7,,\n',
        "Layer,M,N,K,Sparsity\nfc,5,6,7,1:1\n",
        "Layer,M,N,K,\nfc,5,6,7,1,\n",
    ],
)
def test_blanks_commas_and_line_ends_do_not_matter(tmp_path: Path, text: str) -> None:
    (op,) = trace_from_topology_csv(written(tmp_path, text)).gemms
    assert (op.name, op.m, op.n, op.k, op.count) == ("fc", 5, 6, 7, 1)


def test_a_batch_column_is_independent_gemms(tmp_path: Path) -> None:
    text = "Layer,M,N,K,Sparsity,Batch,\nscores,5,6,7,1:1,32,\nvalues,5,7,6,32,\n"
    trace = trace_from_topology_csv(written(tmp_path, text))
    assert [op.count for op in trace.gemms] == [32, 32]


NAMES = st.text(string.ascii_letters + string.digits + "_-. ,\"'", min_size=1).map(str.strip)


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            NAMES.filter(bool),
            st.integers(1, 1 << 20),
            st.integers(1, 1 << 20),
            st.integers(1, 1 << 16),
        ),
        min_size=1,
        max_size=20,
    ),
    end=st.sampled_from(["\n", ",\n", "\r\n", " , \n"]),
)
def test_reads_back_any_network(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, int, int]], end: str
) -> None:
    quoted = [('"' + name.replace('"', '""') + '"', *sizes) for name, *sizes in rows]
    text = HEADER + "".join(",".join(map(str, row)) + end for row in quoted)
    trace = trace_from_topology_csv(written(tmp_path_factory.mktemp("csv"), text))
    assert [(op.name, op.m, op.n, op.k) for op in trace.gemms] == rows


@settings(max_examples=150)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_a_network_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.mktemp("csv"), content)
    try:
        trace_from_topology_csv(path)
    except TraceError as error:
        message = str(error)
        assert message.startswith(str(path))
        assert "\n" not in message


@settings(max_examples=150)
@given(cells=st.lists(st.text(max_size=12), max_size=8))
def test_any_row_is_a_gemm_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    row = ",".join(cells)
    path = written(tmp_path_factory.mktemp("csv"), HEADER.encode() + row.encode() + b"\n")
    try:
        (op,) = trace_from_topology_csv(path).gemms
    except TraceError as error:
        assert "\n" not in str(error)
    else:
        assert [op.m, op.n, op.k] == [int(cell) for cell in cells[1:4]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("fc,0,6,7", r"M='?0'? must be a whole number from 1 to 1048576; correct the row"),
        ("fc,5,-6,7", r"N='-6' must be a whole number from 1 to 1048576; correct the row"),
        ("fc,5,6,nan", r"K='nan' must be a whole number from 1 to 65536; correct the row"),
        ("fc,5,6,65537", r"K=65537 must be a whole number from 1 to 65536; correct the row"),
        ("fc,5,6.0,7", r"N='6\.0' must be a whole number from 1 to 1048576; correct the row"),
        ("fc,1_000,6,7", r"M='1_000' must be a whole number from 1 to 1048576; correct the row"),
        ("fc,5,,7", r"N='' must be a whole number from 1 to 1048576; correct the row"),
        ("fc,5,6,7,0", r"batch=0 must be a whole number from 1 to 1048576; correct the row"),
        ("fc," + "9" * 5000 + ",6,7", r"M='999.*\.\.\..*999' must be a whole number from 1 to .*"),
        (
            "fc,5,6",
            r"3 columns; a row holds name, M, N, K and at most a sparsity ratio and a batch "
            r"count; correct the row",
        ),
        (
            "conv1,14,14,3,3,192,384,1,",
            r"8 columns; a row holds name, M, N, K and at most a sparsity ratio and a batch "
            r"count; correct the row",
        ),
        (",5,6,7", r"the layer has no name; write one in the first column"),
        (
            "fc,5,6,7,2:4",
            r"sparsity '2:4' is not modelled; every GEMM is dense, so write 1:1 or leave the "
            r"column out",
        ),
        (
            "fc,5,6,7,2,3",
            r"columns 5 and 6 are '2, 3'; two of them must be a sparsity ratio and a batch "
            r"count; correct the row",
        ),
        ('"fc,5,6,7', r"not a row of a CSV file \(unexpected end of data\); correct the row"),
    ],
)
def test_a_bad_row_names_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path, f"{HEADER}ok,1,1,1,\n\n{row}\n")
    with pytest.raises(TraceError, match=rf"^{path}:4: {message}$"):
        trace_from_topology_csv(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,"
            "Strides,\nConv1,14,14,3,3,192,384,1,\n",
            r":1: 8 columns are SCALE-Sim's convolution format; only its GEMM format is read, so "
            r"write each convolution as M = output pixels, N = filters, K = filter height x width "
            r"x channels$",
        ),
        (
            "fc,5,6,7\n",
            r":1: the header is 'fc, 5, 6, 7'; it must be `Layer, M, N, K`, in this order; put "
            r"this row first$",
        ),
        (
            "Layer,M,K,N\nfc,5,6,7\n",
            r":1: the header is 'Layer, M, K, N'; it must be `Layer, M, N, K`, in this order; "
            r"put this row first$",
        ),
        ("", r": the file is empty; write a header row `Layer, M, N, K` and one GEMM a row$"),
        (" \n,,\n", r": the file is empty; write a header row `Layer, M, N, K` and one GEMM a r"),
        (HEADER, r": there is a header and no row; write one GEMM a row$"),
        (b"\x7fELF\x02\x01\x01\0\0", r": not a text file; a topology file is CSV in UTF-8$"),
        (b"Layer,M,N,K\n\xff\xfe,1,1,1", r": not a text file; a topology file is CSV in UTF-8$"),
    ],
)
def test_refuses_files_of_another_kind(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(TraceError, match=rf"^{path}{message}"):
        trace_from_topology_csv(path)


def test_a_missing_file_and_a_folder_are_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "no.csv"
    with pytest.raises(
        TraceError, match=rf"^{missing}: No such file or directory; name a topology file that exis"
    ):
        trace_from_topology_csv(missing)
    with pytest.raises(TraceError, match=rf"^{tmp_path}: Is a directory; name a topology file"):
        trace_from_topology_csv(tmp_path)
