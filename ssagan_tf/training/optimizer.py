"""Adam with PyTorch's epsilon and a learning rate that drops at milestones."""

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
    """Adam for a network, built, so that a checkpoint finds its variables.

    Args:
      network: Built.
      options: The learning rate, its milestones in steps, and Adam's β₁ and β₂.
      updates: Number of updates per step.
    """
    with _learning_rates_in_float32():
        optimizer = keras.optimizers.Adam(
            _learning_rate(options, updates),
            beta_1=options.beta_1,
            beta_2=options.beta_2,
            epsilon=1e-8,  # PyTorch's
            name="adam",  # a fixed name: Keras would number it, and checkpoints would not match
        )
    optimizer.build(network.trainable_variables)
    return optimizer


@contextlib.contextmanager
def _learning_rates_in_float32() -> Iterator[None]:
    """Makes optimizers independent of the user's `floatx`, so that checkpoints fit anywhere."""
    before = keras.config.floatx()
    keras.config.set_floatx("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _learning_rate(
    options: TrainOptions, updates: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    milestones = [int(step) for step in options.learning_rate_milestones]
    if not milestones:
        return options.learning_rate
    # The boundaries are the last updates at each rate, counted from 0.
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [step * updates - 1 for step in milestones],
        # As float32, which Keras keeps.
        [np.float32(options.learning_rate * DROP**number) for number in range(len(milestones) + 1)],
    )
