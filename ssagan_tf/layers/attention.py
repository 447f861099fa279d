"""Spatial self-attention, SSA (Horita & Yanai, ACPR 2019, Sec. 3.2, Eq. 1-3)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.layers.blocked_attention import MEMORY, self_attention
from ssagan_tf.layers.normalization import BatchNormalization

GATES = ("gamma", "none", "projected")


@keras.saving.register_keras_serializable("ssagan_tf")
class SpatialSelfAttention(keras.layers.Layer):
    """Spatial self-attention over a clip: `[B, T, H, W, C]` in, the same shape out.

    Queries, keys and values are 1×1×1 convolutions. The attention runs over the H·W positions
    only; the T frames are part of each position's features, so one attention map serves the whole
    clip. Any T, H and W; `memory` bounds what the attention holds.

    Args:
      ratio: C̄/C, channels of queries and keys over those of the input; 1 in the paper. At
        least one channel is kept.
      gate: How the attended features o join the input x. `"gamma"` (Eq. 3): γ·o + x with a
        learned scalar γ, 0 at first, so the layer starts as the identity; `"none"` (Sec. 5.4):
        o + x; `"projected"` (released code): BN(W·o) + x with W a 1×1×1 convolution of zeros.
      kernel_initializer: Of the three convolutions.
      memory: MiB that the weights of attention of a batch may take. Where they need more they are
        computed in blocks, and again in the gradient: a fifth slower in training, and as exact.

    Called with `frames`, it takes the slices of a static clip (`static_clip.py`).

    Raises:
      ValueError: `gate`, `ratio` or `memory` is impossible, or the input is not `[B, T, H, W, C]`
        with a known C.

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
        memory: int = MEMORY,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if memory < 1:
            raise ValueError(f"`memory` must be at least 1 MiB. Received: memory={memory}")
        if gate not in GATES:
            raise ValueError(f"`gate` must be one of {', '.join(GATES)}. Received: gate={gate!r}")
        if not 0 < ratio <= 1:
            raise ValueError(f"`ratio` must be above 0 and at most 1. Received: ratio={ratio}")
        self.ratio = ratio
        self.gate = gate
        self.memory = memory
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

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        frames: int | None = None,
        update: bool = True,
    ) -> Any:
        projections = [
            (ops.cast(layer.kernel, inputs.dtype), ops.cast(layer.bias, inputs.dtype))
            for layer in (self.query, self.key, self.value)
        ]
        attended = self.attend(inputs, projections, frames)
        if self.gate == "gamma":
            attended = self.gamma * attended
        elif self.gate == "projected":
            attended = self.projection_norm(
                self.projection(attended), training=training, frames=frames, update=update
            )
        return attended + inputs

    def attend(self, clip: Any, projections: list[tuple[Any, Any]], frames: int | None) -> Any:
        """o. An exporter may put a formula here that suits another runtime better."""
        return self_attention(clip, projections, self.memory, frames)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ratio": self.ratio,
            "gate": self.gate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "memory": self.memory,
        }
