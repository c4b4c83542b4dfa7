"""Attention, three ways in Verilator: values as the reference, every transfer as the simulator."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.arch.m3vit.attention import AttentionDesign
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_attention import fixed_attention
from dovetail.rtl.m3vit.attention_block import AttentionBlock
from dovetail.rtl.vector_bench import run_vectors
from dovetail.rtl.verilog import verilog
from dovetail.sim.m3vit_attention import block_times

EDGE_MOE = AttentionDesign(parallel=4, lanes=8, heads=3, head_dim=64, max_tokens=129)
SINKS = {"o": "output"}
SOURCES = {"i_q": "query", "i_k": "key", "i_v": "value"}
PORT_NAMES = (*SOURCES.values(), *SINKS.values())
# Between two attentions, so that what comes out late shows.
IDLE_CYCLES = 20

Words = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Work:
    """One attention: its tokens, cycles a transfer of each port, and seed of its operands."""

    tokens: int
    query: int = 1
    key: int = 1
    value: int = 1
    output: int = 1
    extreme: bool = False
    seed: int = 0

    @property
    def intervals(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name in PORT_NAMES}


def operands(design: AttentionDesign, work: Work) -> list[Integers]:
    rng = np.random.default_rng([work.tokens, work.seed])
    size = (design.heads, work.tokens, design.head_dim)
    if work.extreme:
        return [rng.choice(np.array([-(2**31), 2**31 - 1, -1, 0, 1]), size) for _ in range(3)]
    return [rng.normal(0, 2**22, size).astype(np.int64) for _ in range(3)]


def beats(values: Integers, design: AttentionDesign, passes: int) -> Words:
    """The first ``passes`` tokens' beats in words, (beats, words), over and over if need be."""
    tokens = values.transpose(1, 0, 2).reshape(values.shape[1], design.token_beats, design.lanes)
    order = np.arange(passes) % len(tokens)
    flat = tokens[order].reshape(-1, design.lanes).astype(np.uint32)
    if design.lanes % 2:
        flat = np.pad(flat, ((0, 0), (0, 1)))
    return np.ascontiguousarray(flat).view(np.uint64)


def willing(taken: Integers, interval: int, cycles: int) -> tuple[NDArray[np.bool_], Integers]:
    """In which cycles a port is willing, if its transfers are in ``taken``; and which is next."""
    now = np.arange(cycles)
    following = np.searchsorted(taken, now)
    last = np.where(following > 0, taken[np.maximum(following, 1) - 1], -interval)
    return (now - last >= interval) & (following < len(taken)), following


def run(design: AttentionDesign, works: Sequence[Work]) -> list[int]:
    """Run ``works`` one after the other, without a reset between; cycles of each."""
    parts: list[Mapping[str, Any]] = []
    for work in works:
        times = block_times(design, work.tokens, **work.intervals)
        cycles = times.cycles + IDLE_CYCLES
        q, k, v = operands(design, work)
        steps = len(times.key) // design.token_beats
        items = {
            "i_q": beats(q, design, work.tokens),
            "i_k": beats(k, design, steps),
            "i_v": beats(v, design, steps),
        }
        want = fixed_attention(q, k, v, parallel=design.parallel)
        part: dict[str, Any] = {"times": times, "want": beats(want, design, work.tokens)}
        # The cycle of the start comes before the simulator's first.
        inputs = {"start": np.arange(1 + cycles) == 0, "tokens": np.full(1 + cycles, work.tokens)}
        for port, name in SOURCES.items():
            valid, following = willing(getattr(times, name), work.intervals[name], cycles)
            item = items[port][np.minimum(following, len(items[port]) - 1)]
            inputs[f"{port}__valid"] = np.r_[False, valid]
            inputs[f"{port}__payload"] = np.concatenate([np.zeros_like(item[:1]), item])
        for port, name in SINKS.items():
            ready, following = willing(getattr(times, name), work.intervals[name], cycles)
            # What comes after the last result is taken, and then there is one too many.
            inputs[f"{port}__ready"] = np.r_[True, ready | (following == len(part["want"]))]
        parts.append(part | {"inputs": inputs})

    joined = {
        name: np.concatenate([part["inputs"][name] for part in parts]).astype(np.uint64)
        for name in parts[0]["inputs"]
    }
    joined = {
        name: array[:, 0] if array.shape[1:] == (1,) else array for name, array in joined.items()
    }
    beat_bits = 32 * design.lanes
    ran = run_vectors(
        verilog(AttentionBlock(design), name="attention"),
        top="attention",
        inputs=joined,
        outputs={
            **{f"{port}__ready": 1 for port in SOURCES},
            "o__valid": 1,
            "o__payload": beat_bits,
        },
    )
    at = 0
    for work, part in zip(works, parts, strict=True):
        here = slice(at + 1, at + len(part["inputs"]["start"]))
        for port, name in (SOURCES | SINKS).items():
            valid, ready = f"{port}__valid", f"{port}__ready"
            both = (ran.outputs if valid in ran.outputs else joined)[valid][here].astype(bool)
            both &= (ran.outputs if ready in ran.outputs else joined)[ready][here].astype(bool)
            assert np.array_equal(np.flatnonzero(both), getattr(part["times"], name)), (work, port)
        got = ran.outputs["o__payload"][here][part["times"].output]
        assert np.array_equal(got.reshape(part["want"].shape), part["want"]), work
        at = here.stop
    return [part["times"].cycles for part in parts]


@pytest.mark.long
def test_edge_moe_at_its_own_size() -> None:
    whole, one, half_ports = run(
        EDGE_MOE,
        [Work(tokens=129), Work(tokens=1), Work(tokens=129, query=2, key=2, value=2, output=2)],
    )
    # Two products of 102,168 cycles, the second behind the first by a row: 128 tokens of 24 beats,
    # 8 beats of a head, and the pipelines.
    assert whole == 102_168 + 128 * 24 + 8 + 67
    assert one == 24 + 8 + 67
    assert half_ports == pytest.approx(2 * whole, rel=1e-3)


@pytest.mark.long
@pytest.mark.parametrize(
    "design",
    [
        AttentionDesign(parallel=1, lanes=1, heads=1, head_dim=8, max_tokens=20),
        AttentionDesign(parallel=5, lanes=2, heads=2, head_dim=8, max_tokens=33),
        AttentionDesign(parallel=4, lanes=4, heads=12, head_dim=4, max_tokens=20),
        AttentionDesign(parallel=8, lanes=2, heads=3, head_dim=6, max_tokens=20),
    ],
)
def test_random_attentions(design: AttentionDesign) -> None:
    rng = np.random.default_rng(design.parallel)
    sizes = [
        1,
        2,
        design.max_tokens,
        *rng.integers(1, design.max_tokens, 47, endpoint=True).tolist(),
    ]
    works = [
        Work(
            tokens=tokens,
            **{name: int(rng.choice([1, 1, 1, 2, 3, 12])) for name in PORT_NAMES},
            extreme=bool(seed % 3 == 1),
            seed=seed,
        )
        for seed, tokens in enumerate(sizes)
    ]
    assert len(run(design, works)) == 50
