"""What the number formats of a MixPE design cost in accuracy, measured on real weights.

The common formats were measured once, into ``measured/mixpe_error.csv``, so that a sweep gives the
same table on every machine: ``python -m dovetail.sweeps.mixpe_error`` measures them again and
prints that file.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from itertools import product

from dovetail.arch.mixpe import MixpeDesign
from dovetail.models.quantization_error import Order, quantization_error

_ORDER: dict[str, Order] = {"mixpe_w4a8": "after", "int8": "before"}
GROUPS = (16, 32, 64, 128, 256)


def output_error(design: MixpeDesign) -> float:
    """1 - cosine between the outputs of the real-weight network as this design and in float.

    It is the error of the linear layers.  Attention's own products stay in floating point, so
    that ``kv_bits`` does not change it: what 4-bit keys and values cost is not in it.

    Formats outside the table are measured on the spot, which takes seconds.
    """
    order = _ORDER[design.engine.core]
    known = measured_errors().get((design.group, design.zero_point, order))
    return known if known is not None else _measure(design.group, design.zero_point, order)


@cache
def measured_errors() -> dict[tuple[int, bool, str], float]:
    """Group, zero point and order of dequantisation to the error in the table."""
    text = (files("dovetail.sweeps") / "measured" / "mixpe_error.csv").read_text(encoding="utf-8")
    return {
        (int(row["group"]), row["zero_point"] == "1", row["order"]): float(row["error"])
        for row in csv.DictReader(text.splitlines())
    }


def _measure(group: int, zero_point: bool, order: Order) -> float:
    # Single precision decides nothing beyond the sixth digit.
    return round(quantization_error(group=group, zero_point=zero_point, order=order).error, 6)


if __name__ == "__main__":
    print("group,zero_point,order,error")
    for group, zero_point, order in product(GROUPS, (False, True), _ORDER.values()):
        print(f"{group},{int(zero_point)},{order},{_measure(group, zero_point, order):.6f}")
