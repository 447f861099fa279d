"""The operation of spatial self-attention: softmax(q kᵀ) v over positions (Eq. 1-2), in blocks.

Horita & Yanai, ACPR 2019, Sec. 3.2. With the plain formula, and a slow reference for the tests.

In this file a map of attention is A = softmax(q kᵀ), `[B, N, N]`; rows are query positions, as
`[B, N, D]` with D = T·C.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from ssagan_tf.layers import dynamic_blocks
from ssagan_tf.layers.scheduling import after, after_if_possible
from ssagan_tf.layers.static_clip import is_static, multiplicities
from ssagan_tf.precision import upcast

# Default limit in MiB for the attention maps of a layer: enough for 4 clips at 64×64 positions in
# float32.
MEMORY = 256
ITEMSIZE = {"bfloat16": 2, "float64": 8}  # bytes per element; float16 has logits of 4 bytes
# The size that a batch of unknown size is assumed to have.
ASSUMED_BATCH = 16
# Positions from which the maps of a batch are computed clip by clip, and rows from which products
# are those of plain matrices: one of them occupies all cores. Measured on a CPU.
LARGE = 1024
# Subtracted from masked logits, whose softmax is then exactly 0. Within float32's range.
HUGE = 1e38


def _by_position(clip: Any) -> Any:
    """`[B, T, H, W, C]` -> `[B, H·W, T, C]`."""
    batch, time, height, width, channels = ops.shape(clip)
    return ops.transpose(ops.reshape(clip, (batch, time, height * width, channels)), (0, 2, 1, 3))


def _by_time(features: Any, height: Any, width: Any) -> Any:
    """Inverse of `_by_position`."""
    batch, _, time, channels = ops.shape(features)
    return ops.reshape(
        ops.transpose(features, (0, 2, 1, 3)), (batch, time, height, width, channels)
    )


def _rows(features: Any) -> Any:
    """`[B, N, T, C]` -> `[B, N, T·C]`."""
    batch, positions, time, channels = ops.shape(features)
    return ops.reshape(features, (batch, positions, time * channels))


def spatial_attention(
    query: Any, key: Any, value: Any, memory: int = MEMORY, attention_mask: Any = None
) -> Any:
    """Attention of every position over all positions (Eq. 1-2), without a 1/√d scale.

    If the N×N maps of the batch take more than `memory`, they are computed in blocks of query
    rows, one after the other, and again in the gradient. The result is exact either way. Where H
    and W are known, the graph has no loops, so it can be exported.

    Args:
      query: `[B, T, H, W, C̄]`.
      key: `[B, T, H, W, C̄]`.
      value: `[B, T, H, W, C]`.
      memory: Limit in MiB. Where H and W are known, a batch of unknown size counts as 16 clips.
      attention_mask: Positions that keys and values may come from, `[B, H·W]` or `[B, H, W]`, where
        B may be 1 for all clips; None means all. Where a clip has none, its o is 0.

    Returns:
      `o = softmax(q kᵀ) v`, `[B, T, H, W, C]`.
    """

    @ops.custom_gradient
    def attend(query, key, value, *masks):
        groups, kept = _plan(query, memory)

        def take(clips, *earlier):
            parts = [part[clips] for part in (query, key, value, *masks)]
            return after(parts[0], *earlier), *parts[1:]

        attended, maps = _attend(groups, kept, take, memory)

        def grad(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            gradients, last = [], ()
            for (clips, blocks), kept_map in zip(groups, maps, strict=True):
                parts = take(clips, *last)
                last = _attend_gradient(
                    parts, attended[clips], upstream[clips], kept_map, blocks, memory
                )
                gradients.append(last)
            gradients = [_concatenate(parts, axis=0) for parts in zip(*gradients, strict=True)]
            return (*gradients, *map(ops.zeros_like, masks))

        return attended, grad

    features, masks = _by_position(value), _masks(attention_mask, query)
    rows = attend(_rows(_by_position(query)), _rows(_by_position(key)), _rows(features), *masks)
    return _attended(rows, features, value, masks)


def spatial_attention_naive(
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any = None,
    return_attention_scores: bool = False,
) -> Any:
    """The same as `spatial_attention`, as one formula: the baseline for its speed.

    With `return_attention_scores`, also returns the maps `[B, H·W, H·W]`.
    """
    features, masks = _by_position(value), _masks(attention_mask, query)
    weights = _weights(_rows(_by_position(query)), _rows(_by_position(key)), *masks)
    if masks:
        weights = weights * _any(masks)
    attended = _attended(ops.matmul(weights, _rows(features)), features, value, ())
    return (attended, weights) if return_attention_scores else attended


def scores_memory(batch: int | None, positions: int, dtype: Any) -> int:
    """Size of the attention maps of a batch in MiB, rounded up."""
    weights = (ASSUMED_BATCH if batch is None else batch) * positions**2
    return math.ceil(weights * _itemsize(dtype) / 2**20)


def _masks(attention_mask: Any, query: Any) -> tuple[Any, ...]:
    """A tuple of no mask, or of one with ones and zeros `[B, N]`.

    Raises:
      ValueError: Its shape is another, such as the `[B, N, N]` of Keras' layers.
    """
    if attention_mask is None:
        return ()
    mask = ops.cast(ops.cast(attention_mask, "bool"), query.dtype)
    clips, height, width = query.shape[0], *query.shape[2:4]
    positions = None if None in (height, width) else height * width
    wanted = {2: (clips, positions), 3: (clips, height, width)}.get(len(mask.shape), ())
    fits = [None in pair or pair[0] == pair[1] for pair in zip(mask.shape, wanted, strict=False)]
    if not wanted or not all(fits[1:]) or not (fits[0] or mask.shape[0] == 1):
        raise ValueError(
            "`attention_mask` must be [B, H·W] or [B, H, W]. "
            f"Received: shape {tuple(mask.shape)}, for {tuple(query.shape[:4])} [B, T, H, W]"
        )
    batch, _, height, width = ops.shape(query)[:4]
    mask = ops.reshape(mask, (ops.shape(mask)[0], height * width))
    return (ops.broadcast_to(mask, (batch, height * width)),)


def _any(masks: tuple[Any, ...]) -> Any:
    [mask] = masks
    return ops.cast(ops.any(mask > 0, axis=1), mask.dtype)[:, None, None]


def _attended(rows: Any, features: Any, value: Any, masks: tuple[Any, ...]) -> Any:
    """`[B, N, T·C]` -> a clip, with zeros where a clip has no position to attend to."""
    rows = rows * _any(masks) if masks else rows
    return _by_time(ops.reshape(rows, ops.shape(features)), *ops.shape(value)[2:4])


def _project(features: Any, kernel: Any, bias: Any) -> Any:
    """A 1×1×1 convolution: `[B, N, T, C]` -> rows `[B, N, T·C̄]`."""
    batch, positions, time, channels = ops.shape(features)
    # As plain matrices, whose product TensorFlow fuses with the bias.
    projected = ops.matmul(ops.reshape(features, (-1, channels)), kernel) + bias
    return ops.reshape(projected, (batch, positions, time * kernel.shape[1]))


def _project_gradient(features: Any, kernel: Any, upstream: Any) -> tuple[Any, Any, Any]:
    """The gradients of `_project` with respect to features, kernel and bias."""
    inputs, outputs = kernel.shape
    upstream = ops.reshape(upstream, (-1, outputs))
    d_features = ops.reshape(ops.matmul(upstream, ops.transpose(kernel)), ops.shape(features))
    d_kernel = ops.matmul(ops.transpose(ops.reshape(features, (-1, inputs))), upstream)
    d_bias = ops.cast(ops.sum(upcast(upstream), axis=0), upstream.dtype)
    return d_features, d_kernel, d_bias


def self_attention(
    clip: Any, projections: list[tuple[Any, Any]], memory: int = MEMORY, frames: int | None = None
) -> Any:
    """`spatial_attention` of three 1×1×1 convolutions of one clip.

    The gradient computes q, k and v again, which costs little compared with the attention and saves
    the memory to keep them. Large maps are computed clip by clip, together with their q, k and v.

    Args:
      clip: `[B, T, H, W, C]`, or the slices of a static clip of `frames` frames.
      projections: Kernel `[C, C̄]` and bias `[C̄]` of q, of k, and (to C) of v.
      memory: As in `spatial_attention`.
      frames: As in `static_clip.py`.

    Returns:
      o, of the clip's shape.
    """
    # A slice counts in q kᵀ, which is a sum over time, as many times as it occurs.
    counts = None
    if is_static(clip, frames):
        counts = ops.cast(multiplicities(clip.shape[1], frames)[:, None], clip.dtype)

    def project(features, weights):
        query, key, value = (_project(features, *weights[i : i + 2]) for i in (0, 2, 4))
        return _scale_slices(query, counts, features), key, value

    @ops.custom_gradient
    def attend(features, *weights):
        groups, kept = _plan(features, memory)

        def take(clips, *earlier):
            return project(after(features[clips], *earlier), weights)

        attended, maps = _attend(groups, kept, take, memory)

        def grad(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            d_features, d_weights = [], [0] * len(weights)
            for (clips, blocks), kept_map in zip(groups, maps, strict=True):
                group = after(features[clips], *(d_features[-1:] or [upstream]))
                d_qkv = list(
                    _attend_gradient(
                        project(group, weights),
                        attended[clips],
                        upstream[clips],
                        kept_map,
                        blocks,
                        memory,
                    )
                )
                d_qkv[0] = _scale_slices(d_qkv[0], counts, group)
                d_group = 0
                for number, gradient in enumerate(d_qkv):
                    d_input, *more = _project_gradient(group, weights[2 * number], gradient)
                    d_group = d_group + d_input
                    for i in (0, 1):
                        d_weights[2 * number + i] = d_weights[2 * number + i] + more[i]
                d_features.append(d_group)
            return (_concatenate(d_features, axis=0), *d_weights)

        return attended, grad

    features = _by_position(clip)
    attended = attend(features, *(weight for pair in projections for weight in pair))
    return _by_time(ops.reshape(attended, ops.shape(features)), *ops.shape(clip)[2:4])


def _scale_slices(query: Any, counts: Any, features: Any) -> Any:
    """Multiplies each slice of the rows by its count; without counts, returns them unchanged."""
    if counts is None:
        return query
    slices = ops.shape(features)[2]
    batch, positions, width = ops.shape(query)
    by_slice = ops.reshape(query, (batch, positions, slices, width // slices))
    return _rows(by_slice * counts)


def _weights(query: Any, key: Any, mask: Any = None) -> Any:
    """softmax(q kᵀ) (Eq. 1), `[B, rows, N]`.

    Args:
      query: Queries of some positions, `[B, rows, D]`.
      key: Keys of all positions, `[B, N, D]`.
      mask: `[B, N]`; the result is 0 where it is 0, unless it is 0 everywhere.
    """
    dtype = query.dtype
    if keras.backend.standardize_dtype(dtype) == "float16":
        # Unscaled sums over T·C̄ products exceed float16's 65504; bfloat16 has float32's range.
        query, key = ops.cast(query, "float32"), ops.cast(key, "float32")
    logits = _product(query, key, transpose="second")
    if mask is not None:
        logits = logits + ((ops.cast(mask, logits.dtype) - 1.0) * HUGE)[:, None]
    # For a single position softmax is 1, and Keras would warn. The product keeps q and k in the
    # graph, with gradients of 0 instead of None, about which optimizers would warn.
    single = logits.shape[-1] == 1
    return ops.cast(0.0 * logits + 1.0 if single else ops.softmax(logits, axis=-1), dtype)


def _transposed(matrices: Any) -> Any:
    return ops.swapaxes(matrices, -1, -2)


Blocks = list[tuple[slice, list[slice]]]
"""Groups of clips that are computed together, each with its blocks of query rows: none where the
number of positions is unknown."""


def _itemsize(dtype: Any) -> int:
    return ITEMSIZE.get(keras.backend.standardize_dtype(dtype), 4)


def _fitting(dtype: Any, memory: int) -> int:
    """Number of elements that fit into `memory` MiB."""
    return memory * 2**20 // _itemsize(dtype)


def _blocks(query: Any, memory: int) -> Blocks | None:
    """The blocks, or None if all maps fit into `memory` MiB or the positions are unknown.

    A block takes a third of the memory: softmax and the gradient hold up to three of them.
    """
    batch, positions = query.shape[:2]
    if positions is None:
        return None
    fitting = _fitting(query.dtype, memory) // max(1, positions)  # rows
    if (ASSUMED_BATCH if batch is None else batch) * positions <= fitting:
        return None
    at_once = max(1, fitting // 3)
    if batch is None:  # a batch of unknown size cannot be split
        groups, rows = [slice(None)], max(1, at_once // ASSUMED_BATCH)
    else:
        clips = max(1, at_once // positions)
        groups = [slice(first, first + clips) for first in range(0, batch, clips)]
        rows = min(at_once, positions)
    number = math.ceil(positions / rows)
    rows = math.ceil(positions / number)  # blocks of about the same size
    return [
        (clips, [slice(first, first + rows) for first in range(0, positions, rows)])
        for clips in groups
    ]


def _plan(rows: Any, memory: int) -> tuple[Blocks, bool]:
    """Groups of clips and their blocks, and whether the maps are kept for the gradient."""
    blocks = _blocks(rows, memory)
    if blocks is not None:
        return blocks, False
    batch, positions = rows.shape[:2]
    if positions is None:
        return [(slice(None), [])], False
    groups = [slice(None)]
    if batch is not None and positions >= LARGE and 0 < batch <= ASSUMED_BATCH:
        groups = [slice(clip, clip + 1) for clip in range(batch)]
    return [(clips, [slice(None)]) for clips in groups], True


Parts = tuple[Any, ...]
"""Rows of q, k and v of a group of clips, and maybe its mask."""


def _attend(
    groups: Blocks, kept: bool, take: Callable[..., Parts], memory: int
) -> tuple[Any, list]:
    """o as rows `[B, N, T·C]`, and the maps of each group, or None where they are not kept.

    Args:
      groups: As `_plan` returns them.
      kept: Whether to return the maps.
      take: Takes the clips of a group, and what must be computed before.
      memory: Limit in MiB.
    """
    outputs, maps = [], []
    for clips, blocks in groups:
        output, kept_map = _attend_group(take(clips, *outputs[-1:]), blocks, kept, memory)
        outputs.append(output)
        maps.append(kept_map)
    return _concatenate(outputs, axis=0), maps


def _attend_group(parts: Parts, blocks: list[slice], kept: bool, memory: int) -> tuple[Any, Any]:
    """o of a group, and its map, or None if it is not kept."""
    query, key, value, *masks = parts
    if not blocks:
        output, _ = dynamic_blocks.map_blocks(
            lambda rows: (ops.matmul(_weights(rows, key, *masks), value), ()),
            [query],
            _fitting(query.dtype, memory),
        )
        return output, None
    outputs, weights = [], None
    for rows in blocks:
        weights = _weights(after(query[:, rows], *outputs[-1:]), key, *masks)
        outputs.append(_product(weights, value))
    return _concatenate(outputs, axis=1), weights if kept else None


def _attend_gradient(
    parts: Parts, attended: Any, upstream: Any, weights: Any, blocks: list[slice], memory: int
) -> tuple[Any, Any, Any]:
    """Gradients with respect to q, k and v of a group, whose map is computed again if None."""
    query, key, value, *masks = parts
    # Softmax: dS = A·(dA - Σ A·dA), where the sum over the N keys equals that of o·do over T·C.
    total = ops.sum(upcast(attended) * upcast(upstream), axis=-1, keepdims=True)
    total = ops.cast(total, query.dtype)
    if weights is not None:
        return _block_gradient(query, key, value, total, upstream, weights)
    if not blocks:

        def block_gradient(query, total, upstream):
            weights = _weights(query, key, *masks)
            d_query, *sums = _block_gradient(query, key, value, total, upstream, weights)
            return d_query, sums

        d_query, sums = dynamic_blocks.map_blocks(
            block_gradient,
            [query, total, upstream],
            _fitting(query.dtype, memory),
            [key, value],
        )
        return (d_query, *sums)
    # The first block waits for `total`, so that o can be freed.
    d_query, d_key, d_value, last = [], 0, 0, (total,)
    for rows in blocks:
        block = after(query[:, rows], *last)
        d_block, d_block_key, d_block_value = _block_gradient(
            block, key, value, total[:, rows], upstream[:, rows], _weights(block, key, *masks)
        )
        d_query.append(d_block)
        d_key, d_value = d_key + d_block_key, d_value + d_block_value
        last = d_block, d_key, d_value
    return _concatenate(d_query, axis=1), d_key, d_value


def _block_gradient(
    query: Any, key: Any, value: Any, total: Any, upstream: Any, weights: Any
) -> tuple[Any, Any, Any]:
    """Gradients with respect to q, k and v of a block of query rows, given its map and Σ A·dA."""
    # One product after the other: large ones slow each other down in parallel. A kept map does not
    # depend on the clip before, but the query does.
    d_value = _product(weights, after_if_possible(upstream, total, query), transpose="first")
    upstream = after_if_possible(upstream, d_value)
    d_logits = weights * (_product(upstream, value, transpose="second") - total)
    d_query = _product(d_logits, key)
    d_key = _product(d_logits, after_if_possible(query, d_query), transpose="first")
    return d_query, d_key, d_value


def _product(first: Any, second: Any, transpose: str | None = None) -> Any:
    """A product of matrices `[B, rows, columns]`, of which the first or second may be transposed.

    A large one of a single clip is that of plain matrices, which is faster. (Of a block of few rows
    it is not: with a transposed second factor, oneDNN is a third slower.)
    """
    one = first.shape[0] == second.shape[0] == 1 and (first.shape[1] or 0) >= LARGE
    if one:
        first, second = ops.squeeze(first, 0), ops.squeeze(second, 0)
    first = _transposed(first) if transpose == "first" else first
    second = _transposed(second) if transpose == "second" else second
    product = ops.matmul(first, second)
    return product[None] if one else product


def _concatenate(parts: list, axis: int) -> Any:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=axis)


def spatial_attention_reference(query: Any, key: Any, value: Any) -> np.ndarray:
    """The same as `spatial_attention`, written like Eq. 1-2: NumPy, float64, position by position.

    Slow; the tests compare the fast one with it.
    """
    query, key, value = (np.asarray(x, "float64") for x in (query, key, value))
    attended = np.empty_like(value)
    positions = list(np.ndindex(value.shape[2:4]))
    for b in range(value.shape[0]):
        for i, j in positions:
            scores = [np.sum(query[b, :, i, j] * key[b, :, m, n]) for m, n in positions]
            weights = np.exp(np.array(scores) - max(scores))
            weights /= weights.sum()
            attended[b, :, i, j] = sum(
                weight * value[b, :, m, n]
                for weight, (m, n) in zip(weights, positions, strict=True)
            )
    return attended
