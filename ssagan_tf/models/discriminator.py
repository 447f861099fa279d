"""The discriminator: the encoder of Table 1 without attention.

It maps a clip `[B, 32, H, W, 3]`, float in [-1, 1], to logits `[B, 1]` in float32 or, under a
float64 policy, float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.models.network import Network, build_sequentially, call_sequentially
from ssagan_tf.models.table1 import IMAGE_CHANNELS, encoder_rows
from ssagan_tf.options import FRAMES
from ssagan_tf.precision import upcast

# conv5 has PyTorch's default slope in the released code; kept so that its checkpoints fit.
CONV5_SLOPE = 0.01
# Indices of the layers whose outputs MD-GAN's ranking loss compares.
RANKED = (0, 2)


class ClipDiscriminator(Network):
    """Scores a clip: high for real, low for generated.

    Returns logits: the sigmoid of the papers is left to the losses.

    Attributes:
      features: The layers, in order.
      score: The layer that maps the features to logits.
      training_arguments: Further arguments of `call` in training.
    """

    training_arguments: ClassVar[Mapping[str, Any]] = {}
    features: list[ConvolutionBlock]
    score: ConvolutionBlock

    @property
    def input_axes(self) -> tuple[int, ...]:
        side = self.options.resolution
        return (FRAMES, side, side, IMAGE_CHANNELS)

    def build(self, input_shape: tuple) -> None:
        self.check_input(input_shape)
        build_sequentially([*self.features, self.score], tuple(input_shape))
        self.built = True

    def call(self, clip: Any, training: bool | None = None) -> Any:
        self.check_input(clip.shape)
        return self._logits(call_sequentially(self.features, clip, training), training)

    def _logits(self, features: Any, training: bool | None) -> Any:
        """`[B, 1]`, or `[B, T]` where each frame is scored."""
        score = self.score(features, training=training)
        return upcast(ops.reshape(score, (-1, score.shape[1])))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], 1)


@keras.saving.register_keras_serializable("ssagan_tf")
class Discriminator(ClipDiscriminator):
    """The discriminator of SSA-GAN and MD-GAN."""

    largest_kernel = 8192  # conv6: 2·4·4·16·16

    def create_layers(self) -> None:
        *features, last = encoder_rows(self.options)
        self.features = [
            ConvolutionBlock(
                row.filters,
                row.kernel_size,
                row.strides,
                row.padding,
                normalize=row is not features[0],
                bn_gamma_stddev=self.options.bn_gamma_stddev,
                activation="leaky_relu",
                negative_slope=CONV5_SLOPE if row.name == "conv5" else 0.2,
                spectral_norm=self.options.spectral_norm,
                name=row.name,
                dtype=self.dtype_policy,
            )
            for row in features
        ]
        self.score = ConvolutionBlock(
            1,
            last.kernel_size,
            last.strides,
            last.padding,
            normalize=False,
            spectral_norm=self.options.spectral_norm,
            name="score",
            dtype=self.dtype_policy,
        )

    def call(self, clip: Any, training: bool | None = None, features: bool = False) -> Any:
        """Returns logits `[B, 1]`; with `features`, also what MD-GAN's ranking loss compares.

        These are the outputs `[B, T, H, W, C]` of the first and third convolution, after their
        activations: conv1 and conv3 at 128², conv2 and conv4 at 64², where conv2 is the first.
        """
        if not features:
            return super().call(clip, training=training)
        self.check_input(clip.shape)
        x, ranked = clip, []
        for number, block in enumerate(self.features):
            x = block(x, training=training)
            if number in RANKED:
                ranked.append(x)
        return self._logits(x, training), ranked
