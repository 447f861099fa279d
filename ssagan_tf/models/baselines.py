"""What the 64×64 baselines of Table 4, VGAN and RNN-GAN, share.

Biases are where no batch norm follows, which would subtract them again.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.models.discriminator import ClipDiscriminator
from ssagan_tf.models.network import Network
from ssagan_tf.models.table1 import IMAGE_CHANNELS
from ssagan_tf.options import FRAMES

UNNORMALIZED = {"normalize": False, "use_bias": True}
OUTPUT = {**UNNORMALIZED, "activation": None}


class BaselineGenerator(Network):
    """Image `[B, S, S, 3]` → clip `[B, 32, S, S, 3]`.

    Args:
      options: Settings; only `network`, `resolution` and `base_filters` are used.
      compute: How it is computed; its precision is the layer argument `dtype`.
    """

    @property
    def input_axes(self) -> tuple[int, ...]:
        return (self.options.resolution, self.options.resolution, IMAGE_CHANNELS)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], FRAMES, *input_shape[1:])

    def block(self, filters: int, **arguments: Any) -> ConvolutionBlock:
        """A convolution with batch norm and ReLU, unless the arguments say otherwise."""
        arguments = {"activation": "relu", **arguments}
        return ConvolutionBlock(
            filters, remat=self.compute.remat, dtype=self.dtype_policy, **arguments
        )

    def transposed(self, filters: int, **arguments: Any) -> ConvolutionBlock:
        """A transposed `block`."""
        return self.block(filters, transposed=True, **arguments)


class BaselineDiscriminator(ClipDiscriminator):
    """Four convolutions, each with twice the filters of the one before, and a score.

    Arguments are the generator's. Subclasses set the attributes.

    Attributes:
      first_filters: Filters of the first convolution, for one base filter.
      halving: Kernel, strides and padding of the convolutions.
      scoring: Kernel, strides and padding of the score.
    """

    first_filters: ClassVar[int]
    halving: ClassVar[dict[str, Any]]
    scoring: ClassVar[dict[str, Any]]

    def create_layers(self) -> None:
        def block(filters: int, **arguments: Any) -> ConvolutionBlock:
            return ConvolutionBlock(filters, dtype=self.dtype_policy, **arguments)

        first = self.first_filters * self.options.base_filters
        convolution = {**self.halving, "activation": "leaky_relu"}
        self.features = [
            block(first, name="conv1", **convolution, **UNNORMALIZED),
            *(block(first * 2**n, name=f"conv{n + 1}", **convolution) for n in (1, 2, 3)),
        ]
        self.score = block(1, name="score", **self.scoring, **UNNORMALIZED)
