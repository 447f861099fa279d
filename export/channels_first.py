"""Formulas for a graph that is channels first, as ONNX' convolutions are.

The layers are channels last. Attention is the one place where that matters: between two
convolutions it looks at positions, features and time in orders of its own. Here is the same
operation written so that no map is turned; the turns around it cancel with those of the
convolutions beside it.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from ssagan_tf.layers import SpatialSelfAttention, im2col
from ssagan_tf.layers.attention import attention_by
from ssagan_tf.layers.blocked_attention import ASSUMED_BATCH
from ssagan_tf.layers.static_clip import is_static, multiplicities

PRECISE = "attention_weights"  # scope of what must not be computed in float16


@contextlib.contextmanager
def suited_layers(memory: int) -> Iterator[None]:
    """While this lasts, layers trace graphs that suit ONNX.

    Args:
      memory: As `attend`'s.
    """
    # im2col's products are channels last, so small maps are convolved as well.
    with im2col.disabled(), attention_by(functools.partial(attend, memory=memory)):
        yield


def attend(module: SpatialSelfAttention, clip: Any, frames: int | None, memory: int) -> Any:
    """A formula for `attention_by`, for a batch of unknown size.

    Args:
      module: Whose projections are meant.
      clip: `[B, T, H, W, C]`, or the slices of a static clip of `frames` frames.
      frames: As in `static_clip.py`.
      memory: MiB that the weights of 16 clips may take; above, they are computed in blocks of
        query rows.

    Returns:
      `o`, of the clip's shape.

    Raises:
      ValueError: The module is quantized.
    """
    _, time, height, width, channels = clip.shape
    positions = height * width
    maps = tf.transpose(clip, (0, 4, 1, 2, 3))
    query, key, value = (_project(maps, *weights) for weights in module.projections())
    if is_static(clip, frames):
        query *= multiplicities(time, frames)[:, None, None]
    query, key, value = (
        tf.reshape(x, (-1, x.shape[1] * time, positions)) for x in (query, key, value)
    )
    parts = [
        tf.matmul(value, _weights(rows, key), transpose_b=True)
        for rows in tf.split(query, _rows(positions, memory), axis=2)
    ]
    attended = parts[0] if len(parts) == 1 else tf.concat(parts, axis=2)
    attended = tf.reshape(attended, (-1, channels, time, height, width))
    return tf.transpose(attended, (0, 2, 3, 4, 1))


def _project(maps: Any, kernel: Any, bias: Any) -> Any:
    """A 1×1×1 convolution of `[B, C, T, H, W]`."""
    kernel, bias = (tf.cast(weight, maps.dtype) for weight in (kernel, bias))
    convolved = tf.nn.conv3d(maps, kernel[None, None, None], [1] * 5, "VALID", "NCDHW")
    return convolved + bias[:, None, None, None]


def _weights(query: Any, key: Any) -> Any:
    """softmax(qᵀ k), `[B, rows, N]`, of `[B, D, rows]` and `[B, D, N]`."""
    with tf.name_scope(PRECISE):
        return tf.nn.softmax(tf.matmul(query, key, transpose_a=True))


def _rows(positions: int, memory: int) -> list[int]:
    """Numbers of query rows in the blocks."""
    fitting = memory * 2**20 // (ASSUMED_BATCH * positions * 4)
    if positions <= fitting:
        return [positions]
    number = math.ceil(positions / max(1, fitting // 3))
    return [positions // number + (index < positions % number) for index in range(number)]
