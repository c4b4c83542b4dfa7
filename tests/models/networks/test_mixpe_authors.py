"""models/networks/mixpe_authors.py against the figures known of the authors' simulator."""

import pytest

from dovetail.errors import TraceError
from dovetail.models.networks.mixpe_authors import AUTHORS, authors_trace

# MACs without dequantisation at batch 64, and those of the patch convolution.
MACS = {
    "vit-authors": ("1.283e+10", "7.40e+09"),
    "vit-huge-authors": ("5.26e+10", "1.23e+10"),
    "opt-6.7b-authors": ("4.12e+11", "0.0e+00"),
    "llama2-13b-authors": ("8.05e+11", "0.0e+00"),
}


def digits(value: int, like: str) -> str:
    """``value`` with as many digits as ``like`` has."""
    return f"{value:.{len(like.split('e')[0]) - 2}e}"


@pytest.mark.parametrize("name", MACS)
def test_macs_are_those_of_the_source(name: str) -> None:
    total, convolution = MACS[name]
    trace = authors_trace(AUTHORS[name])
    assert digits(trace.macs, total) == total
    patches = sum(op.macs for op in trace.gemms if op.layer == -1)
    assert digits(patches, convolution) == convolution


def test_the_four_are_all_there() -> None:
    assert set(AUTHORS) == set(MACS)


@pytest.mark.parametrize(
    ("name", "entries"),
    # Entries of the source with dequantisation: a convolution and 8 a layer.
    [
        ("vit-authors", 97),
        ("vit-huge-authors", 257),
        ("opt-6.7b-authors", 256),
        ("llama2-13b-authors", 320),
    ],
)
def test_half_of_the_layers_entries_are_dequantisation(name: str, entries: int) -> None:
    convolutions = entries % 8
    assert len(authors_trace(AUTHORS[name]).ops) == convolutions + (entries - convolutions) // 2


def test_shapes_of_the_vit() -> None:
    trace = authors_trace(AUTHORS["vit-authors"])
    assert (trace.batch, trace.seq) == (64, 1)
    assert [(op.m, op.n, op.k) for op in trace.gemms[:5]] == [
        (64 * 196, 768, 3 * 16 * 16),
        (64, 2304, 768),
        (64, 768, 768),
        (64, 3072, 768),
        (64, 768, 3072),
    ]


def test_batch_is_the_number_of_rows() -> None:
    trace = authors_trace(AUTHORS["opt-6.7b-authors"], batch=256, seq=1)
    assert {op.m for op in trace.gemms} == {256}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"phase": "decode"},
            r"^vit-authors: phase='decode' must be prefill, for the source has n",
        ),
        (
            {"seq": 2048},
            r"^vit-authors: seq=2048 must be 1, for the source has no sequences; set b",
        ),
        ({"batch": 0}, r"^batch=0 must be a whole number from 1 to 1048576; change batch$"),
    ],
)
def test_refuses_what_the_source_does_not_have(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        authors_trace(AUTHORS["vit-authors"], **arguments)
