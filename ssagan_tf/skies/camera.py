"""A camera on the ground, and the viewing direction of each pixel."""

from __future__ import annotations

import dataclasses

import numpy as np

from ssagan_tf.skies.randomness import RandomStream

_SHAPES = {"1.0": 2.0, "1.3333": 3.0, "1.5": 2.0, "1.7778": 4.0, "0.75": 1.0, "0.5625": 0.5}
_LEAST_RISE = 0.02  # the farthest clouds stay at a finite distance


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera, whose picture is stretched to a square.

    Attributes:
      focal: Focal length, in widths and in heights of the picture.
      pitch: Upward angle in radians.
      roll: Clockwise rotation in radians; the horizon turns the other way.
    """

    focal: tuple[float, float]
    pitch: float
    roll: float

    @property
    def horizon(self) -> float:
        """Height of the horizon in the middle of the picture: 0 is the top, 1 the bottom."""
        return 0.5 + self.focal[1] * float(np.tan(self.pitch)) / float(np.cos(self.roll))


def sample_camera(rng: RandomStream, with_ground: bool) -> Camera:
    """Samples a camera with the horizon at 0.3 to 0.95 of the picture's height, or below it."""
    across = 0.5 / np.tan(np.radians(rng.uniform(30, 80)) / 2)
    shape = float(rng.choice(_SHAPES))  # width over height
    focal = (float(across), float(across * shape))
    horizon = rng.uniform(0.3, 0.7) if rng.chance(0.35) else rng.uniform(0.65, 0.95)
    above = rng.uniform(1.05, 1.8)
    pitch = float(np.arctan(((horizon if with_ground else above) - 0.5) / focal[1]))
    return Camera(focal, min(pitch, 1.2), rng.normal(0, 0.025))


class View:
    """The viewing directions of the pixels of a picture.

    Below the horizon, they are the directions that a calm sea reflects.

    Args:
      camera: Camera of the picture.
      x: x of the pixels, `[H, W]`, from 0 at the left border to 1 at the right.
      y: y of the pixels, from 0 at the top to 1 at the bottom.

    Attributes:
      up: Sine of the elevation, negative below the horizon; `[H, W]`, like all of these.
      right, forward: The other components of the unit vector.
      elevation: Sine of the elevation of what is visible or reflected there, at least 0.
      azimuth: Radians to the right.
      rise: Tangent of the elevation of what is visible or reflected there.
      above: Fraction of the pixel above the horizon.
      pixel: Difference in `rise` between vertical neighbours.
    """

    def __init__(self, camera: Camera, x: np.ndarray, y: np.ndarray):
        turned, raised = (x - 0.5) / camera.focal[0], (0.5 - y) / camera.focal[1]
        cos, sin = np.cos(camera.roll), np.sin(camera.roll)
        turned, raised = cos * turned + sin * raised, cos * raised - sin * turned
        length = np.sqrt(1 + turned**2 + raised**2)
        cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
        self.x, self.y = x, y
        self.right = turned / length
        self.up = (raised * cos + sin) / length
        self.forward = (cos - raised * sin) / length
        self.elevation = np.abs(self.up)
        ground = np.hypot(self.right, self.forward)
        self.azimuth = np.arctan2(self.right, self.forward)
        self.rise = self.elevation / np.maximum(ground, 1e-3)
        self.pixel = 1 / (camera.focal[1] * len(y))
        self.above = np.clip(0.5 + self.up / self.pixel, 0, 1)

    @classmethod
    def of_square(cls, camera: Camera, side: int) -> View:
        """Returns the view of a square picture's pixel centres."""
        return cls(camera, *axes(side))

    def plane(self, bulge: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Returns where lines of sight meet a plane at height 1: to the right and forward.

        With `bulge`, the plane is bent towards upright objects.
        """
        height = np.sqrt(self.elevation**2 + _LEAST_RISE**2) + bulge
        return self.right / height, self.forward / height


def axes(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns x and y of the pixel centres, `[side, side]` in [0, 1]."""
    centres = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(centres, centres)
    return x, y
