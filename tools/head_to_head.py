"""GEMM 512 x 4096 x 4096 on 32 x 32, output stationary: RTL in Verilator against the simulator.

Prints the rows of docs/head-to-head.md that are ours.  Builds two 32 x 32 engines and runs some
eight million cycles on each: several minutes.
"""

from __future__ import annotations

import time

import numpy as np

from dovetail.arch.engine import Core, GemmEngineConfig
from dovetail.arch.events import Event
from dovetail.arch.gemm import Gemm, TileMapping, WeightFormat
from dovetail.lockstep.case import LockstepCase, random_operands
from dovetail.models.gemm_layout import unpack_outputs
from dovetail.rtl.verilator import build
from dovetail.sim.mapping import best_mapping

M, N, K = 512, 4096, 4096
KIB = 1024


def engine(core: Core) -> GemmEngineConfig:
    """32 x 32 PEs and three buffers of 256 KiB, as in the other tools' runs."""
    return GemmEngineConfig(
        core=core,
        rows=32,
        cols=32,
        activation_buffer_bytes=256 * KIB,
        weight_buffer_bytes=256 * KIB,
        accumulator_buffer_bytes=256 * KIB,
        port_bits=1024,
    )


def run(core: Core, weight_format: WeightFormat, mapping: TileMapping | None = None) -> None:
    """Run one engine and print what it did."""
    config = engine(core)
    gemm = Gemm(m=M, n=N, k=K, weight_format=weight_format, group=128)
    case = LockstepCase(
        config=config,
        gemm=gemm,
        mapping=mapping or best_mapping(config, gemm),
        operands=random_operands(np.random.default_rng(0), gemm),
        output_shift=20,
        weight_shift=8,
        repeat="python tools/head_to_head.py",
    )
    simulated = case.simulate()
    built = build(config)
    began = time.perf_counter()
    (rtl,) = built.run([case.rtl(cycles=simulated.cycles)])
    seconds = time.perf_counter() - began
    outputs = unpack_outputs(np.frombuffer(rtl.output, np.uint8), config, case.descriptor)
    wrong = int((outputs != case.reference()).sum())
    different = [event for event in Event if rtl.events[event] != simulated.events[event]]
    print(
        f"{core} {weight_format} {case.mapping}: RTL {rtl.cycles:,} cycles, simulator "
        f"{simulated.cycles:,}; streaming {simulated.events[Event.STREAM]:,}; "
        f"{wrong} of {outputs.size:,} outputs differ, {len(different)} events differ; "
        f"{seconds:.0f} s in Verilator",
        flush=True,
    )


if __name__ == "__main__":
    run("int8", "int8")
    run("mixpe_w4a8", "int4")
