"""What a stimulus is asked for, as every generator receives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dovetail.models.mpgemm import GemmOperands
from dovetail.rtl.units import Size, axis, unit
from dovetail.stimuli.ports import Raw, input_widths, output_widths, raw
from dovetail.stimuli.tiles import ORIGINS, Kind, tiles

ROWS = 32
"""Rows of the array in whose middle the unit stands; its column drains that many results."""

GROUP = 128
"""Quantisation group of units whose size is not that of a group."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One unit with the operands that it is to get.

    Attributes
    ----------
    unit : str
        Name in :mod:`dovetail.rtl.units`.
    kind : str
        ``real``, ``random`` or ``zero``.
    size : int, str or None
        Of the unit's axis.
    cycles : int
    zero_point : bool
        INT4 weights have a zero point.
    activation_bits : int
        8, 4 for what belongs to an INT4 x INT4 array, 16 for floating point and INT16.
    floating : bool
        Activations are FP16.
    """

    unit: str
    kind: Kind
    size: Size | None
    cycles: int
    zero_point: bool
    activation_bits: Literal[4, 8, 16]
    floating: bool

    @cached_property
    def component(self) -> Any:
        return unit(self.unit, size=self.size)

    @cached_property
    def widths(self) -> dict[str, int]:
        """Width of every port, in bits."""
        return input_widths(self.component) | output_widths(self.component)

    @property
    def product_cycles(self) -> int:
        """Registers of a PE between its operands and its accumulator."""
        return int(self.component.product_cycles)

    @property
    def group(self) -> int:
        return int(self.size) if self.size and axis(self.unit) == "max_group" else GROUP

    def tiles(self, *, rows: int = ROWS) -> Iterator[GemmOperands]:
        """Operands of one column of an array, tile after tile."""
        return tiles(
            self.kind,
            rows=rows,
            cols=1,
            group=self.group,
            zero_point=self.zero_point,
            activation_bits=self.activation_bits,
            floating=self.floating,
        )

    def uniform(self, rng: np.random.Generator, port: str, count: int) -> NDArray[np.int64]:
        """``count`` integers over the whole range of a signed input ``port``."""
        most = 1 << (self.widths[port] - 1)
        return rng.integers(-most, most, count)

    def port(self, name: str, values: NDArray[np.integer]) -> Raw:
        """Integers as the patterns of port ``name``."""
        return raw(values, self.widths[name])

    @property
    def origin(self) -> str:
        return ORIGINS[self.kind]
