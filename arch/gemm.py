"""One GEMM as an engine sees it: shape, quantisation, tiling, and which tilings fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dovetail.arch.cores import MAX_WEIGHT_BITS, WeightFormat
from dovetail.arch.engine import MAX_K, GemmEngineConfig
from dovetail.arch.spad import SpadShape, is_power_of_two
from dovetail.errors import ConfigError

LoopOrder = Literal["m_outer", "n_outer"]
MAX_DIMENSION = 1 << 20
_BITS = {
    "int4": 4,
    "uint4_zero": 4,
    "int8": 8,
    "int8_scaled": 8,
    "fp16": 16,
    "int16": 16,
    "int16_bias": 16,
}
_UNSCALED = ("int8", "fp16", "int16")
# What bit-serial cores take; the place of a format is its register.
PLANE_FORMATS = ("odd", "twos_complement", "zero_point")
_MOST_ODD_FACTOR = 15  # of the k of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class Gemm:
    """``Y[m, n] = sum_k A[m, k] * W[n, k]``; the core decides the format of the activations.

    Attributes
    ----------
    m, n, k : int
        Rows of activations, output channels, reduction length; each 1 or more.
    weight_format : str
        ``int4`` symmetric, -8..7; ``uint4_zero`` with a zero point, 0..15; ``int8`` and ``fp16``
        without scales: operands that are computed at run time (attention), and all of a core that
        does not quantise; ``int8_scaled``, INT8 with scales.  Bit-serial cores take unsigned codes
        q of ``bits`` bits: ``odd``, which stand for ``2q - (2^bits - 1)``; ``twos_complement``, for
        ``q - 2^(bits - 1)``; and ``zero_point``, for q less the group's zero point.  Their ``int8``
        is ``twos_complement`` of 8 bits without scales.  ``int16`` and, with a bias an output
        channel, ``int16_bias`` are fixed-point numbers.
    group : int
        Length of a quantisation group along k: a power of two of the engine's steps, which are one
        k long where ``lut_k`` is 1.  The last group may be short.  Without scales it only sets how
        often PEs that sum by groups drain.
    bits : int, optional
        Bits of a code, 1 to 8; only of the formats of bit-serial cores.
    """

    m: int
    n: int
    k: int
    weight_format: WeightFormat = "int4"
    group: int = 128
    bits: int | None = None

    def __post_init__(self) -> None:
        for name in ("m", "n", "k"):
            value = getattr(self, name)
            limit = MAX_K if name == "k" else MAX_DIMENSION
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limit:
                raise ConfigError(
                    f"{name}={value!r} must be a whole number from 1 to {limit}; "
                    f"change the shape of the GEMM"
                )
        # A step of 3, 5, 6 or 7 k leaves its odd factor.
        group = self.group if isinstance(self.group, int) else 0
        if not 0 < group // (group & -group or 1) <= _MOST_ODD_FACTOR:
            raise ConfigError(
                f"group={self.group!r} must be a power of two of steps of 1 to 16 k; "
                f"set it to 32, 64 or 128"
            )
        if self.weight_format in PLANE_FORMATS:
            bits = self.bits
            if not isinstance(bits, int) or isinstance(bits, bool) or not 1 <= bits <= 8:
                raise ConfigError(
                    f"bits={bits!r} must be a whole number from 1 to {MAX_WEIGHT_BITS} for "
                    f"weight_format={self.weight_format!r}; change bits"
                )
        elif self.bits is not None:
            raise ConfigError(
                f"bits={self.bits!r} does not apply to weight_format={self.weight_format!r}, which "
                f"has {_BITS[self.weight_format]}; remove bits"
            )

    @property
    def weight_bits(self) -> int:
        """Bits of a weight in DRAM."""
        return self.bits or _BITS[self.weight_format]

    @property
    def scaled(self) -> bool:
        """The weights have group scales, or biases in their place."""
        return self.weight_format not in _UNSCALED

    @property
    def macs(self) -> int:
        return self.m * self.n * self.k


@dataclass(frozen=True, slots=True, kw_only=True)
class TileMapping:
    """Tile of one load, and the order of the loops around it; k is always innermost.

    Attributes
    ----------
    tile_m, tile_n : int
        Blocks of ``rows`` activations rows and of ``cols`` output channels.
    tile_k : int
        Quantisation groups.
    order : str
        ``m_outer``: for m, for n, for k.  ``n_outer``: for n, for m, for k.
    """

    tile_m: int
    tile_n: int
    tile_k: int
    order: LoopOrder = "m_outer"


SMALLEST_TILE = TileMapping(tile_m=1, tile_n=1, tile_k=1)


def tile_rows(spad: SpadShape, *, tile: int, total: int, slices: int = 1) -> int:
    """Most rows that one block of a k tile can take in ``spad``.

    Parameters
    ----------
    tile, total : int
        Length of a tile and of the whole, in steps (in groups, for scales).
    slices : int
        Slices per step.
    """
    if tile >= total or tile * slices % spad.slices_per_row == 0:
        return spad.rows(0, min(tile, total) * slices)
    most = 0
    # The pattern of alignments repeats after slices_per_row tiles.
    for index in range(min(-(-total // tile), spad.slices_per_row)):
        first = index * tile
        length = min(tile, total - first)
        most = max(most, spad.rows(first * slices, length * slices))
    return most


def group_steps(config: GemmEngineConfig, gemm: Gemm) -> int:
    """Steps of a quantisation group."""
    return gemm.group // config.lut_k


def steps(config: GemmEngineConfig, gemm: Gemm) -> int:
    """Steps of the whole reduction; activations and weights of the last are filled up with 0."""
    return -(-gemm.k // config.lut_k)


def planes(config: GemmEngineConfig, gemm: Gemm) -> int:
    """Bit planes that a step takes one after the other."""
    return gemm.weight_bits if config.spec.bit_serial else 1


def weight_slices(config: GemmEngineConfig, gemm: Gemm) -> int:
    """Slices that a step of weights takes in DRAM and scratchpad."""
    return planes(config, gemm) * (1 if gemm.scaled else config.weight_slices)


def _group_problem(config: GemmEngineConfig, gemm: Gemm) -> str | None:
    """Why the group is not a power of two of the engine's steps; None where it is."""
    if gemm.group % config.lut_k == 0 and is_power_of_two(group_steps(config, gemm)):
        return None
    step = "a power of two" if config.lut_k == 1 else f"a power of two of lut_k={config.lut_k}"
    below = 1 << max(0, (gemm.group // config.lut_k).bit_length() - 1)
    return f"group={gemm.group} must be {step}; set it to {config.lut_k * below}"


def mapping_problem(config: GemmEngineConfig, gemm: Gemm, mapping: TileMapping) -> str | None:
    """Why ``mapping`` cannot run ``gemm`` on ``config``; None where it can."""
    problem = _group_problem(config, gemm)
    if problem:
        return problem
    blocks = {
        "tile_m": -(-gemm.m // config.rows),
        "tile_n": -(-gemm.n // config.cols),
        "tile_k": -(-gemm.k // gemm.group),
    }
    for name, limit in blocks.items():
        value = getattr(mapping, name)
        if not 1 <= value <= limit:
            return f"{name}={value} must be from 1 to {limit} for this GEMM; change {name}"
    if mapping.order not in ("m_outer", "n_outer"):
        return f"order={mapping.order!r} must be m_outer or n_outer; change order"
    tiles = mapping.tile_m * mapping.tile_n
    if tiles > config.accumulator_half_tiles:
        return (
            f"tile_m={mapping.tile_m} x tile_n={mapping.tile_n} needs {tiles} array tiles of "
            f"accumulators; half of accumulator_buffer_bytes={config.accumulator_buffer_bytes} "
            f"holds {config.accumulator_half_tiles}; make the tile smaller"
        )
    if gemm.weight_format not in config.spec.formats:
        return (
            f"weight_format={gemm.weight_format!r} must be one of "
            f"{', '.join(config.spec.formats)} for core={config.core}; change weight_format"
        )
    if gemm.weight_format == "zero_point" and gemm.weight_bits > config.zero_bits:
        return (
            f"zero points of bits={gemm.weight_bits} do not fit zero_bits={config.zero_bits}; set "
            f"zero_bits to 8 or use fewer bits"
        )
    tile_k = mapping.tile_k * group_steps(config, gemm)
    total = steps(config, gemm)
    slices = weight_slices(config, gemm)
    needs = [
        ("activation", mapping.tile_m, tile_rows(config.activation, tile=tile_k, total=total)),
        (
            "weight",
            mapping.tile_n,
            tile_rows(config.weight, tile=tile_k, total=total, slices=slices),
        ),
    ]
    if gemm.scaled:
        rows = tile_rows(config.scale, tile=mapping.tile_k, total=blocks["tile_k"])
        needs.append(("scale", mapping.tile_n, rows))
    for name, count, rows in needs:
        half_rows = getattr(config, name).half_rows
        if count * rows > half_rows:
            return (
                f"the tile needs {count} blocks of {rows} rows of {name}s; half of "
                f"{name}_buffer_bytes={getattr(config, f'{name}_buffer_bytes')} holds {half_rows} "
                f"rows; make the tile smaller"
            )
    return None
