"""3D convolutions, plain and transposed, with spectral normalisation by option."""

from __future__ import annotations

import itertools
from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import im2col, static_clip
from ssagan_tf.layers.spectral_norm import SpectralNormalization


class _ChannelsLastConvolution:
    """What both convolutions share: channels last, and the normalised kernel."""

    _output_axis: int

    def __init__(self, *args: Any, spectral_norm: bool = False, **kwargs: Any):
        if kwargs.pop("data_format", "channels_last") != "channels_last":
            raise ValueError(f"{type(self).__name__} takes channels last, [B, T, H, W, C]")
        super().__init__(*args, data_format="channels_last", **kwargs)
        self.spectral_norm = spectral_norm

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        if self.spectral_norm:
            self.normalization = SpectralNormalization(
                self._output_axis, name="spectral_norm", dtype=self.dtype_policy
            )
            self.normalization.build(self.kernel.shape)
            self.normalization.start_from(self.kernel)

    def _kernel_now(self, training: bool | None, update: bool) -> Any:
        kernel = ops.convert_to_tensor(self.kernel)
        if self.spectral_norm:
            # Computed again for a gradient, it uses the vectors that it has just found.
            return self.normalization(kernel, training=training and update)
        return kernel

    def _finish(self, outputs: Any) -> Any:
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def _as_patches(self, larger_shape: tuple, smaller: tuple) -> bool:
        return (
            im2col.pays(smaller)
            and None not in larger_shape[1:4]
            and self.padding in ("same", "valid")
            and max(self.dilation_rate) == getattr(self, "groups", 1) == 1
            and getattr(self, "output_padding", None) is None
        )

    def _keeps_static(self) -> bool:
        return static_clip.padded_by_one(self.kernel_size, self.strides, self.padding)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return {**config, "spectral_norm": self.spectral_norm}


@keras.saving.register_keras_serializable("ssagan_tf")
class Convolution(_ChannelsLastConvolution, keras.layers.Conv3D):
    """`keras.layers.Conv3D` (channels last) with `spectral_norm=True|False`.

    Called with `frames`, it takes the slices of a static clip (`static_clip.py`), and gives those
    of the output if it can.
    """

    _output_axis = -1

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        frames: int | None = None,
        update: bool = True,
    ) -> Any:
        if static_clip.is_static(inputs, frames):
            if self._keeps_static() and frames % self.strides[0] == 0:
                inputs = static_clip.for_convolution(inputs, frames, self.strides[0])
            else:
                inputs = static_clip.expand(inputs, frames)
        kernel = self._kernel_now(training, update)
        smaller = self.compute_output_shape(inputs.shape)[1:4]
        if self._as_patches(inputs.shape, smaller):
            return self._finish(
                im2col.convolve(inputs, kernel, self.strides, self.padding, smaller)
            )
        outputs = ops.conv(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return self._finish(outputs)


@keras.saving.register_keras_serializable("ssagan_tf")
class TransposedConvolution(_ChannelsLastConvolution, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` (channels last) with `spectral_norm=True|False`.

    Its input may be a list of clips, which are joined along their channels. Called with `frames`,
    any of them may be the slices of a static clip (`static_clip.py`), whose part of the output is
    computed on these slices; the output has all its frames.
    """

    _output_axis = -2

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.input_spec = None  # it knows no lists

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        frames: int | None = None,
        update: bool = True,
    ) -> Any:
        parts = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        kernel = self._kernel_now(training, update)
        channels = [part.shape[-1] for part in parts]
        if sum(channels) != kernel.shape[-1]:
            raise ValueError(
                f"TransposedConvolution was built for {kernel.shape[-1]} channels. "
                f"Received: {' + '.join(map(str, channels))}"
            )
        if not self._keeps_static():
            parts = [static_clip.expand(part, frames or part.shape[1]) for part in parts]
        if not any(static_clip.is_static(part, frames) for part in parts):
            joined = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            return self._finish(self._convolve(joined, kernel))
        # A convolution is linear: the sum of those of its parts.
        kernels = [kernel]
        if len(parts) > 1:
            kernels = ops.split(kernel, list(itertools.accumulate(channels[:-1])), axis=-1)
        outputs = 0
        for part, own in zip(parts, kernels, strict=True):
            outputs = outputs + static_clip.transposed_convolution(
                part, frames, self.strides[0], lambda x, own=own: self._convolve(x, own)
            )
        return self._finish(outputs)

    def _convolve(self, clip: Any, kernel: Any) -> Any:
        larger = self.compute_output_shape((*clip.shape[:4], self.kernel.shape[-1]))[1:4]
        if self._as_patches((None, *larger), clip.shape[1:4]):
            return im2col.convolve_transposed(clip, kernel, self.strides, self.padding, larger)
        return ops.conv_transpose(
            clip,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
