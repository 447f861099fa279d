"""The land of a clip: everything static below and in front of the sky."""

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


class Paintable(Protocol):
    """Something that can be painted."""

    def paint(self, canvas: Canvas) -> None: ...


@dataclasses.dataclass(frozen=True)
class Land:
    """Everything static in a scene.

    Attributes:
      camera: Camera of the clip.
      kinds: Names of the kinds of things.
      distant: Things whose coordinates are directions, the farthest first.
      nearby: Things whose coordinates are those of the picture, the farthest first.
    """

    camera: Camera
    kinds: tuple[str, ...]
    distant: tuple[Paintable, ...]
    nearby: tuple[Paintable, ...]

    def far(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Renders distant things as a function of direction, so that water can reflect them.

        Returns:
          Colour `[H, W, 3]` and coverage of each pixel `[H, W]`, in [0, 1].
        """
        return _painted(self.distant, Canvas.of_directions(view, self.camera))

    def near(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """Renders nearby things and the ground, like `far`, for a square picture."""
        return _painted(self.nearby, Canvas.of_picture(self.camera, side))


def sample_land(rng: RandomStream, camera: Camera, light: Light, water: bool) -> Land:
    """Samples the land of a clip.

    Args:
      rng: Random stream.
      camera: Camera of the clip.
      light: Light of the clip.
      water: Whether the ground is a sea or lake, which is not part of the land.
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


def _painted(things: tuple[Paintable, ...], canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    for thing in things:
        thing.paint(canvas)
    return canvas.result()
