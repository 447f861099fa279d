"""The sun or moon in a photo, which stands still with its glow while clouds pass."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

_SIDE = 240  # pixels of the reduced picture
_AREA = 0.0001, 0.015  # share of the picture covered by the disc with its glare
_MIN_BRIGHTNESS, _MIN_CONTRAST = 245.0, 30.0  # of 255: in red or green; to the surroundings
_MAX_OTHERS = 0.5  # area of other spots as bright, relative to the disc; clouds have many
_MAX_ASPECT = 2.5
_TRANSITION = 1.2, 4.0  # radii between which clouds become visible
_GLOW_RADIUS, _RINGS = 0.3, 48  # in widths; number of rings of the profile
_PERCENTILES = 50.0, 2.0  # of a ring: its typical light, and its lower bound


@dataclasses.dataclass(frozen=True)
class Sun:
    """Position and size of the sun or moon.

    Attributes:
      x, y: Centre, in widths and heights of the picture.
      radius: Radius in widths of the picture.
    """

    x: float
    y: float
    radius: float

    def _distances(self, height: int, width: int) -> np.ndarray:
        """Returns distances from the centre in widths, `[height, width]`."""
        x = (np.arange(width, dtype=np.float32) + 0.5) / width - self.x
        y = ((np.arange(height, dtype=np.float32) + 0.5) / height - self.y) * (height / width)
        return np.hypot(x, y[:, None])

    def disc(self, height: int, width: int) -> np.ndarray:
        """Returns how much of each pixel stands still, `[height, width]` float32 in [0, 1]."""
        near, far = _TRANSITION
        out = np.clip((self._distances(height, width) / self.radius - near) / (far - near), 0, 1)
        return 1 - out * out * (3 - 2 * out)

    def source(self, mask: np.ndarray) -> np.ndarray:
        """Returns what may drift, `[H, W]`, given a mask that excludes `disc`.

        Only the disc itself may not: in the transition around it there is sky.
        """
        passing = 1 - self.disc(*mask.shape)
        return np.where(passing > 0.1, np.clip(mask / np.maximum(passing, 0.1), 0, 1), 0)

    def glow(self, photo: np.ndarray, source: np.ndarray) -> np.ndarray:
        """Returns the light around the sun, which stands still.

        It is the light that rings around the centre have in common; it decreases with the radius.

        Args:
          photo: `[H, W, 3]` uint8.
          source: From `source`.

        Returns:
          `[H, W, 3]` uint8, nowhere brighter than the photo.
        """
        small = downscale(photo, _SIDE)
        share = cv2.resize(np.float32(source), small.shape[1::-1], interpolation=cv2.INTER_AREA)
        edges = np.linspace(self.radius, _GLOW_RADIUS, _RINGS + 1)
        ring = np.digitize(self._distances(*share.shape), edges)
        typical, low = np.full((2, _RINGS, 3), np.inf, np.float32)
        for index in range(_RINGS):
            inside = small[(ring == index + 1) & (share > 0.9)]
            if len(inside) >= 8:
                typical[index], low[index] = np.percentile(inside, _PERCENTILES, axis=0)
        known = np.isfinite(typical[:, 0])
        if not known.any():
            return np.zeros_like(photo)
        first, last = np.flatnonzero(known)[[0, -1]]
        typical[:first], low[:first] = typical[first], low[first]
        typical = np.minimum.accumulate(typical)
        profile = np.minimum.accumulate(np.minimum(typical - typical[last], low))
        profile = cv2.GaussianBlur(profile, (1, 0), 0.01, sigmaY=1.5)
        middles = (edges[1:] + edges[:-1]) / 2
        distances = self._distances(*photo.shape[:2])
        light = np.dstack([np.interp(distances, middles, channel) for channel in profile.T])
        return np.minimum(np.rint(light).astype(np.uint8), photo)


def find_sun(photo: np.ndarray, sky: np.ndarray) -> Sun | None:
    """Finds a single small, round spot that is brighter than the rest of the sky.

    Args:
      photo: `[H, W, 3]` uint8.
      sky: `[H, W]` in [0, 1].
    """
    small = downscale(photo, _SIDE)
    height, width = small.shape[:2]
    above = cv2.resize(sky, (width, height), interpolation=cv2.INTER_AREA) > 0.5
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    light = np.where(above, cv2.GaussianBlur(grey, (0, 0), 1.0), 0)
    bright = (light > light.max() - _MIN_CONTRAST / 2).astype(np.uint8)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(bright, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if not len(areas) or not _AREA[0] <= areas.max() / bright.size <= _AREA[1]:
        return None
    largest = int(areas.argmax()) + 1
    if (
        small[labels == largest][:, :2].max() < _MIN_BRIGHTNESS
    ):  # blue sky may be as bright in the blue channel
        return None
    sides = stats[largest, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    if areas.sum() > (1 + _MAX_OTHERS) * areas.max() or sides.max() > _MAX_ASPECT * sides.min():
        return None
    x, y = (centres[largest] + 0.5) / (width, height)
    sun = Sun(float(x), float(y), max(1.5, float(np.sqrt(areas.max() / np.pi))) / width)
    distances = sun._distances(height, width) / sun.radius
    ring = (distances > 2) & (distances < 3) & above
    if not ring.any() or np.percentile(light[ring], 90) > light.max() - _MIN_CONTRAST:
        return None
    return sun


def downscale(photo: np.ndarray, longest: int) -> np.ndarray:
    """Reduces a picture to a longer side of at most `longest` pixels."""
    height, width = photo.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
