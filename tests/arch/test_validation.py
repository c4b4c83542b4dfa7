"""arch/validation.py; what it says of each field is tested with the designs and sweeps."""

from dataclasses import replace

import pytest

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.mixpe import preset
from dovetail.arch.validation import refused_in_one_line
from dovetail.errors import ConfigError


def test_constructors_and_replace_give_one_line_of_our_own() -> None:
    want = r"^engine: rows: 0 must be greater than 0; change it$"
    with (
        pytest.raises(ConfigError, match=want),
        refused_in_one_line("engine", kind="an engine"),
    ):
        GemmEngineConfig(rows=0, cols=3)
    with (
        pytest.raises(ConfigError, match=want),
        refused_in_one_line("engine", kind="an engine"),
    ):
        replace(preset("w4a8-8x8").engine, rows=0)


def test_our_own_rules_are_said_once() -> None:
    with (
        pytest.raises(
            ConfigError, match=r"^x: port_bits=3 must be a power of two .*; set it to 8$"
        ),
        refused_in_one_line("x", kind="an engine"),
    ):
        GemmEngineConfig(rows=1, cols=3, port_bits=3)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), refused_in_one_line("x", kind="an engine"):
        raise KeyError("k")
