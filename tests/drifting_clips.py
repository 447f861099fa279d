"""Clips whose velocity is known, and a picture to move."""

from __future__ import annotations

import cv2
import numpy as np


def drifting(velocity: tuple[float, float], side: int = 64, frames: int = 8) -> np.ndarray:
    """A grey texture that drifts: `[frames, side, side, 3]` uint8.

    Args:
      velocity: Pixels per frame, to the right and down.
    """
    rng = np.random.default_rng(0)
    waves = rng.normal(0, 1, (12, 2)) * 0.25
    phases = rng.uniform(0, 2 * np.pi, 12)
    y, x = np.mgrid[:side, :side].astype(float)

    def frame(t: int) -> np.ndarray:
        u, v = x - velocity[0] * t, y - velocity[1] * t
        total = sum(np.sin(k[0] * u + k[1] * v + p) for k, p in zip(waves, phases, strict=True))
        grey = np.clip(128 + 25 * total, 0, 255)
        return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)

    return np.stack([frame(t) for t in range(frames)])


def clouds(height: int, width: int) -> np.ndarray:
    """A grey picture of soft and fine detail, `[height, width, 3]` uint8."""
    rng = np.random.default_rng(0)
    total = sum(
        cv2.resize(rng.uniform(-1, 1, (cells, cells)), (width, height), interpolation=3)
        / cells**0.7
        for cells in (4, 9, 20, 45)
    )
    grey = 128 + 70 * total / np.abs(total).max()
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
