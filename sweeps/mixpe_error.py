"""What the number formats of a MixPE design cost in accuracy, measured on real weights."""

from __future__ import annotations

from dovetail.arch.mixpe import MixpeDesign
from dovetail.errors import ConfigError
from dovetail.models.quantization_error import quantization_error

_ORDER = {"mixpe_w4a8": "after", "int8": "before"}  # dequantised after the group, or before


def output_error(design: MixpeDesign) -> float:
    """1 - cosine between the outputs of the real-weight network as this design and in float.

    Raises
    ------
    ConfigError
        For 4-bit keys and values, which were not measured.
    """
    if design.kv_bits != 8:
        raise ConfigError(
            f"kv_bits={design.kv_bits} has no measured error; set kv_bits to 8, or name objectives "
            f"without error"
        )
    return quantization_error(
        group=design.group, zero_point=design.zero_point, order=_ORDER[design.engine.core]
    ).error
