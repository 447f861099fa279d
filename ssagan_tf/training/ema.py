"""Exponential moving averages of a generator in training (`ema_decay`)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.options import TrainOptions

_STATISTICS = ("moving_mean", "moving_variance")  # of batch norm


class ExponentialMovingAverages:
    """Averages of a network's weights and, where they ramp up, of its moving statistics.

    After each step, average ← d · average + (1 − d) · value, where d is 0 after the first and then
    `ema_decay`, or with `ema_ramp_up` min(ema_decay, (1 + t) / (10 + t)) after t steps before: the
    rule of `tf.train.ExponentialMovingAverage` with `num_updates`. Without it the average stays
    near the first weights for about 1 / (1 − ema_decay) steps. Statistics that are averaged alike
    are of the same weights, and of more clips.

    Spectral vectors are not averaged: they go with the kernels of now.

    Args:
      network: Built.
      options: Decay, and whether it ramps up.

    Attributes:
      variables: The averages, zeros before the first step.
    """

    def __init__(self, network: keras.Model, options: TrainOptions):
        self._decay, self._ramps_up = options.ema_decay, options.ema_ramp_up != "off"
        self._averaged = self._averaged_of(network)
        # Names and place are those of Keras' own averages, which checkpoints of before have.
        with keras.name_scope("adam"):
            self.variables = [
                keras.Variable(
                    initializer="zeros",
                    shape=each.shape,
                    dtype=each.dtype,
                    trainable=False,
                    name=f"{each.path.replace('/', '_')}_average",
                )
                for each in self._averaged
            ]

    def _averaged_of(self, network: keras.Model) -> list[keras.Variable]:
        statistics = [each for each in network.weights if each.name in _STATISTICS]
        return [*network.trainable_variables, *(statistics if self._ramps_up else ())]

    def update(self, before: Any) -> None:
        """Takes the values after a step.

        Args:
          before: Steps made before it, a whole number.
        """
        before = ops.cast(before, "float32")
        decay = ops.cast(self._decay, "float32")
        if self._ramps_up:
            decay = ops.minimum(decay, (1 + before) / (10 + before))
        decay = ops.where(before > 0, decay, 0.0)
        for value, average in zip(self._averaged, self.variables, strict=True):
            share = ops.cast(decay, average.dtype)
            average.assign(share * average + (1 - share) * value)

    def assign_to(self, network: keras.Model) -> None:
        """Sets a network like the averaged one to the averages, and leaves what has none."""
        for variable, average in zip(self._averaged_of(network), self.variables, strict=True):
            variable.assign(average.numpy())
