"""The slow change of brightness and colour of a clip's sky, carried over to a photo. Ours."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

_SIZE = 8  # cells across and down: nothing finer is light
_TIMES = 5  # moments between which it changes evenly
_DARK = 12.0  # of 255: added to both sides of a quotient
_MOST = 2.0  # times brighter or darker


@dataclasses.dataclass(frozen=True)
class Relighting:
    """How light changes.

    Attributes:
      gains: `[5, 8, 8, 3]` float32: logarithms of how many times brighter it is than in the photo,
        evenly spread over the clip, the first ones 0.
    """

    gains: np.ndarray

    def apply(
        self, frame: np.ndarray, mask: np.ndarray, time: float, strength: float
    ) -> np.ndarray:
        """A frame in the light of a moment.

        Args:
          frame: `[H, W, 3]` uint8.
          mask: `[H, W]` in [0, 1]: where light changes.
          time: From 0, the photo's own light, to 1, the clip's end.
          strength: 1 is the clip's change; 0 is none.

        Returns:
          `[H, W, 3]` uint8; where the mask is 0, the frame.
        """
        place = min(max(time, 0.0), 1.0) * (_TIMES - 1)
        before = min(int(place), _TIMES - 2)
        part = place - before
        gains = (1 - part) * self.gains[before] + part * self.gains[before + 1]
        height, width = mask.shape
        gains = cv2.resize(np.float32(strength * gains), (width, height)) * mask[..., None]
        # Rounded and clipped by OpenCV: an eighth of NumPy's time.
        return cv2.multiply(frame, cv2.exp(gains), dtype=cv2.CV_8U)


def estimate_relighting(clip: np.ndarray, mask: np.ndarray) -> Relighting:
    """Measures a clip.

    Args:
      clip: `[T, h, w, 3]` uint8, T at least 2.
      mask: `[h, w]` in [0, 1]: its sky.
    """
    share = cv2.resize(np.float32(mask), (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
    coarse = []
    for moment in np.linspace(0, len(clip) - 1, _TIMES):
        about = clip[max(0, round(moment) - 2) : round(moment) + 3]
        mean = about.mean(axis=0).astype(np.float32) * np.float32(mask)[..., None]
        coarse.append(cv2.resize(mean, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA))
    overall = np.sum(coarse, axis=(1, 2)) / max(float(share.sum()), 1e-3)
    # Where a cell has no sky, the change of the whole sky.
    weighted = np.stack(coarse) + 0.05 * overall[:, None, None]
    cells = weighted / (share + 0.05)[..., None]
    cells = np.stack([cv2.GaussianBlur(each, (0, 0), 1.0) for each in cells])
    ratio = (cells + _DARK) / (cells[0] + _DARK)
    return Relighting(np.log(np.clip(ratio, 1 / _MOST, _MOST)).astype(np.float32))
