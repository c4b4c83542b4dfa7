"""sweeps/mixpe_design_space.py."""

import math
from dataclasses import replace

import pytest

from dovetail.errors import ConfigError
from dovetail.sweeps.mixpe_design_space import compare_pes, design_space
from dovetail.sweeps.pe_snr import pe_format, pooled
from dovetail.tests.sweeps.pe_tables import table

# 500 MHz x (0.3 + 0.1) pJ = 200 uW, and 1000 nW of leakage; a quarter of area and power beside it.
FP16 = (400.0, 0.3, 0.1, 1000.0)
MIXPE = (100.0, 0.07, 0.03, 250.0)


def test_power_is_what_a_cycle_takes_at_the_clock_and_leakage() -> None:
    frame = design_space([table("t", {"fp16.pe": FP16})])
    (row,) = frame.to_dict("records")
    assert row["power_uw"] == pytest.approx(201.0)
    assert row["area_um2"] == 400
    assert row["efficiency"] == pytest.approx(1 / (400 * 201))
    assert row["relative"] == 1
    assert row["clock_mhz"] == 500
    slow = design_space([table("t", {"fp16.pe": FP16}, clock_mhz=100.0)])
    assert slow["power_uw"].tolist() == pytest.approx([41.0])


def test_each_table_is_normalised_to_its_own_fp16_pe() -> None:
    frame = design_space(
        [
            table("a", {"fp16.pe": FP16, "mixpe.pe_w4a16": MIXPE}),
            table("b", {"fp16.pe": MIXPE, "mixpe.pe_w4a16": FP16}),
            table("c", {"mixpe.pe_w4a16": MIXPE}),
        ]
    )
    found = {(row.technology, row.pe): row.relative for row in frame.itertuples()}
    ratio = 4 * 201 / 50.25  # 16: power is a quarter as well
    assert found["a", "mixpe.pe_w4a16"] == pytest.approx(ratio)
    assert found["b", "mixpe.pe_w4a16"] == pytest.approx(1 / ratio)
    assert math.isnan(found["c", "mixpe.pe_w4a16"])


def test_quality_is_that_of_the_formats_asked_for() -> None:
    one = table("t", {"fp16.pe": FP16, "mixpe.pe_w4a8": MIXPE})
    frame = design_space([one], group=32, zero_point=True).set_index("pe")
    want = pooled(pe_format("mixpe.pe_w4a8", group=32, zero_point=True))
    found = frame.loc["mixpe.pe_w4a8"]
    assert found["snr_db"] == want["snr_db_median"]
    assert found["snr_db_least"] == want["snr_db_least"] < found["snr_db"]
    assert found["snr_db_most"] == want["snr_db_most"] > found["snr_db"]
    assert found["published"] == 133.38


def test_the_entry_of_the_group_is_taken() -> None:
    tables = [table("t", {"mixpe.pe_w4a8": MIXPE}, max_group=64)]
    assert len(design_space(tables, group=64)) == 1
    with pytest.raises(
        ConfigError,
        match=r"^technology 't' has no entry of unit 'mixpe.pe_w4a8' for max_group=128 and "
        r"sum_format=fp32; add one, or choose a group and sums that it has$",
    ):
        design_space(tables)


def test_a_floating_point_pe_is_taken_with_its_sums() -> None:
    one = table("t", {"fp16.pe": FP16})
    (wide,) = one.units["fp16.pe"]
    narrow = replace(wide, sum_format="fp16", area_um2=replace(wide.area_um2, value=300.0))
    units = {"fp16.pe": (replace(wide, sum_format="fp32"), narrow)}
    both = replace(one, units=units)
    areas = {sums: design_space([both], sums=sums).iloc[0].to_dict() for sums in ("fp32", "fp16")}
    assert (areas["fp32"]["area_um2"], areas["fp16"]["area_um2"]) == (400, 300)
    assert areas["fp32"]["snr_db"] > areas["fp16"]["snr_db"] + 10


def test_units_that_are_no_pes_have_no_row() -> None:
    frame = design_space([table("t", {"gemm.accumulate": FP16})])
    assert frame.empty
    assert "relative" in frame.columns


def test_two_pes_of_one_table_are_compared_in_area_and_in_power() -> None:
    frame = design_space([table("t", {"fp16.pe": FP16, "mixpe.pe_w4a16": MIXPE})])
    compared = compare_pes(frame, "t", "mixpe.pe_w4a16", "fp16.pe")
    assert compared is not None
    assert compared.area_gain == 4
    assert compared.power_gain == pytest.approx(4.0)
    assert compared.gain == pytest.approx(16.0)
    assert compare_pes(frame, "t", "mixpe.pe_w4a16", "int8.pe") is None
    assert compare_pes(frame, "other", "mixpe.pe_w4a16", "fp16.pe") is None
