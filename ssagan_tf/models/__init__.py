"""The networks, by registered name."""

from __future__ import annotations

import dataclasses

from ssagan_tf.models.discriminator import Discriminator
from ssagan_tf.models.network import Network
from ssagan_tf.models.unet import UNet
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError


@dataclasses.dataclass(frozen=True)
class System:
    """A generator and the discriminator it is trained against."""

    generator: type[Network]
    discriminator: type[Network]


REGISTRY: dict[str, System] = {
    "ssagan": System(UNet, Discriminator),
}

__all__ = [
    "REGISTRY",
    "Discriminator",
    "Network",
    "System",
    "UNet",
    "build_discriminator",
    "build_generator",
]


def build_generator(
    options: ModelOptions | None = None, compute: ComputeOptions | None = None
) -> Network:
    """Builds a generator with fresh weights: image `[B, H, W, 3]` → clip `[B, 32, H, W, 3]`.

    Floats in [-1, 1] on both sides. Without options: the paper's 128² network, in float32.

    Raises:
      OptionError: No network of that name, or an option it cannot have.
    """
    options = options or ModelOptions()
    return _built(_system(options).generator, options, compute, "generator")


def build_discriminator(
    options: ModelOptions | None = None, compute: ComputeOptions | None = None
) -> Network:
    """Builds a discriminator with fresh weights: clip `[B, 32, H, W, 3]` → logits `[B, 1]`.

    Raises:
      OptionError: No network of that name, or an option it cannot have.
    """
    options = options or ModelOptions()
    return _built(_system(options).discriminator, options, compute, "discriminator")


def _system(options: ModelOptions) -> System:
    if options.network not in REGISTRY:
        raise OptionError(
            "network", options.network, f"must be one of {', '.join(sorted(REGISTRY))}"
        )
    return REGISTRY[options.network]


def _built(
    kind: type[Network], options: ModelOptions, compute: ComputeOptions | None, name: str
) -> Network:
    compute = compute or ComputeOptions()
    network = kind(options, compute, name=name, dtype=compute.precision)
    network.build_variables()
    return network
