"""Masks that follow the edges of a picture: the guided filter (He et al., 2010; fast: 2015)."""

from __future__ import annotations

import cv2
import numpy as np


def guided_filter(
    mask: np.ndarray,
    guide: np.ndarray,
    radius: int,
    epsilon: float,
    full: np.ndarray | None = None,
) -> np.ndarray:
    """Smooths a mask except across the edges of a picture.

    Args:
      mask: `[h, w]` float32 in [0, 1].
      guide: `[h, w]` float32 in [0, 1], the picture in grey.
      radius: Of the windows, in pixels of `mask`.
      epsilon: Contrast, as a variance, from which on something is an edge.
      full: The picture in grey at its own size `[H, W]`. The result is then of that size and
        follows its finer edges.

    Returns:
      float32 in [0, 1], of the size of `mask` or of `full`.
    """
    side = 2 * radius + 1

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT)

    mean_guide, mean_mask = mean(guide), mean(mask)
    covariance = mean(guide * mask) - mean_guide * mean_mask
    slope = covariance / (mean(guide * guide) - mean_guide**2 + epsilon)
    offset = mean_mask - slope * mean_guide
    slope, offset = mean(slope), mean(offset)
    if full is not None:
        height, width = full.shape
        slope, offset = (cv2.resize(values, (width, height)) for values in (slope, offset))
        guide = full
    return np.clip(slope * guide + offset, 0, 1)
