"""Units of broadcast arrays that are synthesised to be compared; no technology prices them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Kind = Literal["lookup", "plain", "quantised", "full", "full_signed", "add", "add_binary", "mac"]
Activation = Literal["int8", "int16", "fp16", "fp8"]

DOT_UNITS: Mapping[str, tuple[Kind, Activation, Literal["unit", "head"]]] = {
    "lut.lookup_int8": ("lookup", "int8", "unit"),
    "lut.lookup_int16": ("lookup", "int16", "unit"),
    "lut.lookup_fp16": ("lookup", "fp16", "unit"),
    "lut.lookup_quantised_int8": ("quantised", "int8", "unit"),
    "lut.lookup_quantised_fp16": ("quantised", "fp16", "unit"),
    "lut.lookup_plain_int8": ("plain", "int8", "unit"),
    "lut.precompute_int8": ("lookup", "int8", "head"),
    "lut.precompute_int16": ("lookup", "int16", "head"),
    "lut.precompute_fp16": ("lookup", "fp16", "head"),
    "lut.precompute_fp8": ("lookup", "fp8", "head"),
    "lut.precompute_quantised_int8": ("quantised", "int8", "head"),
    "lut.precompute_quantised_fp16": ("quantised", "fp16", "head"),
    "conventional_lut.lookup_int8": ("full", "int8", "unit"),
    "conventional_lut.lookup_fp16": ("full", "fp16", "unit"),
    "conventional_lut.precompute_int8": ("full", "int8", "head"),
    "conventional_lut.precompute_fp16": ("full", "fp16", "head"),
    "unpu.lookup_int8": ("full_signed", "int8", "unit"),
    "add.dot_int8": ("add", "int8", "unit"),
    "add.dot_fp16": ("add", "fp16", "unit"),
    "mac.dot_int8": ("mac", "int8", "unit"),
    "mac.dot_fp16": ("mac", "fp16", "unit"),
}
"""What each is: kind of unit, format of activations, and the unit or what makes its table."""
