"""What is known of a procedural clip because it was made."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Truth:
    """How a clip moves.

    Attributes:
      velocity: `[T, H, W, 2]` float32, pixels a frame to the right and down: of the most opaque
        layer of cloud there, and of one of the layers where there is no cloud; in water of its
        mirror image. 0 where land hides the sky and on the horizon itself.
      opacity: Of all clouds, `[T, H, W]` float32 in [0, 1]; 0 in water, on the horizon and where
        land hides them.
      moving: Share of each pixel that is sky or water, `[H, W]` float32.
    """

    velocity: np.ndarray
    opacity: np.ndarray
    moving: np.ndarray

    def over_time(self) -> Truth:
        """The same with medians over time: T = 1."""
        velocity, opacity = (np.median(x, axis=0)[None] for x in (self.velocity, self.opacity))
        return Truth(velocity, opacity, self.moving)
