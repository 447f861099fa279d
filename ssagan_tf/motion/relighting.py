"""Applies the slow change of brightness and colour of a clip's sky to a photo."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

_CELLS = 8  # across and down; finer changes are not light
_TIMES = 5  # interpolated linearly
_OFFSET = 12.0  # of 255, added to numerator and denominator of a ratio
_MAX_RATIO = 2.0  # of brightness


@dataclasses.dataclass(frozen=True)
class Relighting:
    """A change of light over time.

    Attributes:
      gains: `[5, 8, 8, 3]` float32: logarithm of the brightness relative to the photo, at evenly
        spaced times of the clip; the first ones are 0.
    """

    gains: np.ndarray

    def apply(
        self, frame: np.ndarray, mask: np.ndarray, time: float, strength: float
    ) -> np.ndarray:
        """Relights a frame.

        Args:
          frame: `[H, W, 3]` uint8.
          mask: `[H, W]` in [0, 1]: where the light changes.
          time: From 0, the light of the photo, to 1, the light at the end of the clip.
          strength: Factor of the change; 0 is none.

        Returns:
          `[H, W, 3]` uint8; unchanged where the mask is 0.
        """
        place = min(max(time, 0.0), 1.0) * (_TIMES - 1)
        before = min(int(place), _TIMES - 2)
        part = place - before
        gains = (1 - part) * self.gains[before] + part * self.gains[before + 1]
        height, width = mask.shape
        gains = cv2.resize(np.float32(strength * gains), (width, height)) * mask[..., None]
        # OpenCV rounds and clips in an eighth of NumPy's time.
        return cv2.multiply(frame, cv2.exp(gains), dtype=cv2.CV_8U)


def estimate_relighting(clip: np.ndarray, mask: np.ndarray) -> Relighting:
    """Measures the change of light in a clip.

    Args:
      clip: `[T, h, w, 3]` uint8, T at least 2.
      mask: `[h, w]` in [0, 1]: what is sky.
    """
    share = cv2.resize(np.float32(mask), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    coarse = []
    for moment in np.linspace(0, len(clip) - 1, _TIMES):
        nearby = clip[max(0, round(moment) - 2) : round(moment) + 3]
        mean = nearby.mean(axis=0).astype(np.float32) * np.float32(mask)[..., None]
        coarse.append(cv2.resize(mean, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))
    overall = np.sum(coarse, axis=(1, 2)) / max(float(share.sum()), 1e-3)
    # Cells without sky get the change of the whole sky.
    weighted = np.stack(coarse) + 0.05 * overall[:, None, None]
    cells = weighted / (share + 0.05)[..., None]
    cells = np.stack([cv2.GaussianBlur(each, (0, 0), 1.0) for each in cells])
    ratio = (cells + _OFFSET) / (cells[0] + _OFFSET)
    return Relighting(np.log(np.clip(ratio, 1 / _MAX_RATIO, _MAX_RATIO)).astype(np.float32))
