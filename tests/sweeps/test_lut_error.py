"""sweeps/lut_error.py: the table, one of its rows measured again, and the page that shows it."""

import math
from pathlib import Path

import pytest

from dovetail.arch.lut import LutDesign, lut_design
from dovetail.models.lut.layer_format import LutLayerFormat
from dovetail.models.quantization_error import quantization_error, w4a8
from dovetail.sweeps.lut_error import (
    design_format,
    formats,
    measured,
    output_error,
    tables_markdown,
    variants_markdown,
    weights_markdown,
)
from dovetail.sweeps.mixpe_error import measured_errors

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lut.md"


def test_the_table_has_every_format_that_it_promises() -> None:
    assert set(measured()) == set(formats())


def test_a_row_is_what_the_network_measures() -> None:
    form = LutLayerFormat(weight_bits=2, table="int8")
    # Another BLAS may put an activation on the other side of a rounding boundary.
    assert measured()[form].error == pytest.approx(quantization_error(form).error, abs=2e-3)


@pytest.mark.parametrize("levels", ["odd", "twos_complement", "zero_point"])
def test_more_bits_and_finer_groups_lose_less(levels: str) -> None:
    table = measured()
    of_bits = [
        table[LutLayerFormat(weight_bits=bits, levels=levels)].operand_snr_db  # type: ignore[arg-type]
        for bits in (1, 2, 3, 4, 6, 8)
    ]
    assert of_bits == sorted(of_bits)
    # Six more bits of a weight are 36 dB in theory; INT8 activations bound what is left.
    assert of_bits[-1] - of_bits[1] > 20
    for bits in (2, 4):
        of_groups = [
            table[LutLayerFormat(weight_bits=bits, levels=levels, group=group)].operand_snr_db  # type: ignore[arg-type]
            for group in (128, 64, 32)
        ]
        assert of_groups == sorted(of_groups)


def test_exact_tables_of_integers_lose_nothing_and_others_little() -> None:
    for form, found in measured().items():
        exact = form.table == "exact" and form.activations in ("int8", "int16")
        assert math.isinf(found.arithmetic_snr_db) == exact
        assert found.least_arithmetic_snr_db <= found.arithmetic_snr_db
        # Entries of 8 bits: 20 dB above what weights of 4 bits lose.
        assert found.least_arithmetic_snr_db > 30


@pytest.mark.parametrize("table", [weights_markdown, tables_markdown, variants_markdown])
def test_the_page_shows_the_table(table) -> None:  # type: ignore[no-untyped-def]
    assert table() in PAGE.read_text(encoding="utf-8")


def design(core: str, bits: int, levels: str = "odd", **engine: object) -> LutDesign:
    shape = {"core": core, "rows": 2, "cols": 8, "lut_k": 4, **engine}
    return lut_design({"engine": shape, "weight_bits": bits, "levels": levels})


@pytest.mark.parametrize(
    ("core", "bits", "engine", "form"),
    [
        ("lut_int8", 2, {}, {"activations": "int8"}),
        ("lut_int8", 3, {"table": "int8"}, {"activations": "int8", "table": "int8"}),
        ("lut_int16", 2, {}, {"activations": "int16"}),
        ("lut_fp16", 1, {}, {"activations": "fp16"}),
        ("lut_fp16", 2, {"sum_format": "fp16"}, {"activations": "fp16", "sums": "fp16"}),
        ("lut_fp8", 4, {"lut_k": 2}, {"activations": "fp8", "lut_k": 2}),
        ("add_int8", 2, {}, {"activations": "int8"}),
    ],
)
def test_every_core_has_its_formats(
    core: str, bits: int, engine: dict[str, object], form: dict[str, object]
) -> None:
    found = design_format(design(core, bits, **engine))
    assert found == LutLayerFormat(weight_bits=bits, **form)  # type: ignore[arg-type]


def test_cores_that_multiply_have_the_formats_of_what_they_multiply() -> None:
    assert design_format(design("mac_int8", 8, "twos_complement")) == LutLayerFormat(
        weight_bits=8, levels="twos_complement"
    )
    mixpe = design("mixpe_w4a8", 4, "twos_complement", lut_k=1)
    assert design_format(mixpe) == w4a8("after", group=128, zero_point=False)
    assert output_error(mixpe) == measured_errors()[w4a8("after", group=128, zero_point=False)]
    assert output_error(design("mac_fp16", 16)) < 1e-5


def test_a_design_s_error_is_that_of_the_table() -> None:
    one = design("lut_int8", 2, table="int8")
    assert output_error(one) == measured()[LutLayerFormat(weight_bits=2, table="int8")].error
