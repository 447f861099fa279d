"""Sizes that the networks fix."""

from __future__ import annotations

FRAMES = 32  # length of a clip, fixed by the kernels of Table 1
CORE_RESOLUTION = 64  # side of the smallest network (Sec. 5.3); larger ones double it
LARGEST_RESOLUTION = 1024
"""Of a network, a prepared set or an ONNX file, which may be a stranger's: a size that costs no
weights must not cost all memory. A clip of this side takes 0.4 GB in float32; what a layer between
makes of it takes less, at 32 base filters."""


def outer_levels(resolution: int) -> int:
    """Number of outer U-Net levels k of a network of side 64·2^k, or -1 if there is none."""
    if resolution > LARGEST_RESOLUTION:
        return -1
    quotient, rest = divmod(resolution, CORE_RESOLUTION)
    if rest or quotient < 1 or quotient & (quotient - 1):
        return -1
    return quotient.bit_length() - 1
