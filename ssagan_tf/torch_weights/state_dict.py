"""State dicts of the released code: the key and the order of axes of each weight."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ssagan_tf.errors import DataError
from ssagan_tf.models import Discriminator, Network, UNet
from ssagan_tf.models.unet_variants import variant_of

# Keys of the discriminator's conv2 … conv6; conv1 is slice1.0.
SLICES = {2: "slice2.0", 3: "slice2.3", 4: "slice3.0", 5: "slice3.3", 6: "slice4.0"}
# Counts the training steps of a batch norm. Nothing depends on it, and older files lack it.
COUNTER = "num_batches_tracked"
_MAX_LISTED = 4  # keys of each kind named in an error message


@dataclasses.dataclass(frozen=True)
class Entry:
    """How a variable is stored in a state dict.

    The variable is reshaped to `unpacked`, transposed to the order `axes`, and reshaped to `shape`.
    """

    variable: Any
    unpacked: tuple[int, ...]
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def to_torch(self) -> np.ndarray:
        """Returns the variable's value in PyTorch's layout."""
        value = np.asarray(self.variable).reshape(self.unpacked)
        return np.ascontiguousarray(value.transpose(self.axes)).reshape(self.shape)

    def assign(self, array: np.ndarray) -> None:
        """Sets the variable to a value in PyTorch's layout."""
        transposed = array.reshape([self.unpacked[axis] for axis in self.axes])
        value = transposed.transpose(np.argsort(self.axes)).reshape(self.variable.shape)
        self.variable.assign(value.astype(self.variable.dtype))


def entries(network: Network) -> dict[str, Entry]:
    """The entries of a U-Net or its discriminator, by key.

    Raises:
      DataError: The released code has no such network.
    """
    if isinstance(network, UNet) and variant_of(network.options).attention == "spatial":
        blocks = [*network.encoder, *network.decoder]
    elif isinstance(network, Discriminator):
        blocks = [*network.features, network.score]
    else:
        raise DataError(f"the released code has no {network.options.network}")
    found: dict[str, Entry] = {}
    for block in blocks:
        convolution, norm, attention = _names(network, block.name)
        found |= _convolution_entries(convolution, block.convolution)
        if block.batch_norm is not None:
            found |= _norm_entries(norm, block.batch_norm)
        if block.ssa is not None:
            found |= _attention_entries(attention, block.ssa)
    return found


def _names(network: Network, layer: str) -> tuple[str, str, str]:
    """Key prefixes of the convolution, batch norm and attention of a layer of Table 1."""
    if isinstance(network, Discriminator):
        number = 6 if layer == "score" else int(layer.removeprefix("conv"))
        convolution = SLICES.get(number, f"slice{number}.0")
        slice_name, index = convolution.split(".")
        return convolution, f"{slice_name}.{int(index) + 1}", ""
    if layer.startswith("deconv"):
        number = int(layer.removeprefix("deconv"))
        return f"upConv{number}", f"upBN{number}", f"up_attn_{6 - number}"
    number = int(layer.removeprefix("conv"))
    return f"downConv{number}", f"downBN{number}", f"attn_{number}"


def _convolution_entries(name: str, layer: Any) -> dict[str, Entry]:
    # Keras: [t, h, w, in, out], PyTorch: [out, in, t, h, w]; with in and out swapped if transposed.
    kernel = tuple(layer.kernel.shape)
    axes = (4, 3, 0, 1, 2)
    entry = Entry(layer.kernel, kernel, axes, tuple(kernel[axis] for axis in axes))
    if not layer.spectral_norm:
        return {f"{name}.weight": entry}
    # v belongs to the rows of the kernel as a matrix [out, rest], where rest is in, t, h, w.
    u, v = layer.normalization.u, layer.normalization.v
    inputs = math.prod(kernel) // math.prod(kernel[:3]) // u.shape[0]
    rest = (*kernel[:3], inputs)
    return {
        f"{name}.weight_orig": entry,
        f"{name}.weight_u": _vector(u),
        f"{name}.weight_v": Entry(v, rest, (3, 0, 1, 2), tuple(v.shape)),
    }


