"""sweeps/axes.py."""

import json
import re
import tracemalloc
from dataclasses import replace
from itertools import islice, product
from typing import Any

import pytest

from dovetail.errors import ConfigError
from dovetail.sweeps.axes import Sweep, Workload, check_objectives
from dovetail.systems import System
from dovetail.tests.sweeps import fake_system

pytestmark = pytest.mark.usefixtures("fake")


def make(axes: dict[Any, Any], **other: Any) -> Sweep:
    return replace(fake_system.sweep(), axes=axes, objectives=(), **other)


def test_points_come_in_the_order_of_nested_loops() -> None:
    cores = (("mixpe_w4a8", 8), ("int8", 4))
    sweep = make(
        {("engine.core", "engine.cols"): cores, "group": (32, 64, 128), "zero_point": (False, True)}
    )
    want = [
        (at, core, cols, group, zero)
        for at, (core, cols), group, zero in product(range(2), cores, (32, 64, 128), (False, True))
    ]
    got = [
        (
            candidate.workload,
            candidate.settings["engine.core"],
            candidate.settings["engine.cols"],
            candidate.design["group"],
            candidate.design["zero_point"],
        )
        for candidate in sweep.points()
    ]
    assert got == want
    assert len(sweep) == len(want)
    assert [candidate.point for candidate in sweep.points()] == list(range(len(want)))
    assert sweep.candidate(7).design["engine"] == {
        **sweep.base["engine"],
        "core": "int8",
        "cols": 4,
    }


def test_a_hundred_thousand_points_are_not_held_in_memory() -> None:
    sweep = make({"engine.rows": tuple(range(1, 257)), "engine.cols": tuple(range(1, 257))})
    assert len(sweep) == 131_072
    tracemalloc.start()
    assert sum(1 for _ in islice(sweep.points(), 10_000)) == 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_error_is_an_objective_where_an_axis_changes_it() -> None:
    assert "error" in make({"group": (32, 64)}).objectives
    assert "error" not in make({"engine.rows": (4, 8)}).objectives


def test_the_definition_is_plain_data() -> None:
    definition = fake_system.sweep().definition()
    assert json.loads(json.dumps(definition)) == definition
    assert definition["points"] == 72


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"engine.rws": (1,)}, r"engine\.rws: no such field of a fake design; did you mean eng"),
        ({"engine.rows": ()}, r"engine\.rows: empty; give at least one value$"),
        ({"engine.rows": (8, 16, 8)}, r"engine\.rows: 8 is given twice; remove one of them$"),
        ({"engine.clock_mhz": (float("nan"),)}, r"engine\.clock_mhz: nan is not a number; remove"),
        ({"engine.clock_mhz": (float("inf"),)}, r"engine\.clock_mhz: inf is not a number; remove"),
        (
            {"group": ([32],)},
            r"group: \[32\] must be a number, a string, true or false; change it$",
        ),
        (
            {("engine.rows", "engine.cols"): ((8, 8), (8,))},
            r"engine\.rows, engine\.cols: \(8,\) must have 2 values, one for each field; correct",
        ),
        (
            {("engine.rows", "engine.cols"): ((8, 8), (8, 8))},
            r"engine\.rows, engine\.cols: \(8, 8\) is given twice; remove one of them$",
        ),
        (
            {("engine.rows", "engine.cols"): ((8, 8),), "engine.rows": (4,)},
            r"engine\.rows: named by two axes; keep one of them$",
        ),
    ],
)
def test_says_what_is_wrong_with_an_axis(axes: dict[Any, Any], message: str) -> None:
    with pytest.raises(ConfigError, match="^sweep: axes: " + message):
        make(axes)


def test_refuses_a_base_that_cannot_be_built(fake: System) -> None:
    with pytest.raises(ConfigError, match=r"^sweep: base: engine\.rows: 0 must be greater "):
        make({"group": (32,)}, base={"engine": {"rows": 0, "cols": 8}})


def test_refuses_a_sweep_without_workloads() -> None:
    with pytest.raises(ConfigError, match=r"^sweep: workloads: empty; name at least one network$"):
        make({"group": (32,)}, workloads=())


@pytest.mark.parametrize("limit", [0.0, float("nan"), -1.0])
def test_refuses_a_limit_that_excludes_nothing_or_all(limit: float) -> None:
    rule = re.escape(f"sweep: limits: time_ms: {limit} must be a positive number for one of time")
    with pytest.raises(ConfigError, match=f"^{rule}"):
        make({"group": (32,)}, limits={"time_ms": limit})


def test_refuses_unknown_and_repeated_objectives() -> None:
    with pytest.raises(ConfigError, match=r"^x: no objective named 'speed'; the obj"):
        check_objectives(("speed",), source="x")
    with pytest.raises(ConfigError, match=r"^x: 'cycles' is given twice; remove one"):
        check_objectives(("cycles", "time_ms", "cycles"), source="x")


def test_a_workload_is_validated() -> None:
    with pytest.raises(ValueError, match="Input should be greater than 0"):
        Workload(network="vit-b-16", batch=0)
