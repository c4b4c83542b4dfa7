"""arch/m3vit/design.py: presets, and what is refused in one line."""

from typing import Any

import pytest

from dovetail.arch.m3vit.design import m3vit_design, preset, presets
from dovetail.errors import ConfigError


def changed(field: str, value: Any) -> dict[str, Any]:
    half, *tables, name = field.split(".")
    values = preset(f"{half}-edge-moe").to_dict()
    table = values[half]
    for part in tables:
        table = table[part]
    table[name] = value
    return values


def test_edge_moe_has_the_authors_sizes() -> None:
    assert "attention-edge-moe" in presets()
    engine = preset("attention-edge-moe").engine
    # 16 x 16 products, 576 blocks of as many 16-bit weights in each half, beats of eight features.
    assert engine.engine.cols * engine.engine.lut_k == 256
    assert engine.engine.weight_buffer_bytes == 2 * 576 * 256 * 2
    assert (engine.lanes, engine.width, engine.parallel, engine.clock_mhz) == (8, 192, 4, 300.0)
    assert engine.described["block"] == "attention"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("attention.heads", 0, r"\.heads: 0 must be greater than 0; change it"),
        ("attention.hedas", 3, r"\.hedas is not a field of an M3ViT design; remove it, or"),
        ("attention.sum_queue", 64, r": sum_queue=64 must be above dram_latency_cycles=64; "),
        ("attention.head_dim", 60, r": heads=3 x head_dim=60 must be a multiple of cols=16 "),
        ("attention.engine.cols", 15, r"\.?\S*: cols=15 must be a power of two from 2 on; "),
        ("moe.experts", 0, r"\.experts: 0 must be greater than 0; change it"),
        ("moe.top_k", 17, r": top_k=17 must be at most experts=16; lower top_k"),
        # An expert that does not fit half of the weight buffer.
        ("moe.engine.weight_buffer_bytes", 65536, r": the tile needs 24 blocks of 12 rows of weig"),
        ("moe.max_tokens", 0, r"\.max_tokens: 0 must be greater than 0; change it"),
    ],
)
def test_refused_in_one_line(field: str, value: Any, message: str) -> None:
    half = field.partition(".")[0]
    with pytest.raises(ConfigError, match=rf"^typed: {half}{message}") as refused:
        m3vit_design(changed(field, value), source="typed")
    assert "\n" not in str(refused.value)


def test_a_design_is_one_half_of_a_block() -> None:
    both = preset("attention-edge-moe").to_dict() | {"moe": preset("moe-edge-moe").to_dict()["moe"]}
    for values in (both, {}):
        with pytest.raises(ConfigError, match=r"^typed: a design is one half of a block: give "):
            m3vit_design(values, source="typed")


def test_the_mixture_has_the_same_linear_unit_and_its_own_network() -> None:
    moe, attention = preset("moe-edge-moe").engine, preset("attention-edge-moe").engine
    for field in ("cols", "lut_k", "port_bits", "weight_buffer_bytes", "clock_mhz"):
        assert getattr(moe.engine, field) == getattr(attention.engine, field)
    assert moe.described == {
        "block": "moe",
        "width": 192,
        "hidden": 384,
        "experts": 16,
        "top_k": 2,
        "max_tokens": 129,
    }
