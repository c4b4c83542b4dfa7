"""Random chains of GEMMs in one memory, their simulation, and what the memory holds at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.arch.chained import ChainedEngineConfig, describe_link
from dovetail.arch.descriptor import Descriptor
from dovetail.arch.gemm import Gemm, LoopOrder, TileMapping, mapping_problem
from dovetail.arch.m3vit.formats import FEATURE, FixedFormat
from dovetail.models.m3vit.fixed import Integers
from dovetail.models.m3vit.fixed_linear import FixedLinear, fixed_linear
from dovetail.models.m3vit.linear_layout import (
    layer_gemm,
    pack_layer,
    read_rows,
    result_words,
)
from dovetail.sim.gemm_chain import ChainResult, Link, simulate_chain

__all__ = ["ChainCase", "ChainGemm", "random_chain", "random_chained_engine"]

_GAPS = (1, 1, 1, 2, 40, 400)  # cycles after which the next descriptor is offered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainGemm:
    """One GEMM of a chain with its layer.

    Attributes
    ----------
    gemm : Gemm
    layer : FixedLinear
        In formats whose points lie as the descriptor's shifts say.
    descriptor : Descriptor
    gap : int
        As of :class:`dovetail.sim.gemm_chain.Link`.
    """

    gemm: Gemm
    layer: FixedLinear
    descriptor: Descriptor
    gap: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainCase:
    """A chain on an engine, and the memory before it starts.

    Attributes
    ----------
    config : ChainedEngineConfig
    gemms : tuple of ChainGemm
    memory : uint8, shape (beats * port_bits / 8,)
    """

    config: ChainedEngineConfig
    gemms: tuple[ChainGemm, ...]
    memory: NDArray[np.uint8]

    def simulate(self) -> ChainResult:
        return simulate_chain(
            self.config, [Link(descriptor=one.descriptor, gap=one.gap) for one in self.gemms]
        )

    def reference(self) -> NDArray[np.uint8]:
        """The memory after the chain: GEMM by GEMM, each on what those before have written."""
        memory = self.memory.copy()
        for one in self.gemms:
            d = one.descriptor
            x = read_rows(memory, self.config, d)[:, : one.gemm.k]
            words = result_words(fixed_linear(x, one.layer, gelu=bool(d.gelu)), self.config)
            data = words.astype("<i4").view(np.uint8).reshape(-1)
            first = d.output_address * self.config.port_bits // 8
            memory[first : first + data.size] = data
        return memory


def random_chained_engine(index: int) -> ChainedEngineConfig:
    """Chained engine number ``index``: few lanes, and buffers that hold little."""
    rng = np.random.default_rng([index, 3])
    cols, lut_k = ((2, 2), (4, 4), (1, 2), (3, 8), (4, 16), (2, 4))[index % 6]
    while True:
        values: dict[str, Any] = {
            "max_group": int(rng.choice([64, 256])),
            "activation_buffer_bytes": 1 << int(rng.integers(8, 12)),
            "weight_buffer_bytes": 1 << int(rng.integers(8, 13)),
            "scale_buffer_bytes": 1 << int(rng.integers(6, 9)),
            "accumulator_buffer_bytes": int(rng.integers(1, 9)) * 2 * 6 * cols,
            "port_bits": 1 << int(rng.integers(5, 10)),
            "tag_bits": int(rng.integers(1, 9)),
        }
        try:
            return ChainedEngineConfig(cols=cols, lut_k=lut_k, **values)
        except ValueError:  # buffers too small for this port, or it is wider than a row
            continue


@dataclass(frozen=True, slots=True)
class _Map:
    """Rows of words somewhere in memory."""

    address: int
    rows: int
    words: int


class _Memory:
    """Parts of a memory, one behind the other with a beat between."""

    def __init__(self, beat_bytes: int) -> None:
        self.beat_bytes = beat_bytes
        self.image = np.zeros(0, np.uint8)

    def place(self, data: NDArray[Any]) -> int:
        """Address of ``data``, which are whole beats."""
        address = len(self.image) // self.beat_bytes + 1
        between = np.zeros(self.beat_bytes, np.uint8)
        self.image = np.concatenate([self.image, between, data.reshape(-1).view(np.uint8)])
        return address


def random_chain(
    config: ChainedEngineConfig, seed: int, *, gemms: int = 6, most_k: int = 60
) -> ChainCase:
    """A chain, fixed by its seed.

    A fenced GEMM may read the results of any before it; so may those that follow it, of the GEMMs
    before the fence.  Others read what lies there at the start.
    """
    rng = np.random.default_rng([seed, 4])
    memory = _Memory(config.port_bits // 8)
    chain: list[ChainGemm] = []
    results: list[_Map] = []
    readable = 0  # of the results
    while len(chain) < gemms:
        after_writes = rng.random() < 0.5
        readable = len(chain) if after_writes else readable
        source = None
        if readable and rng.random() < 0.8:
            source = results[int(rng.integers(readable))]
            if source.words % _row_words(config):
                source = None
        gemm, mapping = _random_gemm(rng, config, source, most_k)
        words = config.activation.rows(0, -(-gemm.k // config.lut_k)) * _row_words(config)
        if source is None:
            data = rng.integers(-(1 << 31), 1 << 31, size=(gemm.m, words))
            source = _Map(memory.place(data.astype("<i4")), gemm.m, words)
        output_shift, bias_shift = int(rng.choice([0, 2, 14, 16])), int(rng.integers(32))
        layer = _random_layer(rng, gemm, output_shift, bias_shift)
        biased = gemm.scaled
        image = pack_layer(config, layer.weight, layer.bias if biased else None, group=gemm.group)
        row_words = -(-gemm.n // config.cols) * config.cols_padded
        result = _Map(memory.place(np.zeros((gemm.m, row_words), "<i4")), gemm.m, row_words)
        results.append(result)
        descriptor = describe_link(
            config,
            gemm,
            mapping,
            activation_address=source.address,
            weight_address=memory.place(image.weights),
            scale_address=memory.place(image.biases) if biased else 0,
            output_address=result.address,
            output_shift=output_shift,
            bias_shift=bias_shift,
            gelu=bool(rng.integers(2)),
            after_writes=after_writes,
            tag=int(rng.integers(1 << config.tag_bits)),
        )
        gap = int(rng.choice(_GAPS))
        chain.append(ChainGemm(gemm=gemm, layer=layer, descriptor=descriptor, gap=gap))
    return ChainCase(config=config, gemms=tuple(chain), memory=memory.image)


def _row_words(config: ChainedEngineConfig) -> int:
    """32-bit words of a row of the activations' scratchpad."""
    return config.activation.row_bits // 32


