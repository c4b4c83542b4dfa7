"""arch/m3vit/design.py: presets, and what is refused in one line."""

from typing import Any

import pytest

from dovetail.arch.m3vit.design import m3vit_design, preset, presets
from dovetail.errors import ConfigError


def changed(field: str, value: Any) -> dict[str, Any]:
    values = preset("attention-edge-moe").to_dict()
    *tables, name = field.split(".")
    table = values
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
        ("engine.heads", 0, r"engine\.heads: 0 must be greater than 0; change it"),
        ("engine.hedas", 3, r"engine\.hedas is not a field of an M3ViT design; remove it, or"),
        ("engine.sum_queue", 64, r"engine: sum_queue=64 must be above dram_latency_cycles=64; "),
        ("engine.head_dim", 60, r"engine: heads=3 x head_dim=60 must be a multiple of cols=16 "),
        ("engine.engine.cols", 15, r"engine\.?\S*: cols=15 must be a power of two from 2 on; "),
    ],
)
def test_refused_in_one_line(field: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^typed: {message}") as refused:
        m3vit_design(changed(field, value), source="typed")
    assert "\n" not in str(refused.value)
