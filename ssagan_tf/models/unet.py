"""The generator: a 3D U-Net with spatial self-attention (Table 1), and its variants.

It maps an image `[B, H, W, 3]`, or in a second stage a clip `[B, 32, H, W, 3]`, float in [-1, 1],
to a clip `[B, 32, H, W, 3]` in (-1, 1), in float32 or, under a float64 policy, float64.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.layers.static_clip import expand
from ssagan_tf.models.network import Network
from ssagan_tf.models.table1 import IMAGE_CHANNELS, decoder_rows, encoder_rows, ssa_layers
from ssagan_tf.models.unet_variants import skips_of, variant_of
from ssagan_tf.options import FRAMES
from ssagan_tf.precision import upcast

OUTER_SKIPS = 2  # a second stage does not have these


@keras.saving.register_keras_serializable("ssagan_tf")
class UNet(Network):
    """The generator of SSA-GAN and MD-GAN (Sec. 3.1, Sec. 4 and Table 1; details as released).

    The input image is repeated 32 times. Each layer is a (de)convolution, batch norm, an activation
    (leaky ReLU in the encoder, ReLU in the decoder), and attention. As in the released code, the
    first convolution and conv6 have neither batch norm nor activation (the paper excepts "the first
    and last layers" from batch norm, Sec. 4), and the last deconvolution has tanh only. Encoder
    features join those of the decoder of the same size.

    Args:
      options: Variant (`unet_variants.py`), size and ablations; the paper's 128² by default.
      compute: How it is computed; its precision is the layer argument `dtype`.

    Raises:
      OptionError: The options name no variant of this network, or a layer that it does not have.
    """

    largest_kernel = 8192  # conv6: 2·4·4·16·16

    def create_layers(self) -> None:
        options = self.options
        variant = variant_of(options)
        self.takes_clip = variant.takes_clip
        self.skips = skips_of(options)
        with_ssa = ssa_layers(options)
        attention = {
            "gate": options.ssa_gate,
            "ratio": options.ssa_ratio,
            "memory": self.compute.attention_memory,
            "attention": variant.attention,
        }

        def block(row, plain, activation, transposed):
            return ConvolutionBlock(
                row.filters,
                row.kernel_size,
                row.strides,
                row.padding,
                transposed=transposed,
                normalize=not plain,
                bn_gamma_stddev=options.bn_gamma_stddev,
                activation=None if plain else activation,
                ssa=attention if row.name in with_ssa else None,
                spectral_norm=options.spectral_norm,
                remat=self.compute.remat,
                name=row.name,
                dtype=self.dtype_policy,
            )

        down, up = encoder_rows(options), decoder_rows(options)
        self.encoder = [
            block(row, row in (down[0], down[-1]), "leaky_relu", transposed=False) for row in down
        ]
        self.decoder = [block(row, row is up[-1], "relu", transposed=True) for row in up]

    @property
    def input_axes(self) -> tuple[int, ...]:
        image = (self.options.resolution, self.options.resolution, IMAGE_CHANNELS)
        return (FRAMES, *image) if self.takes_clip else image

    def build(self, input_shape: tuple) -> None:
        self.check_input(input_shape)
        shape = self.compute_output_shape(input_shape)
        joined = []
        for block in self.encoder:
            block.build(shape)
            shape = block.compute_output_shape(shape)
            joined.append(shape)
        joined.pop()
        for block in self.decoder:
            block.build(shape)
            shape = block.compute_output_shape(shape)
            if joined:
                channels = joined.pop()[-1] if self.skips == "concatenate" else 0
                shape = (*shape[:-1], shape[-1] + channels)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, static_clip: bool = True) -> Any:
        """Returns the clip that follows an image, or that refines a clip.

        An image is repeated to a static clip. The encoder computes only its distinct slices
        (`layers/static_clip.py`), or with `static_clip=False` all frames. The results are equal
        up to rounding.
        """
        self.check_input(inputs.shape)
        x, frames = inputs, FRAMES
        if not self.takes_clip:
            x = ops.expand_dims(x, 1)
            if not static_clip:
                x = expand(x, frames)
        encoded = []
        for block in self.encoder:
            x = block(x, training=training, frames=frames)
            frames = block.frames_after(frames)
            encoded.append((x, frames))
        encoded.pop()  # conv6 has no skip connection
        for number, block in enumerate(self.decoder):
            x = block(x, training=training, frames=frames)
            if encoded:
                skip, frames = encoded.pop()
                if self.skips == "concatenate":
                    # The order in the released code, so that its checkpoints fit.
                    x = [x, skip] if number else [skip, x]
                elif self.skips == "add" or len(encoded) >= OUTER_SKIPS:
                    x = x + expand(skip, frames)
        return ops.tanh(upcast(x))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], FRAMES, *input_shape[-3:])