def _random_gemm(
    rng: np.random.Generator, config: ChainedEngineConfig, source: _Map | None, most_k: int
) -> tuple[Gemm, TileMapping]:
    """One that fits, and where there is a ``source`` reads its first rows."""
    orders: tuple[LoopOrder, ...] = ("m_outer", "n_outer")
    while True:
        m, k = int(rng.integers(1, 6)), int(rng.integers(1, most_k, endpoint=True))
        if source is not None:
            # Its rows are whole ones of the scratchpad; the end of the last may be left out.
            left = int(rng.integers(_row_words(config)))
            m, k = int(rng.integers(1, source.rows, endpoint=True)), source.words - left
        group = config.lut_k << int(rng.integers((config.max_group // config.lut_k).bit_length()))
        n = int(rng.integers(1, 4 * config.cols, endpoint=True))
        gemm = layer_gemm(m, n, k, group=group, biased=bool(rng.integers(2)))
        for _ in range(10):
            mapping = TileMapping(
                tile_m=int(rng.integers(1, gemm.m, endpoint=True)),
                tile_n=int(rng.integers(1, -(-gemm.n // config.cols), endpoint=True)),
                tile_k=int(rng.integers(1, -(-gemm.k // gemm.group), endpoint=True)),
                order=orders[int(rng.integers(2))],
            )
            if mapping_problem(config, gemm, mapping) is None:
                return gemm, mapping


def _random_layer(
    rng: np.random.Generator, gemm: Gemm, output_shift: int, bias_shift: int
) -> FixedLinear:
    """A layer whose formats the shifts belong to."""

    def form(fraction_bits: int) -> FixedFormat:
        return FixedFormat(name="of shifts", bits=16, integer_bits=16 - fraction_bits)

    least, beyond = -(1 << 15), 1 << 15
    bias: Integers = np.zeros(gemm.n, np.int64)
    if gemm.scaled:
        bias = rng.integers(least, beyond, size=gemm.n)
    return FixedLinear(
        rng.integers(least, beyond, size=(gemm.n, gemm.k)),
        bias,
        weight_format=form(output_shift),
        bias_format=form(FEATURE.fraction_bits + output_shift - bias_shift),
    )
