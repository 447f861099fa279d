"""Seeds for stateless random operations, derived from the run's seed and what they are for.

So there is no generator state to save, and the order of the operations does not matter.
"""

from __future__ import annotations

import tensorflow as tf

# Independent uses of the run's seed.
SHARDS, BLOCKS, FLIPS, MIXING, ZOOM, SLOW_MOTION, COLOUR = range(7)


def seed(base: int | tf.Tensor, *parts: int | tf.Tensor) -> tf.Tensor:
    """Returns a seed for `tf.random.stateless_*`, `[2]`, from numbers that identify its use."""
    first = tf.cast(base, tf.int64)
    result = tf.stack([first, tf.zeros_like(first)])
    for part in parts:
        result = tf.random.experimental.stateless_fold_in(result, tf.cast(part, tf.int64))
    return result


def rollback_seed(base: int, number: int) -> int:
    """Returns the run's seed after `number` rollbacks; after 0, the seed itself."""
    return (base + number * 0x9E3779B1) % 2**32
