"""Convolutions of small maps with large kernels, as one matrix product. Exact.

The innermost layers of Table 1 have millions of weights for maps of a few positions. Convolution
libraries first reorder the kernel, which takes longer than the convolution. Here the kernel is
multiplied as it is in memory, and the map is gathered into patches.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from keras import ops

Triple = tuple[int, int, int]

# Largest number of positions of the smaller map for which this is faster: conv5, conv6, deconv1 and
# deconv2 have at most 2×4×4. Measured on a CPU, with the numbers of channels in the paper.
UP_TO_POSITIONS = 32


def is_faster(smaller: tuple[int | None, ...]) -> bool:
    """Whether this is faster than a convolution, by T, H, W of the smaller map."""
    return None not in smaller and math.prod(smaller) <= UP_TO_POSITIONS


def convolve(clip: Any, kernel: Any, strides: Triple, padding: str, smaller: Triple) -> Any:
    """Returns a convolution of a clip.

    Args:
      clip: `[B, T, H, W, C]`.
      kernel: `[t, h, w, C, filters]`.
      strides: For T, H, W.
      padding: `"same"` or `"valid"`.
      smaller: T, H, W of the output.

    Returns:
      `[B, *smaller, filters]`.
    """
    larger, channels = clip.shape[1:4], clip.shape[-1]
    unfold, _ = _patches(larger, smaller, kernel.shape[:3], strides, padding)
    rows = unfold(ops.reshape(clip, (-1, math.prod(larger), channels)))
    filters = kernel.shape[-1]
    outputs = _rows_by_kernel(
        ops.reshape(rows, (-1, math.prod(kernel.shape[:4]))), ops.reshape(kernel, (-1, filters))
    )
    return ops.reshape(outputs, (-1, *smaller, filters))


def convolve_transposed(
    clip: Any, kernel: Any, strides: Triple, padding: str, larger: Triple
) -> Any:
    """Returns a transposed convolution of a clip, the adjoint of `convolve`.

    Args:
      clip: `[B, T, H, W, C]`.
      kernel: `[t, h, w, filters, C]`.
      strides: For T, H, W.
      padding: `"same"` or `"valid"`.
      larger: T, H, W of the output.

    Returns:
      `[B, *larger, filters]`.
    """
    smaller, (filters, channels) = clip.shape[1:4], kernel.shape[3:]
    _, fold = _patches(larger, smaller, kernel.shape[:3], strides, padding)
    rows = _rows_by_transposed_kernel(
        ops.reshape(clip, (-1, channels)), ops.reshape(kernel, (-1, channels))
    )
    rows = ops.reshape(rows, (-1, math.prod(smaller) * math.prod(kernel.shape[:3]), filters))
    return ops.reshape(fold(rows), (-1, *larger, filters))


@ops.custom_gradient
def _rows_by_kernel(rows: Any, kernel: Any) -> Any:
    """Rows `[n, m]` times a kernel `[m, k]`, which is much larger than the rows."""

    def grad(*args, upstream=None):
        upstream = args[-1] if upstream is None else upstream
        return (
            _rows_by_transposed_kernel(upstream, kernel),
            ops.matmul(ops.transpose(rows), upstream),
        )

    return ops.matmul(rows, kernel), grad


@ops.custom_gradient
def _rows_by_transposed_kernel(rows: Any, kernel: Any) -> Any:
    """Rows `[n, k]` times the transpose of a kernel `[m, k]`.

    Only the rows and the result are transposed in memory: with the kernel as the second factor, the
    product takes up to three times as long, and its gradient would be transposed afterwards.
    """

    def grad(*args, upstream=None):
        upstream = args[-1] if upstream is None else upstream
        return _rows_by_kernel(upstream, kernel), ops.matmul(ops.transpose(upstream), rows)

    return ops.transpose(ops.matmul(kernel, ops.transpose(rows))), grad


def _patches(larger: Triple, smaller: Triple, kernel_size: Triple, strides: Triple, padding: str):
    """Two linear maps, each the adjoint of the other.

    The first gathers positions `[B, P, C]` into patches `[B, positions · taps, C]`; the second sums
    patches into positions.
    """
    sizes = (tuple(size) for size in (larger, smaller, kernel_size, strides))
    sources, targets = _indices(*sizes, padding)

    @ops.custom_gradient
    def unfold(positions):
        def grad(*args, upstream=None):
            return fold(args[-1] if upstream is None else upstream)

        return _take(positions, sources.ravel()), grad

    @ops.custom_gradient
    def fold(patches):
        def grad(*args, upstream=None):
            return unfold(args[-1] if upstream is None else upstream)

        terms = _take(patches, targets.ravel())
        terms = ops.reshape(terms, (-1, *targets.shape, patches.shape[-1]))
        return ops.sum(terms, axis=2), grad

    return unfold, fold


def _take(rows: Any, indices: np.ndarray) -> Any:
    """Rows by index; the index after the last row gives zeros."""
    return ops.take(ops.pad(rows, [(0, 0), (0, 1), (0, 0)]), indices, axis=1)


@functools.lru_cache(maxsize=64)
def _indices(larger: Triple, smaller: Triple, kernel_size: Triple, strides: Triple, padding: str):
    """The source of each tap of each output, and the targets of each input.

    Returns:
      Indices of inputs, `[positions, taps]`, and indices of patches, `[P, n]`, where n is the
      largest number of patches that an input is in. What lies outside the map, or is missing, has
      the index after the last.
    """
    outside = math.prod(larger)
    along = []
    for size, outputs, taps, stride in zip(larger, smaller, kernel_size, strides, strict=True):
        before = max((outputs - 1) * stride + taps - size, 0) // 2 if padding == "same" else 0
        index = np.arange(outputs)[:, None] * stride - before + np.arange(taps)
        along.append(np.where((index >= 0) & (index < size), index, -1))
    t, h, w = (
        index.reshape([n if axis in (dim, dim + 3) else 1 for axis, n in enumerate(shape)])
        for dim, (index, shape) in enumerate((a, (*smaller, *kernel_size)) for a in along)
    )
    flat = (t * larger[1] + h) * larger[2] + w
    sources = np.where((t >= 0) & (h >= 0) & (w >= 0), flat, outside)
    sources = sources.reshape(math.prod(smaller), math.prod(kernel_size)).astype("int32")

    # Patches sorted by the position that they come from, those from outside last.
    order = np.argsort(sources.ravel(), kind="stable")
    positions = sources.ravel()[order]
    rank = np.arange(positions.size) - np.searchsorted(positions, positions)
    inside = positions < outside
    targets = np.full((outside, rank[inside].max() + 1), sources.size, "int32")
    targets[positions[inside], rank[inside]] = order[inside]
    return sources, targets
