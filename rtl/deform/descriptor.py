"""The engine's run-time registers as a hardware layout; fields as in ``DeformDescriptor``."""

from __future__ import annotations

from dataclasses import fields

from amaranth.lib import data

from dovetail.arch.deform_call import MOST_PIXELS, DeformDescriptor

__all__ = ["ADDRESS_BITS", "DESCRIPTOR", "READ_COMMAND", "SIZE_BITS"]

ADDRESS_BITS = 32  # of one beat in DRAM; a count of beats too
SIZE_BITS = MOST_PIXELS.bit_length()  # of rows, columns, groups of channels
_FLAGS = ("stride2", "pointwise", "depthwise", "deform", "relu1", "relu3")


def _width(name: str) -> int:
    if name in _FLAGS:
        return 1
    return ADDRESS_BITS if name.endswith(("_beats", "_address", "pixels")) else SIZE_BITS


DESCRIPTOR = data.StructLayout(
    {field.name: _width(field.name) for field in fields(DeformDescriptor)}
)
READ_COMMAND = data.StructLayout({"address": ADDRESS_BITS, "beats": ADDRESS_BITS})
