"""The known motion of a procedural clip."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Truth:
    """The motion of a clip.

    Attributes:
      velocity: `[T, H, W, 2]` float32, pixels per frame to the right and down: of the most opaque
        cloud layer (of any layer where there is no cloud); in water, of its reflection. 0 where
        land hides the sky, and at the horizon.
      opacity: Opacity of all clouds, `[T, H, W]` float32 in [0, 1]; 0 in water, at the horizon,
        and where land hides them.
      moving: Fraction of each pixel that is sky or water, `[H, W]` float32.
    """

    velocity: np.ndarray
    opacity: np.ndarray
    moving: np.ndarray

    def over_time(self) -> Truth:
        """Returns the medians over time, with T = 1."""
        velocity, opacity = (np.median(x, axis=0)[None] for x in (self.velocity, self.opacity))
        return Truth(velocity, opacity, self.moving)
