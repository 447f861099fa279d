"""Attention written for channels-first graphs, which ONNX convolutions need.

The layers are channels last. This only matters for attention, which transposes its input between
two convolutions. Here it is written so that only blocks of queries are transposed; the transposes
around it cancel out with the ones of the neighbouring convolutions.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from ssagan_tf.layers import SpatialSelfAttention
from ssagan_tf.layers.attention import attention_by
from ssagan_tf.layers.blocked_attention import ASSUMED_BATCH
from ssagan_tf.layers.convolution import plain_convolutions
from ssagan_tf.layers.static_clip import is_static, multiplicities

PRECISE = "attention_weights"  # name scope of operations that must not be computed in float16
_BLOCK = 512  # query positions
_MANY = 4096  # positions of maps whose queries are worth cutting into blocks


@contextlib.contextmanager
def channels_first_layers(memory: int) -> Iterator[None]:
    """Makes layers that are traced in this context build graphs that suit ONNX.

    Args:
      memory: As in `attend`.
    """
    # The short cuts of convolutions are channels last.
    with plain_convolutions(), attention_by(functools.partial(attend, memory=memory)):
        yield


def attend(module: SpatialSelfAttention, clip: Any, frames: int | None, memory: int) -> Any:
    """Computes spatial self-attention for a batch of unknown size; see `attention_by`.

    Args:
      module: The layer, which has the projections.
      clip: `[B, T, H, W, C]`, or the slices of a static clip of `frames` frames.
      frames: As in `static_clip.py`.
      memory: Limit in MiB for the attention weights of 16 clips. If they need more, they are
        computed in parts of the query rows.

    Returns:
      `o` in Eq. 2, with the shape of the clip.

    Raises:
      ValueError: The layer is quantized.
    """
    _, time, height, width, channels = clip.shape
    positions = height * width
    maps = tf.transpose(clip, (0, 4, 1, 2, 3))
    rows = _rows(positions, memory)
    # In a product with thousands of columns, what a CPU computes next is far apart in memory, and
    # falls into the same few lines of its cache. Blocks of queries as a batch axis prevent that.
    # Sides of maps are powers of two, so blocks divide the positions.
    blocks = positions // _BLOCK if positions >= _MANY and len(rows) == 1 else 1
    of_query, *of_others = module.projections()
    query = _project(_cut(maps, blocks), *of_query)
    key, value = (_project(maps, *weights) for weights in of_others)
    if is_static(clip, frames):
        query *= multiplicities(time, frames)[:, None, None]
    query = tf.reshape(query, (-1, blocks, query.shape[1] * time, positions // blocks))
    key, value = (tf.reshape(x, (-1, 1, x.shape[1] * time, positions)) for x in (key, value))
    parts = [
        tf.matmul(value, _weights(part, key), transpose_b=True)
        for part in (tf.split(query, rows, axis=3) if len(rows) > 1 else [query])
    ]
    attended = parts[0] if len(parts) == 1 else tf.concat(parts, axis=3)
    if blocks > 1:
        attended = tf.transpose(attended, (0, 2, 1, 3))
    attended = tf.reshape(attended, (-1, channels, time, height, width))
    return tf.transpose(attended, (0, 2, 3, 4, 1))


def _cut(maps: Any, blocks: int) -> Any:
    """Cuts `[B, C, T, H, W]` into blocks of positions, `[B * blocks, C, T, 1, H * W / blocks]`."""
    if blocks == 1:
        return maps
    _, channels, time, height, width = maps.shape
    size = height * width // blocks
    cut = tf.transpose(tf.reshape(maps, (-1, channels, time, blocks, size)), (0, 3, 1, 2, 4))
    return tf.reshape(cut, (-1, channels, time, 1, size))


def _project(maps: Any, kernel: Any, bias: Any) -> Any:
    """Applies a 1×1×1 convolution to `[B, C, T, H, W]`."""
    kernel, bias = (tf.cast(weight, maps.dtype) for weight in (kernel, bias))
    convolved = tf.nn.conv3d(maps, kernel[None, None, None], [1] * 5, "VALID", "NCDHW")
    return convolved + bias[:, None, None, None]


def _weights(query: Any, key: Any) -> Any:
    """Returns softmax(qᵀ k), `[B, blocks, rows, N]`.

    Args:
      query: `[B, blocks, D, rows]`.
      key: `[B, 1, D, N]`.
    """
    with tf.name_scope(PRECISE):
        return tf.nn.softmax(tf.matmul(query, key, transpose_a=True))


def _rows(positions: int, memory: int) -> list[int]:
    """Returns the number of query rows in each part."""
    fitting = memory * 2**20 // (ASSUMED_BATCH * positions * 4)
    if positions <= fitting:
        return [positions]
    number = math.ceil(positions / max(1, fitting // 3))
    return [positions // number + (index < positions % number) for index in range(number)]
