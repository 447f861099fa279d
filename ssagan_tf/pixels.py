"""Pixels: uint8 in files and pictures, float in [-1, 1] inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def to_float(pixels: Any) -> Any:
    """uint8 of any shape → float32 tensor in [-1, 1]."""
    return ops.cast(pixels, "float32") / 127.5 - 1.0


def to_uint8(values: Any) -> np.ndarray:
    """Floats in [-1, 1] of any shape → uint8 array, rounded; what lies outside is clipped."""
    values = np.asarray(ops.convert_to_numpy(values), "float32")
    return np.clip(np.rint((values + 1.0) * 127.5), 0, 255).astype(np.uint8)
