"""stimuli/registry.py: every unit's stimulus against the unit itself, in Amaranth's simulator."""

from dataclasses import replace

import numpy as np
import pytest

from dovetail.errors import ConfigError, ToolError
from dovetail.models import minilm
from dovetail.rtl.units import Size, axis, unit, units
from dovetail.stimuli import stimulated_units, stimulus, tiles
from dovetail.stimuli.ports import input_widths, output_widths
from dovetail.stimuli.tiles import Kind
from dovetail.tests.stimuli.amaranth_run import differences
from dovetail.tests.stimuli.weights import KINDS, needs_weights


# A group ends within 200 cycles; the whole k of a linear layer takes 384, and the column's drain.
def cycles_for(name: str) -> int:
    if name in ("lut.head_fp16", "lut.head_fp8"):
        return 40  # has no segments, and takes long to simulate
    return 450 if axis(name) is None and ".pe" in name else 200


# Groups that end several times in so few cycles; a queue that comes round.
SIZES = {
    "max_group": (1, 32),
    "depth": (4, 5),
    "sum_format": ("fp16", "fp32"),
    None: (None,),
}
CASES = [(name, size) for name in stimulated_units() for size in SIZES[axis(name)]]


@pytest.mark.parametrize(
    ("kind", "zero_point"),
    [
        pytest.param("real", False, marks=needs_weights),
        pytest.param("real", True, marks=needs_weights),
        ("random", False),
        ("zero", False),
    ],
)
@pytest.mark.parametrize(("name", "size"), CASES)
def test_the_unit_answers_as_expected(
    name: str, size: Size | None, kind: Kind, zero_point: bool
) -> None:
    cycles = cycles_for(name)
    given = stimulus(name, kind=kind, size=size, cycles=cycles, zero_point=zero_point)
    component = unit(name, size=size)
    for ports, widths in (
        (given.inputs, input_widths(component)),
        (given.expected, output_widths(component)),
    ):
        assert ports.keys() == widths.keys()
        for port, values in ports.items():
            assert values.dtype == np.uint64
            wide = -(-widths[port] // 64)
            assert values.shape == ((cycles, wide) if wide > 1 else (cycles,))
            top = values[:, -1] if wide > 1 else values
            assert int(top.max()) < 1 << (widths[port] - 64 * (wide - 1))
    assert given.check.keys() == given.expected.keys()
    # The sign of a zero in a table of floating-point numbers is open.
    zeros = kind == "zero" and name in ("lut.head_fp16", "lut.head_fp8")
    assert zeros or all(mask.any() for mask in given.check.values())
    assert differences(component, given) == []


@pytest.mark.parametrize(("name", "size"), CASES)
def test_one_wrong_bit_is_found(name: str, size: Size | None) -> None:
    given = stimulus(name, kind="random", size=size, cycles=cycles_for(name))
    expected, wrong = dict(given.expected), []
    for port, values in given.expected.items():
        cycle = int(np.flatnonzero(given.check[port])[-1])
        expected[port] = values.copy()
        expected[port][cycle, ...] ^= np.uint64(1)  # in each word of a wide port
        wrong.append((cycle, port))
    faulty = replace(given, expected=expected)
    assert sorted(differences(unit(name, size=size), faulty)) == sorted(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_operations_are_counted_by_the_unit_s_event(kind: Kind) -> None:
    def operations(name: str, size: Size | None = None) -> int:
        return stimulus(name, kind=kind, size=size, cycles=400).operations

    for name in ("mixpe.pe_w4a8", "mixpe.group_sum", "int8.pe", "gemm.register_bit"):
        assert operations(name) == 400
    # A column of 32 rows drains a group of one k in 32 cycles: 13 of them enter.
    assert operations("mixpe.pe_w4a8", 1) == 13
    # The last cycles only bring results out.
    assert operations("mixpe.dequant") == operations("gemm.accumulate") == 399
    assert operations("int8.weight_dequant") == 398
    assert operations("floating.dequant") == 398
    assert operations("floating.accumulate_scaled") == operations("floating.accumulate_sum") == 399
    assert operations("gemm.output_round") == operations("floating.output_round") == 400
    # Of three groups of 128 k, whose 32 rows drain from cycle 128 g + 176 on.
    assert operations("mixpe.scale_queue", 8) == 2 * 32


def test_zeros_leave_nothing_but_control() -> None:
    for name in stimulated_units():
        given = stimulus(name, kind="zero", cycles=200)
        # An entry of an FP16 table of zeros is a zero of either sign.
        sign = 0x8000 if name.startswith("lut.") and "fp16" in name else 0
        for port in ("a_i", "w_i", "sum_i", "p", "s", "zero", "scale", "stored"):
            values = given.inputs.get(port, np.zeros(1, np.int64))
            assert not (values[values != sign] if port == "a_i" else values).any()
        # An exact zero says that it is one.
        assert len(np.unique(given.inputs.get("increment", 0))) == 1


def test_random_operands_have_the_same_control_as_zeros() -> None:
    for name in stimulated_units():
        random, zero = (stimulus(name, kind=kind, cycles=200).inputs for kind in ("random", "zero"))
        for port in ("control_i", "drain_i", "shift_i", "first", "push", "push_slot", "slot"):
            if port in zero:
                np.testing.assert_array_equal(random[port], zero[port])


def test_every_unit_has_a_stimulus() -> None:
    assert set(stimulated_units()) == set(units())


@needs_weights
def test_equal_requests_give_equal_stimuli() -> None:
    first, second = (stimulus("int8.pe", kind="real", cycles=500) for _ in range(2))
    for port, values in first.inputs.items():
        np.testing.assert_array_equal(values, second.inputs[port])
    assert "all-MiniLM-L6-v2" in first.origin


def test_what_cannot_be_given_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^no stimulus for a unit named 'mixpe.pe'; the units are "
    ):
        stimulus("mixpe.pe", kind="zero")
    with pytest.raises(
        ConfigError, match=r"^kind='noise' must be real, random or zero; change kind$"
    ):
        stimulus("int8.pe", kind="noise")
    with pytest.raises(ConfigError, match=r"^cycles=15 must be at least 16; raise cycles$"):
        stimulus("int8.pe", kind="zero", cycles=15)


def test_without_its_package_the_real_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    tiles._linear_operands.cache_clear()
    with pytest.raises(ToolError, match=r"^the network with real weights needs the package gt-all"):
        stimulus("int8.pe", kind="real")
    assert stimulus("int8.pe", kind="random").operations == 4096
