"""What the attention of a generator does: γ of its modules, and where positions look."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ssagan_tf.layers import SpatialSelfAttention
from ssagan_tf.layers.attention import attention_by
from ssagan_tf.layers.static_clip import is_static, multiplicities
from ssagan_tf.pixels import to_float


@dataclasses.dataclass(frozen=True)
class AttentionMap:
    """Where a position looks in one module: weights `[H, W]` that sum to 1."""

    layer: str
    weights: np.ndarray


def gammas(network: Any) -> dict[str, float]:
    """γ of every module that has one, by the layer that it follows, such as `conv1`.

    Of a network of two stages the names are `stage1/conv1`, `stage2/conv1`, ….
    """
    names = {
        id(module.gamma): name
        for name, module in _modules(network)
        if getattr(module, "gamma", None) is not None
    }
    return {
        names[id(weight)]: float(weight.numpy())
        for weight in network.weights
        if id(weight) in names
    }


def attention_maps(network: Any, photo: np.ndarray, x: int, y: int) -> list[AttentionMap]:
    """Attention of one position (Eq. 1) in every module, in the order of the calls.

    Args:
      network: Photo `[B, S, S, 3]` → clip; its modules are `SpatialSelfAttention`.
      photo: `[S, S, 3]` uint8.
      x: Of the position in pixels, from the left, at least 0.
      y: From the top.

    Raises:
      ValueError: The position lies outside the photo.
    """
    height, width = photo.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"{x},{y} lies outside a frame of {width}×{height}")
    maps: list[AttentionMap] = []
    names = {id(module): name for name, module in _modules(network)}

    def looked_at(module: SpatialSelfAttention, inputs: Any, frames: int | None) -> Any:
        rows, columns = inputs.shape[2:4]
        at = (y * rows // height, x * columns // width)
        maps.append(AttentionMap(names[id(module)], attention_of(module, inputs, at, frames)))
        return module.attend(inputs, frames)

    with attention_by(looked_at):
        network(to_float(photo)[None], training=False)
    return maps


def attention_of(
    module: SpatialSelfAttention, clip: Any, at: tuple[int, int], frames: int | None = None
) -> np.ndarray:
    """A row of A = softmax(q kᵀ) (Eq. 1), `[H, W]` of the first clip of a batch.

    Args:
      module: Built.
      clip: Its input `[B, T, H, W, C]`, or the slices of a static clip of `frames` frames.
      at: Row and column of the query.
    """
    query, key = (np.asarray(f(clip[:1]), "float64")[0] for f in (module.query, module.key))
    query = query[:, at[0], at[1]]
    if is_static(clip, frames):  # slices weigh as many times as they occur
        query = query * np.asarray(multiplicities(clip.shape[1], frames))[:, None]
    logits = np.einsum("tc,thwc->hw", query, key)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _modules(network: Any) -> Iterator[tuple[str, SpatialSelfAttention]]:
    """The attention modules, and the layers that they follow."""
    stages = network.stages() if hasattr(network, "stages") else (network,)
    for number, stage in enumerate(stages, start=1):
        of_stage = f"stage{number}/" if len(stages) > 1 else ""
        for module in stage._flatten_layers():
            if isinstance(module, SpatialSelfAttention):
                # generator/conv1/ssa/query/kernel → conv1
                layer = re.sub(r"(/ssa)?/query/kernel$", "", module.query.kernel.path)
                yield of_stage + (layer.partition("/")[2] or layer), module
