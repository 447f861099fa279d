"""Spatial self-attention, SSA (Horita & Yanai, ACPR 2019, Sec. 3.2, Eq. 1-3)."""

from __future__ import annotations

import contextlib
import contextvars
import functools
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
from ssagan_tf.layers.gates import GATES
from ssagan_tf.layers.static_clip import is_static, multiplicities


@keras.saving.register_keras_serializable("ssagan_tf")
class SpatialSelfAttention(keras.layers.Layer):
    """Spatial self-attention over a clip: `[B, T, H, W, C]` in, the same shape out.

    Queries, keys and values are 1×1×1 convolutions. Attention runs over the H·W positions only;
    the T frames are part of each position's features, so one attention map serves the whole clip.
    B, T, H and W may be anything, known or not; `memory` bounds the size of the attention maps.
    Arguments are named as in `keras.layers.MultiHeadAttention`.

    For another attention, override `attend`.

    Args:
      ratio: C̄/C, channels of queries and keys over those of the input; 1 in the paper. At
        least one channel is kept.
      gate: How the attended features o join the input x. `"gamma"` (Eq. 3): γ·o + x with a
        learned scalar γ, initially 0, so the layer starts as the identity; `"none"` (Sec. 5.4):
        o + x; `"projected"` (released code): BN(W·o) + x with W a 1×1×1 convolution,
        initially zero.
      kernel_initializer: Initializer of the kernels of the three convolutions.
      memory: Limit in MiB for the attention maps of a batch. If they need more, they are
        computed in blocks, and again in the gradient: as exact, and up to a third slower in
        training. In a graph where H or W is unknown, the gradient always computes them again.
      bias_initializer: Initializer of the biases of the three convolutions.
      kernel_regularizer: Regularizer of these kernels and the kernel of the projected gate.
      bias_regularizer: Regularizer of these biases and the bias of the projected gate.
      kernel_constraint: Constraint on these kernels and the kernel of the projected gate.
      bias_constraint: Constraint on these biases and the bias of the projected gate.

    Call arguments:
      inputs: `[B, T, H, W, C]`; integers are cast to the compute dtype.
      attention_mask: Positions that may be attended to, boolean `[B, H·W]` (row by row) or
        `[B, H, W]`, where B may be 1 for all clips; None means all. Where a clip has none, o is 0.
      return_attention_scores: Whether to return (output, A) with A = softmax(q kᵀ) (Eq. 1),
        `[B, H·W, H·W]`, a row per query position.
      mask: Boolean `[B, T]` or `[B, T, H, W]`, as Keras propagates it: what is masked is not read.
        Nothing else in the output depends on it, and frames that are masked entirely count as if
        they were not there. The output has the same mask.
      training: Whether the batch norm of `gate="projected"` trains.
      frames: If given, the input holds the slices of a static clip (`static_clip.py`).
      update: Whether training updates the moving statistics of that batch norm.

    Returns:
      A tensor of the input's shape, in the compute dtype; with `return_attention_scores` a pair.

    Raises:
      ValueError: `gate`, `ratio` or `memory` is invalid; the input is not `[B, T, H, W, C]` with
        a known C, or has other channels than the layer was built for; or scores are requested
        whose size is unknown or exceeds `memory`.

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
        # Configs of sublayers that are not as `pointwise` creates them: quantized, or with LoRA.
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
        """The axes that attention runs over: H and W."""
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
        self.query = self.pointwise(key_channels, "query")
        self.key = self.pointwise(key_channels, "key")
        self.value = self.pointwise(channels, "value")
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        GATES[self.gate].build(self, input_shape)
        self.input_spec = keras.layers.InputSpec(ndim=5, axes={-1: channels})

    def pointwise(self, filters: int, name: str, zeros: bool = False) -> keras.layers.Dense:
        """A 1×1×1 convolution, which is a matrix product over the channels, not built yet.

        Args:
          filters: Output channels.
          name: Its name, which is also the attribute of this layer that holds it.
          zeros: Whether it starts at zero instead of by this layer's initializers.
        """
        if name in self._convolutions:
            return keras.layers.Dense.from_config(self._convolutions[name])
        initializers = (self.kernel_initializer, self.bias_initializer)
        if zeros:
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
        if mask is None:  # Keras does not pass it on if there is an attention_mask
            mask = getattr(inputs, "_keras_mask", None)
        inputs = ops.cast(inputs, self.compute_dtype)
        scores, visible = None, None if mask is None else _every_position(mask, inputs)
        replacement = self._replacement()
        if replacement is not None:
            if return_attention_scores or attention_mask is not None or mask is not None:
                raise ValueError("the attention formula in use returns no scores and takes no mask")
            attended = replacement(inputs, frames)
        else:
            if return_attention_scores:
                self._check_scores(inputs)
            attended, scores = self._attend(
                inputs, frames, attention_mask, visible, return_attention_scores
            )
        gated = GATES[self.gate].apply(
            self, attended, training=training, mask=visible, frames=frames, update=update
        )
        outputs = gated + inputs
        return (outputs, scores) if return_attention_scores else outputs

    def attend(self, clip: Any, frames: int | None = None) -> Any:
        """o (Eq. 2): attention over a clip, before the gate. Subclasses may override it.

        A subclass's own version is used as it is: `attention_by` does not replace it, and masks and
        scores are refused.

        Args:
          clip: `[B, T, H, W, C]` in the compute dtype. If `frames` is given and differs from T, it
            holds the slices of a static clip (`static_clip.py`: `multiplicities` says how many
            frames each stands for, `expand` makes all of them).
          frames: The number of frames that the clip stands for, or None for T.

        Returns:
          A tensor of the clip's shape and dtype.
        """
        return self._attend(clip, frames)[0]

    def _replacement(self) -> Callable[[Any, int | None], Any] | None:
        """What computes o instead of `_attend`: a subclass's `attend`, or the formula in use."""
        if type(self).attend is not SpatialSelfAttention.attend:
            return self.attend
        formula = _FORMULA.get()
        return None if formula is None else functools.partial(formula, self)

    def projections(self) -> list[tuple[Any, Any]]:
        """Kernel `[C, C̄]` and bias `[C̄]` of the convolutions of q, of k, and (to C) of v.

        Raises:
          ValueError: One is quantized, so its kernel holds integers: call `query`, `key` and
            `value` instead.
        """
        layers = (self.query, self.key, self.value)
        for layer in layers:
            if layer.quantization_mode is not None:
                raise ValueError(
                    f"{layer.path} is quantized to {layer.quantization_mode}: it can be called, "
                    "but its kernel cannot be used in a matrix product"
                )
        return [(layer.kernel, layer.bias) for layer in layers]

    def _attend(
        self,
        clip: Any,
        frames: int | None,
        attention_mask: Any = None,
        visible: Any = None,
        scores: bool = False,
    ) -> tuple[Any, Any]:
        """o, and A or None. `visible`, `[B, T, H, W]`, is the part of the clip that is read."""
        layers = (self.query, self.key, self.value)
        plain = all(layer.quantization_mode is None for layer in layers)
        if plain and attention_mask is None and visible is None and not scores:
            pairs = [[ops.cast(each, clip.dtype) for each in pair] for pair in self.projections()]
            return self_attention(clip, pairs, self.memory, frames), None
        query, key, value = (layer(clip) for layer in layers)
        if is_static(clip, frames):  # a slice counts in q kᵀ as many times as it occurs
            counts = multiplicities(clip.shape[1], frames)[:, None, None, None]
            query = query * ops.cast(counts, query.dtype)
        if visible is not None:
            query, key, value = (
                ops.where(visible[..., None], each, ops.zeros((), each.dtype))
                for each in (query, key, value)
            )
            positions = ops.any(visible, axis=1)
            if attention_mask is not None:
                given = ops.cast(attention_mask, "bool")
                if len(given.shape) == 2:
                    given = ops.reshape(given, (ops.shape(given)[0], *ops.shape(positions)[1:]))
                positions = ops.logical_and(positions, given)
            attention_mask = positions
        if scores:
            return spatial_attention_naive(query, key, value, attention_mask, True)
        return spatial_attention(query, key, value, self.memory, attention_mask), None

    def _check_scores(self, clip: Any) -> None:
        batch, _, height, width, _ = clip.shape
        if height is None or width is None:
            raise ValueError(
                "return_attention_scores=True needs a known height and width. "
                f"Received: shape {tuple(clip.shape)}"
            )
        if (needed := scores_memory(batch, height * width, clip.dtype)) > self.memory:
            raise ValueError(
                f"return_attention_scores=True: the scores for shape {tuple(clip.shape)} take "
                f"{needed} MiB, but `memory` is {self.memory}. Increase it, or use fewer clips or "
                "positions"
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
        names = ("query", "key", "value", *GATES[self.gate].convolutions)
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
"""Takes a layer, and a clip and `frames` as `SpatialSelfAttention.attend` does; returns o."""

_FORMULA: contextvars.ContextVar[Formula | None] = contextvars.ContextVar("formula", default=None)


@contextlib.contextmanager
def attention_by(formula: Formula) -> Iterator[None]:
    """Within this context, every `SpatialSelfAttention` called in this thread uses `formula`.

    For exporters whose runtime is faster with another formula, and for inspecting the input of
    the attention. No layer is changed. Compiled functions keep the formula that they were traced
    with. Subclasses that override `attend` keep their own.

    Args:
      formula: Takes (layer, clip, frames): the layer, of which it may use `query`, `key`, `value`
        or `projections()`; its input `[B, T, H, W, C]` in the compute dtype, where T is smaller
        than `frames` for the slices of a static clip; and `frames`, or None. Returns o before the
        gate, of the clip's shape and dtype. `layer.attend(clip, frames)` is the layer's own.
        It takes no masks and returns no scores: a layer called with either raises ValueError.
    """
    token = _FORMULA.set(formula)
    try:
        yield
    finally:
        _FORMULA.reset(token)
