"""Batch normalisation with the constants of the released networks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.layers.static_clip import is_static, multiplicities


@keras.saving.register_keras_serializable("ssagan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with epsilon 1e-5 and momentum 0.9 (what PyTorch calls 0.1).

    Called with `frames`, it takes the slices of a static clip (`static_clip.py`) and uses the
    moments of the whole clip. With `update=False` training leaves the moving statistics alone: a
    layer computed again for its gradient must not move them twice.
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
        static = is_static(inputs, frames)
        if not (training and self.trainable) or (update and not static):
            return super().call(inputs, training=training, mask=mask)
        dtype = keras.backend.result_type(inputs.dtype, "float32")  # moments never in 16 bits
        inputs = ops.cast(inputs, dtype)
        if static:
            # Of each slice first, then together: the law of total variance.
            share = multiplicities(inputs.shape[1], frames)[:, None] / frames
            means, variances = ops.moments(inputs, axes=(0, 2, 3), synchronized=self.synchronized)
            mean = ops.sum(share * means, axis=0)
            variance = ops.sum(share * (variances + ops.square(means - mean)), axis=0)
        else:
            axes = tuple(range(len(inputs.shape) - 1))
            mean, variance = ops.moments(inputs, axes=axes, synchronized=self.synchronized)
        if update:
            for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        outputs = ops.batch_normalization(
            inputs,
            mean,
            variance,
            axis=self.axis,
            offset=ops.cast(self.beta, dtype),
            scale=ops.cast(self.gamma, dtype),
            epsilon=self.epsilon,
        )
        return ops.cast(outputs, self.compute_dtype)
