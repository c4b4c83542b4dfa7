"""Stimuli of what finished floating-point sums pass: dequantiser, accumulators, output rounding.

As for integers, results come without a pause.  Random ones are the sums of random operands: bits
of sums drawn at random would have exponents so far apart that one operand hid the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from dovetail.arch.number_formats import FP16, FP32, FloatFormat, float_format
from dovetail.models.floating import add, dot, from_float, round_output, to_float
from dovetail.models.mpgemm_floating import accumulate_after_group, dequantize_after_group
from dovetail.rtl.stimulus import Stimulus
from dovetail.stimuli.ports import Raw, raw, structs, words
from dovetail.stimuli.request import ROWS, Request
from dovetail.stimuli.tiles import fp16_tiles

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_DEQUANT_CYCLES = 2
_ACCUMULATE_CYCLES = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drained:
    """One group of one column as it drains, last row first.

    Attributes
    ----------
    product_sum, group_sum : int64, shape (rows,)
        Bits of the format of sums.
    scale, zero : int64, shape (1,)
    form : FloatFormat
    first : bool
        First group of its tile.
    """

    product_sum: Integers
    group_sum: Integers
    scale: Integers
    zero: Integers
    form: FloatFormat
    first: bool

    def scaled_by(self, scale: Integers) -> Floats:
        """Each row's corrected sum times a scale, exactly."""
        return dequantize_after_group(
            self.product_sum[:, None], self.group_sum[:, None], scale, self.zero, self.form
        )[:, 0]

    @property
    def increment(self) -> Floats:
        """What the dequantiser makes of each row."""
        return self.scaled_by(self.scale)

    def increment_bits(self, layout: data.StructLayout) -> Raw:
        """The same as the exact number that leaves the dequantiser."""
        corrected = from_float(self.scaled_by(np.ones_like(self.scale)), self.form)
        return exact_product(corrected, np.repeat(self.scale, ROWS), self.form, layout)


def exact_product(
    sums: NDArray[np.integer], scales: Integers, form: FloatFormat, layout: data.StructLayout
) -> Raw:
    """Bits of exact products of sums and integer scales, as a dequantiser's output gives them.

    Parameters
    ----------
    sums : bits of ``form``, shape (rows,)
    scales : int64, shape (rows,)
    form : FloatFormat
    layout : StructLayout
        Of :class:`dovetail.rtl.floating.exact.ExactFormat`.

    Returns
    -------
    uint64, shape (rows,)
    """
    bits = sums.astype(np.int64)
    fraction = bits & ((1 << form.fraction_bits) - 1)
    field = bits >> form.fraction_bits & form.special_field
    special = field == form.special_field
    significand = fraction | (field > 0).astype(np.int64) << form.fraction_bits
    infinite = special & (fraction == 0)
    # What ``special`` numbers leave in significand and exponent counts for nobody.
    fields = {
        "significand": significand * scales,
        "exponent": np.maximum(field, 1),
        "sign": bits >> (form.bits - 1),
        "zero": significand * scales == 0,
        "inf": infinite,
        "nan": special & (fraction > 0) | infinite & (scales == 0),
    }
    lists = {name: values.astype(np.int64).tolist() for name, values in fields.items()}
    return words(structs(layout, lists), layout.size)


def _form(request: Request) -> FloatFormat:
    return float_format(str(request.size))


def _drained(request: Request) -> Iterator[_Drained]:
    form = _form(request)
    for tile in request.tiles():
        assert tile.scale is not None and tile.zero is not None
        for group in range(tile.scale.shape[1]):
            part = slice(group * tile.group, (group + 1) * tile.group)
            a = to_float(tile.activations[::-1, part], FP16)
            w = tile.weights[:, part].astype(np.float64)
            yield _Drained(
                product_sum=_sums(a, w, form),
                group_sum=_sums(a, np.ones_like(w), form),
                scale=tile.scale[:, group],
                zero=tile.zero[:, group],
                form=form,
                first=group == 0,
            )


def _sums(a: Floats, w: Floats, form: FloatFormat) -> Integers:
    return dot(a, w, form)[:, 0].astype(np.int64)


def float_dequant_stimulus(request: Request) -> Stimulus:
    """Rows of groups into the dequantiser."""
    layout = request.component.exact.layout
    count = request.cycles - _DEQUANT_CYCLES
    rows: list[tuple[NDArray[np.integer], ...]] = []
    for group in _drained(request):
        if len(rows) * ROWS >= count:
            break
        scale, zero = np.repeat(group.scale, ROWS), np.repeat(group.zero, ROWS)
        rows.append((group.product_sum, group.group_sum, zero, scale, group.increment_bits(layout)))
    p, s, zero, scale, increment = (
        np.concatenate(column)[:count] for column in zip(*rows, strict=True)
    )
    inputs = {
        "p": request.port("p", _now(p, _DEQUANT_CYCLES)),
        "s": request.port("s", _now(s, _DEQUANT_CYCLES)),
        "zero": request.port("zero", _now(zero, _DEQUANT_CYCLES)),
        # These two belong to the corrected sum, which is in a register by then.
        "scale": request.port("scale", _later(scale, _DEQUANT_CYCLES)),
        "high": np.zeros(request.cycles, dtype=np.uint64),
    }
    return _pipelined(request, inputs, _later(increment, _DEQUANT_CYCLES), _DEQUANT_CYCLES)


