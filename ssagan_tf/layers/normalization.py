"""Batch normalisation with the constants of the released networks."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("ssagan_tf")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with epsilon 1e-5 and momentum 0.9 (what PyTorch calls 0.1)."""

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
