# amaranth: UnusedElaboratable=no
"""Output-stationary PEs whose sums are floating point; the exact product is a subclass's."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value, unsigned

from dovetail.arch.number_formats import FP16, FloatFormat
from dovetail.rtl.floating.exact import ExactFormat
from dovetail.rtl.floating.fused_add import FusedAdd
from dovetail.rtl.floating.products import FloatPass, Fp16Multiply
from dovetail.rtl.gemm.pe import OutputStationaryPe

__all__ = ["FloatGroupSumPe", "FloatingPe", "Fp16Pe"]


class FloatingPe(OutputStationaryPe):
    """Add exact products of an FP16 activation to a sum, rounded once an addition.

    The product is registered before it is added; the addition and its rounding take one cycle,
    since the next product needs their result.

    :Reference: :func:`dovetail.models.floating.dot`.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    exact : ExactFormat
        Of the products.
    weight_bits : int
    product_cycles : int
        Registers between operands and accumulator.
    """

    def __init__(
        self, form: FloatFormat, exact: ExactFormat, *, weight_bits: int, product_cycles: int = 1
    ) -> None:
        self._form = form
        self._exact = exact
        super().__init__(
            activation_bits=FP16.bits,
            weight_bits=weight_bits,
            sum_shape=unsigned(form.bits),
            product_cycles=product_cycles,
        )

    def exact_product(self, m: Module) -> Any:
        """Combinational product, a cycle before it is added."""
        raise NotImplementedError

    def product(self, m: Module) -> Any:
        register = Signal(self._exact.layout, name="product", reset_less=True)
        m.d.sync += register.eq(self.exact_product(m))
        return register

    def add(self, m: Module, accumulated: Value, product: Any) -> Value:
        m.submodules.add = add = FusedAdd(
            self._exact, self._form, accumulator_grid=self._exact.grid
        )
        m.d.comb += [add.accumulator.eq(accumulated), add.exact.eq(product)]
        return add.o


class Fp16Pe(FloatingPe):
    """FP16 x FP16 fused multiply-add.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    """

    def __init__(self, form: FloatFormat) -> None:
        super().__init__(form, Fp16Multiply.exact, weight_bits=FP16.bits)

    def exact_product(self, m: Module) -> Any:
        m.submodules.multiply = multiply = Fp16Multiply()
        m.d.comb += [multiply.a.eq(self.a_i), multiply.b.eq(self.w_i)]
        return multiply.o


class FloatGroupSumPe(FloatingPe):
    """Sum the FP16 activations of a row over a segment: ``S[m, g]`` of the zero-point correction.

    Parameters
    ----------
    form : FloatFormat
        Of the sums.
    """

    def __init__(self, form: FloatFormat) -> None:
        self._pass = FloatPass(FP16)
        super().__init__(form, self._pass.exact, weight_bits=0)

    def exact_product(self, m: Module) -> Any:
        m.submodules.unpack = unpack = self._pass
        m.d.comb += unpack.a.eq(self.a_i)
        return unpack.o
