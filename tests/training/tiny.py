"""Tiny networks for tests of training, which build and run quickly.

They have every kind of state: batch norm, spectral norm, trainable weights.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf import models
from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.models.discriminator import ClipDiscriminator
from ssagan_tf.models.network import Network
from ssagan_tf.options import FRAMES


@keras.saving.register_keras_serializable("tests")
class TinyGenerator(Network):
    """Mixes the colours of the photo, repeated 32 times, or in a second stage of the clip."""

    def __init__(self, *arguments: Any, **kwargs: Any):
        super().__init__(*arguments, **kwargs)
        self.mix = ConvolutionBlock(3, (1, 1, 1), (1, 1, 1), "same", spectral_norm=True, name="mix")

    @property
    def input_axes(self) -> tuple[int, ...]:
        image = (self.options.resolution, self.options.resolution, 3)
        return (FRAMES, *image) if models.REGISTRY[self.options.network].takes_clip else image

    def build(self, input_shape: tuple) -> None:
        self.mix.build((None, 1, *input_shape[-3:]))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        clip = inputs if len(self.input_axes) == 4 else ops.expand_dims(inputs, 1)
        clip = ops.tanh(self.mix(clip, training=training))
        return ops.repeat(clip, FRAMES // clip.shape[1], axis=1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], FRAMES, *input_shape[-3:])


@keras.saving.register_keras_serializable("tests")
class TinyDiscriminator(ClipDiscriminator):
    """Scores the mean square of a convolution."""

    def __init__(self, *arguments: Any, **kwargs: Any):
        super().__init__(*arguments, **kwargs)
        self.look = ConvolutionBlock(
            2,
            (4, 8, 8),
            (4, 8, 8),
            "valid",
            activation="leaky_relu",
            spectral_norm=True,
            name="look",
        )

    def build(self, input_shape: tuple) -> None:
        self.look.build(input_shape)
        self.built = True

    def call(self, clip: Any, training: bool | None = None) -> Any:
        seen = self.look(clip, training=training)
        return ops.mean(ops.square(seen), axis=(1, 2, 3, 4))[:, None]


def build(kind: type[Network]) -> Any:
    def built(options: Any = None, compute: Any = None) -> Network:
        network = kind(options, compute, name=kind.__name__)
        network.build_variables()
        return network

    return built


def install(setattr_: Any = setattr) -> None:
    """Replaces all networks that training builds."""
    setattr_(models, "build_generator", build(TinyGenerator))
    setattr_(models, "build_discriminator", build(TinyDiscriminator))
    setattr_(models.UNet, "largest_kernel", 0)  # their checkpoints are tiny
