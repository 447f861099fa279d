"""Smooth 1D and 2D noise, without features that are smaller than a pixel."""

from __future__ import annotations

import numpy as np

from ssagan_tf.skies.randomness import RandomStream

_SIDE = 256  # period of the noise
_SOFT = 1.3  # √12 standard deviations of the noise
_TABLE = RandomStream(0x51E5).uniform(-1, 1, _SIDE * _SIDE)


def lookup(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Returns the random number in [-1, 1) of the grid cell of each point."""
    i, j = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    return _TABLE[(j % _SIDE) * _SIDE + i % _SIDE]


def noise(u: np.ndarray, v: np.ndarray | float = 0.0) -> np.ndarray:
    """Returns value noise in (-1, 1) with features of size 1."""
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
    """Returns fractal noise: a sum of octaves, each with features half as large as the last.

    Args:
      u, v: Points; the largest features have size 1.
      octaves: Number of octaves.
      footprint: Side of a pixel in the same units; octaves that are too fine for it fade out.
      gain: Amplitude of an octave relative to the last.

    Returns:
      The noise, and the width of an edge that is as blurred as by the faded octaves.
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
