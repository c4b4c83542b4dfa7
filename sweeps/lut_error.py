"""What the number formats of a LUT core cost in accuracy, measured on real weights.

Measured once, into ``measured/lut_error.csv``: ``python -m dovetail.sweeps.lut_error`` measures
every format again, in about half an hour, and prints that file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields
from functools import cache
from importlib.resources import files
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from dovetail.arch.lut import LutDesign
from dovetail.models.format_snr import TOTAL, format_snr
from dovetail.models.lut.formats import Levels
from dovetail.models.lut.layer_format import Activations, LutLayerFormat, TableRounding
from dovetail.models.pe_formats import PeFormat
from dovetail.models.quantization_error import quantization_error
from dovetail.sweeps.mixpe_error import measured_errors

GROUPS = (32, 64, 128)
WEIGHT_BITS = (1, 2, 3, 4, 6, 8)
TABLES: tuple[TableRounding, ...] = ("exact", "int8")
_WEIGHTS_OF_TABLES: tuple[tuple[int, Levels], ...] = (
    (1, "odd"),
    (2, "odd"),
    (2, "twos_complement"),
    (4, "odd"),
)
# Groups of whole steps that are closest to 128.
_GROUP_OF_LUT_K = {2: 128, 3: 96, 4: 128, 5: 160, 6: 192, 7: 224, 8: 128}
_INTEGERS: dict[int, Activations] = {8: "int8", 16: "int16"}
_FORMAT = tuple(field.name for field in fields(LutLayerFormat))


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatError:
    """What one format loses.

    Attributes
    ----------
    error : float
        1 - mean cosine between the embeddings of the network in this format and in float32.
    operand_snr_db : float
        Of exact arithmetic on the rounded operands against the float product; median of the layers.
    arithmetic_snr_db, least_arithmetic_snr_db : float
        Of the result against exact arithmetic on the same operands, which is what tables and sums
        lose: median and least of the layers.  Infinite where nothing is lost.
    """

    error: float
    operand_snr_db: float
    arithmetic_snr_db: float
    least_arithmetic_snr_db: float


def formats() -> Iterator[LutLayerFormat]:
    """Formats in the table, each once."""
    return iter(dict.fromkeys(_formats()))


def _formats() -> Iterator[LutLayerFormat]:
    for bits, levels in product(WEIGHT_BITS, get_args(Levels)):
        for group in GROUPS if bits in (2, 4) else (128,):
            yield LutLayerFormat(weight_bits=bits, levels=levels, group=group)
    for (bits, levels), kind, table in product(_WEIGHTS_OF_TABLES, get_args(Activations), TABLES):
        yield LutLayerFormat(weight_bits=bits, levels=levels, activations=kind, table=table)
    yield from _variants()


def _variants() -> Iterator[LutLayerFormat]:
    for kind in get_args(Activations):
        yield LutLayerFormat(weight_bits=2, activations=kind, table="int8_fp16_scale")
    narrow_and_wide: tuple[Activations, ...] = ("int8", "fp16")
    for lut_k, group in _GROUP_OF_LUT_K.items():
        for kind in narrow_and_wide:
            yield LutLayerFormat(
                weight_bits=2, activations=kind, group=group, lut_k=lut_k, table="int8"
            )
        yield LutLayerFormat(weight_bits=2, activations="fp16", group=group, lut_k=lut_k)


def measure(form: LutLayerFormat) -> FormatError:
    """Run the network with real weights in a format, which takes some fifteen seconds."""
    snr = format_snr(form)
    layers = [ratios for name, ratios in snr.items() if name != TOTAL]
    arithmetic = [ratios.arithmetic_snr_db for ratios in layers]
    return FormatError(
        # Single precision decides nothing beyond the sixth digit.
        error=round(quantization_error(form).error, 6),
        operand_snr_db=round(float(np.median([r.operand_snr_db for r in layers])), 2),
        arithmetic_snr_db=round(float(np.median(arithmetic)), 2),
        least_arithmetic_snr_db=round(min(arithmetic), 2),
    )


def output_error(design: LutDesign) -> float:
    """1 - cosine between the outputs of the real-weight network as this design and in float.

    It is the error of the linear layers; attention's own products stay in floating point.  Formats
    outside the tables are measured on the spot, which takes some fifteen seconds.
    """
    form = design_format(design)
    if isinstance(form, PeFormat):
        known = measured_errors().get(form)
    else:
        known = measured()[form].error if form in measured() else None
    # Single precision decides nothing beyond the sixth digit.
    return known if known is not None else round(quantization_error(form).error, 6)


def design_format(design: LutDesign) -> LutLayerFormat | PeFormat:
    """Return the number formats in which a design computes linear layers.

    What a bit-serial core without tables computes is that of exact tables: the same integers, or
    the same FP16 numbers added in another order.
    """
    engine, spec = design.engine, design.engine.spec
    floating: Activations = "fp16" if spec.activation_bits == 16 else "fp8"
    if spec.bit_serial:
        return LutLayerFormat(
            weight_bits=design.weight_bits,
            levels=design.levels,
            activations=floating if spec.floating else _INTEGERS[spec.activation_bits],
            group=design.group,
            lut_k=engine.lut_k,
            table=engine.table,
            sums="fp16" if engine.sum_format == "fp16" else "exact",
        )
    if design.weight_format == "fp16":
        return PeFormat(weights="fp16", activations="fp16", order="never", sums=engine.sum_format)
    if design.weight_bits == 8:  # whole weights with the scales of groups
        return LutLayerFormat(weight_bits=8, levels="twos_complement", group=design.group)
    return PeFormat(
        weights="int4",
        activations="fp16" if spec.floating else "int8",
        order="after" if spec.after_group else "before",
        group=design.group,
        zero_point=design.levels == "zero_point",
        sums=engine.sum_format if spec.floating else "exact",
    )


@cache
def measured() -> dict[LutLayerFormat, FormatError]:
    """Formats in the table to what they lose."""
    with (files("dovetail.sweeps") / "measured" / "lut_error.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    forms = table[list(_FORMAT)].to_dict("records")
    errors = table.drop(columns=list(_FORMAT)).to_dict("records")
    return {
        LutLayerFormat(**{str(name): value for name, value in form.items()}): FormatError(
            **{str(name): value for name, value in error.items()}
        )
        for form, error in zip(forms, errors, strict=True)
    }


def weights_markdown() -> str:
    """What weights lose by bits, levels and group, with INT8 activations and exact tables."""
    head = ["bits", "levels", *(f"error, group {g}" for g in GROUPS), "SNR (dB), group 128"]
    lines: list[list[str]] = []
    for bits, levels in product(WEIGHT_BITS, get_args(Levels)):
        found = [
            measured().get(LutLayerFormat(weight_bits=bits, levels=levels, group=group))
            for group in GROUPS
        ]
        errors = ["" if one is None else f"{one.error:.4f}" for one in found]
        assert found[-1] is not None
        lines.append([str(bits), levels, *errors, f"{found[-1].operand_snr_db:.1f}"])
    return _markdown(head, lines)


def tables_markdown() -> str:
    """What activations and the rounding of tables lose, at the group of 128 and steps of 4."""
    head = ["bits", "levels", "activations", "SNR of operands"]
    head += ["error, exact tables", "SNR of arithmetic", "error, 8-bit tables", "SNR of arithmetic"]
    lines: list[list[str]] = []
    for (bits, levels), kind in product(_WEIGHTS_OF_TABLES, get_args(Activations)):
        one, other = (
            measured()[
                LutLayerFormat(weight_bits=bits, levels=levels, activations=kind, table=table)
            ]
            for table in TABLES
        )
        lines.append(
            [
                str(bits),
                levels,
                kind,
                f"{one.operand_snr_db:.2f}",
                *(text for e in (one, other) for text in (f"{e.error:.4f}", _arithmetic(e))),
            ]
        )
    return _markdown(head, lines)


def variants_markdown() -> str:
    """What else changes the rounding of 2-bit weights' sums: length of a step, and scale."""
    head = ["activations", "lut_k", "group", "table", "SNR of arithmetic", "error"]
    lines = [
        [
            form.activations,
            str(form.lut_k),
            str(form.group),
            form.table,
            _arithmetic(measured()[form]),
            f"{measured()[form].error:.4f}",
        ]
        for form in dict.fromkeys(_variants())
    ]
    return _markdown(head, lines)


def _arithmetic(error: FormatError) -> str:
    if math.isinf(error.arithmetic_snr_db):
        return "exact"
    return f"{error.arithmetic_snr_db:.1f} ({error.least_arithmetic_snr_db:.1f})"


def _markdown(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(",".join((*_FORMAT, *(field.name for field in fields(FormatError)))))
    for one in formats():
        found = measure(one)
        print(*asdict(one).values(), *astuple(found), sep=",", flush=True)
