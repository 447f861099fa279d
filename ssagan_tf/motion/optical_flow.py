"""Velocities of a clip: the median over time of dense optical flow (Farnebäck, 2003)."""

from __future__ import annotations

import cv2
import numpy as np

_WINDOW = 11  # pixels; the most accurate size on 64×64 skies of known velocity
_TEXTURE_SIGMA = 3.0  # pixels
_CHANGE_SIGMA = 1.0


def dense_flow(now: np.ndarray, then: np.ndarray, window: int = _WINDOW) -> np.ndarray:
    """Optical flow between two frames.

    Args:
      now: `[H, W]` uint8, grey.
      then: `[H, W]` uint8, a later frame.
      window: Size in pixels of the windows in which motion is assumed to be equal.

    Returns:
      `[H, W, 2]` float32: displacement in pixels of what is visible in `now`, right and down.
    """
    if np.array_equal(now, then):
        return np.zeros((*now.shape, 2), np.float32)
    return cv2.calcOpticalFlowFarneback(now, then, None, 0.5, 3, window, 3, 5, 1.2, 0)


def velocities(clip: np.ndarray, apart: int = 1) -> np.ndarray:
    """Returns the median over time of the optical flow of each pixel.

    Args:
      clip: `[T, H, W, 3]` uint8, T at least 2.
      apart: Distance in frames between two that are compared, less than T.

    Returns:
      `[H, W, 2]` float32, pixels per frame: x to the right, y down.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    pairs = zip(grey, grey[apart:], strict=False)
    return np.median([dense_flow(a, b) for a, b in pairs], axis=0) / np.float32(apart)


def change_and_residual(
    clip: np.ndarray, velocities: np.ndarray, apart: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how much a clip changes, and how much of that velocities do not explain.

    Args:
      clip: `[T, H, W, 3]` uint8.
      velocities: `[H, W, 2]`, pixels per frame.
      apart: As in `velocities`.

    Returns:
      Mean squared differences of grey (0 to 255) between frames, `[H, W]` float32: unmoved, and
      with the earlier frame moved by the velocities. Slightly blurred.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in clip]
    height, width = grey[0].shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    where = x - apart * velocities[..., 0], y - apart * velocities[..., 1]
    change, residual = np.zeros((2, height, width), np.float32)
    for before, after in zip(grey, grey[apart:], strict=False):
        moved = cv2.remap(before, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        change += np.square(after - before)
        residual += np.square(after - moved)
    number = len(grey) - apart
    return tuple(
        cv2.GaussianBlur(each / number, (0, 0), _CHANGE_SIGMA) for each in (change, residual)
    )


def texture(clip: np.ndarray) -> np.ndarray:
    """Returns the mean squared gradient of grey, `[H, W]` float32; flow needs gradients."""
    slopes = np.zeros(clip.shape[1:3], np.float32)
    for frame in clip:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        for axis in ((1, 0), (0, 1)):
            slopes += np.square(cv2.Sobel(grey, cv2.CV_32F, *axis))
    return cv2.GaussianBlur(slopes / len(clip), (0, 0), _TEXTURE_SIGMA)
