"""Random attention engines and runs, three ways: norm, layers, both products and the sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

import numpy as np

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.events import ATTENTION_EVENTS
from dovetail.arch.m3vit.attention_engine import (
    LAYERS,
    AttentionCall,
    AttentionEngineConfig,
    describe_attention,
)
from dovetail.arch.m3vit.formats import ATTENTION_BIAS, FEATURE, WEIGHT
from dovetail.lockstep.run import LateWrite, WrongValues
from dovetail.lockstep.verify import CasePlan
from dovetail.models.m3vit.attention_image import WRITTEN_MAPS, pack_attention, written_maps
from dovetail.models.m3vit.attention_layer import AttentionWeights, attention_maps
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_linear import FixedLinear
from dovetail.models.m3vit.fixed_norm import FixedNorm
from dovetail.rtl.m3vit.attention_engine import READ_PORTS, attention_call, attention_verilog
from dovetail.rtl.verilator import Build, Case, CaseResult, EngineRtl, build_engine
from dovetail.sim.m3vit_attention_engine import AttentionResult, simulate_attention

__all__ = [
    "ATTENTION_PLAN",
    "AttentionCase",
    "random_attention",
    "random_attention_engine",
    "random_operands",
]

# A run that takes this many times the simulator's cycles is hung.
_PATIENCE = 4
# Chances of a gap, and of back-pressure, in 1/256.
_GAPS_256 = (32, 96, 160)
_SEEDS_PER_BUILD = 8


@lru_cache(maxsize=8)
def _engine_rtl(config: AttentionEngineConfig) -> EngineRtl:
    return EngineRtl(
        verilog=attention_verilog(config),
        descriptor=attention_call(config.max_tokens),
        port_bits=config.port_bits,
        events=ATTENTION_EVENTS,
        read_ports=READ_PORTS,
    )


def _with_latency(config: AttentionEngineConfig, cycles: int) -> AttentionEngineConfig:
    return replace(config, engine=replace(config.engine, dram_latency_cycles=cycles))


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionCase:
    """One run with its operands; see :class:`dovetail.lockstep.run.LockstepRun`.

    Attributes
    ----------
    config : AttentionEngineConfig
        With the DRAM latency of this case.
    x : int64, shape (tokens, width)
    weights : AttentionWeights
    gap_seed : int
    repeat : str
    """

    config: AttentionEngineConfig
    x: Integers
    weights: AttentionWeights
    gap_seed: int
    repeat: str

    @property
    def tokens(self) -> int:
        return len(self.x)

    @property
    def call(self) -> AttentionCall:
        return describe_attention(self.config, self.tokens)

    @property
    def outputs(self) -> int:
        """Values written: those of all maps."""
        return len(WRITTEN_MAPS) * self.x.size

    def build(self, *, traced: bool = False) -> Build:
        # The DRAM latency is the memory's, not the hardware's.
        return build_engine(_engine_rtl(_with_latency(self.config, 1)), traced=traced)

    def simulate(self) -> AttentionResult:
        return simulate_attention(self.config, self.tokens)

    def reference(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        """What must stand in memory in the end: int32, shape (maps, tokens, width)."""
        maps = attention_maps(
            self.x, self.weights, heads=self.config.heads, parallel=self.config.parallel
        )
        return written_maps(maps)

    def rtl(self, *, cycles: int, gaps: bool = False) -> Case:
        call = self.call
        gap_256 = int(np.random.default_rng(self.gap_seed).choice(_GAPS_256)) if gaps else 0
        # Gaps stretch a run by at most the chance of a gap, on each of four ports' two streams.
        patience = _PATIENCE * (1 + 8 * gap_256 // (256 - gap_256))
        return Case(
            descriptor=asdict(call),
            memory=pack_attention(self.config, call, self.x, self.weights).tobytes(),
            output_address=call.x_address,
            output_beats=len(WRITTEN_MAPS) * self.tokens * self.config.token_beats,
            latency_cycles=self.config.engine.dram_latency_cycles,
            max_cycles=patience * cycles + 1000,
            gap_256=gap_256,
            gap_seed=self.gap_seed if gaps else 0,
        )

    def describe(self) -> str:
        config, engine = self.config, self.config.engine
        return (
            f"{self.tokens} tokens, {config.heads} heads x {config.head_dim}, p={config.parallel}, "
            f"linear unit {engine.lut_k} x {engine.cols}, tiles of {config.tile_tokens} tokens, "
            f"port {engine.port_bits} bit, DRAM latency {engine.dram_latency_cycles}"
        )

    def wrong_values(self, rtl: CaseResult) -> WrongValues | None:
        want = self.reference()
        got = np.frombuffer(rtl.output, dtype="<i4").reshape(want.shape)
        wrong = np.argwhere(got != want)
        if not len(wrong):
            return None
        lanes = self.config.lanes
        written = np.repeat(np.array(rtl.written_at), lanes).reshape(want.shape)
        first = min(wrong.tolist(), key=lambda place: int(written[tuple(place)]))
        number, token, feature = first
        lane = FEATURE.bits * (feature % lanes)
        return WrongValues(
            cycle=int(written[number, token, feature]),
            signal=f"write.payload.data[{lane}:{lane + FEATURE.bits}] "
            f"({WRITTEN_MAPS[number]}, token={token}, feature={feature})",
            rtl=int(got[number, token, feature]),
            expected=int(want[number, token, feature]),
            count=len(wrong),
        )

    def late_write(self, rtl: CaseResult) -> LateWrite | None:
        simulated = self.simulate()
        written = np.array(rtl.written_at).reshape(len(WRITTEN_MAPS), -1)
        of_map = dict(zip(WRITTEN_MAPS, written, strict=True))
        # Every beat of the norm and of the products, and the last one of each layer.
        products = simulated.products_start + 1 + simulated.products.output
        expected: list[tuple[str, Integers, Integers]] = [
            ("normed", of_map["normed"], simulated.norm.write)
        ]
        for layer in LAYERS[:-1]:
            expected.append((layer, *_last(of_map[layer], simulated.layers[layer].landed)))
        expected.append(("context", of_map["context"], products))
        expected.append(("x", *_last(of_map["x"], simulated.layers["output"].landed)))
        for name, seen, right in expected:
            late = np.flatnonzero(seen != right)
            if len(late):
                beat = int(late[0])
                what = f"{name}, beat {beat}" if len(seen) > 1 else f"last beat of {name}"
                return LateWrite(what=what, rtl=int(seen[beat]), expected=int(right[beat]))
        return None


def _last(written: Integers, landed: int) -> tuple[Integers, Integers]:
    """The last of a map's beats, and when it should be."""
    return written.max(keepdims=True), np.array([landed])


