"""Operands and answers of M3ViT's arithmetic units, which take a value in every cycle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.m3vit.formats import BIAS, FEATURE, RECIPROCAL, RSTD, SOFTMAX_SUM
from dovetail.arch.m3vit.tables import EPSILON
from dovetail.lockstep.vectors import Expected, Vectors
from dovetail.models.m3vit.delta_gelu import delta_gelu
from dovetail.models.m3vit.exponential import exp_negative
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_norm import FixedNorm, inverse_root, normalise, token_statistics
from dovetail.models.m3vit.softmax import probability, softmax_step
from dovetail.rtl.m3vit.exponential import DISTANCE_BITS, ExpNegative
from dovetail.rtl.m3vit.gelu import DeltaGelu
from dovetail.rtl.m3vit.inverse_root import VARIANCE_BITS, InverseRoot
from dovetail.rtl.m3vit.layer_norm import NormaliseFeature, TokenStatistics
from dovetail.rtl.m3vit.reciprocal import Reciprocal
from dovetail.rtl.m3vit.softmax import Probability, SoftmaxStep
from dovetail.stimuli.ports import Raw, raw

Lanes = NDArray[np.uint32]

_CYCLES = 4_000
_ONE = 1 << FEATURE.fraction_bits
_FRACTION = FEATURE.fraction_bits + 1  # bits of a number from 0 to 1


def features(rng: np.random.Generator, shape: Any) -> Integers:
    """fixed<32,10> as they come, from the whole range, and its ends; one in eight an end."""
    ends = np.array([FEATURE.least, -FEATURE.least - 1, -1, 0, 1, _ONE, -_ONE], np.int64)
    usual = rng.normal(0, 3 * _ONE, shape).astype(np.int64)
    any_of = rng.integers(FEATURE.least, -FEATURE.least, shape)
    choice = rng.random(shape)
    wide: Integers = np.where(choice < 0.875, any_of, rng.choice(ends, shape))
    return np.where(choice < 0.5, usual, wide)


def _powers(rng: np.random.Generator, count: int, least: int, bits: int) -> Integers:
    """Numbers of ``bits`` bits: of every length, powers of two and their neighbours."""
    smooth = (2 ** rng.uniform(np.log2(max(1, least)), bits, count)).astype(np.int64)
    edge = (np.int64(1) << rng.integers(0, bits, count)) + rng.integers(-1, 2, count)
    picked = np.where(rng.random(count) < 0.7, smooth, edge)
    return np.clip(picked, least, (1 << bits) - 1)


def _pipeline(
    latency: int,
    inputs: Mapping[str, tuple[Integers, int]],
    outputs: Mapping[str, tuple[Integers, int]],
) -> Vectors:
    """A new set of operands in each cycle, whose answer stands ``latency`` cycles later."""
    counts = np.arange(_CYCLES) >= latency
    return (
        {port: raw(values, bits) for port, (values, bits) in inputs.items()},
        {
            port: Expected(values=raw(np.roll(values, latency), bits), counts=counts)
            for port, (values, bits) in outputs.items()
        },
    )


def gelu(rng: np.random.Generator) -> Vectors:
    x = features(rng, _CYCLES)
    lines = rng.integers(-178, 178, _CYCLES) << (FEATURE.fraction_bits - 5)  # of the table
    x = np.where(rng.random(_CYCLES) < 0.3, lines + rng.integers(-1, 2, _CYCLES), x)
    return _pipeline(
        DeltaGelu.latency_cycles, {"i": (x, FEATURE.bits)}, {"o": (delta_gelu(x), FEATURE.bits)}
    )


def exponential(rng: np.random.Generator) -> Vectors:
    t = _powers(rng, _CYCLES, 0, DISTANCE_BITS)
    t = np.where(rng.random(_CYCLES) < 0.5, rng.integers(0, 20 * _ONE, _CYCLES), t)
    return _pipeline(
        ExpNegative.latency_cycles, {"t": (t, DISTANCE_BITS)}, {"o": (exp_negative(t), _FRACTION)}
    )


def root(rng: np.random.Generator) -> Vectors:
    variance = np.minimum(_powers(rng, _CYCLES, EPSILON, VARIANCE_BITS), 1 << (VARIANCE_BITS - 1))
    return _pipeline(
        InverseRoot.latency_cycles,
        {"i": (variance, VARIANCE_BITS)},
        {"o": (inverse_root(variance), RSTD.bits)},
    )


def step(rng: np.random.Generator) -> Vectors:
    x, bias = features(rng, _CYCLES), features(rng, _CYCLES)
    bias = np.where(rng.random(_CYCLES) < 0.2, x, bias)
    # One more exponential must still fit.
    total = np.minimum(
        _powers(rng, _CYCLES, _ONE, SOFTMAX_SUM.bits), (1 << SOFTMAX_SUM.bits) - 1 - _ONE
    )
    first = rng.random(_CYCLES) < 0.2
    next_bias, next_total = softmax_step(bias, total, x)
    return _pipeline(
        SoftmaxStep.latency_cycles,
        {
            "first": (first.astype(np.int64), 1),
            "x": (x, FEATURE.bits),
            "bias": (bias, FEATURE.bits),
            "sum": (total, SOFTMAX_SUM.bits),
        },
        {
            "o_bias": (np.where(first, x, next_bias), FEATURE.bits),
            "o_sum": (np.where(first, _ONE, next_total), SOFTMAX_SUM.bits),
        },
    )


def probabilities(rng: np.random.Generator) -> Vectors:
    one, other = features(rng, _CYCLES), features(rng, _CYCLES)
    near = one - rng.integers(0, 16 * _ONE, _CYCLES)
    other = np.where((rng.random(_CYCLES) < 0.6) & (near >= FEATURE.least), near, other)
    x, bias = np.minimum(one, other), np.maximum(one, other)
    reciprocal = np.minimum(
        _powers(rng, _CYCLES, 1, RECIPROCAL.bits), 1 << RECIPROCAL.fraction_bits
    )
    return _pipeline(
        Probability.latency_cycles,
        {
            "x": (x, FEATURE.bits),
            "bias": (bias, FEATURE.bits),
            "reciprocal": (reciprocal, RECIPROCAL.bits),
        },
        {"o": (probability(x, bias, reciprocal), _FRACTION)},
    )


def normalised(rng: np.random.Generator) -> Vectors:
    x, mean = features(rng, _CYCLES), features(rng, _CYCLES)
    rstd = _powers(rng, _CYCLES, 1, RSTD.bits)
    half = 1 << (BIAS.bits - 1)
    gamma, beta = (
        np.where(
            rng.random(_CYCLES) < 0.2,
            rng.choice(np.array([-half, half - 1, 0]), _CYCLES),
            rng.integers(-half, half, _CYCLES),
        )
        for _ in range(2)
    )
    return _pipeline(
        NormaliseFeature.latency_cycles,
        {
            "i": (x, FEATURE.bits),
            "mean": (mean, FEATURE.bits),
            "rstd": (rstd, RSTD.bits),
            "gamma": (gamma, BIAS.bits),
            "beta": (beta, BIAS.bits),
        },
        {"o": (normalise(x, mean, rstd, FixedNorm(gamma, beta)), FEATURE.bits)},
    )


def reciprocals(rng: np.random.Generator) -> Vectors:
    """Divisions with pauses between, during which the quotient must stay."""
    latency = Reciprocal.latency_cycles
    count = _CYCLES // (2 * latency)
    pauses = latency + np.where(rng.random(count) < 0.5, 0, rng.integers(0, latency, count))
    starts = np.cumsum(pauses) - pauses[0]
    cycles = int(starts[-1]) + 2 * latency
    sums = _powers(rng, count, _ONE, SOFTMAX_SUM.bits)
    start = np.zeros(cycles, bool)
    start[starts] = True
    divisor = rng.integers(0, 1 << SOFTMAX_SUM.bits, cycles)  # without ``start`` it means nothing
    divisor[starts] = sums
    done = np.zeros(cycles, bool)
    done[starts + latency] = True
    # From ``done`` to the next start, and in its cycle too.
    holds, quotient = np.zeros(cycles, bool), np.zeros(cycles, np.int64)
    for begin, end, total in zip(
        starts + latency, [*(starts[1:] + 1), cycles], sums.tolist(), strict=True
    ):
        holds[begin:end] = True
        quotient[begin:end] = (1 << (SOFTMAX_SUM.fraction_bits + RECIPROCAL.fraction_bits)) // total
    return (
        {"start": raw(start, 1), "i": raw(divisor, SOFTMAX_SUM.bits)},
        {
            "done": Expected(values=raw(done, 1), counts=np.ones(cycles, bool), kind="cycles"),
            "o": Expected(values=raw(quotient, RECIPROCAL.bits), counts=holds),
        },
    )


def statistics(rng: np.random.Generator, *, width: int, lanes: int) -> Vectors:
    """Whole tokens with gaps between and within: usual, small, constant and far apart."""
    beats = -(-width // lanes)
    count = max(3, _CYCLES // (2 * beats))
    scale = rng.choice(np.array([300.0, 2.0**22, 2.0**28]), (count, 1))
    x = (rng.normal(0, 1, (count, width)) * scale).astype(np.int64)
    far = np.where(np.arange(width) % 2, -FEATURE.least - 1, FEATURE.least)
    kind = rng.random((count, 1))
    x = np.where(kind < 0.2, far, np.where(kind < 0.4, features(rng, (count, 1)), x))
    x = np.clip(x, FEATURE.least, -FEATURE.least - 1)
    mean, rstd = (found[:, 0] for found in token_statistics(x))

    filled = np.zeros((count, beats * lanes), np.int64)
    filled[:, :width] = x
    valid = np.repeat(True, count * beats)
    valid = np.insert(valid, rng.integers(0, len(valid), count * beats // 4), False)
    latency = TokenStatistics.latency_cycles
    valid = np.append(valid, np.zeros(latency + 1, bool))
    cycles = len(valid)
    place = np.minimum(np.cumsum(valid) - valid, count * beats - 1)  # of the next beat
    data = features(rng, (cycles, lanes))
    data[valid] = filled.reshape(-1, lanes)
    last = place % beats == beats - 1
    ends = valid & last
    done = np.roll(ends, latency)
    token = np.roll(place // beats, latency)
    words = raw(data, FEATURE.bits).astype(np.uint32)
    return (
        {
            "valid": raw(valid, 1),
            "first": raw(place % beats == 0, 1),
            "last": raw(last, 1),
            "i": packed_words(words),
        },
        {
            "done": Expected(
                values=raw(done, 1), counts=np.arange(cycles) >= latency, kind="cycles"
            ),
            "mean": Expected(values=raw(mean[token], FEATURE.bits), counts=done),
            "rstd": Expected(values=raw(rstd[token], RSTD.bits), counts=done),
        },
    )


def packed_words(lanes: Lanes) -> Raw:
    """Lanes of 32 bits in words of 64: shape (cycles, lanes) to that of a port."""
    if lanes.shape[1] % 2:
        lanes = np.pad(lanes, ((0, 0), (0, 1)))
    found = np.ascontiguousarray(lanes).view(np.uint64)
    return found[:, 0] if found.shape[1] == 1 else found
