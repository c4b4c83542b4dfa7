"""The accelerators of the MixPE authors' cost model: arrays, buffers, powers and precision mixes.

These are not Dovetail designs.  They describe what the published numbers were computed from, so
that ``accounting="authors"`` can compute them again; each value carries its source.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from dovetail.errors import ConfigError

Linear = Literal["qkv_proj", "o_proj", "fc1", "fc2"]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Source = Annotated[str, Field(min_length=1)]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AuthorsPlatform:
    """What all designs share: one clock, one DRAM port, one width of results."""

    clock_mhz: PositiveFloat
    dram_port_bits: PositiveInt
    output_bits: PositiveInt
    source: Source


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AuthorsBuffer:
    """An on-chip buffer; ``read_nj`` and ``write_nj`` are for one word of ``word_bits``."""

    capacity_bytes: PositiveInt
    banks: PositiveInt
    word_bits: PositiveInt
    read_nj: PositiveFloat
    write_nj: PositiveFloat
    leak_mw_per_bank: PositiveFloat
    source: Source

    @property
    def half_bits(self) -> int:
        """Bits that one tile may fill; the other half is being loaded."""
        return 8 * self.capacity_bytes // 2

    @property
    def read_pj_per_bit(self) -> float:
        return 1e3 * self.read_nj / self.word_bits

    @property
    def write_pj_per_bit(self) -> float:
        return 1e3 * self.write_nj / self.word_bits

    @property
    def leak_mw(self) -> float:
        return self.banks * self.leak_mw_per_bank


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AuthorsDram:
    """Off-chip memory; ``read_nj`` and ``write_nj`` are for ``word_bits``."""

    word_bits: PositiveInt
    read_nj: PositiveFloat
    write_nj: PositiveFloat
    static_mw: PositiveFloat
    source: Source

    @property
    def read_pj_per_bit(self) -> float:
        return 1e3 * self.read_nj / self.word_bits

    @property
    def write_pj_per_bit(self) -> float:
        return 1e3 * self.write_nj / self.word_bits


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AuthorsPe:
    """Power of one PE that takes operands of ``min_bits`` to ``max_bits``."""

    max_bits: PositiveInt
    min_bits: PositiveInt
    leakage_nw: PositiveFloat
    dynamic_nw: PositiveFloat
    source: Source

    def factor(self, bits: int) -> int:
        """Operations of ``bits`` that one PE does at once in each of the array's directions."""
        return self.max_bits // max(bits, self.min_bits)


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class PrecisionException:
    """Linear layers that run at other ``bits`` in one layer of ``one_layer_in``."""

    linears: tuple[Linear, ...]
    one_layer_in: PositiveInt
    bits: PositiveInt


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AuthorsDesign:
    """One accelerator and the precisions at which it runs a network.

    Attributes
    ----------
    label : str
        Name in the published tables.
    rows, cols : int
        PEs of the array.
    pe : str
        Key of its power in :attr:`AuthorsModel.pe`.
    linear_bits : int
        Width at which both operands of a linear layer are counted.
    wide_bits : int
        Width of dequantisation and of the patch convolution.
    dequant : str
        ``before``: every weight is dequantised ahead of its GEMM.  ``after``: one dequantisation
        per output and weight group, behind it.
    dequant_batch : int
        By how much the workload generator divides the dequantisation's work.
    exception : PrecisionException or None
        Mixed precision, where the design has it.
    """

    label: str
    rows: PositiveInt
    cols: PositiveInt
    pe: str
    linear_bits: PositiveInt
    wide_bits: PositiveInt
    dequant: Literal["before", "after"]
    dequant_batch: PositiveInt
    exception: PrecisionException | None = None
    source: Source


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AuthorsModel:
    """Everything the authors' cost model reads.

    Attributes
    ----------
    buffers : dict of str to AuthorsBuffer
        ``weight``, ``activation`` and ``output``.
    dram : dict of str to AuthorsDram
        ``reported`` prices the published energies; ``tie_break`` only ranks mappings that take
        equal cycles.
    """

    platform: AuthorsPlatform
    buffers: dict[Literal["weight", "activation", "output"], AuthorsBuffer]
    dram: dict[Literal["reported", "tie_break"], AuthorsDram]
    pe: dict[str, AuthorsPe]
    designs: dict[str, AuthorsDesign]

    @model_validator(mode="after")
    def _check(self) -> AuthorsModel:
        for name, design in self.designs.items():
            if design.pe not in self.pe:
                raise ValueError(
                    f"designs.{name}: pe={design.pe!r} must be one of {', '.join(self.pe)}"
                )
        return self

    def design(self, name: str) -> AuthorsDesign:
        """The design called ``name``, such as ``"mixpe-w4a8"``."""
        if name not in self.designs:
            raise ConfigError(
                f"no design named {name!r} in the authors' model; the designs are "
                f"{', '.join(self.designs)}"
            )
        return self.designs[name]


_ADAPTER: TypeAdapter[AuthorsModel] = TypeAdapter(AuthorsModel)


@cache
def authors_model() -> AuthorsModel:
    """The packaged model of arXiv 2411.16158's public simulator."""
    path = files("dovetail.arch") / "presets" / "authors" / "mixpe.toml"
    values: dict[str, Any] = tomllib.loads(path.read_text())
    return _ADAPTER.validate_python(values)
