"""What each step of an M3ViT encoder takes: cycles of its unit, of its ports and of the bus.

A step reads and writes feature maps in DRAM while it computes, one beat after the other, so it
takes as long as the slowest of unit, ports and bus.  Steps and buffers are Edge-MoE's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dovetail.arch.m3vit.formats import FEATURE, PIXEL, WEIGHT
from dovetail.arch.m3vit.schedule import EDGE_MOE_PORTS, Buffer, ScheduleDesign
from dovetail.errors import ConfigError
from dovetail.models.m3vit.config import CHANNELS, PATCH, M3vitConfig

Part = Literal["attention", "attention_linear", "dense", "moe", "other"]

GATE_EXPERTS = 16
"""Experts whose logits the gate makes at once; it takes one beat of a token a cycle."""
SOFTMAX_INTERVAL = 3
"""Cycles between two experts in the gate's softmax [HLS: II=3]."""
_WHOLE_BYTES = FEATURE.bits // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One pass over the tokens.

    Attributes
    ----------
    name : str
    part : str
        Of the encoder, as a breakdown names it.
    macs : int
        Useful multiply-accumulates.
    compute_cycles : int
        Of its unit alone.
    stream_cycles : int
        With ports and bus: how long it takes once its weights are there.
    bound : str
        Which of ``unit``, ``port`` and ``bus`` that is.
    feature_bytes : int
        Read and written in DRAM, in whole beats.
    load_cycles, weight_bytes : int
        Loading its weights before it, in whole beats; 0 for none.
    wait_cycles : int
        Waiting for weights within it: experts that a cache misses.
    """

    name: str
    part: Part
    macs: int
    compute_cycles: int
    stream_cycles: int
    bound: str
    feature_bytes: int
    load_cycles: int = 0
    weight_bytes: int = 0
    wait_cycles: int = 0


@dataclass(frozen=True, slots=True)
class StepMaker:
    """Makes the steps of one network on one design."""

    design: ScheduleDesign
    config: M3vitConfig

    def patch_embedding(self) -> Step:
        """16 pixels of a row, for as many patches as a beat holds, against one beat of outputs."""
        config, data = self.config, self.config.dataset
        across = data.width // PATCH
        together = max(1, self.design.master_bits // (PIXEL.bits * PATCH))
        rows = data.height // PATCH
        cycles = rows * CHANNELS * PATCH * -(-across // together) * self._beats(config.hidden)
        image = data.patches * CHANNELS * PATCH * PATCH * PIXEL.bits // self.design.master_bits
        tokens = config.tokens * self._beats(config.hidden)
        return self._step(
            "patch_embedding",
            "other",
            macs=data.patches * CHANNELS * PATCH * PATCH * config.hidden,
            compute=cycles,
            reads={"image": image, "weights": tokens},
            writes={"x": tokens},
        )

    def parameters(self, name: str, values: int) -> Step:
        """Load ``values`` parameters that have a place of their own; nothing runs meanwhile."""
        beats = self._weight_beats(1, values)
        return self._step(name, "other", compute=0, reads={"weights": beats}, writes={})

    def pointwise(self, name: str, reads: tuple[Buffer, ...], write: Buffer) -> Step:
        """One beat of a token a cycle: layer norm, whose two passes overlap, addition, clearing."""
        beats = self.config.tokens * self._beats(self.config.hidden)
        counts: dict[Buffer, int] = {buffer: beats for buffer in reads}
        return self._step(name, "other", compute=beats, reads=counts, writes={write: beats})

    def linear(
        self,
        name: str,
        part: Part,
        *,
        rows: int,
        inputs: int,
        outputs: int,
        read: Buffer,
        write: Buffer,
        accumulate: bool = False,
        loads: bool = True,
    ) -> Step:
        """One matrix over ``rows`` tokens; its weights and biases are loaded where ``loads``."""
        design = self.design
        wide = design.linear_outputs // design.linear_units
        tiles = -(-inputs // design.linear_inputs) * -(-outputs // wide)
        out = rows * self._beats(outputs)
        reads: dict[Buffer, int] = {read: rows * self._beats(inputs)}
        if accumulate:
            reads[write] = reads.get(write, 0) + out
        matrix = outputs * inputs * WEIGHT.bits // 8
        if loads and matrix > design.weight_buffer_bytes:
            raise ConfigError(
                f"{name}: its matrix of {matrix} bytes must fit one half of the weight buffer, "
                f"weight_buffer_bytes={design.weight_buffer_bytes}; enlarge the buffer or make the "
                f"layer smaller"
            )
        return self._step(
            name,
            part,
            macs=rows * inputs * outputs,
            compute=rows * tiles,
            reads=reads,
            writes={write: out},
            weights=self.matrix_beats(inputs, outputs) if loads else 0,
        )

    def matrix_beats(self, inputs: int, outputs: int) -> int:
        """Beats of a matrix, each row from a new one, and of its biases."""
        return self._weight_beats(outputs, inputs) + self._weight_beats(1, outputs)

    def load_cycles(self, beats: int, part: Part) -> int:
        """Cycles of loading weights: their port's, or their share of the bus where that is less."""
        moved = beats * self.design.master_bits / 8
        rate = self._loads_rate(part) or self.design.bus_bytes_per_cycle
        return max(beats * self.design.beat_cycles, math.ceil(moved / rate))

    def attention_scores(self) -> Step:
        """Queries against keys; maximum and sum of each row on the way."""
        return self._attention("attention_scores", "tmp3", values=False)

    def attention_values(self) -> Step:
        """Probabilities, made again from the scores, against values."""
        return self._attention("attention_values", "tmp2", values=True)

    def separate_softmax(self) -> Step:
        """Scores read once in each pass and written once."""
        beats = self._score_beats()
        passes = self.design.softmax_passes
        reads: dict[Buffer, int] = {"scores": passes * beats}
        return self._step(
            "softmax", "attention", compute=passes * beats, reads=reads, writes={"scores": beats}
        )

    def gate(self) -> Step:
        """Logits of every token, then softmax and top-k, which overlap."""
        config = self.config
        beats = self._beats(config.gate_inputs)
        each = beats * -(-config.experts // GATE_EXPERTS) + SOFTMAX_INTERVAL * config.experts
        return self._step(
            "gate",
            "moe",
            macs=config.tokens * config.gate_inputs * config.experts,
            compute=config.tokens * each,
            reads={"tmp1": config.tokens * self._beats(config.hidden)},
            writes={},
        )

    def _attention(self, name: str, streamed: Buffer, *, values: bool) -> Step:
        config, design = self.config, self.design
        tokens, token = config.tokens, self._beats(config.hidden)
        passed = attention_steps(tokens, design.attention_parallel)
        keys = passed if design.attention_reordered else tokens * tokens
        if not design.attention_reordered:
            passed = -(-tokens * tokens // design.attention_parallel)
        info = tokens * self._beats(2 * config.heads)
        reads: dict[Buffer, int] = {streamed: keys * token}
        writes: dict[Buffer, int] = {}
        if values:
            reads["scores"], reads["softmax"] = self._score_beats(), info
            writes["tmp1"] = tokens * token
        else:
            reads["tmp2"] = reads.get("tmp2", 0) + tokens * token
            writes["scores"], writes["softmax"] = self._score_beats(), info
        return self._step(
            name,
            "attention",
            macs=tokens * tokens * config.hidden,
            compute=passed * token,
            reads=reads,
            writes=writes,
        )

    def _score_beats(self) -> int:
        """Of all heads' scores; those of a query and key fill a power of two of features."""
        heads = 1 << (self.config.heads - 1).bit_length()
        steps = attention_steps(self.config.tokens, self.design.attention_parallel)
        return -(-steps * self.design.attention_parallel * heads // self.design.lanes)

    def _beats(self, features: int) -> int:
        return -(-features // self.design.lanes)

    def _weight_beats(self, rows: int, values: int) -> int:
        return rows * -(-values * WEIGHT.bits // self.design.master_bits)

    def _loads_rate(self, part: Part) -> float:
        """Bytes a cycle that the bus keeps for loads beside a step of ``part``; 0 for none.

        It is what their port carries, but no more than half of the bus.
        """
        design = self.design
        beside = {"none": False, "experts": part == "moe", "all": True}[design.prefetch]
        return min(design.port_bits / 8, design.bus_bytes_per_cycle / 2) if beside else 0.0

    def _step(
        self,
        name: str,
        part: Part,
        *,
        compute: int,
        reads: Mapping[Buffer, int],
        writes: Mapping[Buffer, int],
        macs: int = 0,
        weights: int = 0,
    ) -> Step:
        """Find what bounds a step; reads and writes are in beats, on channels of their own."""
        design = self.design
        busiest = 0
        for beats_of in (reads, writes):
            ports = dict.fromkeys(EDGE_MOE_PORTS.values(), 0)
            for buffer, beats in beats_of.items():
                ports[EDGE_MOE_PORTS[buffer]] += beats
            busiest = max(busiest, *ports.values())
        moved = (sum(reads.values()) + sum(writes.values())) * design.master_bits // 8
        own_weights = reads.get("weights", 0) * design.master_bits // 8
        left = design.bus_bytes_per_cycle - self._loads_rate(part)
        times = {
            "unit": compute,
            "port": busiest * design.beat_cycles,
            "bus": math.ceil(moved / left),
        }
        bound = max(times, key=lambda name: times[name])
        return Step(
            name=name,
            part=part,
            macs=macs,
            compute_cycles=compute,
            stream_cycles=times[bound],
            bound=bound,
            feature_bytes=moved - own_weights,
            load_cycles=self.load_cycles(weights, part),
            weight_bytes=weights * design.master_bits // 8 + own_weights,
        )


def attention_steps(tokens: int, parallel: int) -> int:
    """Keys that pass by p queries in all: one product of reordered attention.

    ``tokens + p - 1`` positions of queries go in batches of p, each meeting every key; the last
    batch, where it is not whole, ends as soon as the queries that are still in it have met theirs.

    Parameters
    ----------
    tokens, parallel : int
        At least one of each; slots beyond the number of tokens stay empty.
    """
    parallel = min(parallel, tokens)
    batches, rest = divmod(tokens + parallel - 1, parallel)
    return batches * tokens + rest
