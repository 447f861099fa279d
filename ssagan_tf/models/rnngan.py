"""RNN-GAN, a baseline of Table 4, at 64×64: recurrent generation from one image.

Y. Zhou and T. Berg, "Learning Temporal Transformations from Time-Lapse Videos", ECCV 2016. The
publication generates a few frames; how it was extended to 32 for the table is not documented: here
its LSTM runs for 32 steps. The first convolution has 64 filters at 32 base filters.

The generator maps an image `[B, 64, 64, 3]`, float in [-1, 1], to a clip `[B, 32, 64, 64, 3]` in
float32 or, under a float64 policy, float64.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.models.baselines import OUTPUT, BaselineDiscriminator, BaselineGenerator
from ssagan_tf.models.network import build_sequentially, call_sequentially
from ssagan_tf.models.table1 import IMAGE_CHANNELS
from ssagan_tf.options import FRAMES
from ssagan_tf.precision import upcast

# Layers run frame by frame: time is an axis that they share their weights over.
HALVING = {"kernel_size": (1, 5, 5), "strides": (1, 2, 2), "padding": "same"}
WHOLE_FRAME = {"kernel_size": (1, 4, 4), "strides": (1, 1, 1), "padding": "valid"}
FIRST_FILTERS = 2  # for one base filter
EVERY_FRAME = {"every_frame": True}  # the adversarial loss takes the score of every frame


@keras.saving.register_keras_serializable("ssagan_tf")
class RNNGANGenerator(BaselineGenerator):
    """Encodes the image; an LSTM fed with this code at every step gives a code per frame."""

    largest_kernel = 4096  # code: 4·4·16·16

    def create_layers(self) -> None:
        first = FIRST_FILTERS * self.options.base_filters
        self.code_size = 8 * first
        self.encoder = [
            *(self.block(first * 2**n, name=f"encoder{n + 1}", **HALVING) for n in range(4)),
            self.block(self.code_size, name="code", **WHOLE_FRAME, **OUTPUT),
        ]
        self.lstm = keras.layers.LSTM(
            self.code_size,
            return_sequences=True,
            unroll=True,  # a graph without loops can be exported
            name="lstm",
            dtype=self.dtype_policy,
        )
        self.decoder = [
            self.transposed(self.code_size, name="decoder1", **WHOLE_FRAME),
            *(
                self.transposed(first * 2 ** (3 - n), name=f"decoder{n + 1}", **HALVING)
                for n in (1, 2, 3)
            ),
            self.transposed(IMAGE_CHANNELS, name="decoder5", **HALVING, **OUTPUT),
        ]

    def build(self, input_shape: tuple) -> None:
        self.check_input(input_shape)
        build_sequentially(self.encoder, (input_shape[0], 1, *input_shape[1:]))
        self.lstm.build((input_shape[0], FRAMES, self.code_size))
        build_sequentially(self.decoder, (input_shape[0], FRAMES, 1, 1, self.code_size))
        self.built = True

    def call(self, image: Any, training: bool | None = None) -> Any:
        self.check_input(image.shape)
        code = call_sequentially(self.encoder, ops.expand_dims(image, 1), training)
        code = ops.tanh(ops.reshape(code, (-1, 1, self.code_size)))
        codes = self.lstm(ops.repeat(code, FRAMES, axis=1))
        frames = ops.reshape(codes, (-1, FRAMES, 1, 1, self.code_size))
        frames = call_sequentially(self.decoder, frames, training)
        return ops.tanh(upcast(frames))


@keras.saving.register_keras_serializable("ssagan_tf")
class RNNGANDiscriminator(BaselineDiscriminator):
    """Scores each frame by itself."""

    largest_kernel = 3200  # conv4: 5·5·8·16
    first_filters = FIRST_FILTERS
    halving = HALVING
    scoring = WHOLE_FRAME
    training_arguments = EVERY_FRAME

    def call(self, clip: Any, training: bool | None = None, every_frame: bool = False) -> Any:
        """Returns a logit per clip, `[B, 1]`: the mean over its frames.

        With `every_frame`, returns a logit per frame, `[B, 32]`.
        """
        logits = super().call(clip, training=training)
        return logits if every_frame else ops.mean(logits, axis=1, keepdims=True)
