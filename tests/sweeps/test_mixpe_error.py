"""sweeps/mixpe_error.py."""

import pytest

from dovetail.arch.mixpe import MixpeDesign, mixpe_design
from dovetail.errors import ConfigError
from dovetail.models.quantization_error import quantization_error
from dovetail.sweeps.mixpe_error import measured_errors, output_error


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
    assert output_error(one) == 1 - live.mean_cosine


def test_finer_groups_and_a_zero_point_lose_less() -> None:
    """What quantisation theory says: finer scales fit better, and so does an offset."""
    table = measured_errors()
    for order in ("after", "before"):
        assert table[32, False, order] < table[64, False, order] < table[128, False, order]
        for group in (32, 64, 128):
            assert table[group, True, order] < table[group, False, order]


def test_refuses_formats_that_were_not_measured() -> None:
    with pytest.raises(
        ConfigError, match=r"^kv_bits=4 has no measured error; set kv_bits to 8, or"
    ):
        output_error(design("mixpe_w4a8", kv_bits=4))
