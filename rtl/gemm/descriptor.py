"""Layouts of what goes in and out of the engine: registers (``arch.descriptor``), read commands."""

from __future__ import annotations

from amaranth.lib import data

from dovetail.arch.chained import ChainedEngineConfig
from dovetail.arch.cores import MAX_WEIGHT_BITS
from dovetail.arch.descriptor import register_names
from dovetail.arch.engine import GemmEngineConfig

__all__ = ["ADDRESS_BITS", "COUNTER_BITS", "READ_COMMAND", "SIZE_BITS", "descriptor_layout"]

ADDRESS_BITS = 32  # of one beat in DRAM
SIZE_BITS = 21  # of a count of blocks, groups, k or beats
COUNTER_BITS = 48  # of a count of an event
READ_COMMAND = data.StructLayout({"address": ADDRESS_BITS, "beats": SIZE_BITS})
_NARROW = {
    "group_log2": 4,
    "n_outer": 1,
    "unscaled": 1,
    "signed": 1,
    "planes": MAX_WEIGHT_BITS.bit_length(),
    "levels": 2,
    "output_shift": 6,
    "weight_shift": 4,
    "bias_shift": 5,
    "gelu": 1,
    "after_writes": 1,
}


def _width(name: str) -> int:
    if name.endswith(("_beats", "_address")):
        return ADDRESS_BITS
    return _NARROW.get(name, SIZE_BITS)


def descriptor_layout(config: GemmEngineConfig) -> data.StructLayout:
    """Layout of the registers that the engine of ``config`` has."""
    widths = {name: _width(name) for name in register_names(config)}
    if isinstance(config, ChainedEngineConfig):
        widths["tag"] = config.tag_bits
    return data.StructLayout(widths)
