"""src/dovetail/lockstep/random_cases.py: what the random cases are made of."""

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dovetail.arch.cores import LUT_CORES, MIXPE_CORES
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import mapping_problem
from dovetail.arch.mixpe import preset
from dovetail.lockstep.case import LockstepCase
from dovetail.lockstep.random_cases import (
    build_index,
    lut_build_index,
    random_case,
    random_engine,
    random_linear_engine,
    random_lut_engine,
)


def case(seed: int) -> LockstepCase:
    return random_case(random_engine(build_index(seed)), seed, repeat="")


@pytest.fixture(scope="module")
def cases() -> list[LockstepCase]:
    return [case(seed) for seed in range(648)]


@pytest.mark.parametrize("seeds", [1, 3, 12, 24, 25, 96, 200])
@pytest.mark.parametrize("first", [0, 5, 1000])
def test_there_are_enough_engines(seeds: int, first: int) -> None:
    engines = {random_engine(build_index(first + number)) for number in range(seeds)}
    assert len(engines) >= min(seeds, max(3, seeds // 8))


def test_a_case_is_fixed_by_its_seed_alone() -> None:
    for seed in (0, 17, 4321):
        one, other = case(seed), case(seed)
        assert (one.config, one.gemm, one.mapping) == (other.config, other.gemm, other.mapping)
        assert (one.output_shift, one.weight_shift, one.gap_seed) == (
            other.output_shift,
            other.weight_shift,
            other.gap_seed,
        )
        np.testing.assert_array_equal(one.operands.activations, other.operands.activations)
        np.testing.assert_array_equal(one.operands.weights, other.operands.weights)


def test_every_case_fits_its_engine(cases: list[LockstepCase]) -> None:
    for one in cases:
        assert mapping_problem(one.config, one.gemm, one.mapping) is None
        assert one.gemm.group <= one.config.max_group
        assert one.descriptor.output_shift == one.output_shift


def kinds(value: int) -> set[str]:
    found = {"1"} if value == 1 else set()
    if value > 1 and value & (value - 1) == 0:
        found.add("2^n")
    if value > 2 and (value - 1) & (value - 2) == 0:
        found.add("2^n + 1")
    return found


@pytest.mark.parametrize("name", ["rows", "cols", "m", "n", "k"])
def test_awkward_sizes_occur_along_every_dimension(name: str, cases: list[LockstepCase]) -> None:
    seen: Counter[str] = Counter()
    for one in cases:
        seen.update(kinds(getattr(one.config if name in ("rows", "cols") else one.gemm, name)))
    assert set(seen) == {"1", "2^n", "2^n + 1"}
    assert min(seen.values()) >= 4


def test_every_choice_occurs_on_every_core(cases: list[LockstepCase]) -> None:
    for core in MIXPE_CORES:
        some = [one for one in cases if one.config.core == core]
        formats = {"fp16"} if core == "fp16" else {"int4", "uint4_zero", "int8"}
        assert {one.gemm.weight_format for one in some} == formats
        sums = {one.config.sum_format for one in some}
        assert sums == ({"fp16", "fp32"} if MIXPE_CORES[core].floating else {"fp32"})
        assert {one.mapping.order for one in some} == {"m_outer", "n_outer"}
        assert len({one.config.dram_latency_cycles for one in some}) == 5
        assert len({one.gemm.group for one in some}) >= 5
        assert any(one.gemm.k % one.gemm.group for one in some)  # a short last group
        assert any(one.config.rows > one.gemm.group for one in some)  # the drain chain waits
        assert any(one.config.port_bits > one.config.activation.word_bits for one in some)
        assert any(one.config.port_bits < one.config.activation.word_bits for one in some)
        for dimension, unit in (("m", "rows"), ("n", "cols")):
            tiles = Counter(
                min(3, -(-getattr(one.gemm, dimension) // size))
                for one in some
                for size in [getattr(one.config, unit) * getattr(one.mapping, f"tile_{dimension}")]
            )
            assert min(tiles[count] for count in (1, 2, 3)) >= 3  # buffers swap and come back


def test_outputs_are_neither_all_zero_nor_all_saturated(cases: list[LockstepCase]) -> None:
    telling = 0
    for one in cases[:60]:
        outputs = one.reference()
        if one.config.spec.floating:
            values = outputs.view(np.float16)
            telling += bool(((values != 0) & np.isfinite(values)).any())
        else:
            telling += bool(((outputs != 0) & (np.abs(outputs.astype(int)) < 32767)).any())
    assert telling >= 30


def test_the_engines_of_a_build_differ_only_in_latency(cases: list[LockstepCase]) -> None:
    structures: dict[int, set[GemmEngineConfig]] = {}
    for seed, one in enumerate(cases):
        same = replace(one.config, dram_latency_cycles=1)
        structures.setdefault(build_index(seed), set()).add(same)
    assert all(len(configs) == 1 for configs in structures.values())


def test_a_preset_s_engine_is_used_as_it_is() -> None:
    engine = preset("w4a8-8x8").engine
    one = random_case(engine, 5, repeat="again")
    assert replace(one.config, dram_latency_cycles=engine.dram_latency_cycles) == engine
    assert one.repeat == "again"


# --- LUT Tensor Core and its baselines


@pytest.fixture(scope="module")
def lut_cases() -> list[LockstepCase]:
    return [
        random_case(random_lut_engine(lut_build_index(seed)), seed, repeat="")
        for seed in range(200)
    ]


@pytest.mark.parametrize("seeds", [1, 3, 12, 15, 200])
@pytest.mark.parametrize("first", [0, 7, 1000])
def test_there_are_enough_lut_engines(seeds: int, first: int) -> None:
    engines = {random_lut_engine(lut_build_index(first + number)) for number in range(seeds)}
    assert len(engines) >= min(seeds, max(3, seeds // 8))


def test_two_hundred_lut_cases_cover_what_they_should(lut_cases: list[LockstepCase]) -> None:
    configs = {one.config for one in lut_cases}
    assert {config.core for config in configs} == set(LUT_CORES)
    assert {config.lut_k for config in configs} == set(range(2, 9))
    lookups = [config for config in configs if config.core.startswith("lut_")]
    assert {(config.table, config.tables) for config in lookups} == set(
        product(("exact", "int8"), ("made", "loaded"))
    )
    assert {config.zero_bits for config in configs} == {4, 8}
    serial = [one for one in lut_cases if one.config.spec.bit_serial]
    assert {one.gemm.bits for one in serial} == {None, *range(1, 9)}
    assert {one.gemm.weight_format for one in serial} == {
        "odd",
        "twos_complement",
        "zero_point",
        "int8",
    }
    for name in ("rows", "cols"):
        assert set().union(*(kinds(getattr(config, name)) for config in configs)) == {
            "1",
            "2^n",
            "2^n + 1",
        }
    for one in lut_cases:
        assert mapping_problem(one.config, one.gemm, one.mapping) is None
        assert one.gemm.group <= one.config.max_group
    assert any(one.gemm.k % one.config.lut_k for one in lut_cases)  # a step that is not full
    fp8 = [one.operands.activations for one in lut_cases if one.config.core == "lut_fp8"]
    assert any((a & 0x7F == 0x7F).any() for a in fp8)  # NaN


# --- M3ViT's linear layers


def test_linear_cases_cover_what_they_should() -> None:
    cases = [random_case(random_linear_engine(build_index(n)), n, repeat="") for n in range(200)]
    assert {one.config.core for one in cases} == {"linear_w16a32"}
    steps = {one.config.lut_k for one in cases}
    assert {2, 3, 16} < steps
    assert {one.gemm.weight_format for one in cases} == {"int16", "int16_bias"}
    assert {one.gelu for one in cases} == {False, True}
    assert {one.output_shift for one in cases} == {0, 2, 14, 16}
    assert len({one.bias_shift for one in cases}) == 32
    groups = [-(-one.gemm.k // one.gemm.group) for one in cases]
    assert min(groups) == 1
    assert max(groups) > 2
    for one in cases[::10]:
        assert one.reference().dtype == np.int32
