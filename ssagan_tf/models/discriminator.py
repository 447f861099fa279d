"""The discriminator: the encoder of Table 1 without attention.

In: clip `[B, 32, H, W, 3]`, float in [-1, 1]. Out: score logits `[B, 1]`, float32
or, under a float64 policy, float64.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.models.network import Network, build_sequentially, call_sequentially
from ssagan_tf.models.table1 import IMAGE_CHANNELS, encoder_rows
from ssagan_tf.options import FRAMES, ComputeOptions, ModelOptions
from ssagan_tf.precision import widened

# conv5 of the released code has its framework's default slope, kept for its checkpoints.
CONV5_SLOPE = 0.01
# The layers whose outputs MD-GAN ranks clips by: the first and third convolution.
RANKED = (0, 2)


class ClipDiscriminator(Network):
    """Scores a clip: high for real, low for generated. The papers' sigmoid is left to the losses.

    Subclasses set `features`, the layers in turn, and `score`, the one that gives the logits.
    """

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
        """`[B, 1]`, or a score per frame, `[B, T]`."""
        score = self.score(features, training=training)
        return widened(ops.reshape(score, (-1, score.shape[1])))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], 1)


@keras.saving.register_keras_serializable("ssagan_tf")
class Discriminator(ClipDiscriminator):
    """The discriminator of SSA-GAN and MD-GAN.

    Args:
      options: Size and variants; the paper's 128² network by default.
      compute: How it is computed; the precision is the layer argument `dtype`.
    """

    largest_kernel = 8192  # conv6: 2·4·4·16·16

    def __init__(
        self,
        options: ModelOptions | None = None,
        compute: ComputeOptions | None = None,
        **kwargs: Any,
    ):
        super().__init__(options, compute, **kwargs)
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
        """Logits `[B, 1]`; with `features` also what MD-GAN's ranking loss compares.

        These are the outputs of the first and third convolution after their activations
        `[B, T, H, W, C]`: conv1 and conv3 at 128². By position, as all that is first and last in
        Table 1, they are conv2 and conv4 at 64².
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
