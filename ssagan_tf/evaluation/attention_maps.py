"""What the attention of a generator does: γ of its modules, and what positions attend to."""

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
    """What a position attends to in one module: weights `[H, W]` that sum to 1."""

    layer: str
    weights: np.ndarray


def gammas(network: Any) -> dict[str, float]:
    """γ of every module that has one, by the layer that it follows, such as `conv1`.

    In a network of two stages the names are `stage1/conv1`, `stage2/conv1` and so on.
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
    """Attention of one position (Eq. 1) in every module, in the order in which they are called.

    Args:
      network: Photo `[B, S, S, 3]` → clip; its modules are `SpatialSelfAttention`.
      photo: `[S, S, 3]` uint8.
      x: Column of the position in pixels, from 0 at the left.
      y: Row, from 0 at the top.

    Raises:
      ValueError: The position is outside the photo.
    """
    height, width = photo.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"{x},{y} is outside the frame of {width}×{height}")
    maps: list[AttentionMap] = []
    names = {id(module): name for name, module in _modules(network)}

    def record(module: SpatialSelfAttention, inputs: Any, frames: int | None) -> Any:
        rows, columns = inputs.shape[2:4]
        query = (y * rows // height, x * columns // width)
        maps.append(AttentionMap(names[id(module)], attention_row(module, inputs, query, frames)))
        return module.attend(inputs, frames)

    with attention_by(record):
        network(to_float(photo)[None], training=False)
    return maps


def attention_row(
    module: SpatialSelfAttention, clip: Any, position: tuple[int, int], frames: int | None = None
) -> np.ndarray:
    """One row of A = softmax(q kᵀ) (Eq. 1), `[H, W]`, for the first clip of a batch.

    Args:
      module: A built layer.
      clip: Its input `[B, T, H, W, C]`, or the slices of a static clip of `frames` frames.
      position: Row and column of the query.
      frames: Number of frames of a static clip; None for any other.
    """
    query, key = (np.asarray(f(clip[:1]), "float64")[0] for f in (module.query, module.key))
    query = query[:, position[0], position[1]]
    if is_static(clip, frames):  # each slice counts as often as it occurs
        query = query * np.asarray(multiplicities(clip.shape[1], frames))[:, None]
    logits = np.einsum("tc,thwc->hw", query, key)
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _modules(network: Any) -> Iterator[tuple[str, SpatialSelfAttention]]:
    """The attention modules, with the names of the layers that they follow."""
    stages = network.stages() if hasattr(network, "stages") else (network,)
    for number, stage in enumerate(stages, start=1):
        prefix = f"stage{number}/" if len(stages) > 1 else ""
        for module in stage._flatten_layers():
            if isinstance(module, SpatialSelfAttention):
                # generator/conv1/ssa/query/kernel → conv1
                layer = re.sub(r"(/ssa)?/query/kernel$", "", module.query.kernel.path)
                yield prefix + (layer.partition("/")[2] or layer), module
