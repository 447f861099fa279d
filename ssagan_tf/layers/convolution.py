"""3D convolutions, plain and transposed, optionally with spectral normalisation."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import im2col, static_clip, subpixel
from ssagan_tf.layers.spectral_norm import SpectralNormalization

_PLAIN: contextvars.ContextVar[bool] = contextvars.ContextVar("plain", default=False)


@contextlib.contextmanager
def plain_convolutions() -> Iterator[None]:
    """Within this context, layers called in this thread use plain (transposed) convolutions.

    For exporters whose runtime is faster with them. Compiled functions keep what they were traced
    with.
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


class _ChannelsLastConvolution:
    """What both convolutions share: channels last, and spectral normalisation."""

    _output_axis: int

    def __init__(self, *args: Any, spectral_norm: bool = False, **kwargs: Any):
        if kwargs.pop("data_format", "channels_last") != "channels_last":
            raise ValueError(f"{type(self).__name__} supports channels last only, [B, T, H, W, C]")
        super().__init__(*args, data_format="channels_last", **kwargs)
        self.spectral_norm = spectral_norm

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        if self.spectral_norm:
            self.normalization = SpectralNormalization(
                self._output_axis, name="spectral_norm", dtype=self.dtype_policy
            )
            self.normalization.build(self.kernel.shape)
            self.normalization.initialize_vectors(self.kernel)

    def _normalized_kernel(self, training: bool | None, update: bool) -> Any:
        kernel = ops.convert_to_tensor(self.kernel)
        if self.spectral_norm:
            # When recomputed for a gradient, it uses the vectors that the forward pass found.
            return self.normalization(kernel, training=training and update)
        return kernel

    def _add_bias_and_activate(self, outputs: Any) -> Any:
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def _has_short_cuts(self, larger: tuple) -> bool:
        """Whether `im2col` and `subpixel` support it, by T, H, W of the larger map."""
        return (
            not _PLAIN.get()
            and None not in larger
            and self.padding in ("same", "valid")
            and max(self.dilation_rate) == getattr(self, "groups", 1) == 1
            and getattr(self, "output_padding", None) is None
        )

    def _keeps_static(self) -> bool:
        return static_clip.pads_by_one(self.kernel_size, self.strides, self.padding)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return {**config, "spectral_norm": self.spectral_norm}


@keras.saving.register_keras_serializable("ssagan_tf")
class Convolution(_ChannelsLastConvolution, keras.layers.Conv3D):
    """`keras.layers.Conv3D` (channels last) with the argument `spectral_norm` (False).

    Called with `frames`, its input holds the slices of a static clip (`static_clip.py`), and its
    output those of the result, or all frames where that is impossible.
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
        kernel = self._normalized_kernel(training, update)
        smaller = self.compute_output_shape(inputs.shape)[1:4]
        if self._has_short_cuts(inputs.shape[1:4]) and im2col.is_faster(smaller):
            return self._add_bias_and_activate(
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
        return self._add_bias_and_activate(outputs)


@keras.saving.register_keras_serializable("ssagan_tf")
class TransposedConvolution(_ChannelsLastConvolution, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` (channels last) with the argument `spectral_norm` (False).

    Its input may be a list of clips, whose channels are concatenated. Called with `frames`, each of
    them may hold the slices of a static clip (`static_clip.py`), whose contribution is computed
    from these slices where that saves frames; the output has all frames.
    """

    _output_axis = -2

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.input_spec = None  # it does not allow lists

    def call(
        self,
        inputs: Any,
        training: bool | None = None,
        frames: int | None = None,
        update: bool = True,
    ) -> Any:
        parts = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        kernel = self._normalized_kernel(training, update)
        channels = [part.shape[-1] for part in parts]
        if sum(channels) != kernel.shape[-1]:
            raise ValueError(
                f"TransposedConvolution was built for {kernel.shape[-1]} channels. "
                f"Received: {' + '.join(map(str, channels))}"
            )
        if not self._keeps_static() or not any(
            static_clip.shortens_transposed(part, frames, self.strides[0]) for part in parts
        ):
            parts = [static_clip.expand(part, frames or part.shape[1]) for part in parts]
            joined = ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
            return self._add_bias_and_activate(self._convolve(joined, kernel))
        # Convolution is linear: the sum over the parts.
        kernels = [kernel]
        if len(parts) > 1:
            kernels = ops.split(kernel, list(itertools.accumulate(channels[:-1])), axis=-1)
        outputs = 0
        for part, part_kernel in zip(parts, kernels, strict=True):
            outputs = outputs + static_clip.transposed_convolution(
                part,
                frames,
                self.strides[0],
                functools.partial(self._convolve, kernel=part_kernel),
            )
        return self._add_bias_and_activate(outputs)

    def _convolve(self, clip: Any, kernel: Any) -> Any:
        larger = self.compute_output_shape((*clip.shape[:4], self.kernel.shape[-1]))[1:4]
        if self._has_short_cuts(larger):
            arguments = clip, kernel, self.strides, self.padding, larger
            if im2col.is_faster(clip.shape[1:4]):
                return im2col.convolve_transposed(*arguments)
            if subpixel.is_faster(self.filters, self.strides):
                return subpixel.convolve_transposed(*arguments)
        return ops.conv_transpose(
            clip,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
