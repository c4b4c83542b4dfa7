"""Every PE in every cell library that MixPE's figures are compared in, as docs/energy.md shows it.

``python -m dovetail.sweeps.pe_table`` prints it from the technology tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dovetail.arch.costs import Figure
from dovetail.arch.technology import Technology, technology
from dovetail.sweeps.mixpe_design_space import pe_cost, power_uw
from dovetail.sweeps.pe_snr import PES
from dovetail.sweeps.reproduce_mixpe import published

_HEAD = ("PE", "library", "area", "power", "a MAC", "clock", "real", "random", "zeros", "leakage")
_GROUP = 128


def markdown(tables: Mapping[str, Technology] | None = None) -> str:
    """Write the table; units are um2, uW at the table's clock, pJ and nW.

    Parameters
    ----------
    tables : dict of str to Technology, optional
        By the name of the library.
    """
    if tables is None:
        tables = {label: technology(name) for label, name in published()["libraries"].items()}
    lines = [_HEAD, ("---", "---", *["--:"] * (len(_HEAD) - 2)), *_rows(tables)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(tables: Mapping[str, Technology]) -> Iterator[tuple[str, ...]]:
    for pe in PES:
        for label, table in tables.items():
            cost = pe_cost(table, pe, _GROUP, "fp32")
            clock_pj = _value(cost.clock_pj_per_cycle)
            figures = (
                cost.area_um2.value,
                power_uw(table, cost),
                cost.data_pj_per_op.value + clock_pj,
                clock_pj,
                cost.data_pj_per_op.value,
                _value(cost.random_pj_per_op),
                _value(cost.zero_pj_per_op),
                cost.leakage_nw.value,
            )
            yield f"`{pe}`", f"{label}, {table.clock_mhz:g} MHz", *map(_digits, figures)


def _digits(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,g}"


def _value(figure: Figure | None) -> float:
    return 0.0 if figure is None else figure.value


if __name__ == "__main__":
    print(markdown())
