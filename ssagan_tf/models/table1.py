"""Table 1 of the paper: the rows of encoder and decoder at any resolution 64·2^k.

At 64² the first convolution and the last deconvolution of the 128² network are left out
(Sec. 5.3). By the same rule larger networks have more of them, each with half the filters.
"""

from __future__ import annotations

import dataclasses

from ssagan_tf.models.unet_variants import variant_of
from ssagan_tf.options import ModelOptions, OptionError, outer_levels

IMAGE_CHANNELS = 3


@dataclasses.dataclass(frozen=True)
class Row:
    """A (de)convolution. Kernel size and strides are (time, height, width)."""

    name: str
    filters: int
    kernel_size: tuple[int, int, int]
    strides: tuple[int, int, int]
    padding: str


def encoder_rows(options: ModelOptions) -> list[Row]:
    """conv1 … conv6 at 128²; conv2 … conv6 at 64²; conv0 … conv6 at 256²; and so on."""
    base = options.base_filters
    outer = [
        Row(f"conv{1 - level}", base // 2**level, (3, 4, 4), (1, 2, 2), "same")
        for level in reversed(range(outer_levels(options.resolution)))
    ]
    core = [
        Row(f"conv{2 + level}", base * 2 ** (level + 1), (4, 4, 4), (2, 2, 2), "same")
        for level in range(4)
    ]
    return [*outer, *core, Row("conv6", 16 * base, (2, 4, 4), (1, 1, 1), "valid")]


def decoder_rows(options: ModelOptions) -> list[Row]:
    """deconv1, which mirrors conv6, …, up to the last, which mirrors the first convolution."""
    encoder = encoder_rows(options)
    inputs = [IMAGE_CHANNELS, *(row.filters for row in encoder)]
    mirrored = zip(reversed(encoder), reversed(inputs[:-1]), strict=True)
    return [
        dataclasses.replace(row, name=f"deconv{number}", filters=filters)
        for number, (row, filters) in enumerate(mirrored, start=1)
    ]


def ssa_layers(options: ModelOptions) -> set[str]:
    """Names of the layers that spatial self-attention follows.

    The paper puts it after every convolution and deconvolution (Sec. 3.1), which is
    `ssa_layers=all`. `standard` leaves out conv6 and the last deconvolution, as the released code
    does: conv6's output is a single position, where attention is the identity.

    Raises:
      OptionError: `ssa_layers` names a layer that this network does not have.
    """
    every = [row.name for row in (*encoder_rows(options), *decoder_rows(options))]
    if options.ssa_layers == "all":
        return set(every)
    if options.ssa_layers == "none":
        return set()
    if options.ssa_layers == "standard":
        return set(every) - {"conv6", every[-1]} if variant_of(options).ssa else set()
    chosen = set(options.ssa_layers.split(","))
    if unknown := sorted(chosen - set(every)):
        raise OptionError(
            "ssa_layers",
            options.ssa_layers,
            f"there is no {unknown[0]} at resolution {options.resolution}; "
            f"the layers are {', '.join(every)}",
        )
    return chosen
