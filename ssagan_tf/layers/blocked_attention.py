"""The operation of spatial self-attention: softmax(q kᵀ) v over positions (Eq. 1-2), in blocks.

Horita & Yanai, ACPR 2019, Sec. 3.2. The plain formula and a slow reference stand beside it.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from ssagan_tf.layers import dynamic_blocks
from ssagan_tf.layers.static_clip import is_static, multiplicities
from ssagan_tf.precision import widened

# Weights of attention that one module may hold at once, in MiB, unless told otherwise: those of
# 4 clips at 64×64 positions, float32.
MEMORY = 256
ITEMSIZE = {"bfloat16": 2, "float64": 8}  # bytes of a weight; float16 has logits of 4
# What a batch of unknown size is taken for.
ASSUMED_BATCH = 16
# What masked logits are less by: softmax makes exactly 0 of them. In float32's range.
HUGE = 1e38


def _by_position(clip: Any) -> Any:
    """`[B, T, H, W, C]` -> `[B, H·W, T, C]`: time becomes part of each position's features."""
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

    Where the N×N weights of the batch take more than `memory`, they are computed in blocks of
    query rows, one after the other, and again in the gradient. Exact either way, and without
    loops where H and W are known: the graph can be exported.

    Args:
      query: `[B, T, H, W, C̄]`.
      key: `[B, T, H, W, C̄]`.
      value: `[B, T, H, W, C]`.
      memory: In MiB. A batch of unknown size is taken for 16 clips where H and W are known.
      attention_mask: Positions that keys and values may come from, `[B, H·W]` or `[B, H, W]`, B
        being 1 if it is the same for all; all if None. Where there is none in a clip, its o is 0.

    Returns:
      `o = softmax(q kᵀ) v`, `[B, T, H, W, C]`.
    """

    @ops.custom_gradient
    def attend(query, key, value, *masks):
        [mask] = masks or (None,)
        attended, kept = _attend(query, key, value, mask, memory)

        def grad(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            gradients = _attend_gradient(query, key, value, mask, attended, upstream, kept, memory)
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
    """The same as `spatial_attention`, as one formula: what it is held against for speed.

    With `return_attention_scores` the weights `[B, H·W, H·W]` come with it.
    """
    features, masks = _by_position(value), _masks(attention_mask, query)
    weights = _weights(_rows(_by_position(query)), _rows(_by_position(key)), *masks)
    if masks:
        weights = weights * _any(masks)
    attended = _attended(ops.matmul(weights, _rows(features)), features, value, ())
    return (attended, weights) if return_attention_scores else attended


def scores_memory(batch: int | None, positions: int, dtype: Any) -> int:
    """MiB that all weights of attention of a batch take, as a whole number that is not below."""
    weights = (ASSUMED_BATCH if batch is None else batch) * positions**2
    return math.ceil(weights * _itemsize(dtype) / 2**20)


def _masks(attention_mask: Any, query: Any) -> tuple[Any, ...]:
    """None, or one, of ones and zeros `[B, N]`.

    Raises:
      ValueError: It has the shape of something else, such as the `[B, N, N]` of Keras' layers.
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
    """`[B, N, T·C]` as a clip; zeros where a clip has no position to attend to."""
    rows = rows * _any(masks) if masks else rows
    return _by_time(ops.reshape(rows, ops.shape(features)), *ops.shape(value)[2:4])


def _project(features: Any, kernel: Any, bias: Any) -> Any:
    """A 1×1×1 convolution, by position: `[B, N, T, C]` -> rows `[B, N, T·C̄]`."""
    return _rows(ops.matmul(features, kernel) + bias)


def _project_gradient(features: Any, kernel: Any, upstream: Any) -> tuple[Any, Any, Any]:
    """Gradients of features, kernel and bias of `_project`."""
    inputs, outputs = kernel.shape
    upstream = ops.reshape(upstream, (-1, outputs))
    of_features = ops.reshape(ops.matmul(upstream, ops.transpose(kernel)), ops.shape(features))
    of_kernel = ops.matmul(ops.transpose(ops.reshape(features, (-1, inputs))), upstream)
    of_bias = ops.cast(ops.sum(widened(upstream), axis=0), upstream.dtype)
    return of_features, of_kernel, of_bias


