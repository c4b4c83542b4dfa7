"""arch/accel_sim.py: what the published log says of its kernel, from the kernel's own numbers."""

from dovetail.arch.accel_sim import SECTOR_BYTES, accel_sim


def test_the_kernel_has_the_log_s_grid() -> None:
    """The log: grid (32, 54, 1), block (128, 1, 1), 16,384 bytes of shared memory."""
    kernel = accel_sim().kernel
    assert kernel.blocks == 32 * 54
    assert kernel.warps * 32 == 128
    rows = kernel.block_m + kernel.block_n
    assert 2 * rows * kernel.step_k * kernel.operand_bytes == 16384


def test_the_log_s_occupancy_is_that_of_two_blocks() -> None:
    table = accel_sim()
    occupancy = table.log.blocks_per_sm * table.kernel.warps / 64
    assert abs(occupancy - 0.1249) < 1e-3


def test_files_and_log_differ_in_the_tensor_core_and_the_blocks() -> None:
    table = accel_sim()
    names = [
        name
        for name, value in vars(table.log).items()
        if name != "source" and not name.startswith("_") and value != getattr(table.config, name)
    ]
    assert names == ["mma_initiation_cycles", "mma_latency_cycles", "blocks_per_sm"]
    # m16n8k16 in 8 cycles is the A100's rate of 256 a tensor core; the log's is half of it.
    products = 16 * 8 * 16
    assert products / table.config.mma_initiation_cycles == 256
    assert products / table.log.mma_initiation_cycles == 128


def test_the_log_s_counters_are_of_its_kernel() -> None:
    """Results are written once, 442,368 sectors, and all of them miss; 15 % of loads hit L1."""
    table = accel_sim()
    written = table.kernel.m * table.kernel.n * 2 // SECTOR_BYTES
    assert written == 442368
    operands = (table.kernel.block_m + table.kernel.block_n) * table.kernel.k * 2
    loads = table.kernel.blocks * operands // SECTOR_BYTES
    assert table.counted.l2_sectors - written < loads < 1.2 * table.counted.l2_sectors
    assert abs(table.counted.l2_missed_sectors / table.counted.l2_sectors - 0.0474) < 5e-5
