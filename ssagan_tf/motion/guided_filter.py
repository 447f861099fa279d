"""The guided filter, which aligns a mask with the edges of a picture (He et al., 2010; 2015)."""

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
    """Smooths a mask, but not across the edges of a picture.

    Args:
      mask: `[h, w]` float32 in [0, 1].
      guide: `[h, w]` float32 in [0, 1], the picture in grey.
      radius: Radius of the windows, in pixels of `mask`.
      epsilon: Variance above which a contrast counts as an edge.
      full: `[H, W]`, the picture in grey at full size. If given, the result has this size and
        follows its finer edges.

    Returns:
      float32 in [0, 1], of the size of `full` if given, else of `mask`.
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
