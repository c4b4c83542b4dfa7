"""arch/gpu_machine.py: the peak law, tables' bits, instruction shapes, and what is refused."""

from dataclasses import asdict

import pytest

from dovetail.arch.gpu_machine import (
    GpuMachine,
    InstructionShape,
    gpu_machine,
    gpu_machines,
    machine_preset,
)
from dovetail.errors import ConfigError

# arXiv 2408.06003 v3, table 1.
PEAKS = {
    "a100-fp16": 312,
    "a100-int8": 624,
    "a100-lut-4x": 1248,
    "a100-lut-8x": 2496,
    "h100-fp8": 1525,
    "h100-lut-4x": 1525,
    "h100-lut-8x": 3049,
}


@pytest.mark.parametrize("name", PEAKS)
def test_peaks_are_those_of_table_1(name: str) -> None:
    assert machine_preset(name).peak_tops == pytest.approx(PEAKS[name], rel=2e-3)


@pytest.mark.parametrize("bits", range(1, 9))
def test_a_lut_core_takes_a_cycle_for_each_weight_bit(bits: int) -> None:
    machine = GpuMachine(
        gpu="a100", core="lut", activation="int8", weight_bits=bits, array_multiple=3
    )
    assert machine.macs_per_cycle(bits) * bits == 3 * 2 * 64 * 4


def test_fig_19_s_machine_has_four_times_the_fp16_peak() -> None:
    four = 4 * machine_preset("a100-fp16").peak_tops
    assert machine_preset("a100-lut-2x-w1a16").peak_tops == pytest.approx(four)


def test_bits_of_tables() -> None:
    """Eight entries for four activations: 128 bits of FP16; 64 of INT8, and a scale."""
    quantised = machine_preset("a100-lut-4x")
    exact = gpu_machine(asdict(quantised) | {"table": "exact"})
    assert exact.table_bits_per_activation * 4 == 128
    assert quantised.table_bits_per_activation * 4 == 64 + 8
    assert machine_preset("a100-fp16").table_bits_per_activation == 0


def test_instructions() -> None:
    assert machine_preset("a100-fp16").instruction == InstructionShape(16, 8, 16)
    assert machine_preset("a100-int8").instruction == InstructionShape(16, 8, 32)
    # A warpgroup of Hopper has four warps and 64 rows.
    assert machine_preset("h100-fp8").instruction == InstructionShape(64, 8, 32)
    assert machine_preset("h100-fp8").warps_per_instruction == 4
    assert machine_preset("h100-lut-4x").warps_per_instruction == 1


def test_an_lmma_is_the_authors_duplicated_hmma() -> None:
    """INT2 on four times the array: m16n8k16 with n for 8 x 16 / 2 columns, in two of 8 cycles."""
    machine = machine_preset("a100-lut-4x")
    m, n, k = machine.instruction
    assert (m, n, k) == (16, 8 * 16 // 2, 16)
    assert m * n * k / machine.macs_per_cycle(2) == 2 * 8


def test_computed_operands_have_eight_bits_where_the_core_can() -> None:
    assert machine_preset("a100-fp16").computed_weight_bits == 16
    for name in ("a100-int8", "h100-fp8", "a100-lut-4x", "a100-lut-2x-w1a16"):
        assert machine_preset(name).computed_weight_bits == 8


@pytest.mark.parametrize("name", gpu_machines())
def test_every_machine_comes_back_from_plain_data(name: str) -> None:
    assert gpu_machine(asdict(machine_preset(name))) == machine_preset(name)


LUT = asdict(machine_preset("a100-lut-4x"))
MAC = asdict(machine_preset("a100-fp16"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (LUT | {"weight_bits": 0}, r"^mine: weight_bits: 0 must be greater than or equal to 1; ch"),
        (LUT | {"weight_bits": 9}, r"^mine: weight_bits=9 must be from 1 to 8 on a LUT core; chan"),
        (LUT | {"array_multiple": 9}, r"^mine: array_multiple: 9 must be less than or equal to 8"),
        (LUT | {"register_capacity": 3}, r"^mine: register_capacity: 3 must be 1, 2, 4 or 8; cha"),
        (LUT | {"gpu": "b200"}, r"^mine: no GPU named 'b200'; the GPUs are a100, h100$"),
        (MAC | {"array_multiple": 2}, r"^mine: array_multiple=2 counts LUT arrays and must be 1 "),
        (
            MAC | {"activation": "int8"},
            r"^mine: weight_bits=16 must not exceed the 8 bits at which a mac core with activation",
        ),
        (
            MAC | {"activation": "fp8", "weight_bits": 8},
            r"^mine: activation=fp8 is not a format of the tensor cores of gpu=a100; use fp16 or",
        ),
        (MAC | {"sms": 3}, r"^mine: sms is not a field of a GPU with a tensor core; remove it"),
    ],
)
def test_refuses_what_cannot_be(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gpu_machine(values, source="mine")


def test_an_unknown_machine_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"^no machine named 'tpu'; the machines are a100-fp16, "):
        machine_preset("tpu")
