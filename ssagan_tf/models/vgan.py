"""Conditional VGAN, a baseline of Table 4, at 64×64.

C. Vondrick, H. Pirsiavash and A. Torralba, "Generating Videos with Scene Dynamics", NIPS 2016, in
the variant that starts from an image. The first convolution has 128 filters at 32 base filters.

The generator maps an image `[B, 64, 64, 3]`, float in [-1, 1], to a clip `[B, 32, 64, 64, 3]` in
float32 or, under a float64 policy, float64.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.models.baselines import (
    OUTPUT,
    UNNORMALIZED,
    BaselineDiscriminator,
    BaselineGenerator,
)
from ssagan_tf.models.network import build_sequentially, call_sequentially
from ssagan_tf.models.table1 import IMAGE_CHANNELS
from ssagan_tf.precision import upcast

# 2D convolutions are 3D ones of a single frame.
HALVING_2D = {"kernel_size": (1, 4, 4), "strides": (1, 2, 2), "padding": "same"}
HALVING_3D = {"kernel_size": (4, 4, 4), "strides": (2, 2, 2), "padding": "same"}
WHOLE_CLIP = {"kernel_size": (2, 4, 4), "strides": (1, 1, 1), "padding": "valid"}
FIRST_FILTERS = 4  # for one base filter


@keras.saving.register_keras_serializable("ssagan_tf")
class VGANGenerator(BaselineGenerator):
    """A moving foreground f, blended by a mask m over a still background b: m⊙f + (1−m)⊙b."""

    largest_kernel = 32768  # foreground2: 4·4·4·32·16

    def create_layers(self) -> None:
        block, transposed = self.block, self.transposed
        first = FIRST_FILTERS * self.options.base_filters
        self.encoder = [
            block(first, name="encoder1", **HALVING_2D, **UNNORMALIZED),
            *(block(first * 2**n, name=f"encoder{n + 1}", **HALVING_2D) for n in (1, 2, 3)),
        ]
        self.background = [
            *(
                transposed(first * 2 ** (3 - n), name=f"background{n}", **HALVING_2D)
                for n in (1, 2, 3)
            ),
            transposed(IMAGE_CHANNELS, name="background4", **HALVING_2D, **OUTPUT),
        ]
        seed = {"kernel_size": (2, 1, 1), "strides": (1, 1, 1), "padding": "valid"}
        self.foreground = [
            transposed(8 * first, name="foreground1", **seed),
            *(
                transposed(first * 2 ** (3 - n), name=f"foreground{n + 1}", **HALVING_3D)
                for n in (1, 2, 3)
            ),
        ]
        self.colour = transposed(IMAGE_CHANNELS, name="colour", **HALVING_3D, **OUTPUT)
        self.mask = transposed(1, name="mask", **HALVING_3D, **OUTPUT)

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
        still, colour, mask = (upcast(x) for x in (still, colour, mask))
        mask = ops.sigmoid(mask)
        return mask * ops.tanh(colour) + (1.0 - mask) * ops.tanh(still)


@keras.saving.register_keras_serializable("ssagan_tf")
class VGANDiscriminator(BaselineDiscriminator):
    """3D convolutions over the clip."""

    largest_kernel = 32768  # conv4: 4·4·4·16·32
    first_filters = FIRST_FILTERS
    halving = HALVING_3D
    scoring = WHOLE_CLIP
