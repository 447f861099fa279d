"""Velocities of a clip: dense optical flow (Farnebäck, 2003), its median over time."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

_WINDOW = 11  # pixels; of the sizes tried on 64×64 skies of known velocity, the nearest to it


def dense_flow(now: np.ndarray, then: np.ndarray, window: int = _WINDOW) -> np.ndarray:
    """Optical flow between two frames.

    Args:
      now: `[H, W]` uint8, grey.
      then: The frame after it.
      window: Over which motion is taken to be alike, in pixels.

    Returns:
      `[H, W, 2]` float32: how many pixels what is seen in `now` moves to the right and down.
    """
    if np.array_equal(now, then):
        return np.zeros((*now.shape, 2), np.float32)
    return cv2.calcOpticalFlowFarneback(now, then, None, 0.5, 3, window, 3, 5, 1.2, 0)


def velocities(clip: np.ndarray) -> np.ndarray:
    """Median over time of the flow from frame to frame, of each pixel.

    Args:
      clip: `[T, H, W, 3]` uint8, T at least 2.

    Returns:
      `[H, W, 2]` float32, pixels a frame: x to the right, y down.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    return np.median([dense_flow(a, b) for a, b in itertools.pairwise(grey)], axis=0)
