"""Products of two operands, exact: nothing is rounded, nothing is shifted to a common exponent."""

from __future__ import annotations

from amaranth import Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dovetail.arch.engine import ZERO_BITS
from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.floating.exact import ExactFormat, unpack

__all__ = [
    "FloatPass",
    "Fp16Multiply",
    "Fp16ShiftAdd",
    "Fp16TimesInt",
    "ScaleProduct",
    "ZeroProduct",
]


_ZERO = unsigned(ZERO_BITS)


class Fp16Multiply(wiring.Component):
    """``o = a * b`` of two FP16 numbers.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.multiply`.

    Attributes
    ----------
    exact : ExactFormat
        Of ``o``.  A product of two normal numbers is at least 2^20 last bits, with one subnormal
        factor 2^10; with two, its exponent is the least.

    Members
    -------
    a, b : unsigned(16)
        Bit patterns of FP16.
    o : exact.layout
    """

    exact = ExactFormat(
        significand_bits=2 * FP16.significand_bits,
        exponent_bits=FP16.exponent_bits + 1,
        origin=2 * (FP16.least_exponent - 1),
        least=2,
        small=2,
        leading=FP16.fraction_bits,
    )

    def __init__(self) -> None:
        super().__init__({"a": In(FP16.bits), "b": In(FP16.bits), "o": Out(self.exact.layout)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        a = unpack(m, self.a, FP16, name="a")
        b = unpack(m, self.b, FP16, name="b")
        m.d.comb += [
            self.o.sign.eq(a.sign ^ b.sign),
            self.o.zero.eq(a.zero | b.zero),
            self.o.exponent.eq(a.exponent + b.exponent),
            self.o.significand.eq(a.significand * b.significand),
            self.o.inf.eq(a.inf | b.inf),
            self.o.nan.eq(a.nan | b.nan | (a.inf & b.zero) | (a.zero & b.inf)),
        ]
        return m


class FloatTimesInteger(wiring.Component):
    """Base of products of a number and a short integer: all but the integer's sign and the product.

    The exponent of ``a`` passes through: nothing is aligned.

    Parameters
    ----------
    form : FloatFormat
        Of ``a``.
    integer_bits : int
        Width of the integer's magnitude.
    members : dict
        Ports besides ``a`` and ``o``.
    raised : int
        By how much the exponent may be raised.

    Attributes
    ----------
    exact : ExactFormat
        Of ``o``.  The product of a normal number is at least ``2**form.fraction_bits`` last bits.
    """

    def __init__(
        self,
        form: FloatFormat,
        integer_bits: int,
        members: dict[str, wiring.Member],
        *,
        raised: int = 0,
    ) -> None:
        self.form = form
        self.exact = ExactFormat(
            significand_bits=form.significand_bits + integer_bits,
            exponent_bits=(form.special_field + raised).bit_length(),
            origin=form.least_exponent - 1,
            least=1,
            small=1 + raised,
            leading=form.fraction_bits,
        )
        super().__init__({"a": In(form.bits), **members, "o": Out(self.exact.layout)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        a = unpack(m, self.a, self.form, name="a")
        magnitude, negative = self.integer(m)
        none = Signal()
        m.d.comb += [
            none.eq(~magnitude.any()),
            self.o.sign.eq(a.sign ^ negative),
            self.o.zero.eq(a.zero | none),
            self.o.exponent.eq(self.raised_exponent(a.exponent)),
            self.o.significand.eq(self.product(m, a.significand, magnitude)),
            self.o.inf.eq(a.inf),
            self.o.nan.eq(a.nan | (a.inf & none)),
        ]
        return m

    def integer(self, m: Module) -> tuple[Value, Value]:
        """Magnitude and sign of the integer."""
        raise NotImplementedError

    def product(self, m: Module, significand: Value, magnitude: Value) -> Value:
        return significand * magnitude

    def raised_exponent(self, exponent: Value) -> Value:
        return exponent


class Fp16TimesInt(FloatTimesInteger):
    """``o = a * w`` of an FP16 number and a 4-bit integer, with an 11 x 4 bit multiplier.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.multiply`.

    Members
    -------
    a : unsigned(16)
        Bit pattern of FP16.
    w : unsigned(4)
        The integer's bits.
    signed_weight : unsigned(1)
        The integer is two's complement.
    o : exact.layout
    """

    def __init__(self) -> None:
        super().__init__(FP16, 4, {"w": In(4), "signed_weight": In(1)})

    def integer(self, m: Module) -> tuple[Value, Value]:
        negative = Signal()
        magnitude = Signal(4)
        m.d.comb += [
            negative.eq(self.signed_weight & self.w[-1]),
            # -8 has a magnitude of 8, which four bits hold.
            magnitude.eq(Mux(negative, -self.w, self.w)),
        ]
        return magnitude, negative


class Fp16ShiftAdd(Fp16TimesInt):
    """``o = a * w`` as four gated copies of the significand of ``a``, shifted and added.

    Bit ``i`` of the weight adds ``a`` with its exponent raised by ``i``.  Relative to the exponent
    of ``a``, which all four share, that is a shift by a constant: no multiplier, no shifter.  A
    subnormal ``a`` needs no care, its significand being an integer like any other.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.multiply`; the significand is proved to be the
        product for all operands by :func:`dovetail.rtl.floating.prove.prove_fp16_shift_add`.

    Members
    -------
    a, w, signed_weight, o
        As of :class:`Fp16TimesInt`.
    """

    def product(self, m: Module, significand: Value, magnitude: Value) -> Value:
        planes = [Signal(len(significand) + bit, name=f"plane_{bit}") for bit in range(4)]
        for bit, plane in enumerate(planes):
            m.d.comb += plane.eq(Mux(magnitude[bit], significand << bit, 0))
        return (planes[0] + planes[1]) + (planes[2] + planes[3])


class FloatPass(wiring.Component):
    """``o = a``: a number as an exact one, for sums of activations.

    :Latency: combinational.

    Parameters
    ----------
    form : FloatFormat

    Attributes
    ----------
    exact : ExactFormat
        Of ``o``.

    Members
    -------
    a : unsigned(form.bits)
        Bit pattern of ``form``.
    o : exact.layout
    """

    def __init__(self, form: FloatFormat) -> None:
        self._form = form
        self.exact = ExactFormat(
            significand_bits=form.significand_bits,
            exponent_bits=form.exponent_bits,
            origin=form.least_exponent - 1,
            least=1,
            small=1,
            leading=form.fraction_bits,
        )
        super().__init__({"a": In(form.bits), "o": Out(self.exact.layout)})

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        a = unpack(m, self.a, self._form, name="a")
        m.d.comb += [
            self.o.sign.eq(a.sign),
            self.o.zero.eq(a.zero),
            self.o.exponent.eq(a.exponent),
            self.o.significand.eq(a.significand),
            self.o.inf.eq(a.inf),
            self.o.nan.eq(a.nan),
        ]
        return m


class ScaleProduct(FloatTimesInteger):
    """``o = a * scale * (16 if high else 1)`` of a group's sum and its scale.

    ``high`` marks the sum of the signed high nibbles of INT8 weights.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.multiply`.

    Parameters
    ----------
    form : FloatFormat
        Of the sum.

    Members
    -------
    a : unsigned(form.bits)
        Bit pattern of the sum.
    scale : unsigned(12)
    high : unsigned(1)
    o : exact.layout
    """

    def __init__(self, form: FloatFormat) -> None:
        super().__init__(form, 12, {"scale": In(12), "high": In(1)}, raised=4)

    def integer(self, m: Module) -> tuple[Value, Value]:
        return self.scale, Const(0)

    def raised_exponent(self, exponent: Value) -> Value:
        return exponent + (self.high << 2)


class ZeroProduct(FloatTimesInteger):
    """``o = -(a * zero)`` of the sum of a group's activations and the group's zero point.

    :Latency: combinational.
    :Reference: :func:`dovetail.models.floating.multiply`.

    Parameters
    ----------
    form : FloatFormat
        Of the sum.
    zero_shape : Shape
        Of the zero point; of a signed one, the least number does not occur.

    Members
    -------
    a : unsigned(form.bits)
        Bit pattern of the sum.
    zero : zero_shape
    o : exact.layout
    """

    def __init__(self, form: FloatFormat, zero_shape: Shape = _ZERO) -> None:
        super().__init__(form, zero_shape.width - zero_shape.signed, {"zero": In(zero_shape)})

    def integer(self, m: Module) -> tuple[Value, Value]:
        zero: Value = self.zero
        if not zero.shape().signed:
            return zero, Const(1)
        magnitude = Signal(len(zero) - 1)
        m.d.comb += magnitude.eq(Mux(zero[-1], -zero, zero))
        return magnitude, ~zero[-1]
