"""rtl/int8/shift_add_pe.py against integer arithmetic, for all operands."""

from typing import Any

import numpy as np

from dovetail.rtl.int8.shift_add_pe import Int8ShiftAddPe
from dovetail.rtl.vector_bench import run_vectors
from dovetail.rtl.verilog import verilog


def test_the_product_of_every_activation_and_weight() -> None:
    a, w = (axis.ravel() for axis in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128)))
    inputs: dict[str, Any] = {"a_i": a % 256, "w_i": w % 256}
    control = np.full(len(a), 0b0111)  # valid, first, last: each product is a segment
    inputs |= {"control_i": control, "drain_i": 0 * a, "shift_i": 0 * a, "sum_i": 0 * a}
    run = run_vectors(
        verilog(Int8ShiftAddPe(sum_bits=32), name="pe"),
        top="pe",
        inputs={name: values.astype(np.uint64) for name, values in inputs.items()},
        outputs={"sum_o": 32},
    )
    sums = run.outputs["sum_o"].astype(np.uint32).view(np.int32)
    np.testing.assert_array_equal(sums[1:], (a * w)[:-1])
