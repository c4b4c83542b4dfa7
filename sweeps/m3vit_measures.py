"""Columns of a sweep over M3ViT's engines: what is on the chip, and what the DRAM takes."""

from __future__ import annotations

from collections.abc import Mapping

from dovetail.arch.dram import dram
from dovetail.arch.events import Event
from dovetail.arch.m3vit.design import M3vitDesign
from dovetail.models.trace import Trace
from dovetail.sim.m3vit_network import EncoderResult
from dovetail.sweeps.evaluate import time_ms
from dovetail.sweeps.measures import Measure, Measures

DRAM = "ddr4-2133"

_COLUMNS = (
    Measure(name="multipliers", title="products a cycle"),
    Measure(name="buffer_bytes", title="scratchpads and accumulators", unit="B"),
    Measure(name="port_bits", title="width of a port", unit="bit"),
    Measure(name="dram_bytes", title="read and written in DRAM", unit="B"),
    Measure(name="dram_mj", title=f"energy of the DRAM ({DRAM})", unit="mJ"),
)


def _of(design: M3vitDesign, trace: Trace, result: EncoderResult) -> Mapping[str, float]:
    linear = design.engine.engine
    memory = dram(DRAM)
    read, written = (
        result.events[event] * linear.port_bits for event in (Event.DRAM_READ, Event.DRAM_WRITE)
    )
    moved_pj = read * memory.read_pj_per_bit.range.value
    moved_pj += written * memory.write_pj_per_bit.range.value
    return {
        "multipliers": result.peak_macs_per_cycle,
        "buffer_bytes": linear.activation_buffer_bytes
        + linear.weight_buffer_bytes
        + linear.scale_buffer_bytes
        + linear.accumulator_buffer_bytes,
        "port_bits": linear.port_bits,
        "dram_bytes": (read + written) // 8,
        "dram_mj": moved_pj * 1e-9
        + memory.static_w.range.value * time_ms(result, linear.clock_mhz),
    }


MEASURES = Measures(columns=_COLUMNS, of=_of, missing="leave it out")
