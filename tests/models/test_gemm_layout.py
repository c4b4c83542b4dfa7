"""models/gemm_layout.py against the layout's words, bit by bit in one long integer."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dovetail.arch.cores import MIXPE_CORES
from dovetail.arch.descriptor import Descriptor, describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping
from dovetail.models.gemm_layout import output_beats, output_bytes, pack_operands, unpack_outputs
from dovetail.models.mpgemm import GemmOperands

SMALLEST = TileMapping(tile_m=1, tile_n=1, tile_k=1)


def engine(core: str, rows: int, cols: int, port_bits: int, lut_k: int = 1) -> GemmEngineConfig:
    return GemmEngineConfig(
        core=core,  # type: ignore[arg-type]
        lut_k=lut_k,
        rows=rows,
        cols=cols,
        max_group=16,
        activation_buffer_bytes=4096,
        weight_buffer_bytes=4096,
        scale_buffer_bytes=4096,
        accumulator_buffer_bytes=4096,
        port_bits=port_bits,
    )


ACTIVATION_BITS = {"int4": 4, "mixpe_w4a16": 16, "dequant_w4a16": 16, "fp16": 16}


def operands_of(gemm: Gemm, seed: int, core: str = "mixpe_w4a8") -> GemmOperands:
    rng = np.random.default_rng(seed)
    groups = -(-gemm.k // gemm.group)
    stored = gemm.weight_format in ("int4", "uint4_zero")

    def draw(bits: int, shape: tuple[int, int]) -> NDArray[Any]:
        if bits == 16:
            return rng.integers(0, 1 << 16, shape).astype(np.uint16)
        return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape).astype(np.int8)

    bits = {"int4": 4, "uint4_zero": 4, "int8": 8, "fp16": 16}[gemm.weight_format]
    weights = draw(bits, (gemm.n, gemm.k))
    return GemmOperands(
        activations=draw(ACTIVATION_BITS.get(core, 8), (gemm.m, gemm.k)),
        weights=weights + 8 if gemm.weight_format == "uint4_zero" else weights,
        scale=rng.integers(0, 4096, (gemm.n, groups)) if stored else None,
        zero=rng.integers(0, 16, (gemm.n, groups)) if stored else None,
        group=gemm.group,
    )


def two_power(value: int) -> int:
    return next(1 << bit for bit in range(20) if 1 << bit >= value)


def image_of(operands: GemmOperands, config: GemmEngineConfig, d: Descriptor) -> bytes:
    """Every operand bit by bit at the place that the layout gives it."""
    port = config.port_bits
    image = 0

    def put(block_beat: int, slice_: int, slice_bits: int, lane: int, bits: int, code: int) -> None:
        nonlocal image
        at = block_beat * port + slice_ * slice_bits + lane * bits
        image |= (code % (1 << bits)) << at

    rows, cols = config.rows, config.cols
    a_bits = ACTIVATION_BITS.get(config.core, 8)
    rows_padded = max(2, two_power(rows)) if a_bits == 4 else two_power(rows)
    a_slice, nibbles = a_bits * rows_padded, 4 * max(2, two_power(cols))
    for (m, k), code in np.ndenumerate(operands.activations):
        block = d.activation_address + m // rows * d.activation_block_beats
        put(block, k, a_slice, m % rows, a_bits, int(code))
    for (n, k), code in np.ndenumerate(operands.weights):
        block = d.weight_address + n // cols * d.weight_block_beats
        if config.core == "fp16":
            put(block, k, 4 * nibbles, n % cols, 16, int(code))
        elif d.unscaled:  # low nibbles of one k, then its high ones
            put(block, 2 * k, nibbles, n % cols, 4, int(code) & 15)
            put(block, 2 * k + 1, nibbles, n % cols, 4, int(code) >> 4)
        else:
            put(block, k, nibbles, n % cols, 4, int(code))
    if operands.scale is not None and operands.zero is not None:
        for (n, g), scale in np.ndenumerate(operands.scale):
            block = d.scale_address + n // cols * d.scale_block_beats
            lane = int(scale) + 4096 * int(operands.zero[n, g])
            put(block, g, 4 * nibbles, n % cols, 16, lane)
    return image.to_bytes(d.output_address * port // 8, "little")


CASES = [
    (core, *case)
    for core in MIXPE_CORES
    for case in itertools.product(
        ((1, 1), (4, 4), (5, 3)),
        (8, 64, 512),
        ("fp16",) if core == "fp16" else ("int4", "uint4_zero", "int8"),
    )
]


@pytest.mark.parametrize(("core", "size", "port_bits", "weight_format"), CASES)
def test_every_operand_lies_where_the_layout_says(
    core: str, size: tuple[int, int], port_bits: int, weight_format: str
) -> None:
    config = engine(core, *size, port_bits)
    for seed, (m, n, k) in enumerate([(1, 1, 1), (size[0] + 1, 2 * size[1] + 1, 17)]):
        gemm = Gemm(m=m, n=n, k=k, weight_format=weight_format, group=8)  # type: ignore[arg-type]
        descriptor = describe(config, gemm, SMALLEST)
        operands = operands_of(gemm, seed, core)
        packed = pack_operands(operands, config, descriptor).tobytes()
        assert packed == image_of(operands, config, descriptor)


@pytest.mark.parametrize("lut_k", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("port_bits", [8, 256])
def test_every_bit_of_a_step_lies_where_the_layout_says(
    lut_k: int, bits: int, port_bits: int
) -> None:
    config = replace(engine("lut_int8", 3, 5, port_bits, lut_k=lut_k), zero_bits=8, max_group=32)
    gemm = Gemm(m=4, n=6, k=3 * lut_k + 1, weight_format="zero_point", bits=bits, group=2 * lut_k)
    d = describe(config, gemm, SMALLEST)
    rng = np.random.default_rng(bits)
    operands = GemmOperands(
        activations=rng.integers(-128, 128, (4, gemm.k)).astype(np.int8),
        weights=rng.integers(0, 1 << bits, (6, gemm.k)).astype(np.uint8),
        scale=rng.integers(0, 4096, (6, 2)),
        zero=rng.integers(0, 1 << bits, (6, 2)),
        group=gemm.group,
    )
    image = int.from_bytes(pack_operands(operands, config, d).tobytes(), "little")
    assert image.bit_length() <= d.output_address * port_bits

    def field(beat: int, at: int, width: int) -> int:
        return image >> (beat * port_bits + at) & ((1 << width) - 1)

    lanes = two_power(lut_k)  # of a step of one row or channel
    steps = 4
    for m, k in itertools.product(range(4), range(steps * lut_k)):
        want = int(operands.activations[m, k]) % 256 if k < gemm.k else 0
        beat = d.activation_address + m // 3 * d.activation_block_beats
        at = 8 * (lanes * (4 * (k // lut_k) + m % 3) + k % lut_k)
        assert field(beat, at, 8) == want
    columns = max(8, 8 // lanes)
    for n, k, plane in itertools.product(range(6), range(steps * lut_k), range(bits)):
        step = k // lut_k
        signs = (step + 1) * lut_k - 1  # the step's last k
        codes = np.append(operands.weights[n], np.zeros(lut_k, dtype=np.uint8))
        want = int(codes[k]) >> plane & 1
        if k != signs and codes[signs] >> plane & 1:  # inverted beforehand
            want = 1 - want
        beat = d.weight_address + n // 5 * d.weight_block_beats
        at = lanes * (columns * (step * bits + plane) + n % 5) + k % lut_k
        assert field(beat, at, 1) == want
    for n, g in itertools.product(range(6), range(2)):
        beat = d.scale_address + n // 5 * d.scale_block_beats
        lane = field(beat, 32 * (8 * g + n % 5), 32)
        assert lane == int(operands.scale[n, g]) + 4096 * int(operands.zero[n, g])


def test_whole_weights_of_a_step_lie_side_by_side() -> None:
    config = engine("mac_int8", 2, 3, 64, lut_k=3)
    gemm = Gemm(m=2, n=5, k=7, weight_format="int8_scaled", group=6)
    d = describe(config, gemm, SMALLEST)
    operands = operands_of(replace(gemm, weight_format="int8"), 1)
    ones = np.ones((5, 2), dtype=np.int64)
    scaled = replace(operands, scale=ones, zero=0 * ones)
    image = int.from_bytes(pack_operands(scaled, config, d).tobytes(), "little")
    for n, k in itertools.product(range(5), range(7)):
        at = 64 * (d.weight_address + n // 3 * d.weight_block_beats)
        at += 8 * (4 * (4 * (k // 3) + n % 3) + k % 3)
        assert image >> at & 255 == int(scaled.weights[n, k]) % 256


@pytest.mark.parametrize("table", ["exact", "int8"])
def test_tables_lie_where_activations_would(table: str) -> None:
    config = replace(
        engine("lut_int8", 2, 3, 64, lut_k=3),
        tables="loaded",
        table=table,  # type: ignore[arg-type]
    )
    gemm = Gemm(m=3, n=2, k=4, weight_format="odd", bits=1, group=3)
    d = describe(config, gemm, SMALLEST)
    rng = np.random.default_rng(3)
    a = rng.integers(-128, 128, (3, 4)).astype(np.int8)
    operands = GemmOperands(
        activations=a,
        weights=np.zeros((2, 4), np.uint8),
        scale=np.ones((2, 2), dtype=np.int64),
        zero=np.zeros((2, 2), dtype=np.int64),
        group=3,
    )
    image = int.from_bytes(pack_operands(operands, config, d).tobytes(), "little")
    padded = np.pad(a.astype(int), ((0, 0), (0, 2)))
    for m, step in itertools.product(range(3), range(2)):
        x, y, z = padded[m, 3 * step : 3 * step + 3].tolist()
        sums = [-z - y - x, -z - y + x, -z + y - x, -z + y + x]
        # Four entries of 10 bits fill 64 bits, four bytes and 32 bits more fill them as well.
        at = 64 * (d.activation_address + m // 2 * d.activation_block_beats)
        at += 64 * (2 * step + m % 2)
        if table == "exact":
            want = sum((v % 1024) << 10 * i for i, v in enumerate(sums))
            assert image >> at & (1 << 64) - 1 == want
            continue
        exponent = next(e for e in range(9) if max(abs(round(v / 2**e)) for v in sums) <= 127)
        want = sum((round(v / 2**exponent) % 256) << 8 * i for i, v in enumerate(sums))
        want |= exponent << 32 | sums[0] % (1 << 24) << 40
        assert image >> at & (1 << 64) - 1 == want


def test_nibbles_are_packed_little_end_first() -> None:
    config = engine("mixpe_w4a8", 1, 4, 16)
    gemm = Gemm(m=1, n=4, k=2, weight_format="int4", group=2)
    descriptor = describe(config, gemm, SMALLEST)
    operands = replace(
        operands_of(gemm, 0),
        activations=np.array([[0x11, -2]], np.int8),
        weights=np.array([[1, 5], [2, 6], [-8, 7], [-1, 0]], np.int8),
        scale=np.array([[0x123], [0], [0xFFF], [1]]),
        zero=np.array([[0], [0xA], [0xF], [0]]),
    )
    packed = pack_operands(operands, config, descriptor)
    at = descriptor.weight_address * 2
    assert packed[:2].tolist() == [0x11, 0xFE]
    # k = 0: 1, 2, 8, F; k = 1: 5, 6, 7, 0
    assert packed[at : at + 4].tolist() == [0x21, 0xF8, 0x65, 0x07]
    at = descriptor.scale_address * 2
    assert packed[at : at + 8].tolist() == [0x23, 0x01, 0x00, 0xA0, 0xFF, 0xFF, 0x01, 0x00]


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 3), (2, 9)])
@pytest.mark.parametrize("port_bits", [8, 64, 512])
def test_results_are_found_where_the_engine_writes_them(
    size: tuple[int, int], port_bits: int
) -> None:
    config = engine("int8", *size, port_bits)
    rows, cols = size
    rng = np.random.default_rng(rows)
    for m, n in ((1, 1), (2 * rows, 2 * cols), (2 * rows + 1, cols + 1)):
        gemm = Gemm(m=m, n=n, k=3, weight_format="int8", group=4)
        descriptor = describe(config, gemm, SMALLEST)
        results = rng.integers(-(1 << 15), 1 << 15, (m, n)).astype(np.int16)
        # Array tiles, row blocks fastest, each from a new beat on; rows as wide as a power of two.
        beats = -(-rows * 16 * max(2, two_power(cols)) // port_bits)
        image = 0
        places = {}
        for (i, j), value in np.ndenumerate(results):
            tile = (j // cols) * -(-m // rows) + i // rows
            bit = tile * beats * port_bits
            bit += 16 * ((i % rows) * max(2, two_power(cols)) + j % cols)
            image |= (int(value) % (1 << 16)) << bit
            places[i, j] = bit // 8
        count = output_beats(descriptor)
        assert count == -(-m // rows) * -(-n // cols) * beats
        data = np.frombuffer(image.to_bytes(count * port_bits // 8, "little"), np.uint8)
        unpacked = unpack_outputs(data, config, descriptor)
        assert unpacked.dtype == np.int16
        np.testing.assert_array_equal(unpacked, results)
        at = output_bytes(config, descriptor)
        assert {index: int(at[index]) for index in places} == places
