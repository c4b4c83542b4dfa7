"""sim/gpu.py: kernels of a small network by hand, tables made by whom, and limits of whole ones."""

import pytest

from dovetail.arch.gpu_machine import gpu_machines, machine_preset
from dovetail.errors import ConfigError, TraceError
from dovetail.models.networks import network
from dovetail.models.trace import GemmOp, OtherOp, Trace
from dovetail.sim.gpu import GpuResult, Precompute, simulate_on_gpu
from dovetail.sim.gpu_gemm import Operands, simulate_gpu_gemm
from dovetail.sim.gpu_kernel import Problem

LUT = machine_preset("a100-lut-4x")
VALUES = 64 * 256
OPS: tuple[GemmOp | OtherOp, ...] = (
    OtherOp(
        name="norm", layer=0, kind="norm", operations=10, values_read=VALUES, values_written=VALUES
    ),
    GemmOp(name="q", layer=0, m=64, n=128, k=256),
    OtherOp(
        name="q_bias", layer=0, kind="bias", operations=8192, values_read=8192, values_written=8192
    ),
    GemmOp(name="k", layer=0, m=64, n=64, k=256),
    GemmOp(name="scores", layer=0, m=64, n=64, k=32, count=4, weights="activation"),
    GemmOp(name="o", layer=0, m=64, n=256, k=128),
    OtherOp(
        name="residual",
        layer=0,
        kind="residual",
        operations=VALUES,
        values_read=2 * VALUES,
        values_written=VALUES,
    ),
)
SMALL = Trace(network="small", phase="prefill", batch=1, seq=64, ops=OPS)


def run(precompute: Precompute) -> GpuResult:
    return simulate_on_gpu(LUT, SMALL, precompute=precompute)


def dram(result: GpuResult, name: str) -> float:
    return next(kernel.dram_bytes for kernel in result.kernels if kernel.name == name)


def test_kernels_in_program_order_with_biases_in_their_gemms() -> None:
    assert [kernel.name for kernel in run("fused").kernels] == [
        "norm",
        "q",
        "k",
        "scores",
        "o",
        "residual",
    ]


def test_a_separate_kernel_makes_the_tables_of_all_gemms_that_share_them() -> None:
    result = run("separate")
    assert [kernel.name for kernel in result.kernels] == [
        "norm",
        "q_tables",
        "q",
        "k",
        "scores_tables",
        "scores",
        "o_tables",
        "o",
        "residual",
    ]
    # INT8 in, tables of 18 bits an activation out.
    assert dram(result, "q_tables") == VALUES * (1 + 18 / 8)
    assert dram(result, "scores_tables") == 64 * 32 * 4 * (1 + 18 / 8)
    bandwidth = LUT.hardware.dram_bytes_per_cycle
    tables = next(kernel for kernel in result.kernels if kernel.name == "q_tables")
    operations = VALUES / 4 * (2 + 2 + 8 + 3 * 8)
    assert tables.cycles == max(dram(result, "q_tables") / bandwidth, operations / (108 * 64))


def test_bytes_of_the_kernel_before_a_gemm() -> None:
    """Read as FP16; written as INT8, or as tables where it makes them."""
    for precompute in ("none", "separate"):
        assert dram(run(precompute), "norm") == VALUES * (2 + 1)
    assert dram(run("fused"), "norm") == VALUES * (2 + 18 / 8)


@pytest.mark.parametrize(("precompute", "written"), [("none", 1), ("separate", 1), ("fused", 2.25)])
def test_a_gemm_whose_results_the_next_one_reads_writes_its_format(
    precompute: Precompute, written: float
) -> None:
    """The scores' 64 x 64 x 4 results, of which ``o`` reads 64 x 128."""
    read, results = 64 * 128, 64 * 64 * 4
    output_bytes = 2 + read * (written - 2) / results
    made = next(kernel for kernel in run(precompute).kernels if kernel.name == "scores")
    alone = simulate_gpu_gemm(
        LUT,
        Problem(64, 64, 32, 4),
        Operands(a="activation" if precompute == "none" else "table", weight_bits=8),
        output_bytes=output_bytes,
    )
    assert made.dram_bytes == alone.cost.dram_moved
    # Made in the epilogue, by 108 x 64 lanes.
    additions = read / 4 * 36 / (108 * 64) if precompute == "fused" else 0
    assert made.cycles == pytest.approx(alone.cost.cycles + additions)


def test_queries_without_rope_are_made_by_the_layers_before_attention() -> None:
    """q, k and v of 4 query heads to a key head, each a part of what they write together."""
    ops = (
        *(GemmOp(name=n, layer=0, m=64, n=w, k=64) for n, w in (("q", 128), ("k", 32), ("v", 32))),
        GemmOp(name="scores", layer=0, m=256, n=64, k=32, weights="activation"),
    )
    trace = Trace(network="grouped", phase="prefill", batch=1, seq=64, ops=ops)
    fused, separate = (simulate_on_gpu(LUT, trace, precompute=p) for p in ("fused", "separate"))
    for name, width in (("q", 128), ("k", 32), ("v", 32)):
        part = 256 * 32 * width / (128 + 32 + 32)
        assert dram(fused, name) - dram(separate, name) == pytest.approx(part * (18 / 8 - 1))


