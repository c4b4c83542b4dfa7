"""reports/style.py: how quantities and settings are written."""

import pytest

from dovetail.reports.style import (
    AREA,
    ENERGY,
    ERROR,
    TIME,
    is_wide,
    rounded,
    setting_text,
    settings_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234567.0, "1.23e+06"),
        (123456.0, "123,000"),
        (99.96, "100"),
        (12.345, "12.3"),
        (1.0, "1.00"),
        (0.00123456, "0.00123"),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert rounded(value) == text


def test_units_take_the_prefix_that_fits() -> None:
    assert TIME.text(98.7654) == "98.8 s"
    assert TIME.text(0.0531) == "53.1 ms"
    assert TIME.text(5400.0) == "5,400 s"
    assert ENERGY.text(3.2e-6) == "3.20 µJ"
    assert AREA.text(0.36) == "0.360 mm²"
    assert ERROR.text(0.0041234) == "0.00412"
    assert TIME.scale(0.05) == (1e3, "time (ms)")


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("engine.port_bits", 512, "512-bit port"),
        ("engine.lut_k", 4, "steps of 4"),
        ("engine.weight_buffer_bytes", 131072, "128 KiB weight buffer"),
        ("engine.clock_mhz", 500.0, "500 MHz"),
        ("group", 64, "group 64"),
        ("zero_point", False, "no zero point"),
    ],
)
def test_settings_read_as_a_person_says_them(field: str, value: object, text: str) -> None:
    assert setting_text(field, value) == text


def test_several_buffers_are_one_setting() -> None:
    settings: dict[str, object] = {"a_buffer_bytes": 8192, "b_buffer_bytes": 512}
    assert settings_text(settings) == "buffers 8/0.5 KiB"


def test_an_axis_is_logarithmic_from_a_ratio_of_eight() -> None:
    assert is_wide(1.0, 8.0)
    assert not is_wide(1.0, 7.9)
    assert not is_wide(0.0, 9.0)
