"""The deformable engine three ways: reference = RTL to the bit, simulator = RTL to the cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.arch.deform import DeformDesign, DeformEngineConfig, preset
from dovetail.arch.deform_call import DeformCall
from dovetail.arch.events import DEFORM_EVENTS, Event
from dovetail.lockstep import deform
from dovetail.lockstep.certify import MOST_CYCLES
from dovetail.lockstep.compare import Mismatch, compare
from dovetail.lockstep.deform import DeformCase, random_case, random_engine, verify
from dovetail.lockstep.deform_certify import certify
from dovetail.models.deform.engine_call import CallOperands, LayerOperands
from dovetail.models.networks.registry import network
from dovetail.rtl.deform.line_writer import LineWriter
from dovetail.sim.deform_engine import DeformResult

pytestmark = pytest.mark.cosim

AGREE = {"values": 0, "cycles": 0, "events": 0}
BOUND = 7
SMALL = DeformEngineConfig(
    lanes=2,
    bound=BOUND,
    line_row_bytes=128,
    pointwise_weight_bytes=64,
    pixel_buffer_bytes=16,
    max_channels=16,
    offset_buffer_bytes=1024,
)


def test_random_engines_agree() -> None:
    # Four lanes and three kinds of line buffer; N is 7, 1 and 2.
    report = verify("deform", seeds=12)
    assert report.mismatches == AGREE, "\n".join(report.lines)
    assert (report.compared, report.configurations) == (12, 3)


def test_taps_gathered_from_dram_agree() -> None:
    gathers = random_engine(5)
    assert gathers.memory == "gather"
    found = compare([random_case(gathers, seed, repeat="") for seed in range(6)])
    assert not found.mismatches, str(found.mismatches[0])
    assert found.events == 6 * len(DEFORM_EVENTS)  # the engine's own counters


@pytest.mark.parametrize("memory", ["line_buffer", "gather"])
def test_a_full_core_agrees(memory: Any) -> None:
    engine = replace(
        SMALL,
        core="full",
        memory=memory,
        window_ports=9 if memory == "gather" else 3,
        bound=2,
        pointwise_weight_bytes=18 * 12,
        gather_bursts=2,
    )
    found = compare([random_case(engine, seed, repeat="") for seed in range(6)])
    assert not found.mismatches, str(found.mismatches[0])


@pytest.mark.long
def test_many_random_engines_agree() -> None:
    report = verify("deform", seeds=96, seed=1000)
    assert report.mismatches == AGREE, "\n".join(report.lines)
    assert report.configurations == 12


# --- the lead of the public code


HEIGHT, WIDTH = 26, 20


def single_tap(config: DeformEngineConfig, s: int, tap: int) -> DeformCase:
    """Channels whose window has one weight: 4, scaled by 1/4; so a tap itself comes out."""
    rows, cols = np.mgrid[0:HEIGHT, 0:WIDTH]
    # Rows that share a row of the line buffer, 15 apart, differ in every column.
    image = ((5 * rows + 3 * cols) % 251 - 128).astype(np.int8)
    weights = np.zeros((2, 9), dtype=np.int8)
    weights[:, tap] = 4
    layer = LayerOperands(
        weights=weights.reshape(2, 3, 3),
        scale=np.full(2, 1 << 14, dtype=np.int16),
        bias=np.full(2, 128, dtype=np.int16),
    )
    call = DeformCall(
        height=HEIGHT,
        width=WIDTH,
        in_channels=2,
        out_channels=2,
        pointwise=False,
        deform=True,
        relu3=False,
    )
    operands = CallOperands(
        image=np.repeat(image[:, :, None], 2, axis=2),
        depthwise=layer,
        offsets=np.full((HEIGHT, WIDTH), s, dtype=np.uint8),
    )
    return DeformCase(config=config, call=call, operands=operands, gap_seed=tap, repeat="")


def taps_of(config: DeformEngineConfig, s: int) -> NDArray[np.int8]:
    """What the RTL makes of each tap: int8 of shape (9, height, width)."""
    cases = [single_tap(config, s, tap) for tap in range(9)]
    results = cases[0].build().run([case.rtl(cycles=10_000) for case in cases])
    assert all(result.problem is None for result in results)
    images = [np.frombuffer(result.output, np.int8) for result in results]
    return np.array([image.reshape(HEIGHT, WIDTH, 2)[..., 0] for image in images])


def true_taps(s: int) -> NDArray[np.int8]:
    """Taps of a whole image with -128 around it."""
    image = single_tap(SMALL, s, 0).operands.image[:, :, 0]
    around = np.pad(image, s, constant_values=-128)
    return np.array([around[i * s :, j * s :][:HEIGHT, :WIDTH] for i in range(3) for j in range(3)])


def test_an_offset_of_the_bound_is_exact_and_wrong_with_the_public_lead() -> None:
    public = replace(SMALL, lead="public")
    assert (taps_of(SMALL, BOUND) == true_taps(BOUND)).all()
    assert (taps_of(public, BOUND - 1) == true_taps(BOUND - 1)).all()
    wrong = taps_of(public, BOUND) != true_taps(BOUND)
    # Row r - 7 is overwritten by row r + 8 up to column c: left and middle tap of the upper row.
    rows, cols = np.mgrid[0:HEIGHT, 0:WIDTH]
    overwritten = (rows >= BOUND) & (rows + BOUND + 1 < HEIGHT)
    expected = np.zeros_like(wrong)
    expected[0] = overwritten & (cols >= BOUND)
    expected[1] = overwritten
    assert (wrong == expected).all()
    # Both leads take the time that the simulator says, and the reference knows both.
    found = compare([single_tap(public, s, tap) for s in (6, 7) for tap in (0, 1, 4)])
    assert not found.mismatches
    assert not compare([single_tap(SMALL, BOUND, tap) for tap in (0, 8)]).mismatches


# --- certificates


def test_a_design_is_certified_on_calls_of_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = replace(preset("codenet").engine, lanes=4, packed_products=False)
    design = DeformDesign(engine=narrow)
    trace = network("codenet-c")
    certificate = certify(design, trace)
    assert certificate.passed and certificate.mismatches == AGREE
    assert 0 < certificate.cycles <= MOST_CYCLES
    assert certificate.cycles == sum(case["cycles"] for case in certificate.cases)
    kinds = {
        (case["pointwise"], case["depthwise"], case["stride"], case["deform"])
        for case in certificate.cases
    }
    # Units and their halves, down units, offset generators and heads, deformable convolutions.
    assert kinds == {
        (False, True, 2, False),
        (True, False, 1, False),
        (True, True, 2, False),
        (True, True, 1, False),
        (False, True, 1, True),
    }
    # An image higher than the line buffer, and channels with some left over.
    assert max(case["height"] for case in certificate.cases) > narrow.buffer_rows
    assert any(case["out_channels"] % 4 for case in certificate.cases)
    reference = DeformCase.reference
    monkeypatch.setattr(DeformCase, "reference", lambda case: reference(case) ^ 1)
    wrong = certify(design, trace)
    assert not wrong.passed
    assert wrong.mismatches == {**AGREE, "values": len(certificate.cases)}


# --- seeded faults


@pytest.fixture
def fresh() -> Iterator[None]:
    """Faulty Verilog is not kept for other tests."""
    deform._engine_rtl.cache_clear()
    yield
    deform._engine_rtl.cache_clear()


def a_case() -> DeformCase:
    return random_case(random_engine(0), 3, repeat="repeat me")


def only(mismatches: tuple[Mismatch, ...]) -> Mismatch:
    (mismatch,) = mismatches
    return mismatch


def test_a_writer_that_does_not_wait_is_seen(monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
    whole = LineWriter.elaborate

    def hasty(writer: Any, platform: object) -> Any:
        module = whole(writer, platform)
        module.d.comb += writer.i.ready.eq(1)
        return module

    monkeypatch.setattr(LineWriter, "elaborate", hasty)
    found = compare([single_tap(SMALL, BOUND, 1)]).mismatches
    assert {mismatch.kind for mismatch in found} >= {"values"}


def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    case = a_case()
    want = case.reference()
    at = (want.shape[0] - 1, want.shape[1] // 2, want.shape[2] - 1)

    def faulty(_: DeformCase) -> Any:
        wrong = want.copy()
        wrong[at] ^= 1
        return wrong

    monkeypatch.setattr(DeformCase, "reference", faulty)
    mismatch = only(compare([case]).mismatches)
    assert (mismatch.kind, mismatch.count) == ("values", 1)
    assert (mismatch.rtl, mismatch.expected) == (want[at], want[at] ^ 1)
    lane = 8 * (at[2] % case.config.lanes)
    assert mismatch.signal == (
        f"write.payload.data[{lane}:{lane + 8}] (output row={at[0]}, column={at[1]}, "
        f"channel={at[2]})"
    )
    assert mismatch.where == case.describe()
    assert mismatch.repeat == "repeat me"


@pytest.mark.parametrize("event", DEFORM_EVENTS)
def test_a_wrong_count_is_named(monkeypatch: pytest.MonkeyPatch, event: Event) -> None:
    case = a_case()
    right = case.simulate()
    changed = {**right.events, event: right.events[event] + 1}
    monkeypatch.setattr(
        DeformCase, "simulate", lambda _: DeformResult(call=right.call, events=changed)
    )
    mismatch = only(compare([case]).mismatches)
    kind = "cycles" if event is Event.CYCLE else "events"
    assert (mismatch.kind, mismatch.signal) == (kind, f"count_{event}")
    assert (mismatch.rtl, mismatch.expected) == (right.events[event], right.events[event] + 1)


def test_a_late_beat_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    case = a_case()
    rtl = DeformCase.rtl

    def slow_memory(case: DeformCase, **options: Any) -> Any:
        run = rtl(case, **options)
        return replace(run, latency_cycles=run.latency_cycles + 5)

    monkeypatch.setattr(DeformCase, "rtl", slow_memory)
    late, counts = compare([case]).mismatches
    assert (late.kind, counts.kind) == ("cycles", "events")
    assert late.signal == "write.valid (output beat 0)"
    assert late.rtl - late.expected == 5
