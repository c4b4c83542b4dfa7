"""rtl/characterize.py and rtl/units.py: the packaged table can be made again."""

import tomllib

import pytest

from dovetail.arch.technology import technology
from dovetail.arch.units import CORE_UNITS
from dovetail.errors import ConfigError
from dovetail.rtl import characterize as module
from dovetail.rtl.characterize import SIZES, UNCERTAINTY, characterize, main
from dovetail.rtl.units import axis, expression, unit, units
from dovetail.tests.rtl.liberty import liberty

TABLE = technology("nangate45")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mixpe.pe_w4a8", 128),
        ("mixpe.scale_queue", 8),
        ("int8.pe", 128),
        ("gemm.register_bit", 128),
        ("gemm.output_round", 128),
    ],
)
def test_the_packaged_figures_come_out_again(name: str, size: int) -> None:
    nangate = liberty("nangate45_typ.lib.gz")
    figures = characterize(name, size=size, liberty=[nangate], clock_mhz=500.0)
    (point,) = [p for p in TABLE.units[name] if size in (p.max_group, p.depth) or not axis(name)]
    assert point.component == expression(name, size=size)
    assert point.combinational == ("clock_pj_per_cycle" not in figures)
    for field, value in figures.items():
        assert getattr(point, field).value == pytest.approx(value, rel=0.01), field


def test_the_packaged_table_has_every_unit_as_built() -> None:
    assert set(TABLE.units) == set(units())
    for name, points in TABLE.units.items():
        sizes = [point.depth or point.max_group for point in points]
        assert sizes == (list(SIZES[axis(name)]) if axis(name) else [None])
        for point, size in zip(points, SIZES[axis(name)], strict=True):
            assert axis(name) is None or getattr(point, str(axis(name))) == size
            assert point.component == expression(name, size=size)
            for field, uncertainty in UNCERTAINTY.items():
                figure = getattr(point, field)
                assert figure is None or figure.uncertainty == uncertainty


def test_every_unit_of_every_core_can_be_built() -> None:
    assert {u.name for core in CORE_UNITS.values() for u in core} == set(units())


def test_prints_entries_that_a_table_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nangate = liberty("nangate45_typ.lib.gz")
    monkeypatch.setattr(module, "units", lambda: ("gemm.output_round",))
    options = ["--node-nm", "45", "--source", "nangate45", "--liberty", str(nangate)]
    assert main(options) == 0
    printed = tomllib.loads(capsys.readouterr().out)
    (point,) = printed["units"]["gemm.output_round"]
    (packaged,) = TABLE.units["gemm.output_round"]
    assert point["area_um2"]["value"] == pytest.approx(packaged.area_um2.value, rel=0.01)
    assert point["area_um2"]["node_nm"] == 45


def test_says_in_one_line_what_it_cannot_read(capsys: pytest.CaptureFixture[str]) -> None:
    liberty("nangate45_typ.lib.gz")
    assert main(["--node-nm", "45", "--source", "x", "--liberty", "none.lib"]) == 2
    assert capsys.readouterr().err == (
        "cannot read Liberty file none.lib: No such file or directory; "
        "give a readable .lib or .lib.gz file\n"
    )


def test_refuses_a_unit_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"^no unit named 'mixpe\.fpu'; the units are mixpe\.pe_"):
        unit("mixpe.fpu")