def _norm_entries(name: str, layer: Any) -> dict[str, Entry]:
    return {
        f"{name}.weight": _vector(layer.gamma),
        f"{name}.bias": _vector(layer.beta),
        f"{name}.running_mean": _vector(layer.moving_mean),
        f"{name}.running_var": _vector(layer.moving_variance),
    }


def _attention_entries(name: str, layer: Any) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for part in ("query", "key", "value"):
        found |= _pointwise_entries(f"{name}.{part}_conv", getattr(layer, part))
    if layer.gate == "gamma":
        found[f"{name}.gamma"] = Entry(layer.gamma, (1,), (0,), (1,))
    elif layer.gate == "projected":
        found |= _pointwise_entries(f"{name}.W.0", layer.projection)
        found |= _norm_entries(f"{name}.W.1", layer.projection_norm)
    elif layer.gate != "none":
        raise DataError(f"the released code has no attention with the gate {layer.gate!r}")
    return found


def _pointwise_entries(name: str, layer: Any) -> dict[str, Entry]:
    inputs, outputs = layer.kernel.shape
    kernel = Entry(layer.kernel, (inputs, outputs), (1, 0), (outputs, inputs, 1, 1, 1))
    return {f"{name}.weight": kernel, f"{name}.bias": _vector(layer.bias)}


def _vector(variable: Any) -> Entry:
    shape = tuple(variable.shape)
    return Entry(variable, shape, (0,), shape)


def to_state_dict(network: Network) -> dict[str, np.ndarray]:
    """Returns the network's state dict.

    Raises:
      DataError: The released code has no such network.
    """
    state = {}
    for key, entry in entries(network).items():
        state[key] = entry.to_torch()
        if key.endswith(".running_var"):
            state[key.replace("running_var", COUNTER)] = np.zeros((), "int64")
    return state


def load_state_dict(network: Network, state: Mapping[str, np.ndarray], what: str) -> None:
    """Loads a state dict into a network.

    Args:
      network: The network; it is unchanged if the state dict does not fit.
      state: Arrays by key.
      what: The name of the state dict in error messages.

    Raises:
      DataError: Keys are missing, unexpected or of the wrong shape; the message names them.
    """
    expected = entries(network)
    given = {key: array for key, array in state.items() if not key.endswith(f".{COUNTER}")}
    missing = [key for key in expected if key not in given]
    unexpected = [key for key in given if key not in expected]
    wrong = [
        f"{key}: expected {list(entry.shape)}, got {list(given[key].shape)}"
        for key, entry in expected.items()
        if key in given and given[key].shape != entry.shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of the wrong shape": wrong}
    if complaints := [_listed(kind, keys) for kind, keys in kinds.items() if keys]:
        raise DataError(f"{what} does not fit {describe(network)}: {'; '.join(complaints)}")
    for key, entry in expected.items():
        entry.assign(given[key])


def _listed(kind: str, keys: list[str]) -> str:
    more = f" and {len(keys) - _MAX_LISTED} more" if len(keys) > _MAX_LISTED else ""
    return f"{kind}: {', '.join(keys[:_MAX_LISTED])}{more}"


def describe(network: Network) -> str:
    """Describes a network in a few words, for messages."""
    options = network.options
    part = "discriminator " if isinstance(network, Discriminator) else ""
    words = [
        f"{part}{options.network} {options.resolution}×{options.resolution}",
        f"{options.base_filters} base filters",
    ]
    if isinstance(network, UNet):
        with_ssa = [b.ssa for b in (*network.encoder, *network.decoder) if b.ssa is not None]
        words.append(f"skips {network.skips}")
        words.append(f"{len(with_ssa)} attention modules" if with_ssa else "no attention")
        if with_ssa:
            words += [f"gate {options.ssa_gate}", f"C̄/C {options.ssa_ratio:g}"]
    return ", ".join([*words, *(["spectral norm"] if options.spectral_norm else [])])
