"""Shared by the tests that write networks out in plain TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from ssagan_tf.models import Network


def noise(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Random float32 values, cast to `dtype`."""
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32").astype(dtype)


def varied(network: Network) -> Network:
    """Sets every weight to random values that are large enough to matter."""
    draw = np.random.default_rng(1)
    for weight in network.weights:
        value = np.array(weight)
        if weight.name in ("kernel", "recurrent_kernel"):
            # Of transposed convolutions, each input reaches few outputs: divide by less.
            value = draw.normal(0, 2 * np.prod(value.shape[:-1]) ** -0.5, value.shape)
        else:
            value = value + draw.uniform(0.1, 0.5, value.shape)
        weight.assign(value.astype("float32"))
    return network


def normalised(x: Any, block: Any, training: bool) -> Any:
    """Batch norm by its formula."""
    norm = block.batch_norm
    mean, variance = norm.moving_mean, norm.moving_variance
    if training:
        mean, variance = tf.nn.moments(x, list(range(len(x.shape) - 1)))
    return (x - mean) / tf.sqrt(variance + 1e-5) * norm.gamma + norm.beta


def activated(activate: Callable, x: Any, block: Any, training: bool) -> Any:
    """The activation after batch norm, or after the bias where there is no batch norm."""
    if block.batch_norm is None:
        return activate(x + block.convolution.bias)
    return activate(normalised(x, block, training))
