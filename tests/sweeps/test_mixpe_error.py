"""sweeps/mixpe_error.py."""

import pytest

from dovetail.arch.mixpe import MixpeDesign, mixpe_design
from dovetail.models.quantization_error import quantization_error, w4a8
from dovetail.sweeps.mixpe_error import design_format, formats, measured_errors, output_error
from dovetail.systems import system


def design(core: str, **other: object) -> MixpeDesign:
    return mixpe_design({"engine": {"core": core, "rows": 8, "cols": 8}, **other})


@pytest.mark.parametrize(("core", "order"), [("mixpe_w4a8", "after"), ("int8", "before")])
def test_the_table_is_what_the_network_measures(core: str, order: str) -> None:
    """Each core in its own order; the other formats differ in nothing but the arguments."""
    live = quantization_error(w4a8(order, group=128, zero_point=False))
    assert output_error(design(core)) == pytest.approx(1 - live.mean_cosine, abs=2e-6)


def test_a_format_outside_the_table_is_measured() -> None:
    pe = w4a8("after", group=512, zero_point=True)
    assert pe not in measured_errors()
    live = quantization_error(pe)
    one = mixpe_design(
        {"engine": {"rows": 8, "cols": 8, "max_group": 512}, "group": 512, "zero_point": True}
    )
    assert output_error(one) == round(1 - live.mean_cosine, 6)


def test_finer_groups_and_a_zero_point_lose_less() -> None:
    """What quantisation theory says: finer scales fit better, and so does an offset."""
    table = measured_errors()
    for order in ("after", "before"):
        error = {
            (group, zero_point): table[w4a8(order, group=group, zero_point=zero_point)]
            for group in (32, 64, 128)
            for zero_point in (False, True)
        }
        assert error[32, False] < error[64, False] < error[128, False]
        for group in (32, 64, 128):
            assert error[group, True] < error[group, False]


def test_the_table_has_every_format_that_it_promises() -> None:
    assert set(measured_errors()) == set(formats())


@pytest.mark.parametrize(
    ("core", "weights", "activations", "order", "sums"),
    [
        ("mixpe_w4a8", "int4", "int8", "after", "exact"),
        ("multiply_w4a8", "int4", "int8", "after", "exact"),
        ("int4", "int4", "int4", "after", "exact"),
        ("mixpe_w4a16", "int4", "fp16", "after", "fp32"),
        ("int8", "int4", "int8", "before", "exact"),
        ("shift_add_int8", "int4", "int8", "before", "exact"),
        ("dequant_w4a8", "int4", "int8", "before", "exact"),
        ("dequant_w4a16", "int4", "fp16", "before", "fp32"),
        ("fp16", "fp16", "fp16", "never", "fp32"),
    ],
)
def test_every_core_has_its_formats(
    core: str, weights: str, activations: str, order: str, sums: str
) -> None:
    found = design_format(design(core, group=64))
    assert (found.weights, found.activations) == (weights, activations)
    assert (found.order, found.sums, found.group) == (order, sums, 64)
    assert design_format(design(core)) in measured_errors()


def test_the_format_of_the_sums_is_the_engines() -> None:
    engine = {"core": "mixpe_w4a16", "rows": 8, "cols": 8, "sum_format": "fp16"}
    assert design_format(mixpe_design({"engine": engine})).sums == "fp16"
    assert "engine.sum_format" in system("mixpe").error_fields


def test_more_bits_lose_less() -> None:
    errors = [output_error(design(core)) for core in ("fp16", "mixpe_w4a16", "mixpe_w4a8", "int4")]
    assert errors == sorted(errors)
    assert errors[0] < 1e-5


def test_bits_of_keys_and_values_are_not_in_it() -> None:
    """The network runs attention in floating point, whatever the design does."""
    assert output_error(design("int8", kv_bits=4)) == output_error(design("int8", kv_bits=8))
    assert "kv_bits" not in system("mixpe").error_fields
