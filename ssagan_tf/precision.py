"""The number format of moments, sums and results: at least float32.

16-bit inputs are widened to float32; float32 and float64 keep their own, so a network whose Keras
policy is float64 computes in float64 from end to end.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def at_least_float32(dtype: Any) -> str:
    """The name of `dtype`, or `"float32"` where that has 16 bits."""
    return keras.backend.result_type(dtype, "float32")


def widened(x: Any) -> Any:
    """`x` in at least float32."""
    return ops.cast(x, at_least_float32(x.dtype))
