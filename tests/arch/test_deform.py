"""arch/deform.py and arch/deform_call.py."""

import re
from dataclasses import replace
from typing import Any

import pytest

from dovetail.arch.deform import DeformEngineConfig, deform_design, preset, presets
from dovetail.arch.deform_call import DeformCall, describe_call
from dovetail.errors import ConfigError

CODENET = preset("codenet").engine


def test_codenet_has_the_published_sizes() -> None:
    # docs: 16 x 16 and 16 x 9 multipliers; 15 rows of 1,024 beats of 128 bits; 512 x 1,024 weights.
    assert CODENET.port_bits == 128
    assert CODENET.buffer_rows == 15
    assert CODENET.row_beats == 1024
    assert CODENET.pointwise_words * 16 * 16 == 512 * 1024
    assert CODENET.peak_macs_per_cycle * 2 * 250e6 == pytest.approx(200e9)  # 128 + 72 GOPS


@pytest.mark.parametrize(("ports", "steps"), [(1, 9), (3, 3), (9, 1)])
def test_a_window_takes_nine_beats(ports: Any, steps: int) -> None:
    assert replace(CODENET, window_ports=ports).steps == steps


@pytest.mark.parametrize("bound", range(1, 32))
def test_the_columns_of_a_window_lie_in_different_banks(bound: int) -> None:
    banks = replace(CODENET, bound=bound, window_ports=9).column_banks
    for s in range(1, bound + 1):
        for column in range(banks):
            assert len({(column + k * s) % banks for k in (-1, 0, 1)}) == 3
    # One bank is enough where each row has a port of its own.
    assert replace(CODENET, bound=bound).column_banks == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lanes": 12}, r"lanes=12 must be a power of two from 2 to 64; set it to 16"),
        (
            {"pixel_buffer_bytes": 24},
            r"pixel_buffer_bytes=24 must be a power of two that holds two beats of 16 bytes; "
            r"set it to 32",
        ),
        (
            {"line_row_bytes": 100},
            r"line_row_bytes=100 must be a multiple of 16 where lanes=16; set it to 112",
        ),
        (
            {"memory": "gather"},
            r"memory=gather has a memory for each tap and no line buffer; set window_ports to 9 "
            r"and lead to exact",
        ),
        (
            {"core": "full", "packed_products": True},
            r"packed_products belongs to the 1x1 array, which core=full has not; set it to false",
        ),
        (
            {"core": "full", "packed_products": False, "pointwise_weight_bytes": 128},
            r"pointwise_weight_bytes=128 cannot hold the weights of one window; set it to at least "
            r"1152",
        ),
        ({"bound": 0}, r"bound: 0 must be greater than 0; change it"),
        ({"rows": 3}, r"rows is not a field of a deformable design; remove it, or .*"),
    ],
)
def test_refuses_an_engine_in_one_line(change: dict[str, Any], message: str) -> None:
    values = preset("codenet").to_dict()
    values["engine"] |= change
    with pytest.raises(ConfigError) as caught:
        deform_design(values, source="mine")
    assert re.search(rf"^mine: (engine[:.] ?)?{message}$", str(caught.value))


def test_refuses_an_unknown_preset() -> None:
    names = ", ".join(presets())
    with pytest.raises(ConfigError, match=rf"^no preset named 'x'; the presets are {names}$"):
        preset("x")


CALL = DeformCall(height=16, width=16, in_channels=64, out_channels=48)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "height=0 must be at least 1; change it"),
        ({"width": 4096}, "width=4096 must be at most 4095; split the call"),
        (
            {"pointwise": False, "depthwise": False},
            "a call without pointwise and depthwise computes nothing; set one of them",
        ),
        (
            {"pointwise": False},
            "in_channels=64 and out_channels=48 differ, and without pointwise nothing changes "
            "their number; make them equal",
        ),
        ({"stride": 3}, "stride=3 must be 1 or 2; change it"),
        (
            {"depthwise": False, "deform": True},
            "stride 2 and deform belong to the 3x3 convolution; set depthwise, or leave them out",
        ),
        (
            {"out_channels": 1025},
            "out_channels=1025 exceeds max_channels=1024; split the call by output channels",
        ),
        (
            {"in_channels": 1024, "out_channels": 528},
            "in_channels=1024 times out_channels=528 weights exceed "
            "pointwise_weight_bytes=262144; split the call by output channels",
        ),
        (
            {"in_channels": 2064, "out_channels": 16},
            "a pixel of in_channels=2064 exceeds pixel_buffer_bytes=2048; use a larger buffer",
        ),
        (
            {"width": 257, "out_channels": 64},
            "a row of width=257 pixels of out_channels=64 exceeds line_row_bytes=16384; split the "
            "call by output channels",
        ),
        (
            {"height": 256, "width": 256, "deform": True},
            "256 x 256 offsets exceed offset_buffer_bytes=16384; split the image",
        ),
    ],
)
def test_refuses_a_call_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        describe_call(replace(CODENET, pixel_buffer_bytes=2048), replace(CALL, **change))
    assert str(caught.value) == message


