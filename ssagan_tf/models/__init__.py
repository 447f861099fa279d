"""The networks, by registered name.

To add one: a file with a generator and a discriminator, an entry in `REGISTRY`, and in `options/`
its name in the help of `network` and its recipe.
"""

from __future__ import annotations

import dataclasses

from ssagan_tf.models.discriminator import Discriminator
from ssagan_tf.models.network import Network, policy_name
from ssagan_tf.models.rnngan import RNNGANDiscriminator, RNNGANGenerator
from ssagan_tf.models.two_stage import TwoStage
from ssagan_tf.models.unet import UNet
from ssagan_tf.models.unet_variants import UNET_VARIANTS
from ssagan_tf.models.vgan import VGANDiscriminator, VGANGenerator
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """A generator and the discriminator it is trained against.

    Attributes:
      generator: The generator's class.
      discriminator: The discriminator's class.
      takes_clip: Whether the generator is a second stage, whose inputs are first-stage clips.
      resolution: The only resolution it has; None: any 64·2^k.
      variants: Whether it has the settings that vary Table 1 (skips, attention, spectral norm).
    """

    generator: type[Network]
    discriminator: type[Network]
    takes_clip: bool = False
    resolution: int | None = None
    variants: bool = True

    def check(self, options: ModelOptions) -> None:
        """Raises OptionError if the network cannot have these settings."""
        if self.resolution not in (None, options.resolution):
            raise OptionError(
                "resolution",
                options.resolution,
                f"{options.network} supports only resolution {self.resolution}",
            )
        for field in dataclasses.fields(options):
            value = getattr(options, field.name)
            if not self.variants and field.name not in SIZES and value != field.default:
                raise OptionError(field.name, value, f"{options.network} has no such setting")


# Settings that every network has; the others vary Table 1.
SIZES = ("network", "resolution", "base_filters")

REGISTRY: dict[str, NetworkSpec] = {
    **{
        name: NetworkSpec(UNet, Discriminator, takes_clip=variant.takes_clip)
        for name, variant in UNET_VARIANTS.items()
    },
    "vgan": NetworkSpec(VGANGenerator, VGANDiscriminator, resolution=64, variants=False),
    "rnngan": NetworkSpec(RNNGANGenerator, RNNGANDiscriminator, resolution=64, variants=False),
}
NETWORKS = {cls for spec in REGISTRY.values() for cls in (spec.generator, spec.discriminator)}

__all__ = [
    "NETWORKS",
    "REGISTRY",
    "Discriminator",
    "Network",
    "NetworkSpec",
    "TwoStage",
    "UNet",
    "build_discriminator",
    "build_generator",
    "spec_of",
]


def build_generator(
    options: ModelOptions | None = None, compute: ComputeOptions | None = None
) -> Network:
    """Builds a generator with fresh weights: image `[B, H, W, 3]` → clip `[B, 32, H, W, 3]`.

    Second stages take a clip `[B, 32, H, W, 3]`; `TwoStage` joins them to a first stage. Inputs and
    outputs are float in [-1, 1].

    Args:
      options: Network and size; by default the paper's 128² network.
      compute: How it is computed; by default in float32, or in float64 after
        `keras.config.set_dtype_policy("float64")`.

    Raises:
      OptionError: The network does not exist or cannot have these settings.
    """
    options = options or ModelOptions()
    return _build(spec_of(options).generator, options, compute, "generator")


def build_discriminator(
    options: ModelOptions | None = None, compute: ComputeOptions | None = None
) -> Network:
    """Builds a discriminator with fresh weights: clip `[B, 32, H, W, 3]` → logits `[B, 1]`.

    Args:
      options: As for `build_generator`.
      compute: As for `build_generator`.

    Raises:
      OptionError: The network does not exist or cannot have these settings.
    """
    options = options or ModelOptions()
    return _build(spec_of(options).discriminator, options, compute, "discriminator")


def spec_of(options: ModelOptions) -> NetworkSpec:
    """The registry's entry for `options.network`.

    Raises:
      OptionError: The network does not exist or cannot have these settings.
    """
    if options.network not in REGISTRY:
        raise OptionError("network", options.network, f"must be one of {', '.join(REGISTRY)}")
    spec = REGISTRY[options.network]
    spec.check(options)
    return spec


def _build(
    cls: type[Network], options: ModelOptions, compute: ComputeOptions | None, name: str
) -> Network:
    compute = compute or ComputeOptions()
    network = cls(options, compute, name=name, dtype=policy_name(compute))
    network.build_variables()
    return network
