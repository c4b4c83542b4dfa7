"""Rows 1, 2 and 20 of LUT Tensor Core: what the tables compute, hold and lose."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from dovetail.models.lut.layer_format import LutLayerFormat
from dovetail.models.lut.tables import (
    fp16_tables,
    integer_tables,
    quantize_integer_tables,
    table_entry_bits,
)
from dovetail.sweeps.lut_error import TABLES, measured
from dovetail.sweeps.lut_functional import Activations, Kind, compare_with_integers
from dovetail.sweeps.reproduction import ReproductionRow, compare

Figure = dict[str, Any]

_ARRAY_ROWS, _LUT_K = 2, 4  # M2 N64 K4; N has no part in the tables
_WIDTHS: tuple[tuple[str, tuple[int, ...], Activations], ...] = (
    ("W1 x INT8", (1,), "int8"),
    ("W2 x INT8", (2,), "int8"),
    ("W4 x INT8", (4,), "int8"),
    ("W1 to W8 x INT16", tuple(range(1, 9)), "int16"),
)
_KINDS: tuple[Kind, ...] = ("random", "edge")


def rows(published: Figure) -> list[ReproductionRow]:
    """Compute the rows of ``published/lut-tensor-core.toml`` that the reference model decides."""
    return [
        *_functional(published["functional"]),
        *_storage(published["table_storage"]),
        _perplexity(published["table_perplexity"]),
    ]


def _row(
    figure: Figure, *, what: str, value: float, ours: float | None, why: str
) -> ReproductionRow:
    return compare(
        paper="lut-tensor-core",
        row=figure["row"],
        what=what,
        published=value,
        ours=ours,
        scale=figure["scale"],
        tolerance=figure["tolerance"],
        accounting="dovetail",
        why=why,
        source=figure["source"],
    )


def _functional(figure: Figure) -> Iterator[ReproductionRow]:
    for (label, bits, activations), kind in product(_WIDTHS, _KINDS):
        compared = compare_with_integers(bits, activations, kind)
        yield _row(
            figure,
            what=f"{figure['what']}, of {compared.values:,}: {label}, {kind} operands",
            value=figure["value"],
            ours=compared.mismatches,
            why="the same integers are added in another order; odd levels, two's complement and "
            "zero points, steps of 2, 3, 4 and 8",
        )


def _storage(figure: Figure) -> Iterator[ReproductionRow]:
    activations = np.zeros((_ARRAY_ROWS, _LUT_K))
    tables = integer_tables(activations.astype(np.int8), _LUT_K)
    held = {
        "entries": (tables.size, "entries", "half of the 2^k sums; the others are their negatives"),
        "fp16_bits": (
            8 * fp16_tables(activations, _LUT_K).nbytes,
            "bits, FP16 entries",
            "16 bits an entry",
        ),
        "int8_bits": (
            8 * quantize_integer_tables(tables).entries.nbytes,
            "bits, entries of 8 bits",
            "8 bits an entry; the exponent of each table, which the paper does not count, is apart",
        ),
        "exact_int8_bits": (
            tables.size * table_entry_bits(8, _LUT_K),
            "bits, exact entries of INT8 activations",
            "sums of four reach 512 with either sign: 11 bits an entry",
        ),
    }
    for name, (ours, unit, why) in held.items():
        yield _row(figure, what=f"{figure['what']}, {unit}", value=figure[name], ours=ours, why=why)


def _measured_loss() -> str:
    """What 8-bit tables lose on the network whose weights are at hand: context, no reproduction."""
    exact, rounded = (
        measured()[LutLayerFormat(weight_bits=2, activations="fp16", table=table)]
        for table in TABLES
    )
    return (
        "on all-MiniLM-L6-v2 with 2-bit weights rounded to nearest, 8-bit tables leave "
        f"{rounded.arithmetic_snr_db:.1f} dB of a layer's product (median) and change 1 - cosine "
        f"of its output from {exact.error:.4f} to {rounded.error:.4f}"
    )


def _perplexity(figure: Figure) -> ReproductionRow:
    return _row(
        figure,
        what=figure["what"],
        value=figure["value"],
        ours=None,
        why="cannot be run here: it needs the weights of LLAMA2-7B after BitDistiller's "
        "quantisation-aware training, which are not published as a package, and WikiText-2; "
        f"{_measured_loss()}",
    )
