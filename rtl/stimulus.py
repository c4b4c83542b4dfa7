"""Operands for one component, cycle by cycle, and what it must answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stimulus"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stimulus:
    """What enters a component in each cycle and what must leave it.

    Attributes
    ----------
    inputs : dict of str to uint64, shape (cycles,) or (cycles, words)
        Raw bits of every input port but clock and reset; a port of more than 64 bits takes several
        words, little end first.
    expected : dict of str to uint64, shape as ``inputs``
        Output ports once the logic of the cycle has settled, before its clock edge.
    check : dict of str to bool, shape (cycles,)
        Cycles in which the expected value counts.
    operations : int
        Operations of the component that the whole stimulus does, such as MACs.
    origin : str
        Where the operands come from, for a reader of figures made with them.
    """

    inputs: Mapping[str, NDArray[np.uint64]]
    expected: Mapping[str, NDArray[np.uint64]]
    check: Mapping[str, NDArray[np.bool_]]
    operations: int
    origin: str

    @property
    def cycles(self) -> int:
        return len(next(iter(self.inputs.values())))
