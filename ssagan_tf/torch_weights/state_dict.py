"""State dicts of the released code: which weight is where, and in which order of axes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ssagan_tf.errors import DataError
from ssagan_tf.models import Discriminator, Network, UNet

# Of the discriminator's conv2 … conv6; conv1 is slice1.0.
SLICES = {2: "slice2.0", 3: "slice2.3", 4: "slice3.0", 5: "slice3.3", 6: "slice4.0"}
# Counts training steps of a batch norm; nothing depends on it, and older files are without.
COUNTER = "num_batches_tracked"
_LISTED = 4  # keys named of each kind in a refusal


@dataclasses.dataclass(frozen=True)
class Entry:
    """A weight of ours and its place in a state dict.

    Ours, seen with the shape `seen`, has `axes` permuted and is stored with the shape `shape`.
    """

    variable: Any
    seen: tuple[int, ...]
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    def stored(self) -> np.ndarray:
        ours = np.asarray(self.variable).reshape(self.seen)
        return np.ascontiguousarray(ours.transpose(self.axes)).reshape(self.shape)

    def assign(self, stored: np.ndarray) -> None:
        permuted = stored.reshape([self.seen[axis] for axis in self.axes])
        ours = permuted.transpose(np.argsort(self.axes)).reshape(self.variable.shape)
        self.variable.assign(ours.astype(self.variable.dtype))


def entries(network: Network) -> dict[str, Entry]:
    """Where each weight of a U-Net or its discriminator is stored.

    Raises:
      DataError: The released code has no such network.
    """
    if isinstance(network, UNet):
        blocks = [*network.encoder, *network.decoder]
    elif isinstance(network, Discriminator):
        blocks = [*network.features, network.score]
    else:
        raise DataError(f"the released code has no {network.options.network}")
    found: dict[str, Entry] = {}
    for block in blocks:
        convolution, norm, attention = _names(network, block.name)
        found |= _of_convolution(convolution, block.convolution)
        if block.batch_norm is not None:
            found |= _of_norm(norm, block.batch_norm)
        if block.ssa is not None:
            found |= _of_attention(attention, block.ssa)
    return found


def _names(network: Network, layer: str) -> tuple[str, str, str]:
    """Of the convolution, batch norm and attention of a layer of Table 1."""
    if isinstance(network, Discriminator):
        number = 6 if layer == "score" else int(layer.removeprefix("conv"))
        convolution = SLICES.get(number, f"slice{number}.0")
        place, index = convolution.split(".")
        return convolution, f"{place}.{int(index) + 1}", ""
    if layer.startswith("deconv"):
        number = int(layer.removeprefix("deconv"))
        return f"upConv{number}", f"upBN{number}", f"up_attn_{6 - number}"
    number = int(layer.removeprefix("conv"))
    return f"downConv{number}", f"downBN{number}", f"attn_{number}"


def _of_convolution(name: str, layer: Any) -> dict[str, Entry]:
    # Ours [t, h, w, in, out], theirs [out, in, t, h, w]; transposed, in and out change places.
    kernel = tuple(layer.kernel.shape)
    axes = (4, 3, 0, 1, 2)
    own = Entry(layer.kernel, kernel, axes, tuple(kernel[axis] for axis in axes))
    if not layer.spectral_norm:
        return {f"{name}.weight": own}
    # v goes with the rows of the kernel as a matrix [out, the rest]: the rest is in, t, h, w.
    u, v = layer.normalization.u, layer.normalization.v
    inputs = math.prod(kernel) // math.prod(kernel[:3]) // u.shape[0]
    rest = (*kernel[:3], inputs)
    return {
        f"{name}.weight_orig": own,
        f"{name}.weight_u": _vector(u),
        f"{name}.weight_v": Entry(v, rest, (3, 0, 1, 2), tuple(v.shape)),
    }


def _of_norm(name: str, layer: Any) -> dict[str, Entry]:
    return {
        f"{name}.weight": _vector(layer.gamma),
        f"{name}.bias": _vector(layer.beta),
        f"{name}.running_mean": _vector(layer.moving_mean),
        f"{name}.running_var": _vector(layer.moving_variance),
    }


def _of_attention(name: str, layer: Any) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for part in ("query", "key", "value"):
        found |= _of_pointwise(f"{name}.{part}_conv", getattr(layer, part))
    if layer.gate == "gamma":
        found[f"{name}.gamma"] = Entry(layer.gamma, (1,), (0,), (1,))
    elif layer.gate == "projected":
        found |= _of_pointwise(f"{name}.W.0", layer.projection)
        found |= _of_norm(f"{name}.W.1", layer.projection_norm)
    return found


def _of_pointwise(name: str, layer: Any) -> dict[str, Entry]:
    inputs, outputs = layer.kernel.shape
    kernel = Entry(layer.kernel, (inputs, outputs), (1, 0), (outputs, inputs, 1, 1, 1))
    return {f"{name}.weight": kernel, f"{name}.bias": _vector(layer.bias)}


def _vector(variable: Any) -> Entry:
    shape = tuple(variable.shape)
    return Entry(variable, shape, (0,), shape)


def state_of(network: Network) -> dict[str, np.ndarray]:
    """The network's state dict.

    Raises:
      DataError: The released code has no such network.
    """
    state = {}
    for key, entry in entries(network).items():
        state[key] = entry.stored()
        if key.endswith(".running_var"):
            state[key.replace("running_var", COUNTER)] = np.zeros((), "int64")
    return state


def load_state(network: Network, state: Mapping[str, np.ndarray], what: str) -> None:
    """Gives a network the weights of a state dict.

    Args:
      network: Is overwritten, if all fits.
      state: Arrays by key.
      what: The state dict, in messages.

    Raises:
      DataError: Keys are missing, unexpected or of the wrong shape; names them.
    """
    expected = entries(network)
    given = {key: array for key, array in state.items() if not key.endswith(f".{COUNTER}")}
    missing = [key for key in expected if key not in given]
    unexpected = [key for key in given if key not in expected]
    wrong = [
        f"{key} {list(given[key].shape)} instead of {list(entry.shape)}"
        for key, entry in expected.items()
        if key in given and given[key].shape != entry.shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of the wrong shape": wrong}
    if complaints := [_listed(kind, keys) for kind, keys in kinds.items() if keys]:
        raise DataError(f"{what} does not fit {describe(network)}: {'; '.join(complaints)}")
    for key, entry in expected.items():
        entry.assign(given[key])


def _listed(kind: str, keys: list[str]) -> str:
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return f"{kind}: {', '.join(keys[:_LISTED])}{more}"


def describe(network: Network) -> str:
    """The network in words: what was read off a file."""
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
