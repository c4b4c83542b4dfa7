"""A GPU with a tensor core: the vendor's, or LUT arrays in its place, with the formats it runs.

Source: arXiv 2408.06003 v3 (LUT Tensor Core), section 4 and table 1.  A LUT array has M2 N64 K4:
512 lanes of one weight bit, each a table lookup that stands for ``lut_k`` multiply-accumulates.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from dovetail.arch.gpu import Gpu, gpu
from dovetail.arch.validation import refused_in_one_line
from dovetail.errors import ConfigError, did_you_mean

__all__ = [
    "ARRAY_LANES",
    "LUT_K",
    "TABLE_ENTRIES",
    "GpuMachine",
    "InstructionShape",
    "gpu_machine",
    "gpu_machines",
    "machine_preset",
]

Activation = Literal["fp16", "int8", "fp8"]

ACTIVATION_BITS = {"fp16": 16, "int8": 8, "fp8": 8}
# A LUT design accumulates as its published RTL does, in FP16; integers in 32 bits, and FP8 in the
# 32 bits of the vendor's tensor core.
ACCUMULATOR_BITS = {"fp16": 16, "int8": 32, "fp8": 32}
# Entries of an exact table as stored: sums of four INT8 have 11 bits, in a lane of 16.
EXACT_TABLE_BITS = 16
QUANTISED_TABLE_BITS = 8
TABLE_SCALE_BITS = 8

LUT_K = 4
TABLE_ENTRIES = 1 << (LUT_K - 1)
ARRAY_ROWS, ARRAY_COLS = 2, 64
ARRAY_LANES = ARRAY_ROWS * ARRAY_COLS * LUT_K


class InstructionShape(NamedTuple):
    """Rows, columns and reduction length of one matrix instruction of a warp."""

    m: int
    n: int
    k: int


# Of each warp that takes part.  PTX ISA, mma.sync: m16n8k16 for 16-bit operands, m16n8k32 for 8-bit
# ones; wgmma.mma_async has four times the rows.
_MMA = {
    "fp16": InstructionShape(16, 8, 16),
    "int8": InstructionShape(16, 8, 32),
    "fp8": InstructionShape(16, 8, 32),
}
# 8 x 1 x 4 steps of one array.  With 2-bit weights it does the work of the authors' trick for
# Accel-Sim: an m16n8k16 instruction whose n stands for 8 x 16 / 2 columns.
_LMMA = InstructionShape(8 * ARRAY_ROWS, ARRAY_COLS, 4 * LUT_K)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True))
class GpuMachine:
    """One GPU with one kind of tensor core.

    Attributes
    ----------
    gpu : str
        A name of :func:`dovetail.arch.gpu.gpus`.
    core : str
        ``mac``: the vendor's, at one width of both operands.  ``lut``: LUT arrays, bit-serial.
    activation : str
        ``fp16``, ``int8`` or ``fp8``.
    weight_bits : int
        Of a stored weight.  A ``mac`` core widens it to its activation's width as it is loaded; a
        ``lut`` core takes a cycle for each bit, 1 to 8.
    array_multiple : int
        LUT arrays of 512 lanes in place of one tensor core, 1 to 8.
    register_capacity : int
        Register file over the GPU's own: 1, 2 (the paper's double register modelling), 4 or 8.
    table : str
        Entries of a LUT core's tables: ``int8``, with one scale a table, or ``exact``.
    """

    gpu: str
    core: Literal["mac", "lut"]
    activation: Activation
    weight_bits: Annotated[int, Field(ge=1, le=16)]
    array_multiple: Annotated[int, Field(ge=1, le=8)] = 1
    register_capacity: Literal[1, 2, 4, 8] = 1
    table: Literal["int8", "exact"] = "int8"

    @model_validator(mode="after")
    def _check(self) -> GpuMachine:
        try:
            hardware = gpu(self.gpu)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if self.core == "lut":
            if self.weight_bits > 8:
                raise ValueError(
                    f"weight_bits={self.weight_bits} must be from 1 to 8 on a LUT core; change it "
                    f"or use core = mac"
                )
            return self
        if self.array_multiple != 1:
            raise ValueError(
                f"array_multiple={self.array_multiple} counts LUT arrays and must be 1 for "
                f"core=mac; leave it out"
            )
        if self.weight_bits > self.activation_bits:
            raise ValueError(
                f"weight_bits={self.weight_bits} must not exceed the {self.activation_bits} bits "
                f"at which a mac core with activation={self.activation} multiplies; change one"
            )
        if _fma(hardware, self.activation) is None:
            raise ValueError(
                f"activation={self.activation} is not a format of the tensor cores of gpu="
                f"{self.gpu}; use fp16 or int8, or another GPU"
            )
        return self

    @property
    def hardware(self) -> Gpu:
        return gpu(self.gpu)

    @property
    def activation_bits(self) -> int:
        return ACTIVATION_BITS[self.activation]

    @property
    def accumulator_bits(self) -> int:
        return ACCUMULATOR_BITS[self.activation]

    @property
    def table_bits_per_activation(self) -> float:
        """Of a table of 2^(k-1) entries for k activations, and its scale; 0 for a ``mac`` core."""
        if self.core == "mac":
            return 0.0
        if self.table == "exact":
            return EXACT_TABLE_BITS * TABLE_ENTRIES / LUT_K
        return (QUANTISED_TABLE_BITS * TABLE_ENTRIES + TABLE_SCALE_BITS) / LUT_K

    @property
    def instruction(self) -> InstructionShape:
        if self.core == "lut":
            return _LMMA
        m, n, k = _MMA[self.activation]
        return InstructionShape(m * self.warps_per_instruction, n, k)

    @property
    def warps_per_instruction(self) -> int:
        """1 for LMMA, which is issued per warp, as section 3.3 says."""
        return 1 if self.core == "lut" else int(self.hardware.warps_per_mma.value)

    @property
    def computed_weight_bits(self) -> int:
        """Of keys and values, the run-time "weights" of attention."""
        return 8 if self.core == "lut" else self.activation_bits

    def macs_per_cycle(self, weight_bits: int) -> float:
        """Multiply-accumulates of one tensor core in a cycle: the peak law."""
        if self.core == "lut":
            return self.array_multiple * ARRAY_LANES / weight_bits
        figure = _fma(self.hardware, self.activation)
        assert figure is not None
        return figure

    @property
    def peak_tops(self) -> float:
        """10^12 operations a second at ``weight_bits``, a multiply-accumulate being two."""
        hardware = self.hardware
        cores = hardware.sms.value * hardware.tensor_cores_per_sm.value
        return cores * self.macs_per_cycle(self.weight_bits) * 2 * hardware.clock_mhz.value * 1e-6


def _fma(hardware: Gpu, activation: Activation) -> float | None:
    figure = {
        "fp16": hardware.fp16_fma_per_tensor_core,
        "int8": hardware.int8_fma_per_tensor_core,
        "fp8": hardware.fp8_fma_per_tensor_core,
    }[activation]
    return None if figure is None else figure.value


_ADAPTER: TypeAdapter[GpuMachine] = TypeAdapter(GpuMachine)


def gpu_machine(values: dict[str, Any], *, source: str = "<dict>") -> GpuMachine:
    """Validate plain data (parsed TOML) into a machine, naming ``source`` in any error."""
    with refused_in_one_line(source, kind="a GPU with a tensor core"):
        return _ADAPTER.validate_json(json.dumps(values, default=str))


@cache
def _presets() -> dict[str, GpuMachine]:
    text = (files("dovetail.arch") / "gpu_machines.toml").read_text(encoding="utf-8")
    return {
        name: gpu_machine(values, source=f"gpu_machines.toml: {name}")
        for name, values in tomllib.loads(text).items()
    }


def gpu_machines() -> tuple[str, ...]:
    """Names of the packaged machines."""
    return tuple(_presets())


def machine_preset(name: str) -> GpuMachine:
    """Return the packaged machine called ``name``, such as ``"a100-lut-4x"``."""
    if name not in _presets():
        raise ConfigError(
            f"no machine named {name!r}; {did_you_mean(name, gpu_machines())}the machines are "
            f"{', '.join(gpu_machines())}"
        )
    return _presets()[name]
