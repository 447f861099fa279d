"""Sizes that the networks allow."""

from __future__ import annotations

FRAMES = 32  # length of a clip, fixed by the kernels of Table 1
CORE_RESOLUTION = 64  # side of the smallest network (Sec. 5.3); larger ones double it
LARGEST_RESOLUTION = 1024
"""Limit for networks, prepared sets and ONNX files, which may be untrusted: a large resolution adds
no weights, but must not exhaust memory. A clip of this side takes 0.4 GB in float32; each feature
map of a network of 32 base filters takes less."""


def outer_levels(resolution: int) -> int:
    """Number of outer U-Net levels: k for a side of 64·2^k, or -1 for sides of no network."""
    if resolution > LARGEST_RESOLUTION:
        return -1
    quotient, remainder = divmod(resolution, CORE_RESOLUTION)
    if remainder or quotient < 1 or quotient & (quotient - 1):
        return -1
    return quotient.bit_length() - 1