def test_no_kernel_moves_less_than_nothing() -> None:
    """A network of many lengths, where one GEMM's results are a small part of what is read."""
    lengths = range(1, 40, 6)
    ops = tuple(
        GemmOp(name=f"values_{n}", layer=0, m=n, n=32, k=n, count=2, weights="activation")
        for n in lengths
    )
    after = GemmOp(name="o", layer=0, m=sum(lengths), n=64, k=64)
    trace = Trace(network="many", phase="prefill", batch=7, seq=40, ops=(*ops, after))
    for kernel in simulate_on_gpu(machine_preset("a100-int8"), trace).kernels[:-1]:
        assert kernel.gemm is not None
        m, n, k, count = kernel.gemm.problem
        assert kernel.dram_bytes >= (m * k + n * k + m * n) * count


def test_what_stands_before_no_gemm_is_written_as_fp16() -> None:
    for precompute in ("none", "separate", "fused"):
        assert dram(run(precompute), "residual") == VALUES * 3 * 2
    last = next(kernel for kernel in run("fused").kernels if kernel.name == "o")
    alone = simulate_gpu_gemm(LUT, Problem(64, 256, 128, 1), Operands(a="table", weight_bits=2))
    assert last.cycles == alone.cost.cycles


def test_attention_of_several_lengths_runs_side_by_side() -> None:
    """The softmax of two lengths makes the activations of both GEMMs that follow it."""
    values = tuple(
        GemmOp(name=f"values_{n}", layer=0, m=n, n=32, k=n, count=2, weights="activation")
        for n in (16, 48)
    )
    scores = 2 * (16 * 16 + 48 * 48)
    softmax = OtherOp(
        name="softmax",
        layer=0,
        kind="softmax",
        operations=7,
        values_read=scores,
        values_written=scores,
    )
    after = GemmOp(name="o", layer=0, m=64, n=64, k=32)
    trace = Trace(network="two", phase="prefill", batch=2, seq=48, ops=(softmax, *values, after))
    fused = simulate_on_gpu(LUT, trace)
    assert dram(fused, "softmax") == scores * (2 + 18 / 8)
    separate = simulate_on_gpu(LUT, trace, precompute="separate")
    assert dram(separate, "values_16_tables") == 2 * 16 * 16 * (1 + 18 / 8)
    assert dram(separate, "values_48_tables") == 2 * 48 * 48 * (1 + 18 / 8)
    # Both write their part of what the next layer reads, 64 x 32, as tables and not as INT8.
    for name, rows in (("values_16", 16), ("values_48", 48)):
        made = rows * 32 * 2
        part = 64 * 32 * made / (64 * 32 * 2)
        assert dram(fused, name) - dram(separate, name) == pytest.approx(part * (18 / 8 - 1))


def test_parts_add_up() -> None:
    result = run("separate")
    parts = ("linear", "attention", "elementwise", "precompute")
    assert sum(result.part_ms(part) for part in parts) == pytest.approx(result.time_ms)
    assert sum(result.bound_ms().values()) == pytest.approx(result.part_ms("linear"))
    assert result.time_ms == pytest.approx(result.cycles / 1.41e6)
    assert all(result.part_ms(part) > 0 for part in parts)


def test_a_mac_core_needs_no_tables() -> None:
    machine = machine_preset("a100-int8")
    times = {p: simulate_on_gpu(machine, SMALL, precompute=p).time_ms for p in ("none", "separate")}
    assert times["none"] == times["separate"]


@pytest.mark.parametrize(
    ("name", "phase", "batch", "seq"),
    [
        ("bitnet-3b", "prefill", 1, 2048),
        ("llama-3b", "decode", 1024, 1),
        ("llama2-70b-layer", "prefill", 1, 4096),
        ("bloom-176b-layer", "decode", 1024, 1),
    ],
)
def test_tables_cost_something_and_fusing_them_saves_something(
    name: str, phase: str, batch: int, seq: int
) -> None:
    trace = network(name, phase=phase, batch=batch, seq=seq)
    none, separate, fused = (
        simulate_on_gpu(machine_preset("a100-lut-1x-w2a16"), trace, precompute=p).time_ms
        for p in ("none", "separate", "fused")
    )
    assert none < fused < separate


@pytest.mark.parametrize("name", gpu_machines())
def test_a_network_beats_neither_peak_nor_bandwidth(name: str) -> None:
    machine = machine_preset(name)
    for phase, batch, seq in (("prefill", 1, 2048), ("decode", 1024, 1)):
        trace = network("bitnet-3b", phase=phase, batch=batch, seq=seq)
        result = simulate_on_gpu(machine, trace)
        assert 0 < result.utilization <= 1
        moved = sum(kernel.dram_bytes for kernel in result.kernels)
        assert moved / result.time_ms <= machine.hardware.dram_gb_per_s.value * 1e6 * 1.000001
        weights = sum(op.n * op.k for op in trace.gemms if op.weights == "parameter")
        assert moved >= weights * machine.weight_bits / 8


def test_refuses_what_it_cannot_time() -> None:
    with pytest.raises(
        ConfigError, match=r"^precompute='later' must be none, separate or fused; change precomput"
    ):
        simulate_on_gpu(LUT, SMALL, precompute="later")  # type: ignore[arg-type]
    unsized = OtherOp(name="softmax", layer=0, kind="softmax", operations=5)
    trace = Trace(network="mine", phase="prefill", batch=1, seq=1, ops=(unsized,))
    with pytest.raises(
        TraceError, match=r"^softmax: the trace does not say how many values it reads and writes, "
    ):
        simulate_on_gpu(LUT, trace)
