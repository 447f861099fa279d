"""Adam as the recipes have it: PyTorch's epsilon, and learning rates that fall."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from ssagan_tf.options import TrainOptions

DROP = 0.1  # factor of the learning rate at each of --learning_rate_milestones


def make_optimizer(
    network: keras.Model, options: TrainOptions, *, updates: int = 1
) -> keras.optimizers.Optimizer:
    """Adam for a network. Its variables are there at once, so that a checkpoint finds them.

    Args:
      network: Built.
      options: Of Adam and its learning rate.
      updates: Updates that it makes in a step; the learning rate falls by steps.
    """
    with _learning_rates_in_float32():
        optimizer = keras.optimizers.Adam(
            _learning_rate(options, updates),
            beta_1=options.beta_1,
            beta_2=options.beta_2,
            epsilon=1e-8,  # PyTorch's
            name="adam",  # else Keras numbers it, and a checkpoint could not find its variables
        )
    optimizer.build(network.trainable_variables)
    return optimizer


@contextlib.contextmanager
def _learning_rates_in_float32() -> Iterator[None]:
    """Whatever the user's Keras has for new numbers: a checkpoint must fit on every machine."""
    told = keras.config.floatx()
    keras.config.set_floatx("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(told)


def _learning_rate(
    options: TrainOptions, updates: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    drops = [int(step) for step in options.learning_rate_milestones]
    if not drops:
        return options.learning_rate
    # The schedule's boundaries are the last updates at a rate, counted from 0.
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [step * updates - 1 for step in drops],
        # float32, which Keras then keeps, too.
        [np.float32(options.learning_rate * DROP**number) for number in range(len(drops) + 1)],
    )
