"""The published figures of LUT Tensor Core (arXiv 2408.06003) beside ours, each row from its part.

A part computes the rows of one subject; the table follows the numbers of the paper's list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from dovetail.sweeps import reproduce_lut_gpu, reproduce_lut_models, reproduce_lut_synthesis
from dovetail.sweeps.reproduction import ReproductionRow

PARTS: tuple[Callable[[dict[str, Any]], list[ReproductionRow]], ...] = (
    reproduce_lut_models.rows,
    reproduce_lut_synthesis.rows,
    reproduce_lut_gpu.rows,
)
"""``(published) -> rows``, of ``published/lut-tensor-core.toml``."""


def published() -> dict[str, Any]:
    """Every published figure, its tolerance and where it stands."""
    path = files("dovetail.sweeps") / "published" / "lut-tensor-core.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def rows() -> list[ReproductionRow]:
    """Compute every figure again and compare, in the order of the paper's list."""
    figures = published()
    made = [row for part in PARTS for row in part(figures)]
    return sorted(made, key=lambda row: int(row.row))
