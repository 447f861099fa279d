"""3D convolutions, plain and transposed, with spectral normalisation by option.

Strided ones are computed over phases where that pays; see `phases.py`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import phases
from ssagan_tf.layers.spectral_norm import SpectralNormalization


class _ChannelsLastConvolution:
    """What both convolutions share: channels last, the normalised kernel, the choice of phases."""

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

    def _kernel_now(self, training: bool | None) -> Any:
        if not self.spectral_norm:
            return self.kernel
        return self.normalization(ops.convert_to_tensor(self.kernel), training=training)

    def _over_phases(self, larger_shape: tuple, smaller: int, transposed: bool) -> bool:
        return (
            max(self.dilation_rate) == getattr(self, "groups", 1) == 1
            and getattr(self, "output_padding", None) is None
            and phases.pays(larger_shape[-1], smaller, transposed)
            and phases.applies(self.kernel_size, self.strides, self.padding, larger_shape)
        )

    def _finish(self, outputs: Any) -> Any:
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return {**config, "spectral_norm": self.spectral_norm}


@keras.saving.register_keras_serializable("ssagan_tf")
class Convolution(_ChannelsLastConvolution, keras.layers.Conv3D):
    """`keras.layers.Conv3D` (channels last) with `spectral_norm=True|False`."""

    _output_axis = -1

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        kernel = self._kernel_now(training)
        if self._over_phases(inputs.shape, self.filters, transposed=False):
            return self._finish(phases.convolve(inputs, kernel, self.strides))
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
    """`keras.layers.Conv3DTranspose` (channels last) with `spectral_norm=True|False`."""

    _output_axis = -2

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        kernel = self._kernel_now(training)
        larger_shape = self.compute_output_shape(inputs.shape)
        if self._over_phases(larger_shape, inputs.shape[-1], transposed=True):
            return self._finish(phases.convolve_transposed(inputs, kernel, self.strides))
        outputs = ops.conv_transpose(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return self._finish(outputs)