def accumulate_scaled_stimulus(request: Request) -> Stimulus:
    """Scaled sums of one column into its accumulators, tile after tile."""
    layout = request.component.increment_shape
    groups = (
        (group.first, group.increment_bits(layout), group.increment) for group in _drained(request)
    )
    return _accumulate(request, groups)


def accumulate_sum_stimulus(request: Request) -> Stimulus:
    """Sums of FP16 x FP16 PEs, as long as groups, of one column into its accumulators."""
    return _accumulate(request, _plain_sums(request))


def _plain_sums(request: Request) -> Iterator[tuple[bool, Raw, Floats]]:
    form = _form(request)
    for a, w in fp16_tiles(request.kind, rows=ROWS, cols=1):
        for start in range(0, a.shape[1], request.group):
            part = slice(start, start + request.group)
            sums = _sums(to_float(a[::-1, part], FP16), to_float(w[:, part], FP16), form)
            yield start == 0, raw(sums, form.bits), to_float(sums, form)


def _accumulate(request: Request, groups: Iterable[tuple[bool, Raw, Floats]]) -> Stimulus:
    """Groups of increments: whether first of a tile, bits, values.

    ``stored`` is what a memory with a registered read port delivers; the first group of a tile
    reads nothing, so the port keeps the value read last.
    """
    count = request.cycles - _ACCUMULATE_CYCLES
    rows: list[tuple[NDArray[np.integer], ...]] = []
    bank, held = np.zeros(ROWS, dtype=np.uint32), np.zeros(ROWS, dtype=np.uint32)
    for first, increment, value in groups:
        if len(rows) * ROWS >= count:
            break
        stored = np.full(ROWS, held[-1]) if first else bank
        total = add(np.zeros_like(bank) if first else bank, value, FP32)
        rows.append((np.full(ROWS, int(first)), increment, stored, total))
        bank, held = total, stored
    first_, increment, stored, total = (
        np.concatenate(column)[:count] for column in zip(*rows, strict=True)
    )
    inputs = {
        "first": request.port("first", _now(first_, _ACCUMULATE_CYCLES)),
        "increment": request.port("increment", _now(increment, _ACCUMULATE_CYCLES)),
        "stored": request.port("stored", _later(stored, _ACCUMULATE_CYCLES)),
    }
    o = request.port("o", _later(total, _ACCUMULATE_CYCLES))
    return _pipelined(request, inputs, o, _ACCUMULATE_CYCLES)


def float_output_round_stimulus(request: Request) -> Stimulus:
    """Accumulators of finished tiles, row by row, into the rounding unit.

    Each tile has the least shift with which its results are finite in FP16.
    """
    rows: list[tuple[NDArray[np.integer], ...]] = []
    for tile in request.tiles():
        if len(rows) * ROWS >= request.cycles:
            break
        accumulators = accumulate_after_group(tile, FP32)[:, 0]
        shift = 0
        while not np.isfinite(to_float(round_output(accumulators, shift), FP16)).all():
            shift += 1
        rows.append((accumulators, np.full(ROWS, shift), round_output(accumulators, shift)))
    i, shifts, o = (np.concatenate(column)[: request.cycles] for column in zip(*rows, strict=True))
    return Stimulus(
        inputs={"i": request.port("i", i), "shift": request.port("shift", shifts)},
        expected={"o": request.port("o", o)},
        check={"o": np.ones(request.cycles, dtype=np.bool_)},
        operations=request.cycles,
        origin=request.origin,
    )


def _now(rows: NDArray[np.integer], cycles: int) -> NDArray[np.integer]:
    """A row each cycle; in the last ``cycles``, which bring none, the operands hold."""
    return np.pad(rows, (0, cycles), mode="edge")


def _later(rows: NDArray[np.integer], cycles: int) -> NDArray[np.integer]:
    """A row each cycle, ``cycles`` later; until then, the first value already stands."""
    return np.pad(rows, (cycles, 0), mode="edge")


def _pipelined(
    request: Request, inputs: dict[str, Raw], o: NDArray[np.integer], cycles: int
) -> Stimulus:
    """A unit whose result of a row is there ``cycles`` cycles after it."""
    return Stimulus(
        inputs=inputs,
        expected={"o": request.port("o", o)},
        check={"o": np.arange(request.cycles) >= cycles},
        operations=request.cycles - cycles,
        origin=request.origin,
    )