def test_gathered_taps_come_from_dram_and_rows_may_be_long() -> None:
    gather = replace(CODENET, memory="gather", window_ports=9)
    with pytest.raises(
        ConfigError, match=r"^memory=gather reads the image of the 3x3 convolution "
    ):
        describe_call(gather, CALL)
    long = replace(CALL, width=1000, out_channels=64, pointwise=False)
    registers = describe_call(gather, long)
    # The image is there, and no section of what is read first.
    assert registers.feature_beats == 0
    assert registers.output_address - registers.feature_address == 16 * 1000 * 4
    assert registers.row_beats == 4000


def test_a_row_of_many_channels_must_fit_the_banks_of_columns() -> None:
    call = replace(CALL, width=10, out_channels=1600)
    wide = DeformEngineConfig(window_ports=9, line_row_bytes=16000, max_channels=1600)
    assert describe_call(wide, call).out_groups == 100
    # 19 columns in 9 banks: three in the first, 3 * 54 beats in a depth of 112 + 54.
    narrow = replace(wide, line_row_bytes=19 * 53 * 16, max_channels=53 * 16)
    assert narrow.bank_beats == 112 + 53
    describe_call(narrow, replace(CALL, width=19, out_channels=53 * 16))


def test_operands_lie_one_after_the_other() -> None:
    call = replace(CALL, height=5, width=7, in_channels=33, out_channels=17, deform=True, stride=2)
    d = describe_call(CODENET, call)
    assert (d.out_height, d.out_width) == (3, 4)
    assert (d.in_groups, d.out_groups) == (3, 2)
    # Eight beats a word of 16 x 16 nibbles; four of scales and biases; nine taps in five.
    sizes = [3 * 2 * 8, 2 * 4, 2 * 5, 2 * 4, 1, 5 * 7 * 3]
    names = ("weight1", "quant1", "weight3", "quant3", "offset", "feature")
    assert [getattr(d, f"{name}_beats") for name in names] == sizes
    starts = [getattr(d, f"{name}_address") for name in names] + [d.output_address]
    assert starts == [sum(sizes[:i]) for i in range(7)]
    assert d.output_beats == 3 * 4 * 2


FULL = preset("study-full-3-ports").engine
FULL_CALL = replace(CALL, pointwise=False, full=True)


def test_a_full_core_multiplies_as_the_study_says() -> None:
    assert FULL.peak_macs_per_cycle == 576
    study = replace(FULL_CALL, height=64, width=64, in_channels=256, out_channels=256)
    assert 2 * study.macs == pytest.approx(4.832e9, rel=1e-3)
    d = describe_call(FULL, study)
    # A word of 8 x 8 x 9 nibbles is 36 beats of 64 bits.
    assert d.weight3_beats == 32 * 32 * 36
    assert (d.image_groups, d.row_beats, d.out_groups) == (32, 64 * 32, 32)
    assert d.weight1_beats == d.quant1_beats == 0


@pytest.mark.parametrize(
    ("engine", "call", "message"),
    [
        (
            FULL,
            replace(FULL_CALL, pointwise=True),
            "full belongs to a 3x3 convolution alone; unset pointwise and set depthwise",
        ),
        (
            CODENET,
            FULL_CALL,
            "full=True does not fit an engine of core=depthwise; change one of them",
        ),
        (
            FULL,
            replace(CALL, depthwise=False),
            "an engine of core=full has no 1x1 convolution; use one of core=depthwise",
        ),
        (
            FULL,
            replace(FULL_CALL, in_channels=257),
            "in_channels=257 exceeds max_channels=256; use a larger engine",
        ),
        (
            replace(FULL, pointwise_weight_bytes=288 * 30),
            FULL_CALL,
            "9 x in_channels=64 x out_channels=48 weights exceed pointwise_weight_bytes=8640; "
            "split the call by output channels",
        ),
        (
            FULL,
            replace(FULL_CALL, width=300),
            "a row of width=300 pixels of in_channels=64 exceeds line_row_bytes=16384; use a "
            "larger buffer",
        ),
    ],
)
def test_refuses_what_a_core_cannot_do(
    engine: DeformEngineConfig, call: DeformCall, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        describe_call(engine, call)
    assert str(caught.value) == message


def test_work_is_counted_without_padding() -> None:
    # The operator of the paper's study: 64 x 64, 256 channels, 2 operations a MAC.
    study = DeformCall(
        height=64, width=64, in_channels=256, out_channels=256, pointwise=False, deform=True
    )
    assert 2 * study.macs == 18_874_368  # 0.01887 GOP
    # conv5 of configuration c: 464 -> 1,024 at 16 x 16.
    conv5 = DeformCall(height=16, width=16, in_channels=464, out_channels=1024, depthwise=False)
    assert conv5.macs == pytest.approx(121.6e6, rel=1e-3)