def self_attention(
    clip: Any, projections: list[tuple[Any, Any]], memory: int = MEMORY, frames: int | None = None
) -> Any:
    """`spatial_attention` of three 1×1×1 convolutions of one clip.

    The gradient makes q, k and v again from the clip, which costs little next to the attention and
    saves holding them. Where the weights of attention are not kept, all of it goes clip by clip.

    Args:
      clip: `[B, T, H, W, C]`, or the slices of a static clip of `frames` frames.
      projections: Kernel `[C, C̄]` and bias `[C̄]` of q, of k, and (to C) of v.
      memory: As in `spatial_attention`.
      frames: As in `static_clip.py`.

    Returns:
      `o`, of the clip's shape.
    """
    # Slices weigh in q kᵀ, a sum over time, as many times as they occur.
    times = None
    if is_static(clip, frames):
        times = ops.cast(multiplicities(clip.shape[1], frames)[:, None], clip.dtype)

    def project(features, weights):
        query, key, value = (_project(features, *weights[i : i + 2]) for i in (0, 2, 4))
        return _times(query, times, features), key, value

    @ops.custom_gradient
    def attend(features, *weights):
        groups, kept, pieces = _groups(features, memory), None, []
        for clips in groups:
            own = _after(features[clips], pieces[-1] if pieces else None)
            piece, kept = _attend(*project(own, weights), None, memory)
            pieces.append(piece)
        attended = _concatenated(pieces, axis=0)
        kept = kept if len(groups) == 1 else None

        def grad(*args, upstream=None):
            upstream = args[-1] if upstream is None else upstream
            of_features, of_weights = [], [0] * len(weights)
            for clips in groups:
                own = _after(features[clips], of_features[-1] if of_features else upstream)
                gradients = list(
                    _attend_gradient(
                        *project(own, weights),
                        None,
                        attended[clips],
                        upstream[clips],
                        kept,
                        memory,
                    )
                )
                gradients[0] = _times(gradients[0], times, own)
                of_own = 0
                for number, gradient in enumerate(gradients):
                    of_input, *more = _project_gradient(own, weights[2 * number], gradient)
                    of_own = of_own + of_input
                    for i in (0, 1):
                        of_weights[2 * number + i] = of_weights[2 * number + i] + more[i]
                of_features.append(of_own)
            return (_concatenated(of_features, axis=0), *of_weights)

        return attended, grad

    features = _by_position(clip)
    attended = attend(features, *(weight for pair in projections for weight in pair))
    return _by_time(ops.reshape(attended, ops.shape(features)), *ops.shape(clip)[2:4])


