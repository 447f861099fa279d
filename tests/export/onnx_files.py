"""Hand-made ONNX files that look like those written by `to_onnx`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra 'onnx' is not installed")

FLOAT, INT64, STRING = 1, 7, 8
METADATA = {
    "resolution": 64,
    "frames": 32,
    "fit": "stretch",
    "fingerprint": "0123",
    "precision": "float32",
}
COLUMNS = np.maximum(np.arange(64) - np.arange(32)[:, None] // 2, 0)
"""Source column of each column of each frame in a drifting clip, `[T, S]`."""


def of_numbers(name: str, *numbers: int) -> Any:
    return onnx.numpy_helper.from_array(np.array(numbers, "int64"), name)


def still() -> Any:
    """Returns a model that repeats the image."""
    node = onnx.helper.make_node
    return model_of(
        [
            node("Unsqueeze", ["image", "axes"], ["one"]),
            node("Tile", ["one", "repeats"], ["clip"]),
        ],
        [of_numbers("axes", 1), of_numbers("repeats", 1, 32, 1, 1, 1)],
    )


def drifting() -> Any:
    """Returns a model that moves the image to the right by one pixel every other frame."""
    node = onnx.helper.make_node
    return model_of(
        [
            node("Gather", ["image", "columns"], ["rows_first"], axis=2),
            node("Transpose", ["rows_first"], ["clip"], perm=[0, 2, 1, 3, 4]),
        ],
        [onnx.numpy_helper.from_array(COLUMNS, "columns")],
    )


def model_of(nodes: list[Any], constants: list[Any]) -> Any:
    """Returns a model from image to clip, with the metadata of an exported generator."""
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "made",
        [value("image", FLOAT, ["N", 64, 64, 3])],
        [value("clip", FLOAT, ["N", 32, 64, 64, 3])],
        constants,
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.helper.set_model_props(
        model, {name: json.dumps(value) for name, value in METADATA.items()}
    )
    return model
