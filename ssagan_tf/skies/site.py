"""What things on the land have in common: the horizon, the scale, and colours in the light."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ssagan_tf.skies.camera import Camera
from ssagan_tf.skies.lighting import Colour, Light, mix
from ssagan_tf.skies.randomness import RandomStream

LEAVES = ((0.16, 0.26, 0.08), (0.25, 0.36, 0.12), (0.10, 0.19, 0.07), (0.36, 0.34, 0.12),
          (0.45, 0.27, 0.10), (0.22, 0.28, 0.16))  # fmt: skip
GRASS = ((0.28, 0.42, 0.14), (0.40, 0.46, 0.18), (0.55, 0.48, 0.26), (0.22, 0.33, 0.12),
         (0.46, 0.38, 0.22))  # fmt: skip
CROPS = ((0.76, 0.63, 0.28), (0.36, 0.46, 0.16), (0.42, 0.30, 0.20), (0.86, 0.76, 0.18),
         (0.60, 0.52, 0.32), (0.24, 0.38, 0.14))  # fmt: skip
ROCK = ((0.38, 0.36, 0.35), (0.46, 0.40, 0.34), (0.56, 0.36, 0.25), (0.28, 0.29, 0.31),
        (0.50, 0.47, 0.43))  # fmt: skip
SAND = ((0.80, 0.70, 0.52), (0.72, 0.62, 0.48), (0.84, 0.78, 0.66), (0.76, 0.54, 0.34))
WALLS = ((0.92, 0.90, 0.86), (0.86, 0.78, 0.62), (0.62, 0.32, 0.24), (0.55, 0.55, 0.56),
         (0.80, 0.60, 0.44), (0.72, 0.74, 0.76), (0.4, 0.28, 0.2), (0.96, 0.95, 0.94))  # fmt: skip
ROOFS = ((0.52, 0.24, 0.17), (0.30, 0.28, 0.28), (0.42, 0.30, 0.24), (0.22, 0.22, 0.25),
         (0.58, 0.54, 0.50))  # fmt: skip
PAINTS = ((0.75, 0.12, 0.10), (0.10, 0.22, 0.52), (0.90, 0.90, 0.88), (0.10, 0.10, 0.11),
          (0.85, 0.68, 0.15), (0.12, 0.38, 0.26), (0.50, 0.52, 0.55))  # fmt: skip
SNOW = (0.95, 0.96, 1.0)
ASPHALT = (0.34, 0.34, 0.35)
METAL = (0.42, 0.43, 0.45)
WOOD = (0.34, 0.25, 0.18)
GLASS = (0.24, 0.30, 0.36)
LAMP = (1.0, 0.82, 0.50)


@dataclasses.dataclass(frozen=True)
class Site:
    """The place of the camera.

    Attributes:
      camera, light: Camera and light of the clip.
      level: The y of the ground in the distance: the horizon, or the lower border.
      aspect: Width over height of the picture before it is made square.
      eye: Height of the camera above the ground in metres.
      exposure: Brightness of the land: 1 is normal; less against the light.
      water: Whether the ground is water.
    """

    camera: Camera
    light: Light
    level: float
    aspect: float
    eye: float
    exposure: float
    water: bool

    @property
    def grounded(self) -> bool:
        """Whether the horizon is in the picture."""
        return self.level < 1

    def far(self) -> Site:
        """Returns the site for distant things, where the horizon is at y = 0."""
        return dataclasses.replace(self, level=0.0)

    def metre(self, foot: float) -> float:
        """Returns the height in the picture of a metre on the ground at this y."""
        return max(foot - self.level, 0.004) / self.eye

    def lit(self, colour: Sequence[float], sun: float = 0.6, far: float = 0.0) -> Colour:
        """Returns the colour of a surface in this light.

        Args:
          colour: Its colour in full daylight.
          sun: Direct light on it, 0 to 1.
          far: Fraction of haze in front of it.
        """
        light = self.light
        ambient = (0.62 + 0.3 * light.overcast) * mix(
            np.ones(3), light.zenith / light.zenith.max(), 0.3
        )
        direct = 0.6 * sun * (1 - 0.85 * light.overcast) * light.beam
        seen = np.array(colour) * light.daylight * self.exposure * (ambient + direct)
        return as_colour(mix(seen + 0.08 * light.ground, light.horizon, far))

    def lamplit(self, rng: RandomStream) -> Site:
        """Returns the site among lamps, where it is brighter at night."""
        light = self.light
        glow = light.lamps * rng.uniform(0.0, 0.35)
        share = glow / (glow + light.daylight)
        beam = mix(light.beam, np.array(LAMP), share)
        zenith = mix(light.zenith, np.array(LAMP), share)
        return dataclasses.replace(
            self,
            exposure=self.exposure + (1 - self.exposure) * share,
            light=dataclasses.replace(
                light, daylight=light.daylight + glow, beam=beam, zenith=zenith
            ),
        )

    def lamp(self, rng: RandomStream, strength: float = 1.0) -> Colour:
        """Samples the colour of a lamp or lit window."""
        warm = mix(np.array(LAMP), np.array((0.95, 0.97, 1.0)), rng.uniform(0, 0.7))
        return as_colour(warm * strength)


def sample_site(rng: RandomStream, camera: Camera, light: Light, water: bool) -> Site:
    """Samples height and exposure of the camera."""
    azimuth, elevation = light.sun
    against = np.clip(1.3 - abs(azimuth), 0, 1) * np.clip(1 - elevation / 0.5, 0, 1)
    dark = rng.chance(0.3)
    exposure = rng.uniform(0.08, 0.5) if dark else rng.uniform(0.75, 1.15)
    exposure *= 1 - rng.uniform(0.3, 0.8) * float(against) * (1 - light.overcast)
    high = rng.chance(0.3)
    level = 0.5 + camera.focal[1] * float(np.tan(camera.pitch))
    return Site(
        camera=camera,
        light=light,
        level=min(level, 1.02),
        aspect=camera.focal[1] / camera.focal[0],
        eye=rng.uniform(4, 25) if high else rng.uniform(1.4, 2.2),
        exposure=float(exposure),
        water=water,
    )


def pick(rng: RandomStream, colours: Sequence[Colour], jitter: float = 0.03) -> Colour:
    """Samples a variation of one of the colours."""
    colour = np.array(colours[int(rng.uniform(0, len(colours)))])
    return as_colour(colour * (1 + rng.normal(0, 0.08)) + rng.normal(0, jitter, 3))


def as_colour(colour: np.ndarray) -> Colour:
    """Returns an array as three floats in [0, 1]."""
    red, green, blue = np.clip(colour, 0, 1).tolist()
    return red, green, blue
