"""The networks, by registered name."""

from __future__ import annotations

import dataclasses

from ssagan_tf.models.discriminator import Discriminator
from ssagan_tf.models.network import Network, policy_of
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
      generator: Its class.
      discriminator: Its class.
      takes_clip: Whether the generator is a second stage, fed with the clips of a first one.
      resolution: The only one there is; None: 64·2^k.
      variants: Whether it has the settings that vary Table 1 (skips, attention, spectral norm).
    """

    generator: type[Network]
    discriminator: type[Network]
    takes_clip: bool = False
    resolution: int | None = None
    variants: bool = True

    def check(self, options: ModelOptions) -> None:
        """Raises OptionError if there is no such network."""
        if self.resolution not in (None, options.resolution):
            raise OptionError(
                "resolution",
                options.resolution,
                f"{options.network} has resolution {self.resolution} only",
            )
        for field in dataclasses.fields(options):
            value = getattr(options, field.name)
            if not self.variants and field.name not in SIZES and value != field.default:
                raise OptionError(field.name, value, f"{options.network} has no such setting")


# The settings that every network has; the others vary Table 1.
SIZES = ("network", "resolution", "base_filters")

REGISTRY: dict[str, NetworkSpec] = {
    **{
        name: NetworkSpec(UNet, Discriminator, takes_clip=form.takes_clip)
        for name, form in UNET_VARIANTS.items()
    },
    "vgan": NetworkSpec(VGANGenerator, VGANDiscriminator, resolution=64, variants=False),
    "rnngan": NetworkSpec(RNNGANGenerator, RNNGANDiscriminator, resolution=64, variants=False),
}
NETWORKS = {
    kind for system in REGISTRY.values() for kind in (system.generator, system.discriminator)
}

__all__ = [
    "NETWORKS",
    "REGISTRY",
    "Discriminator",
    "Network",
    "NetworkSpec",
    "RNNGANDiscriminator",
    "RNNGANGenerator",
    "TwoStage",
    "UNet",
    "VGANDiscriminator",
    "VGANGenerator",
    "build_discriminator",
    "build_generator",
    "spec_of",
]


def build_generator(
    options: ModelOptions | None = None, compute: ComputeOptions | None = None
) -> Network:
    """Builds a generator with fresh weights: image `[B, H, W, 3]` → clip `[B, 32, H, W, 3]`.

    Second stages take a clip `[B, 32, H, W, 3]`; `TwoStage` joins them with a first one. Floats in
    [-1, 1] on both sides. Without options: the paper's 128² network. In float32, or in float64
    after `keras.config.set_dtype_policy("float64")`.

    Raises:
      OptionError: No network of that name, or an option it cannot have.
    """
    options = options or ModelOptions()
    return _built(spec_of(options).generator, options, compute, "generator")


def build_discriminator(
    options: ModelOptions | None = None, compute: ComputeOptions | None = None
) -> Network:
    """Builds a discriminator with fresh weights: clip `[B, 32, H, W, 3]` → logits `[B, 1]`.

    Raises:
      OptionError: No network of that name, or an option it cannot have.
    """
    options = options or ModelOptions()
    return _built(spec_of(options).discriminator, options, compute, "discriminator")


def spec_of(options: ModelOptions) -> NetworkSpec:
    """What `options.network` names.

    Raises:
      OptionError: No network of that name, or an option it cannot have.
    """
    if options.network not in REGISTRY:
        raise OptionError("network", options.network, f"must be one of {', '.join(REGISTRY)}")
    system = REGISTRY[options.network]
    system.check(options)
    return system


def _built(
    kind: type[Network], options: ModelOptions, compute: ComputeOptions | None, name: str
) -> Network:
    compute = compute or ComputeOptions()
    network = kind(options, compute, name=name, dtype=policy_of(compute))
    network.build_variables()
    return network
