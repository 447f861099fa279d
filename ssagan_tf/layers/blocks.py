"""A row of Table 1: convolution, batch normalisation, activation, attention."""

from __future__ import annotations

import itertools
from typing import Any

import keras

from ssagan_tf.layers.attention import SpatialSelfAttention
from ssagan_tf.layers.convolution import Convolution, TransposedConvolution
from ssagan_tf.layers.normalization import BatchNormalization

# The attention layers that may follow a convolution; they take the arguments of
# `SpatialSelfAttention`. To add one: an entry here, and a variant of the U-Net that has it
# (models/unet_variants.py).
ATTENTIONS: dict[str, type[keras.layers.Layer]] = {"spatial": SpatialSelfAttention}


@keras.saving.register_keras_serializable("ssagan_tf")
class ConvolutionBlock(keras.layers.Layer):
    """3D convolution → batch norm → activation → spatial self-attention.

    Kernels are initialized from N(0, 0.02), as in the released code.

    Args:
      filters: Output channels.
      kernel_size: (time, height, width).
      strides: (time, height, width).
      padding: `"same"`, which for the kernels and strides of Table 1 is its padding of 1, or
        `"valid"`, its padding of 0.
      transposed: Whether the convolution is transposed.
      normalize: Whether batch normalisation follows.
      bn_gamma_stddev: Its scales γ are initialized from N(1, bn_gamma_stddev).
      activation: `None`, `"relu"` or `"leaky_relu"`.
      negative_slope: Slope of the leaky ReLU below 0.
      ssa: Arguments of the `SpatialSelfAttention` that follows, or `None`. The entry `attention`
        chooses another layer of `ATTENTIONS`.
      use_bias: Whether the convolution has a bias; in Table 1 none has.
      spectral_norm: Whether the kernel is spectrally normalised.
      remat: Whether training keeps only the block's input and computes the block again for its
        gradient (gradient checkpointing).

    Call arguments:
      inputs: `[B, T, H, W, C]`; a transposed block also takes a list of clips, whose channels are
        concatenated.
      training: Whether batch statistics are used and moving ones updated.
      frames: If given, the input holds the slices of a static clip (`static_clip.py`).
    """

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, int, int],
        strides: tuple[int, int, int],
        padding: str,
        *,
        transposed: bool = False,
        normalize: bool = True,
        bn_gamma_stddev: float = 0.0,
        activation: str | None = None,
        negative_slope: float = 0.2,
        ssa: dict[str, Any] | None = None,
        use_bias: bool = False,
        spectral_norm: bool = False,
        remat: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if activation not in (None, "relu", "leaky_relu"):
            raise ValueError(
                "`activation` must be None, 'relu' or 'leaky_relu'. "
                f"Received: activation={activation!r}"
            )
        self._arguments = {
            "filters": filters,
            "kernel_size": tuple(kernel_size),
            "strides": tuple(strides),
            "padding": padding,
            "transposed": transposed,
            "normalize": normalize,
            "bn_gamma_stddev": bn_gamma_stddev,
            "activation": activation,
            "negative_slope": negative_slope,
            "ssa": ssa,
            "use_bias": use_bias,
            "spectral_norm": spectral_norm,
            "remat": remat,
        }
        self.convolution = (TransposedConvolution if transposed else Convolution)(
            filters,
            kernel_size,
            strides,
            padding=padding,
            use_bias=use_bias,
            kernel_initializer=_normal(0.0, 0.02),
            spectral_norm=spectral_norm,
            name="convolution",
            dtype=self.dtype_policy,
        )
        self.batch_norm = self.ssa = None
        if normalize:
            self.batch_norm = BatchNormalization(
                gamma_initializer=_normal(1.0, bn_gamma_stddev) if bn_gamma_stddev else "ones",
                name="batch_norm",
                dtype=self.dtype_policy,
            )
        if ssa is not None:
            arguments = dict(ssa)
            self.ssa = ATTENTIONS[arguments.pop("attention", "spatial")](
                **arguments,
                kernel_initializer=_normal(0.0, 0.02),
                name="ssa",
                dtype=self.dtype_policy,
            )

    def build(self, input_shape: tuple) -> None:
        self.convolution.build(input_shape)
        shape = self.convolution.compute_output_shape(input_shape)
        for layer in (self.batch_norm, self.ssa):
            if layer is not None:
                layer.build(shape)

    def call(self, inputs: Any, training: bool | None = None, frames: int | None = None) -> Any:
        parts = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        if not (self._arguments["remat"] and training):
            return self._forward(parts, training, frames, update=True)
        # The first call is the forward pass, the second recomputes it for the gradient.
        calls = itertools.count()
        return keras.remat(
            lambda *parts: self._forward(list(parts), training, frames, update=next(calls) == 0)
        )(*parts)

    def _forward(
        self, parts: list, training: bool | None, frames: int | None, *, update: bool
    ) -> Any:
        mode = {"training": training, "update": update}
        x = self.convolution(parts if len(parts) > 1 else parts[0], frames=frames, **mode)
        if frames is not None:
            frames = self.frames_after(frames)
        if self.batch_norm is not None:
            x = self.batch_norm(x, frames=frames, **mode)
        x = self._activate(x)
        if self.ssa is not None:
            x = self.ssa(x, frames=frames, **mode)
        return x

    def frames_after(self, frames: int) -> int:
        """Number of output frames for an input of `frames` frames."""
        shape = (None, frames, *self._arguments["kernel_size"][1:], None)
        return self.convolution.compute_output_shape(shape)[1]

    def _activate(self, x: Any) -> Any:
        activation = self._arguments["activation"]
        if activation == "relu":
            return keras.ops.relu(x)
        if activation == "leaky_relu":
            slope = self._arguments["negative_slope"]
            if keras.backend.standardize_dtype(x.dtype) == "float64":
                return keras.ops.where(
                    x > 0, x, slope * x
                )  # TensorFlow rounds the slope to float32
            return keras.ops.leaky_relu(x, slope)
        return x

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.convolution.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **self._arguments}
        if self.ssa is not None:
            quantized = self.ssa.get_config().get("convolutions")
            config["ssa"] = {**config["ssa"], **({"convolutions": quantized} if quantized else {})}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ConvolutionBlock:
        if "scale_stddev" in config:  # as files of version 0.1 call it
            config = {**config, "bn_gamma_stddev": config["scale_stddev"]}
            del config["scale_stddev"]
        return super().from_config(config)


def _normal(mean: float, stddev: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(mean, stddev)
