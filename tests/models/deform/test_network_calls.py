"""models/deform/network_calls.py."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dovetail.arch.deform import preset
from dovetail.arch.deform_call import call_problem
from dovetail.errors import ConfigError
from dovetail.models.conv_ops import ConvOp
from dovetail.models.deform.network_calls import host_convolutions, network_calls
from dovetail.models.networks import network
from dovetail.models.networks.codenet import CODENETS
from dovetail.models.trace import Trace

ENGINE = preset("codenet").engine


@pytest.mark.parametrize("name", CODENETS)
def test_calls_and_host_do_all_the_work_of_a_network_once(name: str) -> None:
    trace = network(name)
    calls = network_calls(trace, ENGINE)
    host = host_convolutions(trace)
    assert [op.name for op in host] == ["stem"]
    assert sum(call.call.macs for call in calls) + host[0].macs == trace.macs
    assert all(call_problem(ENGINE, call.call) is None for call in calls)


def test_configuration_a_takes_the_calls_that_one_counts_by_hand() -> None:
    """Three halving units of four calls, 13 others of two; conv5, three blocks, three heads."""
    calls = network_calls(network("codenet-a"), ENGINE)
    assert len(calls) == 3 * 4 + 13 * 2 + 1 + 3 * 3 + 3 * 2
    names = [call.name for call in calls if call.layer == 1]
    assert names == ["short_dw", "short_pw", "branch_pw1", "branch_pw2"]
    fused = next(call.call for call in calls if call.name == "branch_pw1")
    assert (fused.pointwise, fused.depthwise, fused.stride) == (True, True, 2)


def test_offsets_are_bounded_and_rounded_for_the_engine() -> None:
    trace = network("codenet-a")
    calls = {call.layer: call for call in network_calls(trace, ENGINE) if call.call.deform}
    assert sorted(calls) == [18, 19, 20]
    for layer, call in calls.items():
        s = trace.data[f"{layer}.deform.s"]
        assert call.offsets is not None
        assert call.offsets.max() == 7
        inside = (s >= 0) & (s <= 7)
        assert np.abs(call.offsets[inside] - s[inside]).max() <= 0.5
        assert (call.offsets[s > 7] == 7).all()


def test_what_does_not_fit_is_split_by_output_channels() -> None:
    """2,153 channels of up1: three parts for the 3x3 unit, two for the weights of the 1x1 array."""
    calls = network_calls(network("codenet-d"), ENGINE)
    first = [call for call in calls if call.layer == 18]
    assert [(call.name, call.call.in_channels, call.call.out_channels) for call in first] == [
        ("offset", 2153, 1),
        ("deform.0", 720, 720),
        ("deform.1", 720, 720),
        ("deform.2", 713, 713),
        ("pw.0", 2153, 128),
        ("pw.1", 2153, 128),
    ]
    assert all(call.offsets is first[1].offsets for call in first[1:4])


def one(op: ConvOp) -> Trace:
    return Trace(network="one", phase="prefill", batch=1, seq=1, ops=(op,))


def test_channels_that_are_no_multiple_of_sixteen_are_padded() -> None:
    op = ConvOp(name="pw", layer=0, height=3, width=3, in_channels=17, out_channels=1)
    (call,) = network_calls(one(op), ENGINE)
    assert (call.call.in_groups(16), call.call.out_groups(16), call.call.macs) == (2, 1, 9 * 17)


def test_a_row_that_no_split_makes_fit_is_refused() -> None:
    op = ConvOp(
        name="dw",
        layer=0,
        height=4,
        width=1100,
        in_channels=16,
        out_channels=16,
        kernel=3,
        groups=16,
    )
    with pytest.raises(
        ConfigError,
        match=r"^one: dw of block 0: a row of width=1100 pixels of out_channels=16 exceeds "
        r"line_row_bytes=16384; use a larger buffer$",
    ):
        network_calls(one(op), ENGINE)
    narrow = replace(ENGINE, line_row_bytes=32768)
    assert len(network_calls(one(op), narrow)) == 1


def test_a_pixel_of_too_many_inputs_is_refused() -> None:
    op = ConvOp(name="pw", layer=0, height=4, width=4, in_channels=4095, out_channels=16)
    small = replace(ENGINE, pixel_buffer_bytes=2048)
    with pytest.raises(
        ConfigError, match=re.escape("one: pw of block 0: a pixel of in_channels=4095 exceeds")
    ):
        network_calls(one(op), small)


def test_a_second_engine_runs_what_is_deformable_or_full() -> None:
    trace = network("codenet-c-full-square")
    plain = replace(ENGINE, bound=1)
    design = replace(preset("codenet"), engine=plain, second="full-3-ports")
    calls = network_calls(trace, plain, design.second_engine)
    second = [call for call in calls if call.engine == design.second_engine]
    assert {call.layer for call in second} == {18, 19, 20}
    assert all(call.call.full and call.call.deform for call in second)
    assert all(not call.call.full and not call.call.deform for call in calls if call not in second)
    host = sum(op.macs for op in host_convolutions(trace))
    assert sum(call.call.macs for call in calls) + host == trace.macs
    with pytest.raises(ConfigError, match="full=True does not fit an engine of core=depthwise"):
        network_calls(trace, ENGINE)


def test_free_offsets_need_one_port_and_room_for_18_numbers_a_pixel() -> None:
    trace = network("codenet-c-free")
    with pytest.raises(ConfigError, match=r"would meet in one memory; set window_ports to 1"):
        network_calls(trace, ENGINE)
    one = replace(ENGINE, window_ports=1)
    rule = r"block 19: 18432 offsets exceed offset_buffer_bytes=16384; set it to 18432$"
    with pytest.raises(ConfigError, match=rule):
        network_calls(trace, one)
    calls = network_calls(trace, replace(one, offset_buffer_bytes=18 * 64 * 64))
    assert {call.more_offsets for call in calls if call.call.deform} == {17}
