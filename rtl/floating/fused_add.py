"""Accumulator plus exact number, rounded once: the second half of a fused multiply-add."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FloatFormat
from dovetail.rtl.floating.compound_add import CompoundAdd
from dovetail.rtl.floating.exact import ExactFormat, unpack
from dovetail.rtl.floating.normalise import Normalise
from dovetail.rtl.floating.round import RoundAndPack

__all__ = ["FusedAdd", "guard_bits"]


def guard_bits(exact: ExactFormat, form: FloatFormat, *, accumulator_grid: int) -> int:
    """Bits that the adder needs below its operands, besides a last one that stands for the rest.

    Both operands are aligned at the top, in ``T = max(W, p)`` bits, ``W`` being those of the exact
    significand and ``p`` those of the format; the one with the smaller exponent is shifted right.
    The bit that decides rounding lies ``p`` below the leading one of the sum, and must be exact.

    - The accumulator is shifted, and the exact number is at least 2 to ``L``.  The sum begins below
      ``L - 1`` only if the accumulator reaches ``L - 1``, and so ends at ``L - p`` or above.  Where
      the sum begins at ``L - 1``, rounding is decided at ``L - 1 - p``.  ``L`` is
      ``T - W + leading`` where the exponent exceeds ``small``, else ``T - W``.
    - In the second of these cases it also suffices to keep every bit of the accumulator down to its
      grid, the last of them in the bit that stands for the rest.
    - The exact number is shifted by 1: its last bit is at ``T - W - 1``.
    - It is shifted by more, and the accumulator is normal: the sum begins at ``T - 2`` or above,
      and rounding is decided at ``T - 2 - p`` at the least.
    - It is shifted, and the accumulator is subnormal: rounding is decided at ``T - p - 1``, just
      below the accumulator's last bit, or above.

    Parameters
    ----------
    exact : ExactFormat
    form : FloatFormat
        Of the accumulator.
    accumulator_grid : int
        The accumulator is a multiple of 2 to this.
    """
    kept = form.significand_bits + 1
    width = max(exact.significand_bits, form.significand_bits)
    spare = width - exact.significand_bits
    return max(
        kept - spare - exact.leading,
        min(kept, exact.origin + exact.small - accumulator_grid - 1) - spare,
        1 - spare,
        kept + 1 - width,
        0,
    )


class FusedAdd(wiring.Component):
    """``o = RN(accumulator + exact)``, half to even, as IEEE 754 has it; every NaN is canonical.

    The operand with the smaller exponent is shifted right, and what leaves the adder is gathered in
    one bit; the sum's leading one is brought to the top and the sum rounded.  Since the exact
    number need not begin with a one, the adder is wider than one for two numbers of the format, by
    :func:`guard_bits`.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.add`.

    Parameters
    ----------
    exact : ExactFormat
    form : FloatFormat
        Of accumulator and result.
    accumulator_grid : int, optional
        The accumulator is always a multiple of 2 to this, which may make the adder narrower.  One
        that starts at 0 and to which only results are assigned may have ``exact.grid``: rounding
        keeps multiples.

    Members
    -------
    accumulator : unsigned(form.bits)
    exact : exact.layout
    o : unsigned(form.bits)
    """

    def __init__(
        self, exact: ExactFormat, form: FloatFormat, *, accumulator_grid: int | None = None
    ) -> None:
        self._exact = exact
        self._form = form
        self._grid = form.least_exponent
        if accumulator_grid is not None:
            self._grid = max(self._grid, accumulator_grid)
        super().__init__(
            {
                "accumulator": In(form.bits),
                "exact": In(exact.layout),
                "o": Out(form.bits),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        exact, form = self._exact, self._form
        guard = guard_bits(exact, form, accumulator_grid=self._grid)
        width = max(exact.significand_bits, form.significand_bits)
        added: Any = self.exact
        accumulator = unpack(m, self.accumulator, form, name="accumulator")

        # Exponents become fields of the format: what they are if the top bit is the leading one.
        offset = (exact.origin + exact.significand_bits) - (
            form.least_exponent - 1 + form.significand_bits
        )
        highest = max(form.special_field - 1, (1 << exact.exponent_bits) - 1 + offset)
        exponent_bits = max(highest.bit_length(), offset.bit_length()) + 2
        difference = CompoundAdd(exponent_bits)
        m.submodules.difference = difference
        exact_ahead = Signal()
        distance = Signal(exponent_bits)
        top = Signal(range(highest + 1))
        m.d.comb += [
            # The exact number's exponent less the accumulator's: -x is ~x + 1.
            Cat(difference.x, difference.y).eq(
                _carry_save(added.exponent, ~_extended(accumulator.exponent, exponent_bits), offset)
            ),
            difference.carry.eq(1),
            exact_ahead.eq(~difference.o[-1] & ~added.zero),
            distance.eq(Mux(exact_ahead, difference.o, ~difference.without_carry)),
            top.eq(Mux(exact_ahead, added.exponent + offset, accumulator.exponent)),
        ]

        large, small = Signal(width), Signal(width)
        accumulator_aligned = accumulator.significand << (width - form.significand_bits)
        exact_aligned = added.significand << (width - exact.significand_bits)
        m.d.comb += [
            large.eq(Mux(exact_ahead, exact_aligned, accumulator_aligned)),
            small.eq(Mux(exact_ahead, accumulator_aligned, exact_aligned)),
        ]
        shifted = _shift_right(m, Cat(Const(0, guard), small), distance)

        # A bit above for the carry, a bit below for what was shifted out.
        bits = 1 + width + guard + 1
        subtract, negative = Signal(), Signal()
        magnitude = Signal(bits)
        # One more for the sign of a difference.
        m.submodules.sum = total = CompoundAdd(bits + 1)
        m.d.comb += [
            subtract.eq(added.sign ^ accumulator.sign),
            total.x.eq(Cat(Const(0, guard + 1), large)),
            total.y.eq(_extended(shifted, bits + 1) ^ subtract.replicate(bits + 1)),
            total.carry.eq(subtract),
            negative.eq(subtract & total.o[-1]),
            magnitude.eq(Mux(negative, ~total.without_carry, total.o)),
        ]

        m.submodules.normalise = normalise = Normalise(bits)
        exponent = Signal(range(highest + 2))
        m.d.comb += [
            normalise.i.eq(magnitude),
            normalise.limit.eq(self._limit(top, bits)),
            exponent.eq(top + 1 - normalise.zeros),
        ]

        m.submodules.round = rounding = RoundAndPack(
            form, exponent_bits=len(exponent), tail_bits=bits - form.significand_bits
        )
        infinite, zero, sign = Signal(), Signal(), Signal()
        m.d.comb += [
            infinite.eq(added.inf | accumulator.inf),
            zero.eq(~magnitude.any()),
            # Of two equal signs either; of a difference the larger's, and + where it is 0.
            sign.eq(
                Mux(
                    subtract,
                    ~zero & (negative ^ Mux(exact_ahead, added.sign, accumulator.sign)),
                    added.sign,
                )
            ),
            rounding.sign.eq(Mux(infinite, Mux(added.inf, added.sign, accumulator.sign), sign)),
            rounding.exponent.eq(exponent),
            rounding.significand.eq(normalise.o),
            rounding.inf.eq(infinite),
            rounding.nan.eq(added.nan | accumulator.nan | (added.inf & accumulator.inf & subtract)),
            self.o.eq(rounding.o),
        ]
        return m

    def _limit(self, top: Value, bits: int) -> Value:
        """The bit at which a subnormal result begins; none where no result is subnormal."""
        if min(self._exact.grid, self._grid) >= self._form.least_normal_exponent:
            return Const(0)
        return Const(1 << (bits - 1), bits) >> top


def _extended(value: Value, bits: int) -> Value:
    return Cat(value, Const(0, bits - len(value)))


def _carry_save(x: Value, y: Value, constant: int) -> Value:
    """Two numbers, low half and high half, whose sum is ``x + y + constant``, as wide as ``y``."""
    bits = len(y)
    x, z = _extended(x, bits), Const(constant % (1 << bits), bits)
    carries = (x & y) | (z & (x | y))
    return Cat(x ^ y ^ z, Const(0, 1), carries[:-1])


def _shift_right(m: Module, value: Value, distance: Value) -> Value:
    """``value >> distance`` with one bit more at the end: whether a one was shifted out."""
    bits = len(value)
    stages = bits.bit_length()
    shifted, lost = value, Const(0)
    for stage in reversed(range(stages)):
        by = 1 << stage
        step = Signal(bits, name=f"right_{by}")
        out = Signal(name=f"lost_{by}")
        m.d.comb += [
            step.eq(Mux(distance[stage], shifted >> by, shifted)),
            out.eq(lost | (distance[stage] & shifted[:by].any())),
        ]
        shifted, lost = step, out
    far = Signal()
    m.d.comb += far.eq(distance[stages:].any())
    return Cat(Mux(far, value.any(), lost), Mux(far, 0, shifted))