def build_index(seed: int) -> int:
    """Which engine a seed runs on."""
    return seed // _SEEDS_PER_BUILD


# Columns and k of a step of the linear unit, port, heads and their width.
_SIZES = (
    (4, 4, 128, 3, 12),
    (2, 2, 32, 1, 8),
    (8, 8, 64, 2, 16),
    (4, 2, 32, 3, 4),
    (2, 4, 64, 2, 8),
    (16, 16, 256, 2, 32),
    (4, 8, 64, 4, 4),
    (8, 4, 256, 8, 8),
    (16, 16, 512, 1, 128),
)
# No common factor with the sizes, so that every pair comes.
_PARALLEL = (3, 1, 4, 2, 5, 8, 6)


def random_attention_engine(index: int) -> AttentionEngineConfig:
    """Engine number ``index``: small sizes and buffers that hold no more than they must."""
    rng = np.random.default_rng([index, 5])
    cols, lut_k, port_bits, heads, head_dim = _SIZES[index % len(_SIZES)]
    parallel = _PARALLEL[index % len(_PARALLEL)]
    max_tokens = int(rng.integers(2 * parallel + 2, 4 * parallel + 9))
    tile_tokens = int(rng.integers(1, min(7, max_tokens), endpoint=True))
    width = heads * head_dim
    blocks = width // cols
    max_group = lut_k << int(rng.integers(0, 4))
    groups = -(-width // max_group)
    return AttentionEngineConfig(
        engine=ChainedEngineConfig(
            cols=cols,
            lut_k=lut_k,
            max_group=max_group,
            port_bits=port_bits,
            activation_buffer_bytes=2 * tile_tokens * width * 4,
            weight_buffer_bytes=2
            * blocks
            * -(-width // lut_k)
            * max(port_bits // 8, cols * lut_k * 2),
            scale_buffer_bytes=2 * blocks * groups * max(port_bits // 8, cols * 2),
            accumulator_buffer_bytes=2 * tile_tokens * width * 6,
            dram_latency_cycles=1,
        ),
        heads=heads,
        head_dim=head_dim,
        parallel=parallel,
        max_tokens=max_tokens,
        tile_tokens=tile_tokens,
        sum_queue=int(rng.choice([4, 20, 80])),
    )


def random_operands(
    rng: np.random.Generator, width: int, tokens: int, *, extreme: bool
) -> tuple[Integers, AttentionWeights]:
    """A map and weights: as a network has them, or the ends of their formats."""

    def draw(bits: int, size: tuple[int, ...], deviation: float) -> Integers:
        ends = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if extreme:
            return rng.choice(np.array([*ends, -1, 0, 1]), size)
        return np.clip(rng.normal(0, deviation, size), *ends).astype(np.int64)

    def layer() -> FixedLinear:
        # Weights of a variance of one over the inputs keep features at their size.
        weight = draw(WEIGHT.bits, (width, width), 2.0**WEIGHT.fraction_bits / width**0.5)
        bias = draw(ATTENTION_BIAS.bits, (width,), 2.0**ATTENTION_BIAS.fraction_bits)
        return FixedLinear(weight, bias, WEIGHT, ATTENTION_BIAS)

    x = draw(FEATURE.bits, (tokens, width), 2.0**FEATURE.fraction_bits)
    norm = FixedNorm(*draw(16, (2, width), 2.0**11))
    return x, AttentionWeights(norm, layer(), layer(), layer(), layer())


def random_attention(config: AttentionEngineConfig, seed: int, *, repeat: str) -> AttentionCase:
    """A run on ``config``; tokens are mostly the awkward numbers."""
    rng = np.random.default_rng([seed, 6])
    latencies = [cycles for cycles in (1, 2, 3, 17, 64) if cycles < config.sum_queue]
    config = _with_latency(config, int(rng.choice(latencies)))
    p, most = config.parallel, config.max_tokens
    awkward = [1, 2, p - 1, p, p + 1, 2 * p, 2 * p + 1, most - 1, most]
    tokens = int(min(most, max(1, rng.choice(awkward))))
    if rng.random() < 0.3:
        tokens = int(rng.integers(1, most, endpoint=True))
    x, weights = random_operands(rng, config.width, tokens, extreme=bool(rng.random() < 0.3))
    return AttentionCase(config=config, x=x, weights=weights, gap_seed=seed, repeat=repeat)


def _summary(configurations: Sequence[AttentionEngineConfig]) -> list[str]:
    def counted(name: str, values: list[str]) -> str:
        found = Counter(values)
        return f"{name}: " + ", ".join(f"{value} ({count})" for value, count in found.items())

    return [
        counted("attention, heads", [f"{c.heads} x {c.head_dim}" for c in configurations]),
        counted("attention, queries held", [str(c.parallel) for c in configurations]),
        counted("attention, port bits", [str(c.port_bits) for c in configurations]),
    ]


ATTENTION_PLAN = CasePlan(
    work="attention",
    build_index=build_index,
    engine=random_attention_engine,
    case=random_attention,
    summary=_summary,
    takes=AttentionEngineConfig,
)
