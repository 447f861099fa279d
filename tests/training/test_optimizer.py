from __future__ import annotations

import keras
import numpy as np
import pytest

from ssagan_tf.options import TrainOptions
from ssagan_tf.training.optimizer import make_optimizer, set_averages


def network() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def test_the_learning_rate_falls_by_steps() -> None:
    options = TrainOptions(learning_rate=1.0, learning_rate_drops=("2", "3"))
    for updates in (1, 5):
        model = network()
        optimizer = make_optimizer(model, options, updates=updates)
        rates = []
        for _ in range(4 * updates):
            rates.append(float(optimizer.learning_rate))
            optimizer.iterations.assign_add(1)
        expected = np.repeat([1, 1, 0.1, 0.01], updates)
        np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.usefixtures("float64")
def test_averages_are_exponential() -> None:
    model, averaged = network(), network()
    optimizer = make_optimizer(model, TrainOptions(), ema_decay=0.9)
    expected = None
    rng = np.random.default_rng(0)
    for _ in range(5):
        gradients = [rng.standard_normal(w.shape) for w in model.weights]
        optimizer.apply(gradients, model.trainable_variables)
        now = model.get_weights()
        if expected is None:
            expected = now
        expected = [0.9 * mean + 0.1 * weight for mean, weight in zip(expected, now, strict=True)]
    set_averages(averaged, optimizer)
    for ours, value in zip(averaged.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, value, rtol=1e-6)  # the decay is a float32 number
