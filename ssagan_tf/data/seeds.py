"""Seeds of stateless draws: each draw is a function of the run's seed and of what it is for.

So nothing of a generator's state need be saved, and it does not matter who draws, or when.
"""

from __future__ import annotations

import tensorflow as tf

# Uses of the run's seed that must not share their numbers.
SHARDS, BLOCKS, FLIPS, MIXING, ZOOM, SLOW_MOTION, COLOUR = range(7)


def seed(base: int | tf.Tensor, *parts: int | tf.Tensor) -> tf.Tensor:
    """A seed for `tf.random.stateless_*`, `[2]`, from numbers that identify the draw."""
    first = tf.cast(base, tf.int64)
    result = tf.stack([first, tf.zeros_like(first)])
    for part in parts:
        result = tf.random.experimental.stateless_fold_in(result, tf.cast(part, tf.int64))
    return result


def other_seed(base: int, number: int) -> int:
    """The run's seed after it was rolled back so many times; 0: the seed itself."""
    return (base + number * 0x9E3779B1) % 2**32
