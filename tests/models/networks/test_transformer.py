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
    assert set(PUBLISHED) - set(PARAMETERS) == {"vit-h-16"}


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
