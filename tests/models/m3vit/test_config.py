"""models/m3vit/config.py against the published counts and sums over the operators."""

from dataclasses import replace

import pytest

from dovetail.errors import TraceError
from dovetail.models.m3vit.config import (
    BASE,
    CONFIGS,
    NYUD,
    PASCAL,
    SMALL,
    TINY,
    M3vitConfig,
    on_tokens,
)
from dovetail.models.m3vit.weights import Linear, Norm, seeded_weights


@pytest.mark.parametrize(
    ("config", "encoder", "with_decoder"),
    [
        (replace(SMALL, dataset=PASCAL), 31_786_841_088, 83.8e9),
        (SMALL, 39_192_966_144, 100.5e9),
        (TINY, 782_719_488, None),
    ],
)
def test_macs_are_those_of_the_published_tables(
    config: M3vitConfig, encoder: int, with_decoder: float | None
) -> None:
    assert config.macs == encoder
    if with_decoder is not None:
        assert abs(config.macs + config.decoder_macs - with_decoder) < 0.0005 * with_decoder


def test_macs_per_block_of_small_on_pascal() -> None:
    # The notes' table, in millions: linears, attention products, dense MLP, experts, gate, patches.
    small = replace(SMALL, dataset=PASCAL)
    table = (302.0, 12 * 604.6, 12 * 806.9, 6 * 1209.1, 6 * 1209.1, 6 * 6.30)
    assert small.macs == pytest.approx(1e6 * sum(table), rel=1e-4)
    assert small.dense().macs == pytest.approx(1e6 * (sum(table) - 6 * 6.30), rel=1e-4)


def test_parameters_give_the_published_memory() -> None:
    head = {"positions": 197, "final_norm": True, "classes": 1000}
    assert SMALL.dense().parameters(gates=0, **head) == 22_050_664
    assert SMALL.parameters(gates=1, **head) == 43_383_400
    assert SMALL.expert_parameters == 295_680


def test_parameters_are_those_of_the_arrays() -> None:
    config = replace(TINY, experts=3, top_k=1)
    weights = seeded_weights(config)

    def count(part: object) -> int:
        if isinstance(part, Linear):
            return part.weight.size + part.bias.size
        if isinstance(part, Norm):
            return part.gamma.size + part.beta.size
        if isinstance(part, tuple):
            return sum(map(count, part))
        return part.size  # type: ignore[attr-defined]

    held = count(weights.patch) + weights.class_token.size + weights.positions.size
    held += sum(
        count(getattr(block, name))
        for block in weights.blocks
        for name in block.__dataclass_fields__
    )
    assert held == config.parameters(positions=129, gates=2, final_norm=False)
    assert TINY.parameters(positions=129, gates=2, final_norm=False) == 17_983_680


def test_token_counts() -> None:
    tokens = {on_tokens(SMALL, n).dataset.name: n for n in (129, 1025, 1201)}
    assert tokens == {"cityscapes": 129, "pascal-context": 1025, "nyud": 1201}
    assert {c.name: (c.tokens, c.head_dim) for c in CONFIGS.values()} == {
        "m3vit-tiny": (129, 64),
        "m3vit-small": (1201, 32),
        "m3vit-base": (1201, 64),
    }
    assert BASE.dataset == NYUD


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"top_k": 17},
            r"^m3vit-tiny: top_k=17 must be from 1 to experts=16; lower top_k or add experts$",
        ),
        ({"top_k": 0}, r"^m3vit-tiny: top_k=0 must be from 1 to experts=16; lower top_k or add"),
        ({"heads": 5}, r"^m3vit-tiny: hidden=192 must be a multiple of heads=5; change one of"),
        ({"hidden": 0}, r"^m3vit-tiny: hidden=0 must be a whole number from 1 to 65536; change"),
    ],
)
def test_refuses(changes: dict[str, int], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        replace(TINY, **changes)


def test_refuses_token_counts_of_no_data_set() -> None:
    with pytest.raises(
        TraceError,
        match=r"^m3vit-small: seq=0 must be 1025 \(pascal-context\), 1201 \(nyud\), 129 "
        r"\(cityscapes\); choose one of these$",
    ):
        on_tokens(SMALL, 0)
