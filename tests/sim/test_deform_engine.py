"""sim/deform_engine.py and its kernel: times counted by hand, and the compiler changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dovetail.arch.deform import DeformEngineConfig, preset
from dovetail.arch.deform_call import DeformCall
from dovetail.arch.events import DEFORM_EVENTS, STALLS, Event
from dovetail.errors import ConfigError, ShapeError
from dovetail.sim import deform_engine, deform_kernel
from dovetail.sim.deform_engine import simulate_call, write_times

CODENET = preset("codenet").engine
LATENCY = CODENET.dram_latency_cycles
# After a pass' last operands: memory, operand, product, tree, sum; product, rounding, clamp; queue.
ARRAY_TO_DRAM = 5 + 3 + 1
# After a window's last step: two of address, memory, taps, product, sum; requantiser; queue.
WINDOW_TO_DRAM = 6 + 3 + 1


def call(height: int, width: int, channels: int, **values: Any) -> DeformCall:
    return DeformCall(
        height=height, width=width, in_channels=channels, out_channels=channels, **values
    )


def test_one_pixel_through_the_array() -> None:
    result = simulate_call(CODENET, call(1, 1, 16, depthwise=False))
    # First command in cycle 1; 8 beats of weights, 4 of scales, 3 absent sections, the pixel.
    pixel = 1 + LATENCY + 8 + 4 + 3
    # It enters one cycle after it is stored.
    assert result.cycles == pixel + 1 + ARRAY_TO_DRAM
    assert result.events[Event.STALL_WEIGHTS] == pixel - 1
    assert result.events[Event.STALL_ACTIVATIONS] == 1
    assert result.events[Event.STREAM] == 1
    assert result.events[Event.STALL_DRAIN] == ARRAY_TO_DRAM


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("ports", [1, 3, 9])
def test_an_image_no_higher_than_the_bound_is_read_when_it_is_all_there(
    ports: Any, stride: Any
) -> None:
    engine = replace(CODENET, window_ports=ports)
    size = call(6, 6, 32, pointwise=False, stride=stride)
    result = simulate_call(engine, size)
    # Two sections absent, 10 beats of weights, 8 of scales, one absent, then 72 beats of features.
    first = 3 + LATENCY + 10 + 8 + 1
    # Row 0 needs the whole image, down to its last row; the first pixel can go when it is there.
    outputs = size.out_height * size.out_width
    steps = outputs * 2 * 9 // ports
    assert result.cycles == first + 72 + steps - 1 + WINDOW_TO_DRAM
    assert result.events[Event.STREAM] == steps


def test_a_wide_array_is_busy_in_every_cycle() -> None:
    # 64 input and 64 output channels: 16 cycles a pixel, which takes four to load.
    result = simulate_call(CODENET, call(10, 10, 64, depthwise=False))
    weights = 4 * 4 * 8 + 4 * 4 + 3
    first = 1 + LATENCY + weights + 4
    assert result.cycles == first + 100 * 16 - 1 + ARRAY_TO_DRAM
    assert result.events[Event.STALL_OUTPUT] == 0


def test_narrow_channels_are_bound_by_the_port() -> None:
    # One beat in and one pass of a cycle: a pixel a cycle.
    result = simulate_call(CODENET, call(20, 20, 16, depthwise=False))
    assert result.cycles == 1 + LATENCY + 15 + 400 + ARRAY_TO_DRAM


@pytest.mark.parametrize(("ports", "steps"), [(1, 9), (3, 3), (9, 1)])
def test_windows_bound_a_large_image(ports: Any, steps: int) -> None:
    # 64 x 64 x 256, the operator of the paper's study: windows follow each other but at the edges.
    size = call(64, 64, 256, pointwise=False)
    result = simulate_call(replace(CODENET, window_ports=ports), size)
    least = 64 * 64 * 16 * steps
    assert result.events[Event.STREAM] == least
    # One beat of the image is written in the time of a window, so 7 rows and 7 columns come first.
    lead = (7 * 64 + 7) * 16
    assert least + lead < result.cycles < least + 1.1 * lead + 200


@pytest.mark.parametrize("lead", ["exact", "public"])
@pytest.mark.parametrize("seed", range(12))
def test_compiled_equals_interpreted_and_cycles_have_one_cause_each(seed: int, lead: Any) -> None:
    rng = np.random.default_rng(seed)
    engine = DeformEngineConfig(
        lanes=4,
        bound=int(rng.integers(1, 5)),
        window_ports=int(rng.choice([1, 3, 9])),
        lead=lead,
        pixel_buffer_bytes=64,
    )
    pointwise, depthwise = [(True, True), (True, False), (False, True)][seed % 3]
    size = DeformCall(
        height=int(rng.integers(1, 20)),
        width=int(rng.integers(1, 20)),
        in_channels=(channels := int(rng.integers(1, 20))),
        out_channels=int(rng.integers(1, 20)) if pointwise else channels,
        pointwise=pointwise,
        depthwise=depthwise,
        stride=2 if depthwise and seed % 2 else 1,
    )
    compiled = write_times(engine, size)
    result = simulate_call(engine, size)
    assert sum(result.events[event] for event in (Event.STREAM, *STALLS)) == result.cycles
    assert compiled[-1] == result.cycles
    # A beat a cycle at most, and in order.
    assert (np.diff(compiled) >= 1).all()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("run_call", "run_gather", "count_line_reads"):
            patch.setattr(deform_engine, name, getattr(deform_kernel, name).py_func)
        assert (write_times(engine, size) == compiled).all()
        assert simulate_call(engine, size) == result


def test_time_does_not_depend_on_offsets_but_reads_do() -> None:
    size = call(9, 8, 16, pointwise=False, deform=True)
    results = {}
    for s in (0, 1, 7):
        offsets = np.full((9, 8), s, dtype=np.uint8)
        results[s] = simulate_call(CODENET, size, offsets)
    assert len({result.cycles for result in results.values()}) == 1
    reads = {s: result.events[Event.LINE_READ] for s, result in results.items()}
    # One row in each of three steps; 3 x 3 but for the edges; taps 7 away are inside at 2 of 9
    # rows up and as many down, and at one of 8 columns each way.
    assert reads == {0: 9 * 8 * 3, 1: (3 * 9 - 2) * (3 * 8 - 2), 7: (9 + 2 * 2) * (8 + 2 * 1)}


GATHER = replace(CODENET, window_ports=9, memory="gather")
GATHER_TO_DRAM = WINDOW_TO_DRAM - 2  # no address


def test_one_gathered_pixel() -> None:
    # All nine taps are on the pixel itself: s = 0.
    size = call(1, 1, 32, pointwise=False, deform=True)
    result = simulate_call(GATHER, size, np.zeros((1, 1), dtype=np.uint8))
    # 10 beats of weights, 8 of scales, 1 of offsets; a cycle until it sees them, one to begin.
    first = 3 + LATENCY + 10 + 8 + 1 + 2
    # One burst at a time: from its command to the cycle after its last beat.
    end = first + 9 * (LATENCY + 2)
    # There the end of the pixel is taken, and in the two cycles that follow its two windows.
    assert result.cycles == end + 2 + GATHER_TO_DRAM
    assert result.events[Event.DRAM_READ] == 10 + 8 + 1 + 9 * 2
    assert result.events[Event.TAP_READ] == result.events[Event.TAP_WRITE] == 9 * 2


@pytest.mark.parametrize(("bursts", "cycles_a_tap"), [(1, LATENCY + 16), (16, 16)])
def test_bursts_one_by_one_wait_and_many_stream(bursts: int, cycles_a_tap: int) -> None:
    # The paper's operator: 36,864 taps of 256 bytes, 18 % fewer at s = 7, which lie outside.
    size = call(64, 64, 256, pointwise=False, deform=True)
    offsets = np.zeros((64, 64), dtype=np.uint8)
    result = simulate_call(replace(GATHER, gather_bursts=bursts), size, offsets)
    assert result.cycles == pytest.approx(64 * 64 * 9 * cycles_a_tap, rel=0.05)
    far = simulate_call(replace(GATHER, gather_bursts=bursts), size, offsets + 7)
    inside = (3 * 64 - 14) ** 2
    assert far.events[Event.TAP_READ] == inside * 16
    assert far.cycles / result.cycles == pytest.approx(inside / (192 * 192), rel=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_gathering_compiled_equals_interpreted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    engine = DeformEngineConfig(
        lanes=4, window_ports=9, memory="gather", gather_bursts=int(rng.integers(1, 17))
    )
    size = call(int(rng.integers(1, 9)), int(rng.integers(1, 9)), 7, pointwise=False, deform=True)
    offsets = rng.integers(0, 8, (size.height, size.width), dtype=np.uint8)
    written = write_times(engine, size, offsets)
    result = simulate_call(engine, size, offsets)
    assert sum(result.events[event] for event in (Event.STREAM, *STALLS)) == result.cycles
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deform_engine, "run_gather", deform_kernel.run_gather.py_func)
        assert (write_times(engine, size, offsets) == written).all()
        assert simulate_call(engine, size, offsets) == result


FULL = {
    ports: preset(f"study-full-{name}").engine for ports, name in ((1, "1-port"), (3, "3-ports"))
}


def full(height: int, width: int, ins: int, outs: int, **values: Any) -> DeformCall:
    return DeformCall(
        height=height,
        width=width,
        in_channels=ins,
        out_channels=outs,
        pointwise=False,
        full=True,
        **values,
    )


@pytest.mark.parametrize(("ports", "steps"), [(1, 9), (3, 3)])
def test_one_pixel_through_a_full_core(ports: int, steps: int) -> None:
    result = simulate_call(FULL[ports], full(1, 1, 16, 24))
    # Two sections absent, six words of 36 beats, three of scales, one absent, two of features.
    stored = 3 + LATENCY + 6 * 36 + 3 * 4 + 1 + 2
    # The line buffer's windows begin then; the last step is seen by the tap store 4 cycles later.
    windows = stored + 2 * steps - 1 + 4
    assert result.cycles == windows + 6 - 1 + ARRAY_TO_DRAM
    assert result.events[Event.STREAM] == 6
    assert result.events[Event.WINDOW_OP] == 6 * 8 * 8 * 9
    assert result.events[Event.TAP_WRITE] == 9 * 2
    assert result.events[Event.TAP_READ] == 9 * 2 * 3


@pytest.mark.parametrize("name", ["stream", "gather", "1-port", "3-ports"])
def test_the_full_core_of_the_study_is_bound_by_its_multipliers(name: str) -> None:
    engine = preset(f"study-full-{name}").engine
    size = full(64, 64, 256, 256, deform=name != "stream")
    offsets = np.full((64, 64), 3, dtype=np.uint8) if size.deform else None
    result = simulate_call(engine, size, offsets)
    # 8 x 8 x 9 of 64 x 64 x 256 x 256 x 9 multiplications a cycle; weights come first.
    least = 64 * 64 * 32 * 32
    assert result.events[Event.STREAM] == least
    assert least + 32 * 32 * 36 < result.cycles < 1.02 * least


@pytest.mark.parametrize("memory", ["line_buffer", "gather"])
@pytest.mark.parametrize("seed", range(6))
def test_a_full_core_compiled_equals_interpreted(seed: int, memory: Any) -> None:
    rng = np.random.default_rng(seed)
    engine = DeformEngineConfig(
        lanes=4,
        core="full",
        bound=3,
        memory=memory,
        window_ports=9 if memory == "gather" else int(rng.choice([1, 3, 9])),
        gather_bursts=int(rng.integers(1, 9)),
    )
    sizes = rng.integers(1, 12, 4).tolist()
    size = full(*sizes, deform=True, stride=1 + seed % 2)
    offsets = rng.integers(0, 4, (size.out_height, size.out_width), dtype=np.uint8)
    written = write_times(engine, size, offsets)
    result = simulate_call(engine, size, offsets)
    assert sum(result.events[event] for event in (Event.STREAM, *STALLS)) == result.cycles
    assert written[-1] == result.cycles
    with pytest.MonkeyPatch.context() as patch:
        for name in ("run_call", "run_gather", "count_line_reads"):
            patch.setattr(deform_engine, name, getattr(deform_kernel, name).py_func)
        assert (write_times(engine, size, offsets) == written).all()
        assert simulate_call(engine, size, offsets) == result


def test_counts_what_the_chain_has() -> None:
    events = simulate_call(CODENET, call(4, 4, 16)).events
    counted = {event for event in Event if events[event]}
    assert counted <= set(DEFORM_EVENTS)
    assert events[Event.PE_OP] == 16 * 256
    assert events[Event.WINDOW_OP] == 16 * 144
    assert events[Event.REQUANTISE] == 2 * 16 * 16


@pytest.mark.parametrize(
    ("flags", "offsets", "error", "message"),
    [
        (
            {"deform": True},
            None,
            ShapeError,
            r"a call with deform=True needs one offset for each output pixel; change one of them",
        ),
        (
            {},
            np.ones((4, 4), dtype=np.uint8),
            ShapeError,
            r"a call with deform=False takes no offsets; change one of them",
        ),
        (
            {"depthwise": False},
            np.ones((4, 4), dtype=np.uint8),
            ShapeError,
            r"a call with deform=False takes no offsets; change one of them",
        ),
        (
            {"deform": True},
            np.ones((4, 5), dtype=np.uint8),
            ShapeError,
            r"offsets of type uint8 and shape \(4, 5\) must be uint8 of shape \(4, 4\); "
            r"change them",
        ),
        (
            {"deform": True},
            np.full((4, 4), 8, dtype=np.uint8),
            ConfigError,
            r"an offset of 8 exceeds bound=7; clip the offsets or raise bound",
        ),
        (
            {"in_channels": 5000},
            None,
            ConfigError,
            r"in_channels=5000 must be at most 4095; split the call",
        ),
    ],
)
def test_refuses_in_one_line(
    flags: dict[str, Any], offsets: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"^{message}$"):
        simulate_call(CODENET, replace(call(4, 4, 16), **flags), offsets)
