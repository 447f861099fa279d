"""The replicas of `tf.distribute` that train together. On other backends there is only one.

This and `dynamic_blocks.py` are the only modules of the layers that depend on the backend.
"""

from __future__ import annotations

from typing import Any

import keras


def count() -> int:
    """Number of replicas that run this code."""
    context = _context()
    return context.num_replicas_in_sync if context is not None else 1


def mean(value: Any) -> Any:
    """Mean of a tensor over the replicas; differentiable."""
    if count() == 1:
        return value
    import tensorflow as tf

    return _context().all_reduce(tf.distribute.ReduceOp.MEAN, value)


def _context() -> Any:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
