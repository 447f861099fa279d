"""The registered variants of the U-Net: SSA-GAN, MD-GAN, and SSA-GAN (b).

To add one: an entry in `UNET_VARIANTS`, and in `options/` its name in the help of `network` and its
recipe.
"""

from __future__ import annotations

import dataclasses

from ssagan_tf.options import ModelOptions, OptionError


@dataclasses.dataclass(frozen=True)
class UNetVariant:
    """How a registered network differs from Table 1.

    Attributes:
      skips: What `--skips=standard` stands for.
      ssa: Whether `--ssa_layers=standard` has attention.
      takes_clip: Whether it is a second stage, whose inputs are first-stage clips.
      attention: Which attention it has: a key of `layers.blocks.ATTENTIONS`.
    """

    skips: str
    ssa: bool
    takes_clip: bool = False
    attention: str = "spatial"


# SSA-GAN (a): Horita & Yanai, ACPR 2019. MD-GAN: Xiong et al., CVPR 2018, the same network without
# attention, in two stages. SSA-GAN (b): MD-GAN's second stage with attention (Sec. 5.2).
UNET_VARIANTS: dict[str, UNetVariant] = {
    "ssagan": UNetVariant("concatenate", ssa=True),
    "ssagan_stage2": UNetVariant("add_inner", ssa=True, takes_clip=True),
    "mdgan_stage1": UNetVariant("add", ssa=False),
    "mdgan_stage2": UNetVariant("add_inner", ssa=False, takes_clip=True),
}


def variant_of(options: ModelOptions) -> UNetVariant:
    """The variant that `options.network` names.

    Raises:
      OptionError: The network is no U-Net.
    """
    if options.network not in UNET_VARIANTS:
        raise OptionError("network", options.network, f"must be one of {', '.join(UNET_VARIANTS)}")
    return UNET_VARIANTS[options.network]


def skips_of(options: ModelOptions) -> str:
    """How encoder features join the decoder: `concatenate`, `add` or `add_inner`."""
    return variant_of(options).skips if options.skips == "standard" else options.skips
