"""What the number formats of each PE keep of a real network's linear layers, in dB.

Measured once, into ``measured/pe_snr.csv``: ``python -m dovetail.sweeps.pe_snr`` measures every
format again, in about two minutes, and prints that file.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from importlib.resources import files
from itertools import product

import pandas as pd

from dovetail.errors import ConfigError
from dovetail.models.format_snr import TOTAL, format_snr
from dovetail.models.pe_formats import PeFormat, Sums

GROUPS = (32, 64, 128)
RATIOS = ("snr_db", "operand_snr_db", "arithmetic_snr_db")
_FORMAT = ("weights", "activations", "order", "group", "zero_point", "sums")

_W4A8 = PeFormat(weights="int4", activations="int8", order="after")
_INT8 = PeFormat(weights="int8", activations="int8", order="never")
_W4A16 = PeFormat(weights="int4", activations="fp16", order="after", sums="fp32")
_PES = {
    "fp16.pe": PeFormat(weights="fp16", activations="fp16", order="never", sums="fp32"),
    "dequant.pe_w4a16": replace(_W4A16, order="before"),
    "mixpe.pe_w4a16": _W4A16,
    "int8.pe": _INT8,
    "int8.pe_shift_add": _INT8,
    "dequant.pe_w4a8": replace(_W4A8, order="before"),
    "mixpe.pe_w4a8": _W4A8,
    "mixpe.pe_w4a8_multiplier": _W4A8,
    "int4.pe": PeFormat(weights="int4", activations="int4", order="after"),
}
PES = tuple(_PES)
"""Units of a technology table that are PEs; those of equal formats compute the same."""


def pe_format(
    pe: str, *, group: int = 128, zero_point: bool = False, sums: Sums = "fp32"
) -> PeFormat:
    """Return the format that a PE computes in; what does not apply to it is left out.

    Parameters
    ----------
    pe : str
        One of :data:`PES`.
    group, zero_point
        Of INT4 weights; a floating-point sum is as long.  That of FP16 weights is 128 long.
    sums : str
        ``fp32`` or ``fp16``, of a floating-point PE.
    """
    if pe not in _PES:
        raise ConfigError(f"no PE named {pe!r}; the PEs are {', '.join(PES)}")
    form = _PES[pe]
    if form.sums != "exact":
        form = replace(form, sums=sums)
    if form.weights == "int4":
        form = replace(form, group=group, zero_point=zero_point)
    return form


def formats() -> tuple[PeFormat, ...]:
    """Every format in the table: of each PE, every group, zero point and format of sums."""
    sum_formats: tuple[Sums, ...] = ("fp32", "fp16")
    every = (
        pe_format(pe, group=group, zero_point=zero_point, sums=sums)
        for pe, sums, zero_point, group in product(PES, sum_formats, (False, True), GROUPS)
    )
    return tuple(dict.fromkeys(every))


@cache
def measured() -> pd.DataFrame:
    """The table: one row a format and layer, ``total`` being all layers' powers added.

    Returns
    -------
    DataFrame
        The fields of :class:`PeFormat`, ``layer``, and the ratios of
        :class:`dovetail.models.format_snr.Snr` in dB.
    """
    with (files("dovetail.sweeps") / "measured" / "pe_snr.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype={"zero_point": bool})


def pooled(form: PeFormat) -> dict[str, float]:
    """One format over all layers.

    Returns
    -------
    dict of str to float
        ``snr_db``, ``operand_snr_db`` and ``arithmetic_snr_db``, each with ``_median``, ``_least``
        and ``_most`` over the layers and ``_total``, of all layers' powers added.
    """
    table = measured()
    for name, value in asdict(form).items():
        table = table[table[name] == value]
    if table.empty:
        raise ConfigError(
            f"no measurement of {form}; measure it with dovetail.models.format_snr.format_snr"
        )
    layers, total = table[table["layer"] != TOTAL], table[table["layer"] == TOTAL]
    found: dict[str, float] = {}
    for ratio in RATIOS:
        found[f"{ratio}_median"] = float(layers[ratio].median())
        found[f"{ratio}_least"] = float(layers[ratio].min())
        found[f"{ratio}_most"] = float(layers[ratio].max())
        found[f"{ratio}_total"] = float(total[ratio].iloc[0])
    return found


def markdown() -> str:
    """The formats over all layers, as docs/pe-quality.md shows them."""
    columns = ["weights", "activations", "dequantised", "group", "zero point", "sums"]
    columns += ["SNR (dB)", "least", "most", "total", "of operands", "of arithmetic"]
    lines = [columns, [*["---"] * 6, *["--:"] * 6]]
    for form in formats():
        snr = pooled(form)
        quantized = form.weights == "int4"
        grouped = quantized or form.sums != "exact"
        lines.append(
            [
                form.weights,
                form.activations,
                form.order if quantized else "-",
                str(form.group) if grouped else "-",
                ("yes" if form.zero_point else "no") if quantized else "-",
                form.sums,
                *(f"{snr[f'snr_db_{what}']:.2f}" for what in ("median", "least", "most", "total")),
                *(f"{snr[f'{ratio}_median']:.2f}" for ratio in RATIOS[1:]),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _print_table() -> None:
    print(",".join((*_FORMAT, "layer", *RATIOS)))
    for form in formats():
        values = asdict(form)
        for layer, snr in format_snr(form).items():
            ratios = (f"{getattr(snr, ratio):.2f}" for ratio in RATIOS)
            print(",".join((*(str(values[name]) for name in _FORMAT), layer, *ratios)), flush=True)


if __name__ == "__main__":
    _print_table()
