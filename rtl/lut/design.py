# amaranth: UnusedElaboratable=no
"""Units of broadcast arrays by what they compute: the unit, and what makes its rows' operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from dovetail.arch.dot_units import Activation, Kind
from dovetail.arch.number_formats import FP16, float_format
from dovetail.errors import ConfigError
from dovetail.rtl.dot.bit_serial import AddUnit, FloatAddUnit
from dovetail.rtl.dot.float_mac import FloatMacUnit
from dovetail.rtl.dot.mac import MacUnit
from dovetail.rtl.dot.unit import MAX_PLANES, BroadcastUnit
from dovetail.rtl.lut.float_lookup import FloatFullLookupUnit, FloatLookupUnit
from dovetail.rtl.lut.float_precompute import FloatFullPrecompute, FloatPrecompute
from dovetail.rtl.lut.lookup import FullLookupUnit, LookupUnit
from dovetail.rtl.lut.precompute import FullPrecompute, Precompute
from dovetail.rtl.lut.quantise import QuantisingFloatPrecompute, QuantisingPrecompute
from dovetail.rtl.lut.quantised_lookup import QuantisedFloatLookupUnit, QuantisedLookupUnit

__all__ = ["DotDesign", "dot_head", "dot_unit"]

_BITS = {"int8": 8, "int16": 16, "fp16": 16, "fp8": 8}


@dataclass(frozen=True, kw_only=True)
class DotDesign:
    """One kind of unit in one format.

    Attributes
    ----------
    kind : str
        ``lookup``: symmetric table, indices inverted beforehand.  ``plain``: symmetric table, the
        unit inverts.  ``quantised``: as ``lookup``, with INT8 entries.  ``full``: conventional
        table, unsigned weights; ``full_signed``: two's-complement ones.  ``add``: bit-serial adders
        of -1 and 1; ``add_binary``: of 0 and 1.  ``mac``: whole weights, as wide as activations.
    activation : str
    lut_k : int
        Activations of a step.
    weight_bits : int
        Most planes of a weight.  A ``mac`` unit does not depend on it.
    group : int
        Longest segment of an integer unit, in k.
    sums : str
        Format of floating-point sums.
    drains : bool
        The unit has a drain chain.
    """

    kind: Kind
    activation: Activation
    lut_k: int = 4
    weight_bits: int = MAX_PLANES
    group: int = 128
    sums: str = "fp32"
    drains: bool = False

    def __post_init__(self) -> None:
        for name, kind in (("kind", Kind), ("activation", Activation)):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"{name}={getattr(self, name)!r} must be one of {', '.join(get_args(kind))}; "
                    f"change {name}"
                )
        if not 1 <= self.weight_bits <= MAX_PLANES:
            raise ConfigError(
                f"weight_bits={self.weight_bits} must be from 1 to {MAX_PLANES}; change weight_bits"
            )
        if self.floating and self.kind in ("full_signed", "plain", "add_binary"):
            raise ConfigError(
                f"kind={self.kind} is for integers, not for {self.activation}; change one of them"
            )

    @property
    def floating(self) -> bool:
        return self.activation in ("fp16", "fp8")

    @property
    def activation_bits(self) -> int:
        return _BITS[self.activation]

    @property
    def bit_serial(self) -> bool:
        """Weights come one plane a cycle."""
        return self.kind != "mac"

    @property
    def sum_bits(self) -> int:
        """Width of an integer unit's accumulator."""
        longest = (self.group - 1).bit_length()
        if not self.bit_serial:
            return 2 * self.activation_bits + longest
        return self.activation_bits + self.weight_bits + longest

    def unit(self) -> BroadcastUnit:
        """The unit."""
        if self.floating:
            return self._float_unit()
        if self.kind == "mac":
            return MacUnit(
                lut_k=self.lut_k,
                activation_bits=self.activation_bits,
                element_bits=self.activation_bits,
                sum_bits=self.sum_bits,
                drains=self.drains,
            )
        common: dict[str, Any] = {
            "lut_k": self.lut_k,
            "activation_bits": self.activation_bits,
            "sum_bits": self.sum_bits,
            "max_planes": self.weight_bits,
            "drains": self.drains,
        }
        if self.kind in ("lookup", "plain"):
            return LookupUnit(**common, inverted=self.kind == "lookup")
        if self.kind == "quantised":
            return QuantisedLookupUnit(**common)
        if self.kind in ("full", "full_signed"):
            return FullLookupUnit(**common, signed_weights=self.kind == "full_signed")
        return AddUnit(**common, binary=self.kind == "add_binary")

    def _float_unit(self) -> BroadcastUnit:
        form = float_format(self.sums)
        if self.kind == "mac":
            return FloatMacUnit(form, lut_k=self.lut_k, drains=self.drains)
        common: dict[str, Any] = {
            "lut_k": self.lut_k,
            "max_planes": self.weight_bits,
            "drains": self.drains,
        }
        if self.kind == "lookup":
            return FloatLookupUnit(form, **common)
        if self.kind == "quantised":
            return QuantisedFloatLookupUnit(form, **common)
        if self.kind == "full":
            return FloatFullLookupUnit(form, **common)
        return FloatAddUnit(form, **common)

    def head(self) -> Any:
        """What makes a row's table of its activations; None where activations are the operand."""
        shape: dict[str, Any] = {"lut_k": self.lut_k, "activation_bits": self.activation_bits}
        if self.kind in ("lookup", "plain"):
            return FloatPrecompute(**shape) if self.floating else Precompute(**shape)
        if self.kind == "quantised":
            quantising = QuantisingFloatPrecompute if self.floating else QuantisingPrecompute
            return quantising(**shape)
        if self.kind in ("full", "full_signed"):
            return FloatFullPrecompute(**shape) if self.floating else FullPrecompute(**shape)
        return None

    @property
    def entry_bits(self) -> int:
        """Bits of an FP16 activation or weight of a unit without a table, as its operand."""
        return FP16.bits if self.floating else self.activation_bits


def dot_unit(*, kind: Kind, activation: Activation, lut_k: int) -> BroadcastUnit:
    """A unit for weights of up to 8 bits, with a drain chain, as an engine has it."""
    return DotDesign(kind=kind, activation=activation, lut_k=lut_k, drains=True).unit()


def dot_head(*, kind: Kind, activation: Activation, lut_k: int) -> Any:
    """What makes the tables of :func:`dot_unit`."""
    return DotDesign(kind=kind, activation=activation, lut_k=lut_k).head()
