"""sweeps/mixpe_error.py."""

import pytest

from dovetail.arch.mixpe import MixpeDesign, mixpe_design
from dovetail.models.quantization_error import quantization_error
from dovetail.sweeps.mixpe_error import measured_errors, output_error
from dovetail.systems import system


def design(core: str, **other: object) -> MixpeDesign:
    return mixpe_design({"engine": {"core": core, "rows": 8, "cols": 8}, **other})


@pytest.mark.parametrize(("core", "order"), [("mixpe_w4a8", "after"), ("int8", "before")])
def test_the_table_is_what_the_network_measures(core: str, order: str) -> None:
    """Each core in its own order; the other formats differ in nothing but the arguments."""
    live = quantization_error(group=128, zero_point=False, order=order)
    assert output_error(design(core)) == pytest.approx(1 - live.mean_cosine, abs=2e-6)


def test_a_format_outside_the_table_is_measured() -> None:
    assert (512, True, "after") not in measured_errors()
    live = quantization_error(group=512, zero_point=True, order="after")
    one = mixpe_design(
        {"engine": {"rows": 8, "cols": 8, "max_group": 512}, "group": 512, "zero_point": True}
    )
    assert output_error(one) == round(1 - live.mean_cosine, 6)


def test_finer_groups_and_a_zero_point_lose_less() -> None:
    """What quantisation theory says: finer scales fit better, and so does an offset."""
    table = measured_errors()
    for order in ("after", "before"):
        assert table[32, False, order] < table[64, False, order] < table[128, False, order]
        for group in (32, 64, 128):
            assert table[group, True, order] < table[group, False, order]


def test_bits_of_keys_and_values_are_not_in_it() -> None:
    """The network runs attention in floating point, whatever the design does."""
    assert output_error(design("int8", kv_bits=4)) == output_error(design("int8", kv_bits=8))
    assert "kv_bits" not in system("mixpe").error_fields
