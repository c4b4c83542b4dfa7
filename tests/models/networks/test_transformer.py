"""models/networks/transformer.py and published.py: parameters against published counts."""

from dataclasses import replace

import pytest

from dovetail.errors import TraceError
from dovetail.models.networks.published import PUBLISHED
from dovetail.models.networks.transformer import PatchInput

# Parameters of the checkpoints: Hugging Face model cards for the language models, torchvision's
# and timm's tables for ViT-B/16.
PARAMETERS = {
    "llama2-7b": 6_738_415_616,
    "llama2-13b": 13_015_864_320,
    "llama2-70b": 68_976_648_192,
    "opt-6.7b": 6_658_473_984,
    "bloom-176b": 176_247_271_424,
    "llama-3b": 3_426_473_600,
    "vit-b-16": 86_567_656,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_count(name: str) -> None:
    assert PUBLISHED[name].parameters == PARAMETERS[name]


def test_vit_h_with_the_published_patches_has_the_published_parameters() -> None:
    """ViT-H/16 is the published ViT-H/14 (torchvision: 632,045,800) but for its patches."""
    patch_input = PatchInput(image=224, patch=14)
    tokens = 16 * 16 + 1
    config = replace(PUBLISHED["vit-h-16"], patch_input=patch_input, positions=tokens)
    assert config.parameters == 632_045_800


def test_every_network_without_a_published_count_is_checked_another_way() -> None:
    assert set(PUBLISHED) - set(PARAMETERS) == {"vit-h-16", "bitnet-3b", "opt-175b"}


def test_bitnet_is_llama_3b_with_a_tied_head_more_tokens_and_two_norms_a_layer() -> None:
    """Its card says 3.3 B."""
    head, norms = 32000 * 3200, 26 * (3200 + 8640)
    parameters = PUBLISHED["bitnet-3b"].parameters
    assert parameters == PARAMETERS["llama-3b"] - head + 2 * 3200 + norms
    assert round(parameters / 1e9, 1) == 3.3


def test_opt_175b_has_its_twelve_squares_a_layer() -> None:
    """arXiv 2205.01068, table 1: 96 layers, 96 heads, width 12,288; 175 B."""
    squares = 96 * 12 * 12288**2
    assert 0 < PUBLISHED["opt-175b"].parameters - squares < 0.005 * squares
    assert round(PUBLISHED["opt-175b"].parameters / 1e9) == 175


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 0}, r"^llama2-7b: layers=0 must be a whole number from 1 to 4096; correct the"),
        ({"ffn": 2.0}, r"^llama2-7b: ffn=2\.0 must be a whole number from 1 to 1048576; correct"),
        ({"kv_heads": 5}, r"^llama2-7b: heads=32 must be a multiple of kv_heads=5, so that each"),
        ({"activation": "relu3"}, r"^llama2-7b: activation 'relu3' is unknown; use one of gelu, "),
        (
            {"patch_input": PatchInput(image=8, patch=16)},
            r"^llama2-7b: patch=16 must not exceed image=8; correct one of them$",
        ),
    ],
)
def test_refuses_an_impossible_architecture(change: dict[str, object], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        replace(PUBLISHED["llama2-7b"], **change)
