"""The floating-point type of moments, sums and results: at least float32.

16-bit inputs are cast to float32; float32 and float64 are kept, so a network whose Keras policy is
float64 computes in float64 from end to end.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def at_least_float32(dtype: Any) -> str:
    """The name of `dtype`, or `"float32"` if that has 16 bits."""
    return keras.backend.result_type(dtype, "float32")


def upcast(x: Any) -> Any:
    """Casts `x` to float32 if it has 16 bits."""
    return ops.cast(x, at_least_float32(x.dtype))
