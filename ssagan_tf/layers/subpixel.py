"""Transposed convolutions with few filters, as a plain convolution and a shuffle. Exact.

With stride s, output s·j + p depends on the same inputs around j for all phases p < s. A plain
convolution computes them as channels, with every s-th tap of the kernel for each phase; then they
are interleaved (depth to space). That needs about as many operations (more where s does not divide
the kernel's size), and convolution libraries handle s³ times the filters better than three.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

Triple = tuple[int, int, int]

# Measured on a CPU with AVX-512, forward, plain against this. 32×64×64×32, kernel 3×4×4, strides
# 1, 2, 2: 3 filters 34 and 12 ms, 4 filters 35 and 13, 8 filters 36 and 21, 16 filters 36 and 40.
# 16×32×32×32, kernel 4×4×4, strides 2: 3 filters 10 and 4 ms, 8 filters 7 and 5. The backward pass
# is slower, by less than the forward pass is faster with 3 filters. On a GPU see benchmarks/GPU.md.
UP_TO_FILTERS = 4


def is_faster(filters: int, strides: Triple) -> bool:
    """Whether this is faster than a transposed convolution."""
    return filters <= UP_TO_FILTERS and max(strides) > 1


def convolve_transposed(
    clip: Any, kernel: Any, strides: Triple, padding: str, larger: Triple
) -> Any:
    """Returns a transposed convolution of a clip.

    Args:
      clip: `[B, T, H, W, C]`.
      kernel: `[t, h, w, filters, C]`.
      strides: For T, H, W.
      padding: `"same"` or `"valid"`.
      larger: T, H, W of the output.

    Returns:
      `[B, *larger, filters]`.
    """
    filters = kernel.shape[3]
    taps, pads, computed, starts = [], [], [], []
    for size, stride, inputs, outputs in zip(
        kernel.shape[:3], strides, clip.shape[1:4], larger, strict=True
    ):
        count = math.ceil(size / stride)
        cut = max((inputs - 1) * stride + size - outputs, 0) // 2 if padding == "same" else 0
        first, end = cut // stride, math.ceil((cut + outputs) / stride)
        taps.append(count)
        pads.append((count - 1 - first, end - inputs))
        computed.append(end - first)
        starts.append(cut - first * stride)
    # With an axis more, as TensorFlow's optimizer fails at a padding before a convolution.
    padded = ops.pad(ops.expand_dims(clip, 4), [(0, 0), *pads, (0, 0), (0, 0)])
    phases = ops.conv(
        ops.squeeze(padded, 4),
        _kernel_of_phases(kernel, strides, taps),
        padding="valid",
        data_format="channels_last",
    )
    rows = _interleave(phases, strides, computed, filters)
    # W and filters are one axis, and the cut is a `slice`: TensorFlow's gradient of an indexed cut
    # with a short last axis is slow.
    time, height, width = larger
    first = (0, *starts[:2], starts[2] * filters)
    rows = ops.slice(rows, first, (ops.shape(rows)[0], time, height, width * filters))
    return ops.reshape(rows, (-1, *larger, filters))


def _kernel_of_phases(kernel: Any, strides: Triple, taps: list[int]) -> Any:
    """Kernel `[*taps, C, phases · filters]` of the plain convolution, which is not mirrored."""
    sizes, (filters, channels) = kernel.shape[:3], kernel.shape[3:]
    after = [n * s - size for n, s, size in zip(taps, strides, sizes, strict=True)]
    kernel = ops.pad(kernel, [*((0, n) for n in after), (0, 0), (0, 0)])
    (t, h, w), (a, b, c) = taps, strides
    kernel = ops.reshape(kernel, (t, a, h, b, w, c, filters, channels))
    kernel = ops.transpose(kernel, (0, 2, 4, 7, 1, 3, 5, 6))
    kernel = ops.reshape(kernel, (t, h, w, channels, a * b * c * filters))
    return ops.flip(kernel, axis=(0, 1, 2))


def _interleave(phases: Any, strides: Triple, sizes: list[int], filters: int) -> Any:
    """Depth to space: `[B, t, h, w, phases · filters]` to `[B, t·a, h·b, w·c·filters]`."""
    (t, h, w), (a, b, c) = sizes, strides
    phases = ops.reshape(phases, (-1, t, h, w, a, b, c * filters))
    phases = ops.transpose(phases, (0, 1, 4, 2, 5, 3, 6))
    return ops.reshape(phases, (-1, t * a, h * b, w * c * filters))
