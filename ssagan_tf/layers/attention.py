"""Spatial self-attention, SSA (Horita & Yanai, ACPR 2019, Sec. 3.2, Eq. 1-3)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from ssagan_tf.layers.normalization import BatchNormalization

GATES = ("gamma", "none", "projected")


def _to_rows(clip: Any) -> Any:
    """`[B, T, H, W, C]` -> `[B, H·W, T·C]`: a row per position, time folded into features."""
    batch, time, height, width, channels = ops.shape(clip)
    by_position = ops.transpose(clip, (0, 2, 3, 1, 4))
    return ops.reshape(by_position, (batch, height * width, time * channels))


def spatial_attention(query: Any, key: Any, value: Any) -> Any:
    """Attention of every position over all positions (Eq. 1-2), without a 1/√d scale.

    Args:
      query: `[B, T, H, W, C̄]`.
      key: `[B, T, H, W, C̄]`.
      value: `[B, T, H, W, C]`.

    Returns:
      `o = softmax(q kᵀ) v`, `[B, T, H, W, C]`.
    """
    query, key = _to_rows(query), _to_rows(key)
    if keras.backend.standardize_dtype(query.dtype) == "float16":
        # Unscaled sums over T·C̄ products pass float16's 65504; bfloat16 has float32's range.
        query, key = ops.cast(query, "float32"), ops.cast(key, "float32")
    logits = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
    # Of one position softmax is 1, and Keras would warn about it. The product keeps q and k in
    # the graph, with gradients of 0 instead of none, which optimizers would warn about.
    alone = logits.shape[-1] == 1
    weights = 0.0 * logits + 1.0 if alone else ops.softmax(logits, axis=-1)
    weights = ops.cast(weights, value.dtype)
    batch, time, height, width, channels = ops.shape(value)
    attended = ops.matmul(weights, _to_rows(value))
    attended = ops.reshape(attended, (batch, height, width, time, channels))
    return ops.transpose(attended, (0, 3, 1, 2, 4))


def spatial_attention_reference(query: Any, key: Any, value: Any) -> np.ndarray:
    """The same as `spatial_attention`, written as Eq. 1-2 read: NumPy, float64, a position at a
    time. Slow; what the tests hold the fast one against."""
    query, key, value = (np.asarray(x, "float64") for x in (query, key, value))
    attended = np.empty_like(value)
    positions = list(np.ndindex(value.shape[2:4]))
    for b in range(value.shape[0]):
        for i, j in positions:
            scores = [np.sum(query[b, :, i, j] * key[b, :, m, n]) for m, n in positions]
            weights = np.exp(np.array(scores) - max(scores))
            weights /= weights.sum()
            attended[b, :, i, j] = sum(
                weight * value[b, :, m, n]
                for weight, (m, n) in zip(weights, positions, strict=True)
            )
    return attended


@keras.saving.register_keras_serializable("ssagan_tf")
class SpatialSelfAttention(keras.layers.Layer):
    """Spatial self-attention over a clip: `[B, T, H, W, C]` in, the same shape out.

    Queries, keys and values are 1×1×1 convolutions. The attention runs over the H·W positions
    only; the T frames are part of each position's features, so one attention map serves the whole
    clip. Any T, H and W; memory grows with (H·W)².

    Args:
      ratio: C̄/C, channels of queries and keys over those of the input; 1 in the paper. At
        least one channel is kept.
      gate: How the attended features o join the input x. `"gamma"` (Eq. 3): γ·o + x with a
        learned scalar γ, 0 at first, so the layer starts as the identity; `"none"` (Sec. 5.4):
        o + x; `"projected"` (released code): BN(W·o) + x with W a 1×1×1 convolution of zeros.
      kernel_initializer: Of the three convolutions.

    Raises:
      ValueError: `gate` or `ratio` is impossible, or the input is not `[B, T, H, W, C]` with a
        known C.

    Example:

    >>> layer = SpatialSelfAttention()
    >>> layer(np.zeros((2, 8, 16, 16, 4), "float32")).shape
    TensorShape([2, 8, 16, 16, 4])
    """

    def __init__(
        self,
        ratio: float = 1.0,
        gate: str = "gamma",
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if gate not in GATES:
            raise ValueError(f"`gate` must be one of {', '.join(GATES)}. Received: gate={gate!r}")
        if not 0 < ratio <= 1:
            raise ValueError(f"`ratio` must be above 0 and at most 1. Received: ratio={ratio}")
        self.ratio = ratio
        self.gate = gate
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple) -> None:
        if len(input_shape) != 5:
            raise ValueError(
                "SpatialSelfAttention takes clips [B, T, H, W, C]; give images a time axis of 1. "
                f"Received: shape {tuple(input_shape)}"
            )
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                "SpatialSelfAttention needs to know the number of channels. "
                f"Received: shape {tuple(input_shape)}"
            )
        key_channels = max(1, round(channels * self.ratio))
        self.query = self._pointwise(key_channels, "query")
        self.key = self._pointwise(key_channels, "key")
        self.value = self._pointwise(channels, "value")
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        if self.gate == "gamma":
            self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")
        elif self.gate == "projected":
            self.projection = self._pointwise(channels, "projection", initializer="zeros")
            self.projection.build(input_shape)
            self.projection_norm = BatchNormalization(
                name="projection_norm", dtype=self.dtype_policy
            )
            self.projection_norm.build(input_shape)

    def _pointwise(self, filters: int, name: str, initializer: Any = None) -> keras.layers.Dense:
        # A 1×1×1 convolution is a matrix product over the channels.
        if initializer is None:
            # Copies: a shared initializer would draw the same numbers for q, k and v.
            initializer = self.kernel_initializer
            initializer = initializer.clone() if hasattr(initializer, "clone") else initializer
        return keras.layers.Dense(
            filters, kernel_initializer=initializer, name=name, dtype=self.dtype_policy
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        attended = spatial_attention(self.query(inputs), self.key(inputs), self.value(inputs))
        if self.gate == "gamma":
            attended = self.gamma * attended
        elif self.gate == "projected":
            attended = self.projection_norm(self.projection(attended), training=training)
        return attended + inputs

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "gate": self.gate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
