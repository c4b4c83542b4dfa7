"""rtl/floating/prove.py: the claim holds, and a product with a seeded fault is refuted."""

import pytest
from amaranth import Module, Value

from dovetail.errors import ToolError
from dovetail.rtl.floating.products import Fp16ShiftAdd
from dovetail.rtl.floating.prove import Fp16ProductMiter, prove_fp16_shift_add
from dovetail.rtl.prove import prove


def test_shift_and_add_is_multiplication() -> None:
    prove_fp16_shift_add()


class NoTopPlane(Fp16ShiftAdd):
    """Forgets the plane that only -8 and the upper half of unsigned weights have."""

    def product(self, m: Module, significand: Value, magnitude: Value) -> Value:
        return super().product(m, significand, magnitude & 7)


class AlwaysUnsigned(Fp16ShiftAdd):
    """Takes every weight for an unsigned one."""

    def integer(self, m: Module) -> tuple[Value, Value]:
        _, negative = super().integer(m)
        return self.w, negative & 0


@pytest.mark.parametrize("fault", [NoTopPlane, AlwaysUnsigned])
def test_a_product_with_a_fault_is_refuted(fault: type[Fp16ShiftAdd]) -> None:
    with pytest.raises(
        ToolError,
        match=r"^refuted: significand and sign of o are those of a \* w for every FP16 a and "
        r"4-bit w; counterexample a=0x[0-9a-f]+, .+; correct the block$",
    ):
        prove(Fp16ProductMiter(fault()))