def _times(query: Any, times: Any, features: Any) -> Any:
    """Each slice of the rows times a number."""
    if times is None:
        return query
    slices = ops.shape(features)[2]
    batch, positions, width = ops.shape(query)
    by_slice = ops.reshape(query, (batch, positions, slices, width // slices))
    return _rows(by_slice * times)


def _weights(query: Any, key: Any, mask: Any = None) -> Any:
    """softmax(q kᵀ), `[B, rows, N]`, of rows `[B, rows, D]` and `[B, N, D]` (Eq. 1).

    Args:
      query: Of some positions.
      key: Of all.
      mask: `[B, N]`; weights are 0 where it is, unless it is 0 throughout.
    """
    dtype = query.dtype
    if keras.backend.standardize_dtype(dtype) == "float16":
        # Unscaled sums over T·C̄ products pass float16's 65504; bfloat16 has float32's range.
        query, key = ops.cast(query, "float32"), ops.cast(key, "float32")
    logits = ops.matmul(query, _transposed(key))
    if mask is not None:
        logits = logits + ((ops.cast(mask, logits.dtype) - 1.0) * HUGE)[:, None]
    # Of one position softmax is 1, and Keras would warn about it. The product keeps q and k in
    # the graph, with gradients of 0 instead of none, which optimizers would warn about.
    alone = logits.shape[-1] == 1
    return ops.cast(0.0 * logits + 1.0 if alone else ops.softmax(logits, axis=-1), dtype)


def _transposed(matrices: Any) -> Any:
    return ops.transpose(matrices, (0, 2, 1))


Blocks = list[tuple[slice, list[slice]]]
"""Clips that are computed together, and the query rows that are."""


def _itemsize(dtype: Any) -> int:
    return ITEMSIZE.get(keras.backend.standardize_dtype(dtype), 4)


def _fitting(dtype: Any, memory: int) -> int:
    """Weights that fit into `memory` MiB."""
    return memory * 2**20 // _itemsize(dtype)


def _blocks(query: Any, memory: int) -> Blocks | None:
    """None where the weights of all clips fit into `memory` MiB, or positions are unknown.

    Else a block's weights take a third of it: softmax and the gradient hold up to three such maps.
    """
    batch, positions = query.shape[:2]
    if positions is None:
        return None
    fitting = _fitting(query.dtype, memory) // max(1, positions)  # rows
    if (ASSUMED_BATCH if batch is None else batch) * positions <= fitting:
        return None
    at_once = max(1, fitting // 3)
    if batch is None:  # clips of an unknown number cannot be taken apart
        groups, rows = [slice(None)], max(1, at_once // ASSUMED_BATCH)
    else:
        clips = max(1, at_once // positions)
        groups = [slice(first, first + clips) for first in range(0, batch, clips)]
        rows = min(at_once, positions)
    number = math.ceil(positions / rows)
    rows = math.ceil(positions / number)  # of about the same size
    return [
        (clips, [slice(first, first + rows) for first in range(0, positions, rows)])
        for clips in groups
    ]


def _groups(features: Any, memory: int) -> list[slice]:
    """Clips that go through q kᵀ together: all where their weights are kept."""
    blocks = _blocks(features, memory)
    return [slice(None)] if blocks is None else [clips for clips, _ in blocks]


def _attend(query: Any, key: Any, value: Any, mask: Any, memory: int) -> tuple[Any, Any]:
    """`o` as rows `[B, N, T·C]`, and the weights `[B, N, N]` where they are kept, else None."""
    if query.shape[1] is None:
        attended, _ = dynamic_blocks.in_turn(
            lambda rows: (ops.matmul(_weights(rows, key, mask), value), ()),
            [query],
            _fitting(query.dtype, memory),
        )
        return attended, None
    blocks = _blocks(query, memory)
    if blocks is None:
        weights = _weights(query, key, mask)
        return ops.matmul(weights, value), weights
    groups, piece = [], None
    for clips, all_rows in blocks:
        pieces = []
        for rows in all_rows:
            own = _after(query[clips, rows], piece)
            weights = _weights(own, key[clips], _of(mask, clips))
            piece = ops.matmul(weights, value[clips])
            pieces.append(piece)
        groups.append(_concatenated(pieces, axis=1))
    return _concatenated(groups, axis=0), None


def _of(mask: Any, clips: slice) -> Any:
    return None if mask is None else mask[clips]


def _attend_gradient(
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    attended: Any,
    upstream: Any,
    kept: Any,
    memory: int,
) -> tuple[Any, Any, Any]:
    """Gradients of q, k and v."""
    if kept is not None:
        return _block_gradient(query, key, value, attended, upstream, kept)
    if query.shape[1] is None:

        def of_rows(query, attended, upstream):
            weights = _weights(query, key, mask)
            of_query, *sums = _block_gradient(query, key, value, attended, upstream, weights)
            return of_query, sums

        of_query, sums = dynamic_blocks.in_turn(
            of_rows, [query, attended, upstream], _fitting(query.dtype, memory), [key, value]
        )
        return (of_query, *sums)
    groups, piece = [], None
    for clips, all_rows in _blocks(query, memory) or [(slice(None), [slice(None)])]:
        of_query, of_key, of_value = [], 0, 0
        for rows in all_rows:
            own = _after(query[clips, rows], piece)
            piece, of_its_key, of_its_value = _block_gradient(
                own,
                key[clips],
                value[clips],
                attended[clips, rows],
                upstream[clips, rows],
                _weights(own, key[clips], _of(mask, clips)),
            )
            of_query.append(piece)
            of_key, of_value = of_key + of_its_key, of_value + of_its_value
            piece = of_key  # what the block computes last
        groups.append((_concatenated(of_query, axis=1), of_key, of_value))
    return tuple(_concatenated(parts, axis=0) for parts in zip(*groups, strict=True))


def _block_gradient(
    query: Any, key: Any, value: Any, attended: Any, upstream: Any, weights: Any
) -> tuple[Any, Any, Any]:
    """Gradients of q, k and v by the rows of a block, given its weights."""
    of_value = ops.matmul(_transposed(weights), upstream)
    # One product after the other (`_after`): large ones run at once slow each other down.
    of_weights = ops.matmul(_after(upstream, of_value), _transposed(value))
    # Softmax: dS = A·(dA - Σ A·dA), and the sum over the N keys is that of o·do over T·C.
    total = ops.sum(widened(attended) * widened(upstream), axis=-1, keepdims=True)
    of_logits = weights * (of_weights - ops.cast(total, weights.dtype))
    of_query = ops.matmul(of_logits, key)
    of_key = ops.matmul(_transposed(of_logits), _after(query, of_query))
    return of_query, of_key, of_value


def _after(x: Any, earlier: Any) -> Any:
    """`x`, not to be had before `earlier`: blocks that ran at once would multiply the memory."""
    if earlier is None:
        return x
    # One number, or none of an empty batch; what is added is 0, unknown to a compiler.
    number = ops.sum(ops.reshape(earlier, (-1,))[:1])
    return x + ops.cast(number > float("inf"), x.dtype)


def _concatenated(pieces: list, axis: int) -> Any:
    return pieces[0] if len(pieces) == 1 else ops.concatenate(pieces, axis=axis)


def spatial_attention_reference(query: Any, key: Any, value: Any) -> np.ndarray:
    """The same as `spatial_attention`, written as Eq. 1-2 read: NumPy, float64, a position at a
    time. Slow; what the tests hold the fast one against."""
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
