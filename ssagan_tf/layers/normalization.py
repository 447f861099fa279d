"""Batch normalisation with the constants of the released networks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from ssagan_tf.layers import replicas
from ssagan_tf.layers.static_clip import is_static, multiplicities
from ssagan_tf.precision import upcast


@keras.saving.register_keras_serializable("ssagan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with epsilon 1e-5 and momentum 0.9 (PyTorch's 0.1).

    In training, the moments are over the clips of all replicas (`replicas.py`), which may have
    different numbers of clips; without any clip the moving statistics stay the same. The moving
    variance is an average of biased variances, as in Keras; PyTorch's `running_var` is an average
    of unbiased ones, which are larger by n / (n - 1) for n values per channel.

    Call arguments, in addition to those of Keras' layer:
      frames: If given, the input holds the slices of a static clip (`static_clip.py`), and the
        moments are those of the whole clip.
      update: Whether training updates the moving statistics: a layer that is computed again for its
        gradient must not update them twice.
      mask: With a mask, training works like Keras' layer, on each replica separately.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        mask: Any = None,
        frames: int | None = None,
        update: bool = True,
    ) -> Any:
        if mask is not None or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        inputs = upcast(inputs)  # moments are never computed in 16 bits
        mean, variance, clips = self._clip_moments(inputs, frames)
        if update:
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moved = moving * self.momentum + value * (1.0 - self.momentum)
                known = isinstance(clips, int) and clips > 0
                moving.assign(moved if known else ops.where(clips > 0, moved, moving))
        outputs = ops.batch_normalization(
            inputs,
            mean,
            variance,
            axis=self.axis,
            offset=ops.cast(self.beta, inputs.dtype),
            scale=ops.cast(self.gamma, inputs.dtype),
            epsilon=self.epsilon,
        )
        return ops.cast(outputs, self.compute_dtype)

    @staticmethod
    def _clip_moments(inputs: Any, frames: int | None) -> tuple[Any, Any, Any]:
        """Mean, variance and number of clips, over all replicas.

        Replicas are combined by the law of total variance, which unlike E[x²] - E[x]² does not
        cancel digits.
        """
        static = is_static(inputs, frames)
        counts = multiplicities(inputs.shape[1], frames) if static else None
        mean, variance = _moments(inputs, counts)
        clips = ops.shape(inputs)[0]
        if replicas.count() == 1:
            return mean, variance, clips
        number = ops.cast(clips, mean.dtype)
        sums = replicas.mean(ops.append(mean * number, number))
        total = ops.maximum(sums[-1], 1.0 / replicas.count())  # 0 without any clip
        overall = sums[:-1] / total
        spread = replicas.mean((variance + ops.square(mean - overall)) * number)
        return overall, spread / total, sums[-1]


def _moments(inputs: Any, counts: np.ndarray | None) -> tuple[Any, Any]:
    """Mean and variance per channel, with derivatives of any order; zeros for an empty batch.

    TensorFlow's `ops.moments` treats the mean in the variance as a constant. That does not change
    the first derivative, since the variance is minimal there, but it changes the second, which a
    gradient penalty needs. Besides, the derivative here passes over memory less often.

    Args:
      inputs: `[B, ..., C]`.
      counts: How often each index of axis 1 counts; None means once.
    """
    rank = len(inputs.shape)
    axes = tuple(range(rank - 1))
    weights = None
    if counts is not None:
        weights = ops.cast(counts / counts.mean(), inputs.dtype)
        weights = ops.reshape(weights, (1, -1, *(1,) * (rank - 2)))

    @ops.custom_gradient
    def moments(inputs):
        def grad(*args, upstream=None):
            d_mean, d_variance = ops.unstack(args[-1] if upstream is None else upstream, 2)
            share = 1.0 if weights is None else weights
            for size in ops.shape(inputs)[:-1]:
                share = share / ops.maximum(ops.cast(size, inputs.dtype), 1)
            slope = 2.0 * share * d_variance
            # Not the mean from below, which PyTorch takes for a constant in the second derivative.
            mean = _mean(inputs, axes, weights)
            return inputs * slope + (share * d_mean - slope * mean)

        mean = _mean(inputs, axes, weights)
        return ops.stack([mean, _mean(ops.square(inputs - mean), axes, weights)]), grad

    mean, variance = ops.unstack(moments(inputs), 2)
    return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


def _mean(inputs: Any, axes: tuple[int, ...], weights: Any) -> Any:
    """Mean over axes, which are kept with size 1; the first of them is the batch.

    One axis at a time, the last first: TensorFlow sums values one by one, and half a million
    additions cost float32 two digits (relative error of the variance of four clips of 32 frames at
    64×64: 2.5e-5; this way 1e-7, in the same time).
    """
    batch, *others = axes
    for axis in reversed(others):
        if axis == 1 and weights is not None:
            inputs = inputs * weights
        inputs = ops.mean(inputs, axis=axis, keepdims=True)
    clips = ops.maximum(ops.cast(ops.shape(inputs)[batch], inputs.dtype), 1)
    return ops.sum(inputs, axis=batch, keepdims=True) / clips
