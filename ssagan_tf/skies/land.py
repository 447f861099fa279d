"""The land of a clip: all that stands still below the sky and in front of it."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from ssagan_tf.skies.camera import Camera, View
from ssagan_tf.skies.landscapes import sample_above, sample_coast, sample_inland
from ssagan_tf.skies.lighting import Light
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Canvas
from ssagan_tf.skies.site import sample_site


class Thing(Protocol):
    """Anything with a place in the picture."""

    def paint(self, canvas: Canvas) -> None: ...


@dataclasses.dataclass(frozen=True)
class Land:
    """What stands still.

    Attributes:
      camera: That sees it.
      kinds: Names of what there is.
      distant: Things painted by direction, the farthest first.
      nearby: Things painted into the picture, the farthest first.
    """

    camera: Camera
    kinds: tuple[str, ...]
    distant: tuple[Thing, ...]
    nearby: tuple[Thing, ...]

    def far(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """What is far away, as a function of direction alone, so that water can mirror it.

        Returns:
          Its colour `[H, W, 3]` and the share of each pixel that it covers, `[H, W]`, in [0, 1].
        """
        return _painted(self.distant, Canvas.of_directions(view, self.camera))

    def near(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """All else, and the ground: as `far`, for a picture of that side."""
        return _painted(self.nearby, Canvas.of_picture(self.camera, side))


def sample_land(rng: RandomStream, camera: Camera, light: Light, water: bool) -> Land:
    """Some land.

    Args:
      rng: Random numbers.
      camera: Of the clip.
      light: Of the clip.
      water: Whether the ground is a sea or a lake, which isn't part of the land.
    """
    site = sample_site(rng.part(0), camera, light, water)
    if not site.grounded:
        parts = sample_above(rng.part(1), site)
    elif water:
        parts = sample_coast(rng.part(1), site)
    else:
        parts = sample_inland(rng.part(1), site)
    kinds = parts.kinds
    return Land(camera, tuple(kinds), tuple(parts.distant), tuple(parts.nearby))


def _painted(things: tuple[Thing, ...], canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    for thing in things:
        thing.paint(canvas)
    return canvas.result()
