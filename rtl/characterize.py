"""Make the logic entries of a technology table: ``python -m dovetail.rtl.characterize``.

Prints TOML: each unit of :mod:`dovetail.rtl.units`, synthesised alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dovetail.errors import DovetailError
from dovetail.rtl.synth import synthesize
from dovetail.rtl.units import axis, expression, unit, units

__all__ = ["SIZES", "UNCERTAINTY", "characterize", "main"]

SIZES: Mapping[str | None, tuple[int, ...]] = {
    "max_group": (1, 32, 128, 1024),
    # From the least to the most segments that an engine can have in flight.
    "depth": (4, 8, 16, 133),
    None: (128,),
}
"""Where a unit that depends on a size is synthesised; tables interpolate between them."""

UNCERTAINTY = {
    # No placement: white space, clock tree and hold buffers are missing.
    "area_um2": 0.2,
    # One activity for all nets and no glitches; real operands differ by more than anything else.
    "data_pj_per_op": 0.5,
    # Flip-flop pins only, without the clock tree.
    "clock_pj_per_cycle": 0.3,
    # Mean over the states of a cell, at one temperature.
    "leakage_nw": 0.3,
    # Wires are statistical loads.
    "delay_ns": 0.2,
}
"""Relative, by judgement: what the flow leaves out of each figure."""


def characterize(
    name: str, *, size: int, liberty: Sequence[Path], clock_mhz: float
) -> dict[str, float]:
    """Synthesise one unit; return its figures by field of the table.

    A unit without a register has no ``clock_pj_per_cycle``.
    """
    component = unit(name, size=size)
    report = synthesize(
        component, name="unit", liberty=liberty, clock_mhz=clock_mhz, thorough=False
    )
    figures = {
        "area_um2": report.area_um2,
        "data_pj_per_op": report.data_pj_per_op,
        "clock_pj_per_cycle": report.clock_pj_per_cycle,
        "leakage_nw": report.leakage_nw,
        "delay_ns": 1e3 / report.netlist_mhz,
    }
    if not report.register_um2:
        del figures["clock_pj_per_cycle"]
    return figures


def _toml(
    name: str,
    size: int,
    *,
    liberty: Sequence[Path],
    clock_mhz: float,
    node_nm: int,
    source: str,
) -> Iterator[str]:
    figures = characterize(name, size=size, liberty=liberty, clock_mhz=clock_mhz)
    yield f'[[units."{name}"]]'
    yield f'component = "{expression(name, size=size)}"'
    if axis(name):
        yield f"{axis(name)} = {size}"
    if "clock_pj_per_cycle" not in figures:
        yield "combinational = true"
    for field, value in figures.items():
        yield (
            f"{field} = {{ value = {value:.4g}, uncertainty = {UNCERTAINTY[field]}, "
            f'node_nm = {node_nm}, source = "{source}" }}'
        )
    yield ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the entries of all units; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dovetail.rtl.characterize",
        description="Print the logic entries of a technology table as TOML.",
        epilog="example: python -m dovetail.rtl.characterize --node-nm 45 --source nangate45 "
        "--liberty nangate45_typ.lib.gz",
    )
    parser.add_argument("--liberty", type=Path, action="append", required=True)
    parser.add_argument("--clock-mhz", type=float, default=500.0)
    parser.add_argument("--node-nm", type=int, required=True)
    parser.add_argument("--source", required=True, help="its name in the table's [sources]")
    options = parser.parse_args(arguments)
    try:
        for name in units():
            for size in SIZES[axis(name)]:
                for line in _toml(name, size, **vars(options)):
                    print(line, flush=True)
    except DovetailError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
