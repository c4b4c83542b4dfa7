"""Accumulator plus exact number, rounded once: the second half of a fused multiply-add."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.number_formats import FloatFormat
from dovetail.rtl.floating.exact import ExactFormat, unpack
from dovetail.rtl.floating.normalise import Normalise
from dovetail.rtl.floating.round import RoundAndPack

__all__ = ["FusedAdd", "guard_bits"]


def guard_bits(exact: ExactFormat, form: FloatFormat) -> int:
    """Bits that the adder needs below its operands, besides a last one that stands for the rest.

    Both operands are aligned at the top, in ``T = max(W, p)`` bits, ``W`` being those of the exact
    significand and ``p`` those of the format; the one with the smaller exponent is shifted right.
    The bit that decides rounding lies ``p`` below the leading one of the sum, and must be exact.

    - The accumulator is shifted.  Bits of it that leave the adder are zero where the exact number's
      exponent is at most ``small``, if ``small - least`` bits are kept below its last one.
      Otherwise that number is at least 2 to ``L = T - W + leading``.  The sum can begin below
      ``L - 1`` only if the accumulator reaches 2 to ``L - 1``; its last bit is then at ``L - p``
      or above.  If the sum begins at ``L - 1``, rounding is decided at ``L - 1 - p``.
    - The exact number is shifted, by 1: its last bit is at ``T - W - 1``.
    - It is shifted by more, and the accumulator is normal: the sum begins at ``T - 2`` at the
      least, and rounding is decided at ``T - 2 - p``.
    - It is shifted, and the accumulator is subnormal: rounding is decided at ``T - p - 1``, just
      below the accumulator's last bit, or above.
    """
    width = max(exact.significand_bits, form.significand_bits)
    spare = width - exact.significand_bits
    return max(
        exact.small - exact.least - spare,
        form.significand_bits + 1 - spare - exact.leading,
        1 - spare,
        form.significand_bits + 2 - width,
        form.significand_bits + 1 - width,
        0,
    )


class FusedAdd(wiring.Component):
    """``o = RN(accumulator + exact)``, half to even, as IEEE 754 has it; every NaN is canonical.

    The operand with the smaller exponent is shifted right and what leaves the adder is gathered in
    one bit; the sum's leading one is brought to the top and the sum rounded.  Since the exact
    number need not begin with a one, the adder is wider than one for two numbers of the format, by
    :func:`guard_bits`.

    The accumulator is a multiple of ``2**exact.grid``, as are +0 and all that the unit makes of
    such an accumulator: rounding keeps multiples.  (In FP16, in which the grid is as fine as the
    format's own or finer, that is every number.)

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.add`.

    Parameters
    ----------
    exact : ExactFormat
    form : FloatFormat
        Of accumulator and result.

    Members
    -------
    accumulator : unsigned(form.bits)
    exact : exact.layout
    o : unsigned(form.bits)
    """

    def __init__(self, exact: ExactFormat, form: FloatFormat) -> None:
        self._exact = exact
        self._form = form
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
        guard = guard_bits(exact, form)
        width = max(exact.significand_bits, form.significand_bits)
        added: Any = self.exact
        accumulator = unpack(m, self.accumulator, form, name="accumulator")

        # Exponents as fields of the format, if the topmost of ``width`` bits is the leading one.
        offset = (
            exact.origin
            + exact.significand_bits
            - (form.least_exponent - 1)
            - form.significand_bits
        )
        highest = max(form.special_field - 1, (1 << exact.exponent_bits) - 1 + offset)
        exact_top = Signal(signed(max(exact.exponent_bits, offset.bit_length()) + 2))
        lead = Signal.like(exact_top)  # how far the exact number's exponent is ahead
        lag = Signal.like(exact_top)
        exact_ahead = Signal()
        top = Signal(range(highest + 1))
        m.d.comb += [
            exact_top.eq(added.exponent + offset),
            lead.eq(added.exponent + offset - accumulator.exponent),
            lag.eq(accumulator.exponent - added.exponent - offset),
            exact_ahead.eq(lead >= 0),
            top.eq(Mux(exact_ahead, exact_top, accumulator.exponent)),
        ]

        large, small = Signal(width), Signal(width)
        accumulator_aligned = accumulator.significand << (width - form.significand_bits)
        exact_aligned = added.significand << (width - exact.significand_bits)
        m.d.comb += [
            large.eq(Mux(exact_ahead, exact_aligned, accumulator_aligned)),
            small.eq(Mux(exact_ahead, accumulator_aligned, exact_aligned)),
        ]
        distance = Mux(exact_ahead, lead, lag)
        shifted = self._shift_right(m, Cat(Const(0, guard), small), distance)

        # One bit above for the carry, one below for what was shifted out.
        total_bits = 1 + width + guard + 1
        subtract = Signal()
        total, opposite = Signal(total_bits + 1), Signal(total_bits)
        magnitude = Signal(total_bits)
        negative = Signal()
        augend = Cat(Const(0, guard + 1), large)
        m.d.comb += [
            subtract.eq(added.sign ^ accumulator.sign),
            total.eq(Mux(subtract, augend - shifted, augend + shifted)),
            opposite.eq(shifted - augend),
            negative.eq(total[-1]),
            magnitude.eq(Mux(negative, opposite, total)),
        ]

        m.submodules.normalise = normalise = Normalise(total_bits)
        exponent = Signal(range(highest + 2))
        m.d.comb += [
            normalise.i.eq(magnitude),
            normalise.limit.eq(self._limit(top, total_bits)),
            exponent.eq(top + 1 - normalise.zeros),
        ]
        infinite = added.inf | accumulator.inf
        m.submodules.round = rounding = RoundAndPack(
            form,
            exponent_bits=len(exponent),
            tail_bits=total_bits - form.significand_bits,
        )
        m.d.comb += [
            rounding.exponent.eq(exponent),
            rounding.significand.eq(normalise.o),
            rounding.inf.eq(infinite),
            rounding.nan.eq(added.nan | accumulator.nan | (added.inf & accumulator.inf & subtract)),
        ]
        zero = Signal()
        m.d.comb += [
            zero.eq(~magnitude.any()),
            rounding.sign.eq(
                Mux(
                    infinite,
                    Mux(added.inf, added.sign, accumulator.sign),
                    Mux(
                        subtract,
                        ~zero & (negative ^ Mux(exact_ahead, added.sign, accumulator.sign)),
                        added.sign,
                    ),
                )
            ),
            self.o.eq(rounding.o),
        ]
        return m

    def _shift_right(self, m: Module, value: Value, distance: Value) -> Value:
        """``value >> distance`` with one bit more at the end: whether a one was shifted out."""
        whole, bits = value, len(value)
        stages = bits.bit_length()
        lost: Value = Const(0)
        for stage in reversed(range(stages)):
            by = 1 << stage
            step = Signal(bits, name=f"shifted_{by}")
            out = Signal(name=f"lost_{by}")
            m.d.comb += [
                step.eq(Mux(distance[stage], value >> by, value)),
                out.eq(lost | (distance[stage] & value[:by].any())),
            ]
            value, lost = step, out
        far = Signal()
        m.d.comb += far.eq(distance[stages:].any())
        return Cat(lost | (far & whole.any()), Mux(far, 0, value))

    def _limit(self, top: Value, bits: int) -> Value:
        """The bit at which a subnormal result would begin; none where there can be none."""
        if self._exact.grid >= self._form.least_normal_exponent:
            return Const(0)
        return Const(1 << (bits - 1), bits) >> top
