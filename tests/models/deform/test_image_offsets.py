"""models/deform/image_offsets.py and feature_network.py."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dovetail.errors import ToolError, TraceError
from dovetail.models.deform import feature_network
from dovetail.models.deform.feature_network import image_features, read_image, sample_image
from dovetail.models.deform.image_offsets import image_offsets, recorded_offsets

needs_network = pytest.mark.skipif(
    find_spec("rapidocr_onnxruntime") is None,
    reason="rapidocr-onnxruntime is not installed; "
    "pip install --no-deps rapidocr-onnxruntime==1.4.4",
)


@needs_network
def test_recorded_offsets_are_those_of_the_photograph() -> None:
    """Made again, but for what another processor's rounding may swap."""
    for recorded, made in zip(
        recorded_offsets(256), image_offsets(sample_image(), size=256), strict=True
    ):
        assert (recorded == made).mean() > 0.98
        np.testing.assert_array_equal(np.sort(recorded, axis=None), np.sort(made, axis=None))


@needs_network
def test_the_first_layer_is_the_convolution_that_the_file_holds() -> None:
    """A quarter of the size and more; of a uniform image the middle of each map is uniform."""
    features = image_features(np.full((3, 128, 128), 0.25, dtype=np.float32))
    assert {stride: values.shape for stride, values in features.items()} == {
        4: (48, 32, 32),
        8: (96, 16, 16),
        16: (192, 8, 8),
        32: (384, 4, 4),
    }
    middle = features[4][:, 8:24, 8:24]
    np.testing.assert_allclose(middle, np.broadcast_to(middle[:, :1, :1], middle.shape), atol=1e-4)


def test_offsets_follow_the_image_more_than_drawn_ones_would() -> None:
    """Neighbours are alike: their difference is less than that of the same values in any order."""
    for s in recorded_offsets(512):
        steps = np.abs(np.diff(s, axis=1)).mean()
        shuffled = np.random.default_rng(1).permutation(s.reshape(-1)).reshape(s.shape)
        assert steps < 0.85 * np.abs(np.diff(shuffled, axis=1)).mean()


def test_an_image_is_scaled_and_centred(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("L", (10, 30), color=255).save(path)
    image = read_image(path, size=32)
    assert image.shape == (3, 32, 32)
    np.testing.assert_array_equal(image, 1)


def test_files_that_are_no_images_are_refused(tmp_path: Path) -> None:
    missing, text, cut = tmp_path / "a.jpg", tmp_path / "b.jpg", tmp_path / "c.jpg"
    text.write_text("not an image")
    cut.write_bytes(sample_image().read_bytes()[:3000])
    cases = [
        (missing, "no such file; name an image, such as a .jpg or .png"),
        (text, "not an image file; name an image, such as a .jpg or .png"),
        (cut, r"cannot be read as an image \(OSError\); name another file"),
        (tmp_path, r"cannot be read as an image \(IsADirectoryError\); name another file"),
    ]
    for path, message in cases:
        with pytest.raises(TraceError, match=f"^{path}: {message}$"):
            read_image(path, size=32)


def test_sizes_that_were_not_recorded_are_refused() -> None:
    with pytest.raises(
        TraceError,
        match="^offsets are recorded for images of 256 and 512 pixels, not of 300; name an image "
        "file$",
    ):
        recorded_offsets(300)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_network, "find_spec", lambda name: None)
    with pytest.raises(
        ToolError,
        match=r"^the feature network needs the package rapidocr-onnxruntime, which is not "
        r"installed; run `pip install --no-deps rapidocr-onnxruntime==1\.4\.4`$",
    ):
        image_features(np.zeros((3, 32, 32), dtype=np.float32))
