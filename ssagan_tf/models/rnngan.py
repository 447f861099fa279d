"""RNN-GAN, a baseline of Table 4, at 64×64: recurrent generation from one image.

Y. Zhou and T. Berg, "Learning Temporal Transformations from Time-Lapse Videos", ECCV 2016. The
publication makes a few frames; how it was run to 32 for the table is not documented: here its LSTM
runs for 32 steps. 64 filters first, for 32 base filters.

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

# Layers of a frame: time is an axis that they share their weights over. Biases are where no batch
# norm follows.
HALVING = {"kernel_size": (1, 5, 5), "strides": (1, 2, 2), "padding": "same"}
WHOLE = {"kernel_size": (1, 4, 4), "strides": (1, 1, 1), "padding": "valid"}
BARE = {"normalize": False, "use_bias": True}


@keras.saving.register_keras_serializable("ssagan_tf")
class RNNGANGenerator(Network):
    """Encodes the image; an LSTM fed with the code at every step makes the frames' codes.

    Args:
      options: `network`, `resolution` and `base_filters` count.
      compute: How it is computed; the precision is the layer argument `dtype`.
    """

    largest_kernel = 4096  # code: 4·4·16·16

    def __init__(
        self,
        options: ModelOptions | None = None,
        compute: ComputeOptions | None = None,
        **kwargs: Any,
    ):
        super().__init__(options, compute, **kwargs)
        first = 2 * self.options.base_filters
        self.code_size = 8 * first
        block = functools.partial(
            ConvolutionBlock,
            activation="relu",
            remat=self.compute.remat,
            dtype=self.dtype_policy,
        )
        up = functools.partial(block, transposed=True)
        self.encoder = [
            *(block(first * 2**n, name=f"encoder{n + 1}", **HALVING) for n in range(4)),
            block(self.code_size, name="code", **{**WHOLE, **BARE, "activation": None}),
        ]
        self.lstm = keras.layers.LSTM(
            self.code_size,
            return_sequences=True,
            unroll=True,  # without a loop the graph can be exported
            name="lstm",
            dtype=self.dtype_policy,
        )
        self.decoder = [
            up(self.code_size, name="decoder1", **WHOLE),
            *(up(first * 2 ** (3 - n), name=f"decoder{n + 1}", **HALVING) for n in (1, 2, 3)),
            up(IMAGE_CHANNELS, name="decoder5", **{**HALVING, **BARE, "activation": None}),
        ]

    @property
    def input_axes(self) -> tuple[int, ...]:
        return (self.options.resolution, self.options.resolution, IMAGE_CHANNELS)

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
        return ops.tanh(widened(frames))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], FRAMES, *input_shape[1:])


@keras.saving.register_keras_serializable("ssagan_tf")
class RNNGANDiscriminator(ClipDiscriminator):
    """Scores every frame by itself. Arguments as of the generator."""

    largest_kernel = 3200  # conv4: 5·5·8·16

    def __init__(
        self,
        options: ModelOptions | None = None,
        compute: ComputeOptions | None = None,
        **kwargs: Any,
    ):
        super().__init__(options, compute, **kwargs)
        first = 2 * self.options.base_filters
        block = functools.partial(
            ConvolutionBlock, activation="leaky_relu", dtype=self.dtype_policy
        )
        self.features = [
            block(first, name="conv1", **HALVING, **BARE),
            *(block(first * 2**n, name=f"conv{n + 1}", **HALVING) for n in (1, 2, 3)),
        ]
        self.score = ConvolutionBlock(1, name="score", dtype=self.dtype_policy, **WHOLE, **BARE)

    def call(self, clip: Any, training: bool | None = None, every_frame: bool = False) -> Any:
        """The clip's logit `[B, 1]`: the mean of its frames'; with `every_frame` these, `[B, 32]`.

        The adversarial loss is taken of every frame's.
        """
        logits = super().call(clip, training=training)
        return logits if every_frame else ops.mean(logits, axis=1, keepdims=True)
