"""Infers the network of a state dict of the released code from its keys and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ssagan_tf.errors import DataError
from ssagan_tf.models import Discriminator, Network, UNet
from ssagan_tf.models.table1 import encoder_rows
from ssagan_tf.models.unet_variants import UNET_VARIANTS
from ssagan_tf.options import ModelOptions, OptionError
from ssagan_tf.torch_weights.state_dict import SLICES

Shape = tuple[int, ...]
NUMBER_OF_SLICE = {name: number for number, name in SLICES.items()}


def infer_network(
    shapes: Mapping[str, Shape],
    what: str,
    network: str = "",
    skips: str = "standard",
    ssa_layers: str = "standard",
) -> tuple[type[Network], ModelOptions]:
    """Infers the class and options of the network.

    Single keys that are missing or of the wrong shape do not mislead it; `load_state_dict` reports
    them.

    Args:
      shapes: The shape of each array, by key.
      what: The name of the state dict in error messages.
      network: Registered name; inferred by default.
      skips: As in `ModelOptions`. Which additive skips a network has cannot be inferred.
      ssa_layers: As in `ModelOptions`. Not inferred either: an attention module that is not in the
        file may be missing by mistake.

    Returns:
      `UNet` or `Discriminator`, and its options.

    Raises:
      DataError: The released code has no such network.
      OptionError: It fits several, or there is no `network` of that name.
    """
    if network and network not in UNET_VARIANTS:
        raise OptionError("network", network, f"must be one of {', '.join(UNET_VARIANTS)}")
    kernels = _kernels(shapes)
    down, up, scoring = (kernels[kind] for kind in ("downConv", "upConv", "slice"))
    if not (down or scoring):
        keys = ", ".join([*sorted(shapes)[:3], *(["…"] if len(shapes) > 3 else [])])
        raise DataError(
            f"{what} is not a generator or discriminator of the released code: it has no downConv1 "
            f"or slice1.0, but {keys or 'nothing'}"
        )
    known: dict[str, Any] = {
        "network": network or (_network(shapes, up, what) if down else "ssagan"),
        # Deconvolution n mirrors convolution 7 - n.
        "resolution": _resolution(min([*down, *(7 - number for number in up), *scoring])),
        "spectral_norm": any(key.endswith(".weight_orig") for key in shapes),
    }
    if down:
        known |= {"skips": skips, "ssa_layers": ssa_layers, **_attention(shapes)}
    try:
        known["base_filters"] = _base_filters(ModelOptions(**known), down or scoring)
        return (UNet if down else Discriminator), ModelOptions(**known)
    except OptionError as error:
        raise DataError(f"{what} fits no existing network: {error}") from error


def _kernels(shapes: Mapping[str, Shape]) -> dict[str, dict[int, Shape]]:
    """Shapes of the kernels, by kind and number."""
    kernels: dict[str, dict[int, Shape]] = {"downConv": {}, "upConv": {}, "slice": {}}
    pattern = re.compile(r"(downConv|upConv|slice)(-?\d{1,2})((?:\.\d)?)\.weight(?:_orig)?")
    for key, shape in shapes.items():
        match = pattern.fullmatch(key)
        if match and len(shape) == 5:
            kind, number, index = match.groups()
            kernels[kind][NUMBER_OF_SLICE.get(kind + number + index, int(number))] = shape
    return kernels


def _resolution(outermost: int) -> int:
    """The resolution whose first convolution has this number: conv2 at 64², conv1 at 128²."""
    return 64 * 2 ** max(0, 2 - outermost)


def _network(shapes: Mapping[str, Shape], up: dict[int, Shape], what: str) -> str:
    # With concatenation, the input has twice the channels of the previous deconvolution.
    doubled = [up[n][0] == 2 * up[n - 1][1] for n in up if n - 1 in up]
    concatenates = 2 * sum(doubled) > len(doubled)
    attends = any("attn_" in key for key in shapes)
    fitting = [
        name
        for name, variant in UNET_VARIANTS.items()
        if (variant.skips == "concatenate") == concatenates and variant.attention == "spatial"
    ]
    fitting = [name for name in fitting if UNET_VARIANTS[name].ssa == attends] or fitting
    if len(fitting) > 1:
        raise OptionError("network", "", f"is required: {what} fits {' and '.join(fitting)}")
    return fitting[0]


def _attention(shapes: Mapping[str, Shape]) -> dict[str, Any]:
    queries = [
        shape
        for key, shape in shapes.items()
        if key.endswith(".query_conv.weight") and len(shape) == 5
    ]
    if not queries:
        return {}
    gate = "none"
    if any(key.endswith(".gamma") for key in shapes):
        gate = "gamma"
    elif any(key.endswith(".W.0.weight") for key in shapes):
        gate = "projected"
    outputs, inputs = max(queries, key=lambda shape: shape[1])[:2]
    return {"ssa_gate": gate, "ssa_ratio": min(1.0, outputs / inputs)}


def _base_filters(options: ModelOptions, kernels: dict[int, Shape]) -> int:
    """The number of base filters that most convolutions agree on."""
    per_base = {row.name: row.filters / options.base_filters for row in encoder_rows(options)}
    votes = [
        shape[0] / per_base[f"conv{number}"]
        for number, shape in kernels.items()
        if f"conv{number}" in per_base and shape[0] > 1  # the discriminator's last has one filter
    ]
    return max(1, round(max(votes, key=votes.count, default=1)))
