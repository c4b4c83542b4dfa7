"""models/m3vit/encoder.py against PyTorch on the same weights: stored results, and live."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import ShapeError, TraceError
from dovetail.models.m3vit.config import TINY, M3vitConfig
from dovetail.models.m3vit.encoder import EncoderResult, encode, feed_forward, mixture, patches
from dovetail.models.m3vit.routing import Routing
from dovetail.models.m3vit.weights import seeded_weights

REFERENCE = Path(__file__).parents[1] / "data" / "m3vit_reference.npz"
SEED, EVERY = 7, 8  # as tools/m3vit_reference.py has them
CONFIGS = {"multi": TINY, "conditioned": replace(TINY, gate="conditioned")}
TASKS = TINY.dataset.tasks
CASES = [(gate, task) for gate in CONFIGS for task in range(len(TASKS))]


def noise(config: M3vitConfig) -> np.ndarray:
    shape = (config.dataset.height, config.dataset.width, 3)
    return np.random.default_rng(SEED).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, int], EncoderResult]:
    made = {}
    for gate, config in CONFIGS.items():
        weights = seeded_weights(config, seed=SEED)
        for task, name in enumerate(TASKS):
            made[gate, task] = encode(config, weights, noise(config), task=name)
    return made


@pytest.mark.parametrize(("gate", "task"), CASES)
def test_states_and_routing_equal_those_of_pytorch(
    results: dict[tuple[str, int], EncoderResult], gate: str, task: int
) -> None:
    got = results[gate, task]
    compared = 0
    with np.load(REFERENCE) as reference:
        for name in reference.files:
            if not name.startswith(f"{gate}:{task}:"):
                continue
            kind, layer = name.split(":")[2], int(name.split(":")[3])
            if kind == "hidden":
                mine = got.hidden[layer][::EVERY]
                np.testing.assert_allclose(mine, reference[name], rtol=0, atol=2e-4, err_msg=name)
            elif kind == "experts":
                np.testing.assert_array_equal(got.routing[layer].experts, reference[name], name)
            else:
                mine = got.routing[layer].scores[::EVERY]
                np.testing.assert_allclose(mine, reference[name], rtol=0, atol=1e-5, err_msg=name)
            compared += 1
    assert compared == 4 + 2 * 6


def test_live_pytorch_gives_the_same() -> None:
    pytest.importorskip("torch", reason="torch is not installed; it is optional")
    from dovetail.tools.m3vit_reference import m3vit_reference

    for config in CONFIGS.values():
        weights, image = seeded_weights(config, seed=3), noise(config)
        hidden, routing = m3vit_reference(config, weights, image, 1)
        got = encode(config, weights, image, task=TASKS[1])
        for mine, theirs in zip(got.hidden, hidden, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=2e-4)
        for layer, (experts, scores) in routing.items():
            np.testing.assert_array_equal(got.routing[layer].experts, experts)
            np.testing.assert_allclose(got.routing[layer].scores, scores, rtol=0, atol=1e-5)


def test_tasks_share_experts_and_differ_in_routing(
    results: dict[tuple[str, int], EncoderResult],
) -> None:
    for gate in CONFIGS:
        first, second = results[gate, 0], results[gate, 1]
        np.testing.assert_array_equal(first.hidden[1], second.hidden[1])  # before any gate
        assert (first.routing[1].experts != second.routing[1].experts).any()


def test_only_odd_blocks_route(results: dict[tuple[str, int], EncoderResult]) -> None:
    for got in results.values():
        assert tuple(got.routing) == (1, 3, 5, 7, 9, 11)
        for routing in got.routing.values():
            assert routing.experts.shape == (129, 2) and routing.count == 16
            # Softmax over all experts is not made to sum to 1 again over the chosen ones.
            assert (routing.scores.sum(axis=1) < 1).all()


def test_token_by_token_gives_what_expert_by_expert_gives() -> None:
    block = seeded_weights(TINY, seed=SEED).blocks[1]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((9, TINY.hidden)).astype(np.float32)
    chosen = Routing(
        experts=np.array([rng.permutation(16)[:2] for _ in range(9)], dtype=np.int16),
        scores=rng.random((9, 2)).astype(np.float32),
        count=16,
    )
    want = np.zeros_like(x)
    for token in range(9):
        for place in np.argsort(chosen.experts[token]):
            expert = block.experts[chosen.experts[token, place]]
            value = feed_forward(x[token : token + 1], *expert)[0]
            want[token] += chosen.scores[token, place] * value
    np.testing.assert_allclose(mixture(x, block, chosen), want, rtol=0, atol=1e-5)


def test_a_patch_holds_its_pixels_channel_by_channel() -> None:
    image = noise(TINY)
    cut = patches(image, TINY)
    assert cut.shape == (128, 768)
    patch = cut[17].reshape(3, 16, 16)  # second row of patches, second patch
    np.testing.assert_array_equal(patch[2], image[16:32, 16:32, 2])


def test_refuses_another_image_size_and_an_unknown_task() -> None:
    with pytest.raises(
        ShapeError,
        match=r"^image is uint8 of shape \(16, 16, 3\); m3vit-tiny on cityscapes takes uint8 of "
        r"shape \(128, 256, 3\): resample it$",
    ):
        patches(np.zeros((16, 16, 3), np.uint8), TINY)
    with pytest.raises(
        TraceError,
        match=r"^task='parts' is not one of cityscapes, which has segmentation, depth; choose one",
    ):
        encode(TINY, seeded_weights(TINY), noise(TINY), task="parts")
