"""Exponential moving averages of a generator's weights during training (`ema_decay`)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.options import TrainOptions

_STATISTICS = ("moving_mean", "moving_variance")  # of batch norm


class ExponentialMovingAverages:
    """Averages of a network's weights and, with a ramp-up, of its moving statistics.

    After each step, average ← d · average + (1 − d) · value. d is 0 after the first step and then
    `ema_decay`, or with `ema_ramp_up` min(ema_decay, (1 + t) / (10 + t)) after t earlier steps: the
    rule of `tf.train.ExponentialMovingAverage` with `num_updates`. Without the ramp-up, the average
    stays near the first weights for about 1 / (1 − ema_decay) steps. Statistics that are averaged
    in the same way belong to the same weights, and cover more clips.

    The vectors of spectral normalisation are not averaged: they belong to the current kernels.

    Args:
      network: Built.
      options: The decay, and whether it ramps up.

    Attributes:
      variables: The averages; zeros before the first step.
    """

    def __init__(self, network: keras.Model, options: TrainOptions):
        self._decay, self._ramps_up = options.ema_decay, options.ema_ramp_up != "off"
        self._averaged = self._averaged_of(network)
        # The names of Keras' own averages, which older checkpoints have.
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

    def update(self, earlier_steps: Any) -> None:
        """Updates the averages with the values after a step.

        Args:
          earlier_steps: The number of steps before it, an integer.
        """
        before = ops.cast(earlier_steps, "float32")
        decay = ops.cast(self._decay, "float32")
        if self._ramps_up:
            decay = ops.minimum(decay, (1 + before) / (10 + before))
        decay = ops.where(before > 0, decay, 0.0)
        for value, average in zip(self._averaged, self.variables, strict=True):
            share = ops.cast(decay, average.dtype)
            average.assign(share * average + (1 - share) * value)

    def assign_to(self, network: keras.Model) -> None:
        """Copies the averages into a network of the same architecture; the rest is unchanged."""
        for variable, average in zip(self._averaged_of(network), self.variables, strict=True):
            variable.assign(average.numpy())
