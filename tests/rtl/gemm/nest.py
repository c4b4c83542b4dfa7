"""Random GEMMs for the blocks that walk tiles, and the same walk as three plain loops."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dovetail.arch.descriptor import Descriptor, describe
from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.gemm import Gemm, TileMapping, mapping_problem
from dovetail.tests.rtl.simulation import small_engine


@dataclass(frozen=True)
class Tile:
    """First block (group) and number of blocks (groups) along each dimension."""

    m: int
    n: int
    g: int
    m_count: int
    n_count: int
    g_count: int


@dataclass(frozen=True)
class Problem:
    """A GEMM on an engine."""

    config: GemmEngineConfig
    gemm: Gemm
    mapping: TileMapping

    @property
    def descriptor(self) -> Descriptor:
        return describe(self.config, self.gemm, self.mapping)

    @property
    def planes(self) -> int:
        """Slices of weights per k."""
        return 2 if self.gemm.weight_format == "int8" else 1

    def tiles(self, *, over_k: bool = True) -> Iterator[Tile]:
        """Every tile, in the order of the loop nest."""
        d, mapping = self.descriptor, self.mapping
        ms = range(0, d.m_blocks, mapping.tile_m)
        ns = range(0, d.n_blocks, mapping.tile_n)
        gs = range(0, d.groups, mapping.tile_k if over_k else d.groups)
        if mapping.order == "m_outer":
            starts = [(m, n, g) for m in ms for n in ns for g in gs]
        else:
            starts = [(m, n, g) for n in ns for m in ms for g in gs]
        for m, n, g in starts:
            yield Tile(
                m,
                n,
                g,
                min(mapping.tile_m, d.m_blocks - m),
                min(mapping.tile_n, d.n_blocks - n),
                min(gs.step, d.groups - g),
            )

    def k(self, tile: Tile) -> range:
        """The k of a tile."""
        group = self.gemm.group
        return range(tile.g * group, min(self.gemm.k, (tile.g + tile.g_count) * group))

    def rows(self, spad: str, slices: range) -> list[int]:
        """Scratchpad rows that these slices of a block lie in."""
        per_row = getattr(self.config, spad).slices_per_row
        return sorted({index // per_row for index in slices})


def problems(count: int) -> list[Problem]:
    """Fixed random problems: both cores and orders, all formats, whole and partial tiles."""
    rng = random.Random(7)
    found: list[Problem] = []
    while len(found) < count:
        values: dict[str, Any] = {
            "core": rng.choice(("mixpe_w4a8", "int8")),
            "rows": rng.choice((1, 4, 5)),
            "cols": rng.choice((1, 4, 5)),
            "port_bits": rng.choice((8, 64, 256)),
        }
        config = small_engine(
            **values,
            activation_buffer_bytes=1024,
            weight_buffer_bytes=1024,
            scale_buffer_bytes=1024,
            accumulator_buffer_bytes=72 * values["rows"] * values["cols"],
        )
        group = rng.choice((1, 4, 16))
        gemm = Gemm(
            m=rng.randint(1, 5 * config.rows),
            n=rng.randint(1, 5 * config.cols),
            k=rng.randint(1, 4 * group),
            weight_format=rng.choice(("int4", "uint4_zero", "int8")),
            group=group,
        )
        blocks = (-(-gemm.m // config.rows), -(-gemm.n // config.cols), -(-gemm.k // gemm.group))
        # Often the whole dimension, so that operands stay from one tile to the next.
        tile_m, tile_n, tile_k = (rng.choice((1, 2, length, length)) for length in blocks)
        mapping = TileMapping(
            tile_m=tile_m,
            tile_n=tile_n,
            tile_k=tile_k,
            order=rng.choice(("m_outer", "n_outer")),
        )
        if mapping_problem(config, gemm, mapping) is None:
            found.append(Problem(config, gemm, mapping))
    return found
