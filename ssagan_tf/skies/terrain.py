"""Mountains, hills and shores: land above the horizon."""

from __future__ import annotations

import dataclasses

import numpy as np

from ssagan_tf.skies.lighting import Colour, mix
from ssagan_tf.skies.noise import fractal
from ssagan_tf.skies.outlines import Outline
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Canvas
from ssagan_tf.skies.site import GRASS, LEAVES, ROCK, SAND, SNOW, Site, pick


@dataclasses.dataclass(frozen=True)
class Ridge:
    """Land below an outline, down to the lower border.

    Attributes:
      outline: Its upper edge.
      shaded, sunny: Colours of the slopes.
      snowy: Colours of snow in shade and sun.
      snowline: The y above which there is snow.
      mist: Colour of the haze at its foot.
      misty: Fraction of that haze.
      grain: Size of the largest slopes.
      relief: Contrast of the slopes.
      flat: Width over height of the slopes.
      offset: Position in the noise.
    """

    outline: Outline
    shaded: Colour
    sunny: Colour
    snowy: tuple[Colour, Colour]
    snowline: float
    mist: Colour
    misty: float
    grain: float
    relief: float
    flat: float
    offset: float

    def paint(self, canvas: Canvas) -> None:
        window = canvas.window(-np.inf, self.outline.top, np.inf, np.inf)
        share = self.outline.below(canvas, window)
        x, y = canvas.x[window], canvas.y[window]
        footprint = canvas.pixel / self.grain
        u, v = x / self.grain / self.flat + self.offset, y / self.grain
        # Slopes that face the sun, by the gradient of the noise.
        rough, _ = fractal(u, v, 5, footprint, 0.65)
        lower, _ = fractal(u + 0.16, v - 0.12, 5, footprint, 0.65)
        sun = np.clip(0.5 + self.relief * (rough - lower), 0, 1)[..., None]
        colour = mix(np.array(self.shaded), np.array(self.sunny), sun)
        if self.snowline > self.outline.top:
            edge = (
                self.snowline - y + 0.25 * self.grain * rough + 0.2 * self.grain * (rough - lower)
            )
            snow = np.clip(edge / (0.08 * self.grain + canvas.pixel) + 0.5, 0, 1)[..., None]
            white = mix(np.array(self.snowy[0]), np.array(self.snowy[1]), sun)
            colour = mix(colour, white, snow)
        if self.misty:
            foot = np.clip(1 - (self.outline.level - y) / (self.outline.height + 0.02), 0, 1)
            colour = mix(colour, np.array(self.mist), self.misty * foot[..., None] ** 1.5)
        canvas.paint(window, colour, share)


def sample_ridge(
    rng: RandomStream, site: Site, kind: str, height: float, far: float, **outline: float
) -> Ridge:
    """Samples a ridge.

    Args:
      rng: Random stream.
      site: Has the level of its foot.
      kind: "mountains", "snow", "hills", "forest", "desert", "fields".
      height: Height of its highest parts, in heights of the picture.
      far: Fraction of haze in front of it.
      **outline: Attributes of its `Outline` that are not random.
    """
    albedo = {
        "mountains": ROCK, "snow": ROCK, "hills": GRASS, "forest": LEAVES,
        "desert": (SAND[3], ROCK[2], SAND[0]), "fields": GRASS,
    }[kind]  # fmt: skip
    first, second = pick(rng, albedo), pick(rng, albedo)
    steep = kind in ("mountains", "snow")
    shape = {
        "length": rng.uniform(0.25, 0.7) if steep else rng.uniform(0.4, 1.6),
        "sharp": rng.uniform(0.2, 0.9) if steep else rng.uniform(0, 0.25),
        "rough": rng.uniform(0.42, 0.56) if steep else rng.uniform(0.25, 0.42),
        "offset": rng.uniform(0, 250),
        "tilt": rng.normal(0, 0.35) * height,
    }
    if kind == "forest":
        fir = rng.uniform()
        shape |= {
            "tooth": rng.uniform(0.008, 0.03),
            "tall": rng.uniform(0.008, 0.035),
            "pointed": fir,
            "dense": 1.0,
        }
    outline = {**shape, **outline}
    snowline = height * rng.uniform(-0.3, 0.75) if kind == "snow" else 10.0
    sunny = rng.uniform(0.5, 1.0)
    return Ridge(
        outline=Outline(level=site.level, height=height, **outline),
        shaded=site.lit(np.array(first) * rng.uniform(0.45, 0.8), 0.0, far),
        sunny=site.lit(second, sunny, far),
        snowy=(site.lit((0.70, 0.77, 0.92), 0.1, far), site.lit(SNOW, sunny, far)),
        snowline=site.level - snowline,
        mist=site.lit((0.5, 0.5, 0.5), 0.3, 0.5 + 0.5 * far),
        misty=rng.uniform(0, 0.7) if rng.chance(0.5) else 0.0,
        grain=rng.uniform(0.06, 0.22),
        relief={"mountains": 1.0, "snow": 1.2, "desert": 0.9}.get(kind, 0.6)
        * rng.uniform(0.5, 1.2),
        flat=rng.uniform(0.5, 1.3) if steep else rng.uniform(1.0, 4.0),
        offset=rng.uniform(0, 250),
    )


def sample_range(rng: RandomStream, site: Site, kind: str, height: float) -> tuple[Ridge, ...]:
    """Samples ridges one behind another; the farthest are the highest and haziest."""
    number = 1 + int(rng.uniform(0, 3.2))
    haziest = rng.uniform(0.1, 0.9) * (0.7 + 0.6 * min(site.light.haze * 4, 0.5))
    ridges = []
    for index in range(number):
        near = (index + 1) / number
        part = rng.part(index)
        last = index == number - 1
        kinds = {kind: 1.0} if not last or number == 1 else {kind: 0.4, "hills": 0.3, "forest": 0.3}
        far = haziest * (1 - near) + 0.25 * haziest * near
        ridges.append(
            sample_ridge(
                part, site, part.choice(kinds), height * (1 - 0.6 * (near - 1 / number)), far
            )
        )
    return tuple(ridges)
