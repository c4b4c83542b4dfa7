"""sim/authors.py: a case by hand, the layers that the source's result files list, the presets."""

import pytest

from dovetail.arch.authors import authors_model
from dovetail.arch.mixpe import preset
from dovetail.errors import ConfigError
from dovetail.models.authors import AuthorsOp
from dovetail.models.networks import network
from dovetail.sim.authors import account_as_authors, simulate_authors
from dovetail.sim.authors_search import best_mapping

# Rows of results/int.csv, mix_int_os.csv and float.csv of mixpe_simulator 769f0c8: design, network,
# operator: cycles, stalls, weight reads, results written to the buffer, DRAM reads and writes.
LAYERS = [
    ("int8-equal-pe", "vit-authors", "patch_embedding",
     (7225536, 192, 59190018048, 462422016, 1001914368, 462422016)),
    ("int8-equal-pe", "vit-authors", "qkv_proj",
     (110640, 48, 905969664, 226492416, 84934656, 2359296)),
    ("int8-equal-pe", "vit-authors", "fc2",
     (147480, 24, 1207959552, 75497472, 56623104, 786432)),
    ("int8-equal-pe", "vit-huge-authors", "fc1",
     (409624, 24, 3355443200, 419430400, 314572800, 5242880)),
    ("mixpe-w4a8-equal-pe", "vit-authors", "qkv_proj",
     (110616, 24, 679477248, 226492416, 84934656, 2359296)),
    ("mixpe-w4a8-equal-pe", "vit-authors", "qkv_proj_dequant",
     (1986, 450, 7077888, 1769472, 2015232, 18432)),
    ("mixpe-w4a8-equal-pe", "vit-authors", "fc1_dequant",
     (2064, 528, 9437184, 24576, 540672, 24576)),
    ("mixpe-w4a8-equal-pe", "vit-huge-authors", "fc2_dequant",
     (10251, 11, 26214400, 3276800, 6881280, 10240)),
]  # fmt: skip


@pytest.mark.parametrize(("design", "name", "op", "published"), LAYERS)
def test_a_layer_costs_what_the_sources_result_file_says(
    design: str, name: str, op: str, published: tuple[int, ...]
) -> None:
    result = simulate_authors(design, name)
    cost = next(r.cost for r in result.ops if r.op.name == op)
    assert (
        cost.cycles,
        cost.stall_cycles,
        cost.weight_read_bits,
        cost.output_write_bits,
        cost.dram_read_bits,
        cost.dram_write_bits,
    ) == published


def test_a_gemm_that_fits_its_buffers_by_hand() -> None:
    """64 x 32 x 32 at 8 bit on 32 x 32: two folds of 32 cycles behind one load of everything."""
    op = AuthorsOp(name="by_hand", role="linear", batch=64, in_channels=32, out_channels=32, bits=8)
    cost = best_mapping(op, authors_model().design("int8"))
    weights, activations, results = 32 * 32 * 8, 64 * 32 * 8, 64 * 32 * 16
    compute = 2 * 1 * 32
    load = (weights + activations) // 1024
    assert results // 1024 < compute  # what is written back hides behind computing
    assert cost.cycles == compute + load
    assert cost.stall_cycles == load
    assert cost.weight_read_bits == cost.activation_read_bits == 64 * 32 * 32 * 8
    assert (cost.weight_write_bits, cost.activation_write_bits) == (weights, activations)
    assert (cost.output_write_bits, cost.output_read_bits) == (results, 2 * results)
    assert (cost.dram_read_bits, cost.dram_write_bits) == (weights + activations, results)


def test_energy_is_each_count_times_its_published_cost() -> None:
    result = simulate_authors("int8-equal-pe", "vit-authors")
    layer = next(r for r in result.ops if r.op.name == "qkv_proj")
    # The row of results/int.csv; nJ, as the source prices it.
    cycles, stalls, dram_read, dram_write = 110640, 48, 84934656, 2359296
    static_nj = cycles * 484.615 / 500
    dram_nj = dram_read * 0.644304 / 1024 + dram_write * 0.784104 / 1024
    core_nj = 1024 * (cycles * 64314 + (cycles - stalls) * 279960) / 500e6
    buffer_nj = (
        (905969664 * 0.0168924 + 56623104 * 0.0203422) / 512
        + (905969664 * 0.0177688 + 28311552 * 0.0248866) / 512
        + (228851712 * 0.000294945 + 226492416 * 0.000415925) / 32
    )
    assert layer.energy.static_pj == pytest.approx(1e3 * static_nj)
    assert layer.energy.dram_pj == pytest.approx(1e3 * dram_nj)
    assert layer.energy.core_pj == pytest.approx(1e3 * core_nj)
    # Which operand is loaded twice is a tie in cycles, decided by energy alone.
    assert layer.energy.buffer_pj == pytest.approx(1e3 * buffer_nj)
    assert layer.energy.total_pj == pytest.approx(1e3 * (static_nj + dram_nj + core_nj + buffer_nj))


def test_stalls_and_rate_of_mixpe_are_the_published_ones() -> None:
    published = {
        "vit-authors": (27160, 5123),
        "vit-huge-authors": (65088, 6553),
        "opt-6.7b-authors": (192000, 8137),
        "llama2-13b-authors": (69440, 8165),
    }
    for name, (stalls, macs_per_cycle) in published.items():
        result = simulate_authors("mixpe-w4a8", name)
        assert result.stall_cycles == stalls
        assert result.macs / result.cycles == pytest.approx(macs_per_cycle, abs=0.5)
        assert result.utilization == pytest.approx(macs_per_cycle / 16384, abs=1e-4)


@pytest.mark.parametrize(("name", "cycles"), [("w4a8-64x64", 50671104), ("int8-32x32", 452990464)])
def test_a_dovetail_design_of_the_authors_array_takes_the_published_cycles(
    name: str, cycles: int
) -> None:
    assert account_as_authors(preset(name), network("opt-6.7b-authors")).cycles == cycles


def test_the_batch_of_a_trace_is_the_number_of_rows() -> None:
    """128 rows fill the effective array that 64 rows fill half."""
    design = preset("w4a8-64x64")
    half = account_as_authors(design, network("opt-6.7b-authors"))
    full = account_as_authors(design, network("opt-6.7b-authors", batch=128))
    assert full.macs == 2 * half.macs
    assert full.utilization > 1.9 * half.utilization


def test_a_network_of_true_shapes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^network 'vit-b-16' has no dequantisation and "):
        account_as_authors(preset("w4a8-64x64"), network("vit-b-16"))


def test_operands_wider_than_the_pe_are_refused() -> None:
    op = AuthorsOp(name="wide", role="linear", batch=1, in_channels=1, out_channels=1, bits=16)
    with pytest.raises(
        ConfigError,
        match=r"^wide: bits=16 is wider than the 8 bits that the PE '8/4' takes; use narrower "
        r"operands or another PE$",
    ):
        best_mapping(op, authors_model().design("int8"))


def test_an_operator_whose_smallest_tile_does_not_fit_is_refused() -> None:
    op = AuthorsOp(
        name="huge", role="patch_conv", batch=1, kernel=512, in_channels=1, out_channels=1, bits=8
    )
    with pytest.raises(
        ConfigError,
        match=r"^a tile of one row, one input and one output channel of kernel 512 x 512 at 8 bit "
        r"does not fit half a buffer; no mapping exists$",
    ):
        best_mapping(op, authors_model().design("int8"))
