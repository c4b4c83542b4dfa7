"""src/dovetail/lockstep/verify.py: seeds dealt to several plans, and what is reported of each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dovetail.lockstep.compare import Comparison, Mismatch
from dovetail.lockstep.verify import CasePlan, verify


def index_of(seed: int) -> int:
    return seed // 2


def engine_of(index: int) -> str:
    return f"engine {index}"


def case_of(engine: str, seed: int, *, repeat: str) -> tuple[str, int, str]:
    return engine, seed, repeat


def summary(engines: Sequence[str]) -> list[str]:
    return [", ".join(sorted(engines))]


def all_equal(cases: Sequence[Any], **options: Any) -> Comparison:
    return Comparison(cases=len(cases), values=10, cycles=100, events=1000, mismatches=())


def one_differs(cases: Sequence[Any], **options: Any) -> Comparison:
    found = [
        Mismatch(
            kind="cycles",
            cycle=seed,
            signal="busy",
            rtl=0,
            expected=1,
            count=1,
            where=engine,
            repeat=repeat,
        )
        for engine, seed, repeat in cases
        if seed == 3
    ]
    return Comparison(cases=len(cases), values=1, cycles=2, events=0, mismatches=tuple(found))


LEFT = CasePlan(
    work="left",
    build_index=index_of,
    engine=engine_of,
    case=case_of,
    summary=summary,
    compare=all_equal,
)
RIGHT = replace(LEFT, work="right", compare=one_differs, under_gaps=False)


def test_seeds_are_dealt_in_turn() -> None:
    report = verify("mixpe", seeds=9, plans=(LEFT, RIGHT), jobs=1)
    # Left gets the even numbers as 0 to 4, right the odd ones as 0 to 3; two of each an engine.
    assert report.compared == 9
    assert report.configurations == 3 + 2
    assert report.mismatches == {"values": 0, "cycles": 1, "events": 0}
    left, left_engines, left_values, left_cycles, events, right, right_engines, *rest = report.lines
    assert (left, left_engines) == ("5 lefts on 3 engines", "engine 0, engine 1, engine 2")
    assert left_values.startswith("values: 30 outputs") and "each left once exactly" in left_values
    assert left_cycles.startswith("cycles: 300 ") and left_cycles.endswith(": 0 mismatches")
    assert events.startswith("events: 3,000 ")
    assert (right, right_engines) == ("4 rights on 2 engines", "engine 0, engine 1")
    assert rest[0] == "values: 2 outputs against the reference: 0 mismatches"
    assert rest[1].endswith(": 1 mismatches")
    # Seed 3 of the right ones is number 7.
    assert rest[-1].endswith("repeat with `dovetail verify mixpe --seeds 1 --seed 7 --waves`")


def test_a_seed_alone_is_the_same_case() -> None:
    report = verify("mixpe", seeds=1, seed=7, plans=(LEFT, RIGHT), jobs=1)
    assert report.compared == 1
    assert report.mismatches["cycles"] == 1
    assert report.lines[0] == "1 rights on 1 engines"
