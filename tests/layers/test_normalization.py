"""Batch norm in training against its formula, to the second derivative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.layers import BatchNormalization
from ssagan_tf.layers.static_clip import expand
from tests.exactness import EXACT, assert_equal, draws, fill, value_and_gradients

pytestmark = pytest.mark.numeric


def by_formula(layer: BatchNormalization, clip: tf.Tensor) -> tf.Tensor:
    """Written with sums, products and a square root, which TensorFlow differentiates."""
    axes = list(range(4))
    mean = tf.reduce_mean(clip, axes)
    variance = tf.reduce_mean((clip - mean) ** 2, axes)
    return (clip - mean) / tf.sqrt(variance + 1e-5) * layer.gamma + layer.beta


def slope(function: Callable) -> Callable:
    def of(clip: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(clip)
            loss = tf.reduce_sum(tf.sin(function(clip)))
        return tape.gradient(loss, clip)

    return of


@pytest.mark.parametrize("derivative", [0, 1, 2])
@pytest.mark.parametrize("frames", [None, 8], ids=["clip", "static"])
def test_derivatives(frames: int | None, derivative: int) -> None:
    shape = (2, 8 if frames is None else 3, 3, 4, 3)

    def ways(dtype: str) -> tuple:
        clip = 3 * draws(*shape, dtype=dtype) + 2
        layer = BatchNormalization(dtype=dtype)
        layer.build((2, 8, *shape[2:]))
        fill(layer.weights, lambda drawn: 0.5 + drawn**2)

        def ours(x: tf.Tensor) -> tf.Tensor:
            x = layer(x, training=True, frames=frames)
            return x if frames is None else expand(x, frames)

        def plain(x: tf.Tensor) -> tf.Tensor:
            return by_formula(layer, x if frames is None else expand(x, frames))

        if derivative == 2:
            ours, plain = slope(ours), slope(plain)
        runs = [value_and_gradients(function, [clip]) for function in (ours, plain)]
        return tuple(run[: 1 + bool(derivative)] for run in runs)

    assert_equal(ways)


def test_moving_statistics() -> None:
    layer = BatchNormalization(dtype="float64")
    clip = draws(2, 3, 4, 5, 2)
    layer(clip, training=True)
    axes = (0, 1, 2, 3)
    expected = 0.1 * clip.numpy().mean(axes), 0.9 + 0.1 * clip.numpy().var(axes)
    for moving, value in zip((layer.moving_mean, layer.moving_variance), expected, strict=True):
        np.testing.assert_allclose(moving, value, rtol=EXACT)


def test_precision_of_the_moments() -> None:
    """For half a million values per channel, where TensorFlow's mean is off by 2e-5."""
    clip = 1 + draws(4, 32, 64, 64, 2, dtype="float32")
    layer = BatchNormalization(momentum=0.0)
    layer(clip, training=True)
    axes, exact = (0, 1, 2, 3), clip.numpy().astype("float64")
    np.testing.assert_allclose(layer.moving_mean, exact.mean(axes), rtol=5e-7)
    np.testing.assert_allclose(layer.moving_variance, exact.var(axes), rtol=5e-7)


@pytest.mark.parametrize("known", [True, False])
def test_empty_batch_changes_no_statistics(known: bool) -> None:
    layer = BatchNormalization()
    run = tf.function(lambda clip: layer(clip, training=True), autograph=False)
    if not known:
        run = run.get_concrete_function(tf.TensorSpec((None, 3, 4, 5, 2)))
    assert run(tf.zeros((0, 3, 4, 5, 2))).shape == (0, 3, 4, 5, 2)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(2))
    np.testing.assert_array_equal(layer.moving_variance, np.ones(2))
    run(tf.ones((1, 3, 4, 5, 2)))
    np.testing.assert_allclose(layer.moving_mean, [0.1, 0.1], rtol=1e-6)
