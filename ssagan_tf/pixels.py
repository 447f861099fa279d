"""Pixels: uint8 in files and pictures, float in [-1, 1] inside."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_float(pixels: Any) -> Any:
    """uint8 of any shape → float32 in [-1, 1]: an array of an array, a tensor of a tensor."""
    if isinstance(pixels, np.ndarray):
        return pixels.astype("float32") / np.float32(127.5) - np.float32(1.0)
    from keras import ops  # here, as pictures alone need no backend

    return ops.cast(pixels, "float32") / 127.5 - 1.0


def to_uint8(values: Any) -> np.ndarray:
    """Floats in [-1, 1] of any shape → uint8 array, rounded; what lies outside is clipped."""
    if not isinstance(values, np.ndarray):
        from keras import ops

        values = ops.convert_to_numpy(values)
    values = np.asarray(values, "float32")
    return np.clip(np.rint((values + 1.0) * 127.5), 0, 255).astype(np.uint8)
