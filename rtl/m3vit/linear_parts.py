"""What the core of M3ViT's linear layers is made of."""

from __future__ import annotations

from dovetail.arch.engine import GemmEngineConfig
from dovetail.rtl.dot.head import ActivationHead
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.dot.parts import BroadcastParts
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.m3vit.bias_add import BiasAdd

__all__ = ["linear_parts"]


def linear_parts(config: GemmEngineConfig) -> BroadcastParts:
    """Multipliers of whole weights, sums modulo the accumulator's width, biases after the group."""
    unit = MacUnit(
        lut_k=config.lut_k,
        activation_bits=config.spec.activation_bits,
        element_bits=config.spec.slice_bits,
        sum_bits=config.pe_accumulator_bits,
        product_cycles=config.product_cycles,
    )
    bits = config.accumulator_bits
    return BroadcastParts(
        head=ActivationHead(config.activation_step_bits, unit.operand),
        unit=unit,
        group_sum=None,
        dequant=BiasAdd(bits=bits),
        accumulate=Accumulate(increment_bits=bits, bits=bits),
    )
