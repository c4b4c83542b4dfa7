"""The engine's registers as a hardware layout; fields as in ``arch.descriptor.Descriptor``."""

from __future__ import annotations

from dataclasses import fields

from amaranth.lib import data

from dovetail.arch.cores import MAX_WEIGHT_BITS
from dovetail.arch.descriptor import Descriptor

__all__ = ["ADDRESS_BITS", "DESCRIPTOR", "SIZE_BITS"]

ADDRESS_BITS = 32  # of one beat in DRAM
SIZE_BITS = 21  # of a count of blocks, groups, k or beats
_NARROW = {
    "group_log2": 4,
    "n_outer": 1,
    "unscaled": 1,
    "signed": 1,
    "planes": MAX_WEIGHT_BITS.bit_length(),
    "levels": 2,
    "output_shift": 6,
    "weight_shift": 4,
}


def _width(name: str) -> int:
    if name.endswith(("_beats", "_address")):
        return ADDRESS_BITS
    return _NARROW.get(name, SIZE_BITS)


DESCRIPTOR = data.StructLayout({field.name: _width(field.name) for field in fields(Descriptor)})
