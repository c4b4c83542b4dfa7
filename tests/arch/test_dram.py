"""arch/dram.py: published figures recomputed, channels, and sources for all."""

import pytest

from dovetail.arch.dram import dram, drams
from dovetail.errors import ConfigError


def test_ddr4_follows_from_its_data_sheet_currents() -> None:
    """Micron TN-40-07's method; 8 Gb x16 DDR4-2133: IDD0 75, 2N 33, 3N 44, 4R 225, 5AB 280 mA."""
    rate = 16 * 2.133  # Gb/s of one device; mA x V / (Gb/s) = pJ/bit
    core = (225 - 44) * 1.2 / rate
    row = (75 * 52 - 44 * 36 - 33 * 16) * 0.94 * 1.2 / (1024 * 16)  # mA x ns x V = pJ
    one_low_mw = 1.2**2 / (34 + 48) * 1e3
    termination = one_low_mw * (0.5 + 1 / 8) / 2.133
    memory = dram("ddr4-2133")
    assert memory.read_pj_per_bit.value == pytest.approx(core + row + termination, rel=0.01)
    assert memory.read_pj_per_bit.range.low == pytest.approx(core + row, rel=0.01)
    static = 4 * 1.2e-3 * (44 + (280 - 44) * 374 / 8328)
    assert memory.static_w.value == pytest.approx(static, rel=0.01)
    assert memory.bandwidth_gb_s.value == pytest.approx(64 * 2.1333 / 8, rel=1e-3)


def test_hbm2_and_lpddr4_stand_by_as_their_currents_say() -> None:
    hbm2 = 8 * 1.2e-3 * (55 + (250 - 55) * 260 / 3900)
    lpddr3 = 1.2e-3 * (22 + (150 - 22) * 196 / 3645)
    assert dram("hbm2").static_w.value == pytest.approx(hbm2, rel=0.01)
    assert dram("lpddr4-3200").static_w.value == pytest.approx(lpddr3, rel=0.01)
    assert dram("hbm2").bandwidth_gb_s.value == 1024 * 2 / 8
    assert dram("lpddr4-3200").bandwidth_gb_s.value == 32 * 3.2 / 8
    assert dram("lpddr4-1066").bandwidth_gb_s.value == pytest.approx(32 * 1.066 / 8, rel=2e-3)


def test_the_authors_memory_is_their_repository_s() -> None:
    memory = dram("mixpe-authors")
    assert memory.read_pj_per_bit.value == pytest.approx(644.304 / 1024, rel=1e-3)
    assert memory.write_pj_per_bit.value == pytest.approx(784.104 / 1024, rel=1e-3)
    assert memory.static_w.value == pytest.approx(484.615e-12 / 500 * 500e6 * 1e3, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "port_bits", "clock_mhz", "channels"),
    [
        ("lpddr4-3200", 1024, 500.0, 5),  # 64 GB/s of 12.8
        ("lpddr4-3200", 128, 500.0, 1),  # 8 of 12.8
        ("lpddr4-3200", 256, 400.0, 1),  # 12.8 of 12.8
        ("lpddr4-3200", 256, 400.1, 2),
        ("ddr4-2133", 1024, 500.0, 4),  # 64 of 17.07
        ("hbm2", 4096, 500.0, 1),  # 256 of 256
    ],
)
def test_channels_carry_the_port(
    name: str, port_bits: int, clock_mhz: float, channels: int
) -> None:
    assert dram(name).channels(port_bits=port_bits, clock_mhz=clock_mhz) == channels


@pytest.mark.parametrize("name", drams())
def test_every_figure_has_a_source_and_bounds(name: str) -> None:
    memory = dram(name)
    for field in ("read_pj_per_bit", "write_pj_per_bit", "static_w", "bandwidth_gb_s"):
        figure = getattr(memory, field)
        assert len(figure.source) > 60, field
        assert figure.node_nm is None
        value, low, high = figure.range
        assert 0 < low <= value <= high
        assert low < high or field == "bandwidth_gb_s"  # a standard's rate is exact


def test_refuses_a_name_that_it_does_not_know() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^no DRAM named 'gddr6'; the DRAMs are ddr4-2133, hbm2, lpddr4-1066, lpddr4-3200, "
        r"mixpe-authors$",
    ):
        dram("gddr6")
