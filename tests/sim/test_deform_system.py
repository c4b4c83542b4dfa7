"""sim/deform_system.py against the board's frames."""

from dataclasses import replace

import pytest

from dovetail.arch.deform import DeformDesign, preset
from dovetail.arch.deform_board import ultra96
from dovetail.arch.events import Event
from dovetail.errors import ConfigError
from dovetail.models.networks import network
from dovetail.models.networks.codenet import CODENETS
from dovetail.models.networks.codenet_trace import synthetic_trace
from dovetail.sim.deform_engine import simulate_call
from dovetail.sim.deform_network import simulate_network
from dovetail.sim.deform_system import dram_ms, frame_time

DESIGN, BOARD = preset("codenet"), ultra96()


def test_configuration_c_calibrates_the_processors_moves() -> None:
    frame = frame_time(DESIGN, network("codenet-c"))
    assert frame.shuffle_ms == pytest.approx(20.07)
    assert frame.upsample_ms == pytest.approx(89.69 - 65.98 - 20.07)
    assert frame.stem_ms == 5.01


@pytest.mark.parametrize("name", ["codenet-a", "codenet-b", "codenet-d", "codenet-e"])
def test_the_shuffles_of_the_others_are_predicted(name: str) -> None:
    frame = frame_time(DESIGN, network(name))
    assert frame.shuffle_ms == pytest.approx(BOARD.frames[name].shuffle_ms, rel=0.04)


@pytest.mark.parametrize("name", BOARD.frames)
def test_frames_of_the_public_engine_come_near_the_measured_ones(name: str) -> None:
    frame = frame_time(DESIGN, network(name), engine="public")
    assert frame.engine_ms == pytest.approx(BOARD.frames[name].engine_ms, rel=0.20)


def test_the_parts_make_the_frame_rate() -> None:
    frame = frame_time(DESIGN, network("codenet-b"))
    total = frame.stem_ms + frame.calls_ms + frame.shuffle_ms + frame.upsample_ms
    assert frame.frames_per_second == pytest.approx(1000 / total)
    assert frame.engine_ms == pytest.approx(total - 7.87)


def test_calls_take_their_cycles_or_the_drams_time() -> None:
    trace = network("codenet-a")
    result = simulate_network(DESIGN, trace)
    cycles_ms = result.cycles / 250e3
    assert frame_time(DESIGN, trace).calls_ms == pytest.approx(cycles_ms, rel=0.02)
    slow = replace(BOARD, dram_gb_s=0.1)
    bytes_moved = 16 * (result.events[Event.DRAM_READ] + result.events[Event.DRAM_WRITE])
    assert frame_time(DESIGN, trace, board=slow).calls_ms == pytest.approx(bytes_moved / 1e5)
    one = simulate_call(DESIGN.engine, result.calls[0][0].call)
    beats = one.events[Event.DRAM_READ] + one.events[Event.DRAM_WRITE]
    assert dram_ms(one, beat_bytes=16, board=BOARD) == pytest.approx(beats * 16 / 4.26e9 * 1e3)


def test_the_clock_scales_the_engine_only() -> None:
    slower = DeformDesign(engine=replace(DESIGN.engine, clock_mhz=125.0))
    fast, slow = (frame_time(design, network("codenet-c")) for design in (DESIGN, slower))
    assert slow.calls_ms > 1.95 * fast.calls_ms
    assert (slow.stem_ms, slow.shuffle_ms) == (fast.stem_ms, fast.shuffle_ms)


def test_a_stem_that_was_not_measured_is_refused() -> None:
    other = replace(CODENETS["codenet-a"], name="other", image=128)
    with pytest.raises(
        ConfigError,
        match="^stem: a 128 x 128 image at stride 4 was not measured on the board; those that were "
        "are 256/4, 256/2, 512/4, 512/2$",
    ):
        frame_time(DESIGN, synthetic_trace(other, distribution="gamma", seed=0))


def test_free_offsets_cost_the_time_to_read_them() -> None:
    """By hand: 17 bytes more for each pixel of three maps, 16 bytes a cycle at 250 MHz.

    The generator makes 18 channels, which are two beats where one channel is one.
    """
    engine = replace(DESIGN.engine, window_ports=1, offset_buffer_bytes=18 * 64 * 64)
    design = replace(DESIGN, engine=engine)
    pixels = 16**2 + 32**2 + 64**2
    read_ms = pixels * 17 / 16 / 250e3
    free, square = (
        frame_time(design, network(n)).calls_ms for n in ("codenet-c-free", "codenet-c")
    )
    result = {n: simulate_network(design, network(n)) for n in ("codenet-c-free", "codenet-c")}
    more = result["codenet-c-free"].cycles - result["codenet-c"].cycles
    # Calls that the DRAM limits take no longer for some cycles more.
    assert read_ms < free - square <= read_ms + more / 250e3


def test_a_second_engine_has_no_place_beside_the_public_one() -> None:
    design = replace(DESIGN, second="gather")
    with pytest.raises(ConfigError, match=r"^second=gather has no place beside the public engine"):
        frame_time(design, network("codenet-c"), engine="public")
