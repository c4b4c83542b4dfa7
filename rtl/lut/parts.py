# amaranth: UnusedElaboratable=no
"""What the cores of LUT Tensor Core and its baselines are made of, by their configuration."""

from __future__ import annotations

from typing import Any

from amaranth import Shape, signed, unsigned

from dovetail.arch.engine import GemmEngineConfig
from dovetail.arch.number_formats import FP16, float_format
from dovetail.rtl.dot.bit_serial import AddUnit, FloatAddUnit
from dovetail.rtl.dot.column import zero_shape
from dovetail.rtl.dot.float_mac import FloatMacUnit
from dovetail.rtl.dot.group_sum import (
    EntryStepSum,
    FloatTableStepSum,
    StepSum,
    TableStepSum,
    UnitStepSum,
)
from dovetail.rtl.dot.head import ActivationHead, FullTableHead, Head, LoadedHead, TableHead
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.dot.parts import BroadcastParts
from dovetail.rtl.dot.unit import BroadcastUnit
from dovetail.rtl.floating.accumulate import AccumulateScaled
from dovetail.rtl.floating.group_dequant import FloatGroupDequant
from dovetail.rtl.gemm.accumulate import Accumulate
from dovetail.rtl.lut.conventional import ConventionalUnit
from dovetail.rtl.lut.float_lookup import FloatLookupUnit
from dovetail.rtl.lut.float_precompute import FloatPrecompute
from dovetail.rtl.lut.lookup import FullLookupUnit, LookupUnit
from dovetail.rtl.lut.precompute import FullPrecompute, Precompute
from dovetail.rtl.lut.quantise import QuantisingFloatPrecompute, QuantisingPrecompute
from dovetail.rtl.lut.quantised_lookup import QuantisedFloatLookupUnit, QuantisedLookupUnit
from dovetail.rtl.mixpe.dequant import GroupDequant

__all__ = ["broadcast_parts"]


def broadcast_parts(config: GemmEngineConfig) -> BroadcastParts:
    """Components of a core that broadcasts its operands."""
    kind = config.spec.unit
    digits = {"unsigned_digits": kind == "conventional", "signed_digits": kind == "full_table"}
    if config.spec.floating:
        form = float_format(config.sum_format)
        unit = _float_unit(config)
        return BroadcastParts(
            head=_head(config, unit),
            unit=unit,
            group_sum=_float_group_sum(config),
            dequant=FloatGroupDequant(form, zero_shape(config)),
            accumulate=AccumulateScaled(form),
        )
    unit = _integer_unit(config)
    head = _head(config, unit)
    dequant = GroupDequant(
        p_bits=config.pe_accumulator_bits + any(digits.values()),
        s_bits=config.group_sum_bits,
        zero_shape=zero_shape(config),
    )
    return BroadcastParts(
        head=head,
        unit=unit,
        group_sum=_integer_group_sum(config, head),
        dequant=dequant,
        accumulate=Accumulate(increment_bits=dequant.o_bits, bits=config.accumulator_bits),
        **digits,
    )


def _integer_unit(config: GemmEngineConfig) -> BroadcastUnit:
    shape: dict[str, Any] = {
        "lut_k": config.lut_k,
        "activation_bits": config.spec.activation_bits,
        "sum_bits": config.pe_accumulator_bits,
    }
    if config.spec.unit == "lookup":
        return QuantisedLookupUnit(**shape) if config.table == "int8" else LookupUnit(**shape)
    if config.spec.unit == "full_table":
        return FullLookupUnit(**shape, signed_weights=True)
    if config.spec.unit == "conventional":
        return ConventionalUnit(**shape)
    if config.spec.unit == "add":
        return AddUnit(**shape)
    return MacUnit(**shape)


def _float_unit(config: GemmEngineConfig) -> BroadcastUnit:
    form, lut_k = float_format(config.sum_format), config.lut_k
    if config.spec.unit == "lookup":
        if config.table == "int8":
            return QuantisedFloatLookupUnit(form, lut_k=lut_k)
        return FloatLookupUnit(form, lut_k=lut_k)
    if config.spec.unit == "add":
        return FloatAddUnit(form, lut_k=lut_k)
    return FloatMacUnit(form, lut_k=lut_k)


def _head(config: GemmEngineConfig, unit: BroadcastUnit) -> Head:
    spec, bits = config.spec, config.activation_step_bits
    if not spec.tables:
        return ActivationHead(bits, unit.operand)
    if not config.makes_tables:
        entry = unsigned(FP16.bits) if spec.floating else signed(config.table_entry_bits)
        return LoadedHead(bits, unit.operand, entry)
    shape: dict[str, Any] = {"lut_k": config.lut_k, "activation_bits": spec.activation_bits}
    if spec.unit == "full_table":
        return FullTableHead(bits, FullPrecompute(**shape))
    if config.table == "int8":
        quantising = QuantisingFloatPrecompute if spec.floating else QuantisingPrecompute
        return TableHead(bits, quantising(**shape))
    return TableHead(bits, FloatPrecompute(**shape) if spec.floating else Precompute(**shape))


def _integer_group_sum(config: GemmEngineConfig, head: Head) -> StepSum | UnitStepSum | None:
    spec, sum_bits = config.spec, config.group_sum_bits
    if not spec.group_sums:
        return None
    if spec.tables:
        # A full table has no entry as large as a symmetric one's, and is a bit narrower.
        entry_bits = Shape.cast(head.signature.members["sum_o"].shape).width
        step_sum = TableStepSum if spec.unit == "lookup" else EntryStepSum
        return step_sum(entry_bits=entry_bits, sum_bits=sum_bits)
    return UnitStepSum(
        AddUnit(
            lut_k=config.lut_k,
            activation_bits=spec.activation_bits,
            sum_bits=sum_bits,
            max_planes=1,
        )
    )


def _float_group_sum(config: GemmEngineConfig) -> StepSum | UnitStepSum | None:
    form = float_format(config.sum_format)
    if not config.spec.group_sums:
        return None
    if config.spec.tables:
        return FloatTableStepSum(form)
    return UnitStepSum(FloatAddUnit(form, lut_k=config.lut_k, max_planes=1))
