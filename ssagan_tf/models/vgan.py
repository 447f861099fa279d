"""Conditional VGAN, a baseline of Table 4, at 64×64.

C. Vondrick, H. Pirsiavash and A. Torralba, "Generating Videos with Scene Dynamics", NIPS 2016, in
the form that starts from an image. 128 filters first, for 32 base filters.

Generator in: image `[B, 64, 64, 3]`, float in [-1, 1]. Out: clip `[B, 32, 64, 64, 3]`, float32
or, under a float64 policy, float64.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.models.discriminator import ClipDiscriminator
from ssagan_tf.models.network import Network, build_sequentially, call_sequentially
from ssagan_tf.models.table1 import IMAGE_CHANNELS
from ssagan_tf.options import FRAMES, ComputeOptions, ModelOptions
from ssagan_tf.precision import widened

# 2D layers are 3D ones of a single frame. Biases are where no batch norm follows, which would
# take them off again.
FLAT = {"kernel_size": (1, 4, 4), "strides": (1, 2, 2), "padding": "same"}
SOLID = {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"}
BARE = {"normalize": False, "use_bias": True}


@keras.saving.register_keras_serializable("ssagan_tf")
class VGANGenerator(Network):
    """A moving foreground f, blended by a mask m over a still background b: m⊙f + (1−m)⊙b.

    Args:
      options: `network`, `resolution` and `base_filters` count.
      compute: How it is computed; the precision is the layer argument `dtype`.
    """

    largest_kernel = 32768  # foreground2: 4·4·4·32·16

    def __init__(
        self,
        options: ModelOptions | None = None,
        compute: ComputeOptions | None = None,
        **kwargs: Any,
    ):
        super().__init__(options, compute, **kwargs)
        first = 4 * self.options.base_filters
        block = functools.partial(
            ConvolutionBlock,
            activation="relu",
            remat=self.compute.remat,
            dtype=self.dtype_policy,
        )
        up = functools.partial(block, transposed=True)
        output = functools.partial(up, **{**BARE, "activation": None})
        self.encoder = [
            block(first, name="encoder1", **FLAT, **BARE),
            *(block(first * 2**n, name=f"encoder{n + 1}", **FLAT) for n in (1, 2, 3)),
        ]
        self.background = [
            *(up(first * 2 ** (3 - n), name=f"background{n}", **FLAT) for n in (1, 2, 3)),
            output(IMAGE_CHANNELS, name="background4", **FLAT),
        ]
        self.foreground = [
            up(8 * first, (2, 1, 1), (1, 1, 1), "valid", name="foreground1"),
            *(up(first * 2 ** (3 - n), name=f"foreground{n + 1}", **SOLID) for n in (1, 2, 3)),
        ]
        self.colour = output(IMAGE_CHANNELS, name="colour", **SOLID)
        self.mask = output(1, name="mask", **SOLID)

    @property
    def input_axes(self) -> tuple[int, ...]:
        return (self.options.resolution, self.options.resolution, IMAGE_CHANNELS)

    def build(self, input_shape: tuple) -> None:
        self.check_input(input_shape)
        code = build_sequentially(self.encoder, (input_shape[0], 1, *input_shape[1:]))
        build_sequentially(self.background, code)
        moving = build_sequentially(self.foreground, code)
        self.colour.build(moving)
        self.mask.build(moving)
        self.built = True

    def call(self, image: Any, training: bool | None = None) -> Any:
        self.check_input(image.shape)
        code = call_sequentially(self.encoder, ops.expand_dims(image, 1), training)
        still = call_sequentially(self.background, code, training)
        moving = call_sequentially(self.foreground, code, training)
        colour, mask = (layer(moving, training=training) for layer in (self.colour, self.mask))
        still, colour, mask = (widened(x) for x in (still, colour, mask))
        mask = ops.sigmoid(mask)
        return mask * ops.tanh(colour) + (1.0 - mask) * ops.tanh(still)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], FRAMES, *input_shape[1:])


@keras.saving.register_keras_serializable("ssagan_tf")
class VGANDiscriminator(ClipDiscriminator):
    """3D convolutions over the clip. Arguments as of the generator."""

    largest_kernel = 32768  # conv4: 4·4·4·16·32

    def __init__(
        self,
        options: ModelOptions | None = None,
        compute: ComputeOptions | None = None,
        **kwargs: Any,
    ):
        super().__init__(options, compute, **kwargs)
        first = 4 * self.options.base_filters
        block = functools.partial(
            ConvolutionBlock, activation="leaky_relu", dtype=self.dtype_policy
        )
        self.features = [
            block(first, name="conv1", **SOLID, **BARE),
            *(block(first * 2**n, name=f"conv{n + 1}", **SOLID) for n in (1, 2, 3)),
        ]
        self.score = ConvolutionBlock(
            1, (2, 4, 4), (1, 1, 1), "valid", name="score", dtype=self.dtype_policy, **BARE
        )
