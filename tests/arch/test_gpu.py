"""arch/gpu.py: data-sheet products from the parts, and a source for every number."""

import dataclasses
import tomllib
from importlib.resources import files

import pytest

from dovetail.arch.costs import Sourced
from dovetail.arch.gpu import gpu, gpus
from dovetail.arch.gpu_machine import machine_preset
from dovetail.errors import ConfigError


@pytest.mark.parametrize("name", gpus())
def test_every_number_has_a_source(name: str) -> None:
    hardware = gpu(name)
    for field in dataclasses.fields(hardware):
        figure = getattr(hardware, field.name)
        if field.name != "title" and figure is not None:
            assert isinstance(figure, Sourced), field.name
            assert len(figure.source) > 20, field.name


def test_every_source_is_used() -> None:
    table = tomllib.loads((files("dovetail.arch") / "gpus.toml").read_text())
    used = {
        entry["source"]
        for one in table["gpus"].values()
        for entry in one.values()
        if "value" in entry
    }
    assert used == set(table["sources"])


def test_a100_s_parts_give_its_data_sheet() -> None:
    """NVIDIA A100 data sheet: 19.5 TFLOPS FP32, 312 FP16, 624 INT8, 1,555 GB/s."""
    a100 = gpu("a100")
    hertz = a100.clock_mhz.value * 1e6
    lanes = a100.sms.value * a100.fp32_lanes_per_sm.value
    assert lanes * 2 * hertz / 1e12 == pytest.approx(19.5, rel=2e-3)
    cores = a100.sms.value * a100.tensor_cores_per_sm.value
    assert cores * a100.fp16_fma_per_tensor_core.value * 2 * hertz / 1e12 == pytest.approx(
        312, rel=1e-3
    )
    assert cores * a100.int8_fma_per_tensor_core.value * 2 * hertz / 1e12 == pytest.approx(
        624, rel=1e-3
    )
    assert a100.l2_bytes_per_cycle.value * hertz / 1e9 == pytest.approx(7219, rel=1e-3)
    assert a100.dram_bytes_per_cycle * hertz / 1e9 == pytest.approx(1555)
    assert a100.registers_per_sm.value * 4 == 256 * 1024  # bytes: the whitepaper's 256 KB an SM


def test_h100_s_parts_give_its_data_sheet_at_its_own_clock() -> None:
    """NVIDIA H100 SXM5: 1,979 TFLOPS dense FP8 at 1,830 MHz, 66.9 FP32 at 1,980."""
    h100 = gpu("h100")
    assert h100.fp8_fma_per_tensor_core is not None
    cores = h100.sms.value * h100.tensor_cores_per_sm.value
    fp8 = cores * h100.fp8_fma_per_tensor_core.value * 2 * 1.83e9 / 1e12
    assert fp8 == pytest.approx(1979, rel=1e-3)
    fp32 = h100.sms.value * h100.fp32_lanes_per_sm.value * 2 * 1.98e9 / 1e12
    assert fp32 == pytest.approx(66.9, rel=1e-3)


def test_a_load_that_misses_takes_what_each_level_adds() -> None:
    assert gpu("a100").load_latency_cycles == 39 + 187 + 100


def test_an_unknown_gpu_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"^no GPU named 'b200'; the GPUs are a100, h100$"):
        gpu("b200")


def test_machines_find_their_gpu() -> None:
    assert machine_preset("h100-fp8").hardware is gpu("h100")
