"""The sun or the moon in a photo, which stand still with their glow while clouds pass. Ours."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

_SIDE = 240  # pixels at which it is looked for
_AREA = 0.0001, 0.015  # of the picture: the disc with its glare
_BRIGHT, _BRIGHTER = 245.0, 30.0  # of 255: at least, in red or green, and than all around
_OTHERS = 0.5  # of its area may others as bright have together: bright clouds come in numbers
_OVAL = 2.5
_SOFT = 1.2, 4.0  # radii between which clouds begin to pass
_REACH, _RINGS = 0.3, 48  # of the glow, in widths; of its profile
_RANKS = 50.0, 2.0  # percentiles of a ring: its light, and what hardly anything there is below


@dataclasses.dataclass(frozen=True)
class Sun:
    """Where it is.

    Attributes:
      x, y: Of the middle, in widths and heights of the picture.
      radius: In widths.
    """

    x: float
    y: float
    radius: float

    def _distances(self, height: int, width: int) -> np.ndarray:
        """`[height, width]` from its middle, in widths."""
        x = (np.arange(width, dtype=np.float32) + 0.5) / width - self.x
        y = ((np.arange(height, dtype=np.float32) + 0.5) / height - self.y) * (height / width)
        return np.hypot(x, y[:, None])

    def disc(self, height: int, width: int) -> np.ndarray:
        """How much of each pixel stands still, `[height, width]` float32 in [0, 1]."""
        near, far = _SOFT
        out = np.clip((self._distances(height, width) / self.radius - near) / (far - near), 0, 1)
        return 1 - out * out * (3 - 2 * out)

    def source(self, mask: np.ndarray) -> np.ndarray:
        """What may be carried along, `[H, W]`, where a mask leaves out what of `disc` stands still.

        All but the disc itself: the sky that begins to pass beside it is sky.
        """
        passing = 1 - self.disc(*mask.shape)
        return np.where(passing > 0.1, np.clip(mask / np.maximum(passing, 0.1), 0, 1), 0)

    def glow(self, photo: np.ndarray, source: np.ndarray) -> np.ndarray:
        """The light around it that no cloud carries along.

        What rings about its middle have in common, never more than nearer to it.

        Args:
          photo: `[H, W, 3]` uint8.
          source: As above.

        Returns:
          `[H, W, 3]` uint8, nowhere more than the photo.
        """
        small = downscale(photo, _SIDE)
        share = cv2.resize(np.float32(source), small.shape[1::-1], interpolation=cv2.INTER_AREA)
        edges = np.linspace(self.radius, _REACH, _RINGS + 1)
        ring = np.digitize(self._distances(*share.shape), edges)
        usual, low = np.full((2, _RINGS, 3), np.inf, np.float32)
        for index in range(_RINGS):
            inside = small[(ring == index + 1) & (share > 0.9)]
            if len(inside) >= 8:
                usual[index], low[index] = np.percentile(inside, _RANKS, axis=0)
        known = np.isfinite(usual[:, 0])
        if not known.any():
            return np.zeros_like(photo)
        first, last = np.flatnonzero(known)[[0, -1]]
        usual[:first], low[:first] = usual[first], low[first]
        usual = np.minimum.accumulate(usual)
        profile = np.minimum.accumulate(np.minimum(usual - usual[last], low))
        profile = cv2.GaussianBlur(profile, (1, 0), 0.01, sigmaY=1.5)
        middles = (edges[1:] + edges[:-1]) / 2
        distances = self._distances(*photo.shape[:2])
        light = np.dstack([np.interp(distances, middles, channel) for channel in profile.T])
        return np.minimum(np.rint(light).astype(np.uint8), photo)


def find_sun(photo: np.ndarray, sky: np.ndarray) -> Sun | None:
    """The one small, round spot that is the brightest of the sky, and brighter than all around.

    Args:
      photo: `[H, W, 3]` uint8.
      sky: `[H, W]` in [0, 1].
    """
    small = downscale(photo, _SIDE)
    height, width = small.shape[:2]
    above = cv2.resize(sky, (width, height), interpolation=cv2.INTER_AREA) > 0.5
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    light = np.where(above, cv2.GaussianBlur(grey, (0, 0), 1.0), 0)
    bright = (light > light.max() - _BRIGHTER / 2).astype(np.uint8)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(bright, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if not len(areas) or not _AREA[0] <= areas.max() / bright.size <= _AREA[1]:
        return None
    largest = int(areas.argmax()) + 1
    if small[labels == largest][:, :2].max() < _BRIGHT:  # blue sky may be as bright in blue
        return None
    sides = stats[largest, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    if areas.sum() > (1 + _OTHERS) * areas.max() or sides.max() > _OVAL * sides.min():
        return None
    x, y = (centres[largest] + 0.5) / (width, height)
    sun = Sun(float(x), float(y), max(1.5, float(np.sqrt(areas.max() / np.pi))) / width)
    distances = sun._distances(height, width) / sun.radius
    ring = (distances > 2) & (distances < 3) & above
    if not ring.any() or np.percentile(light[ring], 90) > light.max() - _BRIGHTER:
        return None
    return sun


def downscale(photo: np.ndarray, longest: int) -> np.ndarray:
    """A picture with no side longer than that, in pixels."""
    height, width = photo.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
