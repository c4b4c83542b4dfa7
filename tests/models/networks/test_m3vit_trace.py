"""models/networks/m3vit_trace.py and m3vit_operators.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import TraceError
from dovetail.models.m3vit.config import CONFIGS, SMALL, TINY
from dovetail.models.m3vit.routing import drawn_routing
from dovetail.models.networks import network
from dovetail.models.networks.m3vit_operators import operators
from dovetail.models.networks.m3vit_trace import (
    M3VIT,
    drawn_trace,
    m3vit_trace,
    real_trace,
    routing_of,
)
from dovetail.models.trace import Trace


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("seq", [129, 1025, 1201])
def test_macs_are_exact_for_any_routing(name: str, seq: int) -> None:
    for kind in ("balanced", "same"):
        trace = network(f"{name}-{kind}", seq=seq)
        n, c = seq, CONFIGS[name].hidden
        config = CONFIGS[name]
        attention = 4 * n * c * c + 2 * n * n * c
        dense = 2 * n * c * 4 * c
        moe = config.top_k * 2 * n * c * config.expert_hidden + n * c * 16
        assert trace.macs == (n - 1) * 768 * c + 12 * attention + 6 * (dense + moe)


def test_a_real_trace_routes_the_photograph() -> None:
    trace = real_trace(TINY)
    routing = routing_of(trace)
    assert trace.macs == TINY.macs and tuple(routing) == TINY.moe_layers
    assert routing[1].experts.shape == (129, 2)
    # A gate that looks at the image does not send all of it to the same experts.
    assert all(len(one.metaqueue) > 2 for one in routing.values())
    other = routing_of(real_trace(TINY, task="depth"))
    assert (other[1].experts != routing[1].experts).any()


def test_blocks_are_drawn_apart() -> None:
    routing = routing_of(drawn_trace(TINY, skew=1.0))
    drawn = {one.experts.tobytes() for one in routing.values()}
    assert len(drawn) == 6


def test_experts_have_as_many_rows_as_their_queues() -> None:
    trace = drawn_trace(TINY, skew=2.0)
    for layer, routing in routing_of(trace).items():
        rows = {
            op.name: op.m for op in trace.gemms if op.layer == layer and op.name[:6] == "expert"
        }
        want = {
            f"{fc}_{e}": int(length)
            for e, length in enumerate(routing.lengths)
            if length
            for fc in ("expert_fc1", "expert_fc2")
        }
        assert rows == want


def test_routing_survives_a_file(tmp_path: Path) -> None:
    trace = drawn_trace(TINY, skew=1.0)
    trace.save(tmp_path / "t.npz")
    back = routing_of(Trace.load(tmp_path / "t.npz"))
    for layer, routing in routing_of(trace).items():
        np.testing.assert_array_equal(back[layer].experts, routing.experts)
        np.testing.assert_array_equal(back[layer].scores, routing.scores)
        assert back[layer].count == 16


def test_a_dense_network_has_no_routing() -> None:
    trace = m3vit_trace(SMALL.dense(), {})
    assert trace.macs == SMALL.dense().macs and routing_of(trace) == {}


def test_names() -> None:
    assert len(M3VIT) == 12 and "m3vit-small" in M3VIT and "m3vit-tiny-skewed" in M3VIT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seq": 7}, r"^m3vit-tiny: seq=7 must be 1025 \(pascal-context\), 1201 \(nyud\), 129 "),
        ({"batch": 2}, r"^m3vit-tiny-balanced: batch=2 must be 1, since the encoder runs one"),
        ({"phase": "decode"}, r"^m3vit-tiny-balanced: phase='decode' must be 'prefill', since"),
    ],
)
def test_refuses(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        network("m3vit-tiny-balanced", **arguments)  # type: ignore[arg-type]


def test_refuses_the_routing_of_another_network() -> None:
    def routed(**changes: int) -> dict[int, object]:
        shape = {"tokens": 129, "experts": 16, "top_k": 2, **changes}
        one = drawn_routing(shape.pop("tokens"), **shape)  # type: ignore[arg-type]
        return dict.fromkeys(TINY.moe_layers, one)

    for changes, message in (
        (
            {"experts": 8},
            r"^m3vit-tiny: the routing of block 1 has experts=8, the network 16; mak",
        ),
        ({"top_k": 3}, r"^m3vit-tiny: the routing of block 1 has k=3, the network 2; make the"),
        ({"tokens": 5}, r"^m3vit-tiny: the routing of block 1 has tokens=5, the network 129; make"),
    ):
        with pytest.raises(TraceError, match=message):
            operators(TINY, routed(**changes))  # type: ignore[arg-type]
    with pytest.raises(
        TraceError, match=r"^m3vit-tiny: routing is of blocks \[\]; it must be of \[1, 3, 5, 7,"
    ):
        operators(TINY, {})


def test_refuses_a_trace_without_scores() -> None:
    trace = drawn_trace(TINY, skew=0.0)
    data = {name: array for name, array in trace.data.items() if name != "3.scores"}
    with pytest.raises(
        TraceError, match=r"^m3vit-tiny: the trace has no data '3\.scores', the scores of its exp"
    ):
        routing_of(replace(trace, data=data))
