"""A small GPU whose times can be worked out by hand."""

from dovetail.sim.gpu_kernel import GpuRates

SMALL = GpuRates(
    sms=2,
    tensor_cores=4,
    macs_per_cycle=64.0,
    instruction_m=16,
    instruction_n=8,
    instruction_k=16,
    instruction_warps=1,
    a_bytes=2.0,
    w_bytes=2.0,
    a_register_bytes=2.0,
    w_register_bytes=2.0,
    accumulator_bytes=4.0,
    output_bytes=2.0,
    registers_per_sm=65536,
    registers_per_thread=255,
    other_registers=28,
    warps_per_sm=64,
    blocks_per_sm=32,
    shared_per_sm=167936,
    shared_per_block=166912,
    shared_bytes_per_cycle=128.0,
    l2_bytes=1e6,
    l2_bytes_per_cycle=64.0,
    dram_bytes_per_cycle=8.0,
    load_latency=300.0,
)
