"""The registered forms of the one U-Net: SSA-GAN, MD-GAN, and SSA-GAN (b)."""

from __future__ import annotations

import dataclasses

from ssagan_tf.options import ModelOptions, OptionError


@dataclasses.dataclass(frozen=True)
class UNetVariant:
    """What a registered name makes of Table 1.

    Attributes:
      skips: What `--skips=standard` stands for.
      ssa: Whether `--ssa_layers=standard` has attention.
      takes_clip: Whether it is a second stage, fed with the clips of a first one.
    """

    skips: str
    ssa: bool
    takes_clip: bool = False


# SSA-GAN (a): Horita & Yanai, ACPR 2019. MD-GAN: Xiong et al., CVPR 2018, the same network without
# attention, in two stages. SSA-GAN (b): MD-GAN's second stage with attention.
UNET_VARIANTS: dict[str, UNetVariant] = {
    "ssagan": UNetVariant("concatenate", ssa=True),
    "ssagan_stage2": UNetVariant("add_inner", ssa=True, takes_clip=True),
    "mdgan_stage1": UNetVariant("add", ssa=False),
    "mdgan_stage2": UNetVariant("add_inner", ssa=False, takes_clip=True),
}


def variant_of(options: ModelOptions) -> UNetVariant:
    """The form that `options.network` names.

    Raises:
      OptionError: It is none of the U-Net's.
    """
    if options.network not in UNET_VARIANTS:
        raise OptionError("network", options.network, f"must be one of {', '.join(UNET_VARIANTS)}")
    return UNET_VARIANTS[options.network]


def skips_of(options: ModelOptions) -> str:
    """`concatenate`, `add` or `add_inner`."""
    return variant_of(options).skips if options.skips == "standard" else options.skips
