"""The replicas of `tf.distribute` that train together. On other backends there is one.

With `unknown_sizes.py` the one place in the layers that knows a backend.
"""

from __future__ import annotations

from typing import Any

import keras


def count() -> int:
    """Replicas that the code being traced or run is one of."""
    context = _context()
    return context.num_replicas_in_sync if context is not None else 1


def mean(value: Any) -> Any:
    """Mean over the replicas of a tensor that each has of its own; differentiable."""
    if count() == 1:
        return value
    import tensorflow as tf

    return _context().all_reduce(tf.distribute.ReduceOp.MEAN, value)


def _context() -> Any:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
