"""Square offsets of an image: what an offset generator makes of its feature maps.

The generator is a 1x1 convolution with one output, as in CoDeNet, and untrained: its weights are
drawn.  So where offsets are large follows the image; how large they are follows the published
histogram (:func:`dovetail.models.deform.offset_traces.with_published_histogram`).
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import TraceError
from dovetail.models.deform.feature_network import image_features, read_image, sample_image
from dovetail.models.deform.offset_traces import with_published_histogram

STRIDES = (32, 16, 8)
"""Of the maps whose offsets the three upsampling blocks take, in their order."""
RECORDED_SIZES = (256, 512)
_RECORD = "codenet_offsets.npz"


def image_offsets(path: Path, *, size: int, seed: int = 0) -> tuple[NDArray[np.float32], ...]:
    """Offsets of the three upsampling blocks for an image file.

    Parameters
    ----------
    path : Path
    size : int
        Pixels to which the image is scaled, a multiple of 32.
    seed : int
        Of the generator's weights and of the histogram's draws.

    Returns
    -------
    tuple of float32, shapes (size / 32, size / 32), (size / 16, ...) and (size / 8, ...)
    """
    features = image_features(read_image(path, size=size))
    rng = np.random.default_rng(seed)
    offsets = []
    for stride in STRIDES:
        weights = rng.standard_normal(features[stride].shape[0])
        generated = np.einsum("c,cyx->yx", weights, features[stride])
        offsets.append(with_published_histogram(generated, rng=rng))
    return tuple(offsets)


def recorded_offsets(size: int) -> tuple[NDArray[np.float32], ...]:
    """What :func:`image_offsets` gave for matplotlib's sample photograph, seed 0."""
    if size not in RECORDED_SIZES:
        raise TraceError(
            f"offsets are recorded for images of {' and '.join(map(str, RECORDED_SIZES))} pixels, "
            f"not of {size}; name an image file"
        )
    source = files("dovetail.models") / "data" / _RECORD
    with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return tuple(archive[f"{size}.{stride}"] for stride in STRIDES)


def record(folder: Path) -> Path:
    """Make the recorded offsets again; ``python -m dovetail.models.deform.image_offsets`` does."""
    arrays = {
        f"{size}.{stride}": offsets
        for size in RECORDED_SIZES
        for stride, offsets in zip(STRIDES, image_offsets(sample_image(), size=size), strict=True)
    }
    path = folder / _RECORD
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


if __name__ == "__main__":
    print(record(Path(__file__).resolve().parents[1] / "data"))
