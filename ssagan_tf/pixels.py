"""Pixel values: uint8 in files and pictures, float in [-1, 1] in the networks.

NumPy arrays stay NumPy arrays, without loading Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def to_float(pixels: Any, dtype: str = "float32") -> Any:
    """uint8 of any shape → float in [-1, 1]: a NumPy array for an array, otherwise a tensor."""
    if isinstance(pixels, np.ndarray):
        kind = np.dtype(dtype).type
        return pixels.astype(kind) / kind(127.5) - kind(1)
    from keras import ops

    return ops.cast(pixels, dtype) / 127.5 - 1.0


def on_pixels(generator: Callable[..., Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Wraps a Keras generator as a function from uint8 photos to uint8 clips."""
    return lambda photos: to_uint8(generator(to_float(photos), training=False))


def to_uint8(values: Any) -> np.ndarray:
    """Float in [-1, 1] of any shape → uint8 array, rounded and clipped."""
    if not isinstance(values, np.ndarray):
        from keras import ops

        values = ops.convert_to_numpy(values)
    values = np.asarray(values, "float32")
    return np.clip(np.rint((values + 1.0) * 127.5), 0, 255).astype(np.uint8)
