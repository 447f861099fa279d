"""Batch normalisation with the constants of the released networks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import replicas
from ssagan_tf.layers.static_clip import is_static, multiplicities


@keras.saving.register_keras_serializable("ssagan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with epsilon 1e-5 and momentum 0.9 (what PyTorch calls 0.1).

    In training the moments are those of the clips of all replicas (`replicas.py`). Called with
    `frames`, it takes the slices of a static clip (`static_clip.py`) and uses the moments of the
    whole clip. With `update=False` training leaves the moving statistics alone: a layer computed
    again for its gradient must not move them twice.
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
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        dtype = keras.backend.result_type(inputs.dtype, "float32")  # moments never in 16 bits
        inputs = ops.cast(inputs, dtype)
        mean, variance = self._moments(inputs, frames)
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

    @staticmethod
    def _moments(inputs: Any, frames: int | None) -> tuple[Any, Any]:
        """Of each slice, then of the clips together, then of all replicas.

        By the law of total variance, which unlike E[x²] - E[x]² loses no digits.
        """
        if is_static(inputs, frames):
            share = multiplicities(inputs.shape[1], frames)[:, None] / frames
            means, variances = ops.moments(inputs, axes=(0, 2, 3))
            mean = ops.sum(share * means, axis=0)
            variance = ops.sum(share * (variances + ops.square(means - mean)), axis=0)
        else:
            mean, variance = ops.moments(inputs, axes=tuple(range(len(inputs.shape) - 1)))
        if replicas.count() == 1:
            return mean, variance
        of_all = replicas.mean(mean)
        return of_all, replicas.mean(variance + ops.square(mean - of_all))
