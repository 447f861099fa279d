"""Computing one thing after another where the graph itself does not say so."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def after(x: Any, *earlier: Any) -> Any:
    """Returns `x`, but not before all of `earlier`: parallel blocks would multiply the memory.

    Holds on every backend and with every compiler, but copies `x`.
    """
    if not earlier:
        return x
    # One element of each, or none of an empty batch. It adds 0, which no compiler can know.
    number = sum(ops.sum(ops.reshape(each, (-1,))[:1]) for each in earlier)
    return x + ops.cast(number > float("inf"), x.dtype)


def after_if_possible(x: Any, *earlier: Any) -> Any:
    """The same without a copy, for speed only: in TensorFlow's graphs, unless XLA compiles them."""
    if keras.backend.backend() != "tensorflow":
        return x
    import tensorflow as tf

    with tf.control_dependencies(earlier):
        return tf.identity(x)
