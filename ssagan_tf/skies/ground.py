"""The ground from the horizon to the camera, with textures in perspective."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ssagan_tf.skies.lighting import Colour, mix
from ssagan_tf.skies.noise import fractal
from ssagan_tf.skies.outlines import Outline
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Canvas, Lines, Polygon, inner
from ssagan_tf.skies.site import ASPHALT, CROPS, GRASS, LEAVES, ROCK, SAND, SNOW, Site, pick

GROUNDS = {
    "grass": 0.26, "field": 0.2, "sand": 0.08, "rocks": 0.1, "snow": 0.1, "road": 0.1,
    "plaza": 0.06, "patchwork": 0.1,
}  # fmt: skip
_WET = (0.24, 0.24, 0.26)
_NEAREST = 0.02  # added to the distance below the horizon, to keep the scale finite there


@dataclasses.dataclass(frozen=True)
class Ground:
    """A plane below an outline.

    Attributes:
      edge: Its upper edge.
      level: The horizon of its perspective.
      aspect, focal: Width over height of the picture, and its focal length in heights.
      colours: Colours of its patches.
      haze: Colour at the horizon.
      hazy: Fraction of haze there.
      patches: Number of patches per unit of width, at one height of the picture from the camera.
      sharp: Sharpness of the patches.
      tufts: Number of tufts in the texture per width.
      contrast: Contrast of the tufts.
      furrows: Number of rows of plants; 0: none.
      turned: Their direction.
      fade: Change of brightness towards the camera.
      offset: Position in the noise.
    """

    edge: Outline
    level: float
    aspect: float
    focal: float
    colours: tuple[Colour, Colour]
    haze: Colour
    hazy: float
    patches: float
    sharp: float
    tufts: float
    contrast: float
    furrows: float
    turned: float
    fade: float
    offset: float

    def paint(self, canvas: Canvas) -> None:
        window = canvas.window(-np.inf, self.edge.top, np.inf, np.inf)
        share = self.edge.below(canvas, window)
        below = np.maximum(canvas.y[window] - self.level, 0) + _NEAREST
        x = (canvas.x[window] - 0.5) * self.aspect
        right, ahead = x / below, 1 / below
        # Differences of both between neighbouring pixels.
        across, along = canvas.pixel * self.aspect * ahead, canvas.pixel * ahead**2
        u, v = right * self.patches + self.offset, self.focal * ahead * self.patches
        broad, lost = fractal(
            u, v, 4, 0.6 * np.maximum(across, self.focal * along) * self.patches, 0.6
        )
        second = inner(broad, np.hypot(1 / self.sharp, lost))[..., None]
        colour = mix(np.array(self.colours[0]), np.array(self.colours[1]), second)
        # Tufts have the same shape, rather flat, at any distance.
        size = 3 * (below + 0.12) / self.tufts
        fine, _ = fractal(
            x / size,
            2.5 * self.tufts / 3 * np.log(size) + self.offset,
            4,
            canvas.pixel / size * max(self.aspect, 2.5),
            0.7,
        )
        texture = 1 + self.contrast * fine
        if self.furrows:
            row = right + self.turned * ahead
            change = np.abs(row) / ahead * along, across  # down and across
            seen = np.prod([np.sinc(np.minimum(self.furrows * c, 1)) for c in change], 0)
            texture = texture + 0.3 * seen * np.sin(2 * np.pi * self.furrows * row)
        texture = texture * (1 + self.fade * np.clip(below / 0.4, 0, 1.5))
        colour = colour * np.maximum(texture, 0.1)[..., None]
        haze = self.hazy * np.exp(-(below - _NEAREST) / 0.06)[..., None]
        canvas.paint(window, mix(colour, np.array(self.haze), haze), share)


def sample_ground(rng: RandomStream, site: Site, kind: str, edge: Outline | None = None) -> tuple:
    """Samples ground of a kind in `GROUNDS`, and the markings on it."""
    first, second = {
        "grass": (GRASS, GRASS), "field": (CROPS, CROPS), "sand": (SAND, SAND),
        "rocks": (ROCK, ROCK), "snow": ((SNOW,), (SNOW, SNOW, ROCK[0], GRASS[2])),
        "road": (GRASS, GRASS + SAND), "plaza": ((ASPHALT,), ROCK), "patchwork": (CROPS, LEAVES),
        "forest": (LEAVES, LEAVES),
    }[kind]  # fmt: skip
    strength = {
        "grass": 0.3, "field": 0.2, "sand": 0.08, "rocks": 0.6, "snow": 0.07, "road": 0.3,
        "plaza": 0.1, "patchwork": 0.15, "forest": 0.5,
    }[kind]  # fmt: skip
    # A nearby hill, or the plain up to the horizon.
    hill = rng.uniform(0.02, 0.12) if rng.chance(0.3) else rng.uniform(0.0, 0.01)
    edge = edge or Outline(
        level=site.level,
        height=hill,
        length=rng.uniform(0.3, 1.2),
        offset=rng.uniform(0, 250),
        rough=0.35,
        tilt=rng.normal(0, 0.6) * hill,
    )
    sun = rng.uniform(0.2, 0.9)
    ground = Ground(
        edge=edge,
        level=min(site.level, edge.level - edge.height - abs(edge.tilt)),
        aspect=site.aspect,
        focal=site.camera.focal[1],
        colours=(site.lit(pick(rng, first), sun), site.lit(pick(rng, second), sun)),
        haze=site.lit((0.5, 0.5, 0.5), 0.5, 0.8),
        hazy=rng.uniform(0, 0.6) if hill < 0.02 else rng.uniform(0, 0.1),
        patches=rng.uniform(0.3, 1.2) * (2.5 if kind == "patchwork" else 1),
        sharp=rng.uniform(1.2, 3.5) if kind in ("patchwork", "snow") else rng.uniform(0.4, 1.5),
        tufts=rng.uniform(20, 90),
        contrast=strength * rng.uniform(0.5, 1.4),
        furrows=rng.uniform(1, 5) if kind == "field" and rng.chance(0.6) else 0.0,
        turned=rng.normal(0, 0.6),
        fade=rng.uniform(-0.6, 0.1),
        offset=rng.uniform(0, 250),
    )
    extra: tuple[Any, ...] = ()
    if kind == "road" and site.grounded:
        extra = _road(rng.part(1), site)
    return (ground, *extra)


def _road(rng: RandomStream, site: Site) -> tuple[Polygon | Lines, ...]:
    """Samples a straight road to the horizon, with its markings."""
    end, start = rng.uniform(0.2, 0.8), rng.uniform(-0.1, 1.1)
    half = rng.uniform(0.15, 0.7) / site.aspect
    top, bottom = site.level + 0.004, 1.1
    albedo = pick(rng, (ASPHALT, ASPHALT, SAND[1], _WET))
    colour = site.lit(albedo, rng.uniform(0.3, 0.8))
    white = site.lit((0.85, 0.85, 0.82), 0.5)
    road = Polygon(
        ((end - 0.003, top), (end + 0.003, top), (start + half, bottom), (start - half, bottom)),
        colour,
    )
    if rng.chance(0.4):
        return (road,)
    dashes = []
    for dash in range(8):
        near, far = 1 / (1 + 0.9 * dash), 1 / (1.45 + 0.9 * dash)
        ys = [top + (bottom - top) * share for share in (near, far)]
        xs = [end + (start - end) * share for share in (near, far)]
        dashes.append((xs[0], ys[0], xs[1], ys[1], 0.04 * half * near, 0.04 * half * far))
    return road, Lines(tuple(dashes), white)
