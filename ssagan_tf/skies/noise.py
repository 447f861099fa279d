"""Smooth noise over the line and the plane, without what a pixel is too coarse to show."""

from __future__ import annotations

import numpy as np

from ssagan_tf.skies.randomness import RandomStream

_SIDE = 256  # the noise repeats after so many units
_SOFT = 1.3  # √12 standard deviations of the noise
_TABLE = RandomStream(0x51E5).uniform(-1, 1, _SIDE * _SIDE)


def lookup(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Independent numbers in [-1, 1) of the cells that the points lie in."""
    i, j = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    return _TABLE[(j % _SIDE) * _SIDE + i % _SIDE]


def noise(u: np.ndarray, v: np.ndarray | float = 0.0) -> np.ndarray:
    """Value noise in (-1, 1) with features of size 1."""
    i, j = np.floor(u), np.floor(v)
    across, down = u - i, v - j
    across = across * across * (3 - 2 * across)
    down = down * down * (3 - 2 * down)
    i, j = i.astype(np.int64), j.astype(np.int64)
    left, right = i % _SIDE, (i + 1) % _SIDE
    top, bottom = (j % _SIDE) * _SIDE, ((j + 1) % _SIDE) * _SIDE
    above, below = _TABLE[top + left], _TABLE[bottom + left]
    above = above + (_TABLE[top + right] - above) * across
    below = below + (_TABLE[bottom + right] - below) * across
    return above + (below - above) * down


def fractal(
    u: np.ndarray,
    v: np.ndarray | float,
    octaves: int,
    footprint: np.ndarray | float,
    gain: float = 0.5,
) -> tuple[np.ndarray, np.ndarray | float]:
    """Noise of several sizes, each half of the one before.

    Args:
      u, v: Points; the largest features have size 1.
      octaves: Number of sizes.
      footprint: Side of a pixel in the same units; sizes that it can't show fade out.
      gain: Amplitude of a size over that of the one before.

    Returns:
      The noise, and the width of an edge that is as soft as what faded out makes it.
    """
    total, lost, amplitude = 0.0, 0.0, 1.0
    for octave in range(octaves):
        scale = 2.0**octave
        fade = np.clip(1.1 / (1 + 0.6 * (footprint * scale) ** 2) - 0.1, 0, 1)
        if np.any(fade):
            shift = 37.7 * octave
            total = total + amplitude * fade * noise(u * scale + shift, v * scale + shift)
        lost = lost + (amplitude * (1 - fade)) ** 2
        amplitude *= gain
    return total + np.zeros(np.broadcast_shapes(np.shape(u), np.shape(v))), _SOFT * np.sqrt(lost)
