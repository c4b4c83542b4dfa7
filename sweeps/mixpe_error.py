"""What the number formats of a MixPE design cost in accuracy, measured on real weights.

The common formats were measured once, into ``measured/mixpe_error.csv``, so that a sweep gives the
same table on every machine: ``python -m dovetail.sweeps.mixpe_error`` measures them again, in about
three minutes, and prints that file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import astuple, fields
from functools import cache
from importlib.resources import files
from itertools import product

from dovetail.arch.cores import CoreSpec
from dovetail.arch.mixpe import MixpeDesign
from dovetail.models.pe_formats import Operand, Order, PeFormat, Sums
from dovetail.models.quantization_error import quantization_error

GROUPS = (16, 32, 64, 128, 256)
_ACTIVATIONS: dict[int, Operand] = {4: "int4", 8: "int8", 16: "fp16"}
_COLUMNS = tuple(field.name for field in fields(PeFormat))


def output_error(design: MixpeDesign) -> float:
    """1 - cosine between the outputs of the real-weight network as this design and in float.

    It is the error of the linear layers.  Attention's own products stay in floating point, so
    that ``kv_bits`` does not change it: what 4-bit keys and values cost is not in it.

    Formats outside the table are measured on the spot, which takes seconds.
    """
    pe = design_format(design)
    known = measured_errors().get(pe)
    return known if known is not None else _measure(pe)


def design_format(design: MixpeDesign) -> PeFormat:
    """Return the number formats in which a design computes linear layers."""
    spec = design.engine.spec
    return PeFormat(
        weights="fp16" if spec.dequantise == "never" else "int4",
        activations=_ACTIVATIONS[spec.activation_bits],
        order=_order(spec),
        group=design.group,
        zero_point=design.zero_point,
        sums=design.engine.sum_format if spec.floating else "exact",
    )


def _order(spec: CoreSpec) -> Order:
    if spec.dequantise == "never":
        return "never"
    return "after" if spec.after_group else "before"


@cache
def measured_errors() -> dict[PeFormat, float]:
    """Formats in the table to their errors."""
    text = (files("dovetail.sweeps") / "measured" / "mixpe_error.csv").read_text(encoding="utf-8")
    errors: dict[PeFormat, float] = {}
    for row in csv.DictReader(text.splitlines()):
        error = float(row.pop("error"))
        values = row | {"group": int(row["group"]), "zero_point": row["zero_point"] == "True"}
        errors[PeFormat(**values)] = error
    return errors


def formats() -> Iterator[PeFormat]:
    """Formats in the table: integers in every group of sweeps, floating point in the usual one."""
    orders: tuple[Order, ...] = ("after", "before")
    kinds: tuple[tuple[Operand, Sums, tuple[Order, ...], tuple[int, ...]], ...] = (
        ("int8", "exact", orders, GROUPS),
        ("int4", "exact", ("after",), (32, 64, 128)),
        ("fp16", "fp32", orders, (128,)),
    )
    for activations, sums, kind_orders, groups in kinds:
        for group, zero_point, order in product(groups, (False, True), kind_orders):
            yield PeFormat(
                weights="int4",
                activations=activations,
                order=order,
                group=group,
                zero_point=zero_point,
                sums=sums,
            )
    yield PeFormat(weights="fp16", activations="fp16", order="never", group=128, sums="fp32")


def _measure(pe: PeFormat) -> float:
    # Single precision decides nothing beyond the sixth digit.
    return round(quantization_error(pe).error, 6)


if __name__ == "__main__":
    print(",".join((*_COLUMNS, "error")))
    for form in formats():
        print(",".join(str(value) for value in astuple(form)), f"{_measure(form):.6f}", sep=",")
