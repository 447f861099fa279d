"""Spatial self-attention, SSA (Horita & Yanai, ACPR 2019, Sec. 3.2, Eq. 1-3)."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from ssagan_tf.layers.blocked_attention import (
    MEMORY,
    scores_memory,
    self_attention,
    spatial_attention,
    spatial_attention_naive,
)
from ssagan_tf.layers.normalization import BatchNormalization
from ssagan_tf.layers.static_clip import is_static, multiplicities

GATES = ("gamma", "none", "projected")


@keras.saving.register_keras_serializable("ssagan_tf")
class SpatialSelfAttention(keras.layers.Layer):
    """Spatial self-attention over a clip: `[B, T, H, W, C]` in, the same shape out.

    Queries, keys and values are 1×1×1 convolutions. The attention runs over the H·W positions
    only; the T frames are part of each position's features, so one attention map serves the whole
    clip. Any B, T, H and W, known or not; `memory` bounds what the attention holds. Names mean
    what they mean in `keras.layers.MultiHeadAttention`.

    Args:
      ratio: C̄/C, channels of queries and keys over those of the input; 1 in the paper. At
        least one channel is kept.
      gate: How the attended features o join the input x. `"gamma"` (Eq. 3): γ·o + x with a
        learned scalar γ, 0 at first, so the layer starts as the identity; `"none"` (Sec. 5.4):
        o + x; `"projected"` (released code): BN(W·o) + x with W a 1×1×1 convolution of zeros.
      kernel_initializer: Of the three convolutions.
      memory: MiB that the weights of attention of a batch may take. Where they need more they are
        computed in blocks, and again in the gradient: a fifth slower in training, and as exact.
        In a graph where H or W is unknown, they are computed again in any case.
      bias_initializer: Of the three convolutions, as the following.
      kernel_regularizer: Also of the projection.
      bias_regularizer: Also of the projection.
      kernel_constraint: Also of the projection.
      bias_constraint: Also of the projection.

    Call arguments:
      inputs: `[B, T, H, W, C]`; integers are cast to the compute dtype.
      attention_mask: Positions that may be attended to, boolean `[B, H·W]` (row by row) or
        `[B, H, W]`, B being 1 if it is the same for all; all if None. Where a clip has none, o
        is 0.
      return_attention_scores: Whether to return (output, A) with A = softmax(q kᵀ) (Eq. 1),
        `[B, H·W, H·W]`, row by row of the query.
      mask: Boolean `[B, T]` or `[B, T, H, W]`, as Keras hands it on: what it leaves out is not
        read. Nothing else in the output depends on it, and frames that are left out throughout
        count as if they were not there. The output has the same mask.
      training: Whether the batch norm of `gate="projected"` trains.
      frames: Given, the input are the slices of a static clip (`static_clip.py`).
      update: Whether training moves the statistics of that batch norm.

    Returns:
      Of the input's shape, in the compute dtype; with `return_attention_scores` a pair.

    Raises:
      ValueError: `gate`, `ratio` or `memory` is impossible; the input is not `[B, T, H, W, C]`
        with a known C, or has other channels than the layer was built for; scores are wanted
        that take more than `memory` or are of an unknown size.

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
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        convolutions = kwargs.pop("convolutions", {})
        super().__init__(**kwargs)
        if memory < 1:
            raise ValueError(f"`memory` must be at least 1 MiB. Received: memory={memory}")
        if gate not in GATES:
            raise ValueError(f"`gate` must be one of {', '.join(GATES)}. Received: gate={gate!r}")
        if not 0 < ratio <= 1:
            raise ValueError(f"`ratio` must be above 0 and at most 1. Received: ratio={ratio}")
        self.supports_masking = True
        # Settings of those that are not as this layer makes them: quantized, or with LoRA.
        self._convolutions = convolutions
        self.ratio = ratio
        self.gate = gate
        self.memory = memory
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    @property
    def attention_axes(self) -> tuple[int, int]:
        """Axes that the attention runs over: H and W."""
        return (2, 3)

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
            self.projection = self._pointwise(channels, "projection")
            self.projection.build(input_shape)
            self.projection_norm = BatchNormalization(
                name="projection_norm", dtype=self.dtype_policy
            )
            self.projection_norm.build(input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=5, axes={-1: channels})

    def _pointwise(self, filters: int, name: str) -> keras.layers.Dense:
        # A 1×1×1 convolution is a matrix product over the channels.
        if name in self._convolutions:
            return keras.layers.Dense.from_config(self._convolutions[name])
        initializers = (self.kernel_initializer, self.bias_initializer)
        if name == "projection":
            initializers = ("zeros", "zeros")
        # Copies: a shared initializer would draw the same numbers for q, k and v.
        kernel, bias = (each.clone() if hasattr(each, "clone") else each for each in initializers)
        return keras.layers.Dense(
            filters,
            kernel_initializer=kernel,
            bias_initializer=bias,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            name=name,
            dtype=self.dtype_policy,
        )

    def call(
        self,
        inputs: Any,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        mask: Any = None,
        training: bool | None = None,
        frames: int | None = None,
        update: bool = True,
    ) -> Any:
        if mask is None:  # beside an attention_mask Keras does not hand it on
            mask = getattr(inputs, "_keras_mask", None)
        inputs = ops.cast(inputs, self.compute_dtype)
        formula, scores = _FORMULA.get(), None
        if formula is not None:
            if return_attention_scores or attention_mask is not None or mask is not None:
                raise ValueError("the formula in use gives no scores and takes no masks")
            attended = formula(self, inputs, frames)
        else:
            read = None if mask is None else _every_position(mask, inputs)
            if return_attention_scores:
                self._check_scores(inputs)
            attended, scores = self._attend(
                inputs, frames, attention_mask, read, return_attention_scores
            )
        if self.gate == "gamma":
            attended = self.gamma * attended
        elif self.gate == "projected":
            attended = self.projection_norm(
                self.projection(attended),
                training=training,
                mask=None if mask is None else read,
                frames=frames,
                update=update,
            )
        outputs = attended + inputs
        return (outputs, scores) if return_attention_scores else outputs

    def attend(self, clip: Any, frames: int | None = None) -> Any:
        """o (Eq. 2) of a clip in the compute dtype, before any gate: what a formula stands for."""
        return self._attend(clip, frames)[0]

    def projections(self) -> list[tuple[Any, Any]]:
        """Kernel `[C, C̄]` and bias `[C̄]` of the convolutions of q, of k, and (to C) of v.

        Raises:
          ValueError: One is quantized: its kernel are other numbers, call `query`, `key`, `value`.
        """
        layers = (self.query, self.key, self.value)
        for layer in layers:
            if layer.quantization_mode is not None:
                raise ValueError(
                    f"{layer.path} is quantized to {layer.quantization_mode}: it can be called, "
                    "but has no kernel to multiply by"
                )
        return [(layer.kernel, layer.bias) for layer in layers]

    def _attend(
        self,
        clip: Any,
        frames: int | None,
        attention_mask: Any = None,
        read: Any = None,
        scores: bool = False,
    ) -> tuple[Any, Any]:
        """o, and A or None; `read`, `[B, T, H, W]`, is what of the clip is read."""
        layers = (self.query, self.key, self.value)
        plain = all(layer.quantization_mode is None for layer in layers)
        if plain and attention_mask is None and read is None and not scores:
            pairs = [[ops.cast(each, clip.dtype) for each in pair] for pair in self.projections()]
            return self_attention(clip, pairs, self.memory, frames), None
        query, key, value = (layer(clip) for layer in layers)
        if is_static(clip, frames):  # slices weigh in q kᵀ as many times as they occur
            times = multiplicities(clip.shape[1], frames)[:, None, None, None]
            query = query * ops.cast(times, query.dtype)
        if read is not None:
            query, key, value = (
                ops.where(read[..., None], each, ops.zeros((), each.dtype))
                for each in (query, key, value)
            )
            anywhere = ops.any(read, axis=1)
            if attention_mask is not None:
                given = ops.cast(attention_mask, "bool")
                if len(given.shape) == 2:
                    given = ops.reshape(given, (ops.shape(given)[0], *ops.shape(anywhere)[1:]))
                anywhere = ops.logical_and(anywhere, given)
            attention_mask = anywhere
        if scores:
            return spatial_attention_naive(query, key, value, attention_mask, True)
        return spatial_attention(query, key, value, self.memory, attention_mask), None

    def _check_scores(self, clip: Any) -> None:
        batch, _, height, width, _ = clip.shape
        if height is None or width is None:
            raise ValueError(
                "return_attention_scores=True needs to know height and width. "
                f"Received: shape {tuple(clip.shape)}"
            )
        if (needed := scores_memory(batch, height * width, clip.dtype)) > self.memory:
            raise ValueError(
                f"return_attention_scores=True: the scores of shape {tuple(clip.shape)} take "
                f"{needed} MiB, and `memory` allows {self.memory}. Give the layer more, or fewer "
                "clips or positions"
            )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def compute_output_spec(
        self,
        inputs: Any,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        **kwargs: Any,
    ) -> Any:
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        batch, _, height, width, _ = inputs.shape
        positions = None if None in (height, width) else height * width
        scores = keras.KerasTensor((batch, positions, positions), dtype=self.compute_dtype)
        return output, scores

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "ratio": self.ratio,
            "gate": self.gate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "memory": self.memory,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }
        if convolutions := self._changed_convolutions():
            config["convolutions"] = convolutions
        return config

    def _changed_convolutions(self) -> dict[str, Any]:
        if not self.built:
            return self._convolutions
        names = ("query", "key", "value", *(["projection"] if self.gate == "projected" else []))
        layers = {name: getattr(self, name) for name in names}
        return {
            name: layer.get_config()
            for name, layer in layers.items()
            if layer.quantization_mode is not None or layer.lora_rank
        }


def _every_position(mask: Any, clip: Any) -> Any:
    """A mask `[B, T]` or `[B, T, H, W]` as booleans `[B, T, H, W]`."""
    mask = ops.cast(mask, "bool")
    if len(mask.shape) not in (2, 4):
        raise ValueError(
            f"`mask` must be [B, T] or [B, T, H, W]. Received: shape {tuple(mask.shape)}"
        )
    mask = mask[:, :, None, None] if len(mask.shape) == 2 else mask
    return ops.broadcast_to(mask, ops.shape(clip)[:4])


Formula = Callable[[SpatialSelfAttention, Any, int | None], Any]
"""o of a module, its input in the compute dtype, and `frames`; `SpatialSelfAttention.attend` is
the layer's own."""

_FORMULA: contextvars.ContextVar[Formula | None] = contextvars.ContextVar("formula", default=None)


@contextlib.contextmanager
def attention_by(formula: Formula) -> Iterator[None]:
    """While this lasts, all modules called in this thread compute o by `formula`.

    For exporters whose runtime is better at another formula, and for whoever looks at what goes
    into the attention. Compiled functions keep the formula that they were traced with.
    """
    token = _FORMULA.set(formula)
    try:
        yield
    finally:
        _FORMULA.reset(token)
