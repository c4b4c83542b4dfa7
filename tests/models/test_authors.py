"""models/authors.py, against the counts that the MixPE authors' bench files have."""

from dataclasses import replace

import pytest

from dovetail.arch.authors import authors_model
from dovetail.errors import ConfigError
from dovetail.models.authors import AuthorsOp, authors_network, authors_operators, dequant_share
from dovetail.models.networks.mixpe_authors import AUTHORS

# network: entries with dequantisation, MACs without it at batch 64
ENTRIES = {
    "vit-authors": (97, 1.283e10),
    "vit-huge-authors": (257, 5.26e10),
    "opt-6.7b-authors": (256, 4.12e11),
    "llama2-13b-authors": (320, 8.05e11),
}
# design: share of linear and dequantisation work at 4 bit, in the order of AUTHORS
FOUR_BIT_SHARE = {
    "bitfusion": (0.037, 0.037, 0.037, 0.037),
    "ant": (0.741, 0.722, 0.722, 0.711),
    "olaccel": (0.889, 0.889, 0.889, 0.889),
    "int8": (0, 0, 0, 0),
}


def operators(design: str, network: str) -> dict[AuthorsOp, int]:
    return authors_operators(authors_model().design(design), authors_network(network))


@pytest.mark.parametrize("design", authors_model().designs)
@pytest.mark.parametrize("network", ENTRIES)
def test_a_network_has_the_entries_and_macs_of_the_source(design: str, network: str) -> None:
    ops = operators(design, network)
    entries, macs = ENTRIES[network]
    assert sum(ops.values()) == entries
    real = sum(op.macs * count for op, count in ops.items() if op.role != "dequant")
    assert real == pytest.approx(macs, rel=2e-3)


def test_the_patch_convolution_is_most_of_vit() -> None:
    ops = operators("mixpe-w4a8", "vit-authors")
    conv = next(op for op in ops if op.role == "patch_conv")
    assert conv.macs == 64 * 196 * 768 * 3 * 16 * 16
    assert conv.macs == pytest.approx(7.40e9, rel=1e-3)


@pytest.mark.parametrize("design", FOUR_BIT_SHARE)
def test_precision_mixes_are_those_of_the_source(design: str) -> None:
    for network, share in zip(AUTHORS, FOUR_BIT_SHARE[design], strict=True):
        work = {4: 0, 8: 0}
        for op, count in operators(design, network).items():
            if op.role != "patch_conv":
                work[op.bits] += op.macs * count
        assert work[4] / sum(work.values()) == pytest.approx(share, abs=5e-4)


def test_dequantisation_behind_the_group_is_a_1024th_and_before_the_loop_an_eighth() -> None:
    for design, part in (("mixpe-w4a8", 1024), ("int8", 8)):
        ops = operators(design, "opt-6.7b-authors")
        macs = {op.name: op.macs for op in ops}
        for name in ("qkv_proj", "o_proj", "fc1", "fc2"):
            assert macs[name] == part * macs[f"{name}_dequant"]


@pytest.mark.parametrize(
    ("batch", "conventional", "mixpe"),
    [
        (1, 0.50, 0.0154),
        (2, 0.333, 0.00775),
        (4, 0.20, 0.00389),
        (6, 0.143, 0.00260),
        (8, 0.111, 0.00195),
        (16, 0.0588, 0.00098),
        (32, 0.0303, 0.00049),
    ],
)
def test_dequant_share_follows_the_generators_batch(
    batch: int, conventional: float, mixpe: float
) -> None:
    network = authors_network("opt-6.7b-authors")
    for name, published in (("int8", conventional), ("mixpe-w4a8", mixpe)):
        design = replace(authors_model().design(name), dequant_batch=batch)
        assert dequant_share(design, network) == pytest.approx(published, rel=6e-3)


def test_dequant_share_at_batch_8_is_one_9th_and_one_513th() -> None:
    network = authors_network("opt-6.7b-authors")
    model = authors_model()
    assert dequant_share(model.design("int8"), network) == 1 / 9
    assert dequant_share(model.design("mixpe-w4a8"), network) == 1 / 513


def test_a_network_of_true_shapes_is_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^network 'opt-6.7b' has no dequantisation and precision mix in the authors' "
        r"accounting; the networks that have are vit-authors, vit-huge-authors, "
        r"opt-6.7b-authors, llama2-13b-authors$",
    ):
        authors_network("opt-6.7b")
