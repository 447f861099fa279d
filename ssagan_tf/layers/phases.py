"""Strided convolutions as convolutions of stride 1 over interleaved phases. Exact.

A kernel of 4 with stride 2 reads its input in two interleaved phases: with the phases moved to
the channels it is a kernel of 2 with stride 1, and the transposed convolution is the mirror
image. It is the same sum of the same products. TensorFlow's gradients of strided 3D convolutions
fall to paths tens of times slower at some sizes on some CPUs (benchmarks/convolution.py); those
of stride 1 do not.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

Three = tuple[int, int, int]


# Where it pays (benchmarks/convolution.py), by channels of the larger and of the smaller map:
# with many, TensorFlow's own gradients are as fast, and a transposed convolution to the 3 of a
# picture spends its time on moving phases unless it comes from a few itself. Measured on CPUs.
PHASES_UP_TO_CHANNELS = 64
PICTURE_BELOW_CHANNELS = 8
PICTURE_FROM_UP_TO_CHANNELS = 16


def pays(larger: int, smaller: int, transposed: bool) -> bool:
    """Whether this is the faster way, by the channels of the larger and the smaller map."""
    if transposed and larger < PICTURE_BELOW_CHANNELS:
        return smaller <= PICTURE_FROM_UP_TO_CHANNELS
    return larger <= PHASES_UP_TO_CHANNELS


def applies(kernel_size: Three, strides: Three, padding: str, shape: tuple) -> bool:
    """Whether a convolution can be computed this way.

    It can if it is padded by 1 on all sides: kernel 4, stride 2 and an even length, or kernel 3
    and stride 1, on each axis; and if T, H, W are known.

    Args:
      shape: Of the larger map, `[B, T, H, W, C]`: a convolution's input, a transposed one's
        output.
    """
    if padding != "same" or None in shape[1:4] or max(strides) == 1:
        return False
    axes = zip(kernel_size, strides, shape[1:4], strict=True)
    return all((k, s) == (3, 1) or ((k, s) == (4, 2) and n % 2 == 0) for k, s, n in axes)


def convolve(clip: Any, kernel: Any, strides: Three) -> Any:
    """Convolution with padding 1 on all sides.

    Args:
      clip: `[B, T, H, W, C]`.
      kernel: `[t, h, w, C, filters]`.
      strides: 1 or 2 for each of T, H, W.

    Returns:
      `[B, T / s, H / s, W / s, filters]`.
    """
    split = _split_phases(ops.pad(clip, _ONE_AROUND), strides)
    return _convolve(split, _kernel_of_phases(kernel, strides))


def convolve_transposed(clip: Any, kernel: Any, strides: Three) -> Any:
    """Transposed convolution: the adjoint of `convolve`.

    Args:
      clip: `[B, T, H, W, C]`.
      kernel: `[t, h, w, filters, C]`.
      strides: 1 or 2 for each of T, H, W.

    Returns:
      `[B, T · s, H · s, W · s, filters]`.
    """
    kernel = _kernel_of_phases(kernel, strides)
    kernel = ops.transpose(ops.flip(kernel, axis=(0, 1, 2)), (0, 1, 2, 4, 3))
    around = [(0, 0), *((taps - 1, taps - 1) for taps in kernel.shape[:3]), (0, 0)]
    return _join_phases(_convolve(ops.pad(clip, around), kernel), strides)[:, 1:-1, 1:-1, 1:-1, :]


_ONE_AROUND = [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)]


def _convolve(clip: Any, kernel: Any) -> Any:
    return ops.conv(clip, kernel, strides=1, padding="valid", data_format="channels_last")


def _split_phases(clip: Any, strides: Three) -> Any:
    """`[B, T·s, H·s, W·s, C]` -> `[B, T, H, W, s·s·s·C]`."""
    (time, height, width), (a, b, c) = clip.shape[1:4], strides
    time, height, width = time // a, height // b, width // c
    clip = ops.reshape(clip, (-1, time, a, height, b, width, c, clip.shape[-1]))
    clip = ops.transpose(clip, (0, 1, 3, 5, 2, 4, 6, 7))
    return ops.reshape(clip, (-1, time, height, width, a * b * c * clip.shape[-1]))


def _join_phases(clip: Any, strides: Three) -> Any:
    """Inverse of `_split_phases`."""
    (time, height, width), (a, b, c) = clip.shape[1:4], strides
    channels = clip.shape[-1] // (a * b * c)
    clip = ops.reshape(clip, (-1, time, height, width, a, b, c, channels))
    clip = ops.transpose(clip, (0, 1, 4, 2, 5, 3, 6, 7))
    return ops.reshape(clip, (-1, time * a, height * b, width * c, channels))


def _kernel_of_phases(kernel: Any, strides: Three) -> Any:
    """`[t·s, h·s, w·s, X, Y]` -> `[t, h, w, s·s·s·X, Y]`."""
    *size, inputs, outputs = kernel.shape
    taps = [k // s for k, s in zip(size, strides, strict=True)]
    pairs = [n for pair in zip(taps, strides, strict=True) for n in pair]
    kernel = ops.reshape(kernel, (*pairs, inputs, outputs))
    kernel = ops.transpose(kernel, (0, 2, 4, 1, 3, 5, 6, 7))
    return ops.reshape(kernel, (*taps, math.prod(strides) * inputs, outputs))
