"""rtl/lut/design.py and the names that units have for a person."""

# amaranth: UnusedElaboratable=no
from __future__ import annotations

from typing import Any

import pytest

from dovetail.arch.dot_units import DOT_UNITS
from dovetail.errors import ConfigError
from dovetail.rtl.lut.design import DotDesign
from dovetail.rtl.units import expression, unit, units
from dovetail.stimuli import stimulus


def test_every_name_is_a_unit_or_what_makes_its_table() -> None:
    assert not set(DOT_UNITS) & set(units())
    for name, (kind, activation, part) in DOT_UNITS.items():
        made = unit(name, size=3)
        ports = set(made.signature.members)
        assert ports >= ({"i", "o"} if part == "head" else {"a_i", "drain_i", "sum_o"})
        maker = f"dot_{part}(kind='{kind}', activation='{activation}', lut_k=3)"
        assert expression(name, size=3) == maker


def test_a_named_unit_has_a_stimulus_of_its_own_size() -> None:
    given = stimulus("lut.lookup_int8", kind="random", size=2, cycles=600)
    ports = {name for name, m in unit("lut.lookup_int8", size=2).signature.members.items()}
    assert set(given.inputs) | set(given.expected) == ports
    # 2 entries of 10 bits.
    assert int(given.inputs["a_i"].max()) < 1 << 20
    assert given.check["sum_o"].sum() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "look"}, "kind='look' must be one of lookup, plain, .*; change kind"),
        ({"activation": "fp4"}, "activation='fp4' must be one of int8, .*; change activation"),
        ({"weight_bits": 0}, "weight_bits=0 must be from 1 to 8; change weight_bits"),
        ({"weight_bits": 9}, "weight_bits=9 must be from 1 to 8; change weight_bits"),
        (
            {"activation": "fp16", "kind": "plain"},
            "kind=plain is for integers, not for fp16; change one of them",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        DotDesign(**{"kind": "lookup", "activation": "int8", **change})


def test_heads_of_too_many_activations_are_refused() -> None:
    with pytest.raises(ConfigError, match="^lut_k=9 must be from 2 to 8; change how many"):
        unit("lut.lookup_int8", size=9)
