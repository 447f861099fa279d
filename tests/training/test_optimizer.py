from __future__ import annotations

import keras
import numpy as np

from ssagan_tf.options import TrainOptions
from ssagan_tf.training.optimizer import make_optimizer


def network() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def test_learning_rate_milestones() -> None:
    options = TrainOptions(learning_rate=1.0, learning_rate_milestones=("2", "3"))
    for updates in (1, 5):
        model = network()
        optimizer = make_optimizer(model, options, updates=updates)
        rates = []
        for _ in range(4 * updates):
            rates.append(float(optimizer.learning_rate))
            optimizer.iterations.assign_add(1)
        expected = np.repeat([1, 1, 0.1, 0.01], updates)
        np.testing.assert_allclose(rates, expected, rtol=1e-6)
