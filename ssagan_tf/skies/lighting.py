"""The light of a time of day: colours of sky, clouds and ground, sun, moon and stars."""

from __future__ import annotations

import dataclasses

import numpy as np

from ssagan_tf.skies.camera import View
from ssagan_tf.skies.randomness import RandomStream

Colour = tuple[float, float, float]
"""sRGB in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class _Hour:
    """Colours at an elevation of the sun."""

    sun: float  # elevation in degrees
    zenith: Colour
    horizon: Colour
    lit: Colour
    shade: Colour
    beam: Colour  # of direct light
    ground: Colour
    daylight: float  # on the ground, 1 at noon
    glow: float


_HOURS = (
    _Hour(-16, (0.03, 0.045, 0.11), (0.13, 0.14, 0.22), (0.30, 0.30, 0.36), (0.08, 0.08, 0.13),
          (0.25, 0.25, 0.36), (0.04, 0.04, 0.05), 0.10, 0.20),
    _Hour(-8, (0.07, 0.10, 0.25), (0.38, 0.31, 0.40), (0.42, 0.36, 0.46), (0.11, 0.11, 0.21),
          (0.70, 0.40, 0.34), (0.05, 0.05, 0.07), 0.15, 0.35),
    _Hour(-3, (0.10, 0.14, 0.34), (0.80, 0.46, 0.36), (0.72, 0.44, 0.44), (0.16, 0.14, 0.25),
          (1.0, 0.55, 0.30), (0.05, 0.05, 0.07), 0.25, 0.55),
    _Hour(2, (0.19, 0.25, 0.48), (0.98, 0.65, 0.38), (1.0, 0.72, 0.52), (0.36, 0.28, 0.38),
          (1.0, 0.78, 0.45), (0.10, 0.08, 0.09), 0.45, 0.80),
    _Hour(9, (0.24, 0.38, 0.66), (0.93, 0.80, 0.66), (1.0, 0.90, 0.78), (0.48, 0.45, 0.52),
          (1.0, 0.90, 0.70), (0.16, 0.15, 0.11), 0.75, 0.55),
    _Hour(28, (0.19, 0.42, 0.77), (0.72, 0.84, 0.93), (1.0, 0.99, 0.97), (0.60, 0.65, 0.73),
          (1.0, 0.98, 0.90), (0.18, 0.23, 0.14), 0.95, 0.33),
    _Hour(62, (0.11, 0.31, 0.68), (0.62, 0.78, 0.92), (1.0, 1.0, 0.99), (0.56, 0.62, 0.71),
          (1.0, 0.99, 0.94), (0.19, 0.24, 0.13), 1.0, 0.28),
)  # fmt: skip
_GREY = _Hour(
    30, (0.44, 0.49, 0.56), (0.76, 0.79, 0.82), (0.92, 0.93, 0.94), (0.33, 0.36, 0.41),
    (0.97, 0.97, 0.95), (0.13, 0.14, 0.13), 0.65, 0.12,
)  # fmt: skip
_WEIGHTS = {"night": 0.04, "dusk": 0.08, "sunset": 0.12, "golden": 0.15, "day": 0.41, "noon": 0.20}
_SPANS = {
    "night": (-16.0, -9.0),
    "dusk": (-9.0, -1.0),
    "sunset": (-1.0, 5.0),
    "golden": (5.0, 18.0),
    "day": (18.0, 45.0),
    "noon": (45.0, 62.0),
}


@dataclasses.dataclass(frozen=True)
class Light:
    """The colours of a clip, and the lights in its sky.

    Attributes:
      zenith, horizon: Colours of the clear sky.
      lit, shade: Colours of clouds.
      beam: Colour of direct light.
      ground: Colour of dull land in this light.
      daylight: Brightness on the ground, from 0 to 1 at noon.
      lamps: Fraction of windows and lamps that are on, 0 to 1.
      overcast: From 0, a clear day, to 1, a grey one.
      haze: Height of the haze, as a sine of the elevation.
      sun: Azimuth and elevation in radians of the sun, or at night, the moon.
      disc: Radius of its disc in radians; 0: not visible.
      glow: Strength of the light around it.
      stars: Brightness of stars; 0: none.
    """

    zenith: np.ndarray
    horizon: np.ndarray
    lit: np.ndarray
    shade: np.ndarray
    beam: np.ndarray
    ground: np.ndarray
    daylight: float
    lamps: float
    overcast: float
    haze: float
    sun: tuple[float, float]
    disc: float
    glow: float
    stars: float

    def clear_sky(self, view: View) -> np.ndarray:
        """Returns the sky without clouds, sun and stars: `[H, W, 3]` in [0, 1]."""
        height = np.exp(-view.elevation / (0.25 + 0.5 * self.haze))[..., None]
        return mix(self.zenith, self.horizon, height)

    def halo(self, view: View) -> np.ndarray:
        """Returns the light around the sun, `[H, W, 1]`, at least 0."""
        far = self._distance(view)
        return self.glow * (0.75 * np.exp(-far / 0.30) + np.exp(-((far / 0.09) ** 2)))[..., None]

    def disc_share(self, view: View) -> np.ndarray:
        """Returns the fraction of each pixel in the disc of sun or moon, `[H, W, 1]`."""
        if not self.disc:
            return np.zeros((*view.x.shape, 1))
        soft = max(view.pixel, 0.25 * self.disc)
        return np.clip((self.disc - self._distance(view)) / soft + 0.5, 0, 1)[..., None]

    def hazy(self, view: View) -> np.ndarray:
        """Returns the fraction of haze in the colours at infinity, `[H, W, 1]`."""
        return np.exp(-view.elevation / (0.02 + self.haze))[..., None] * (0.55 + 0.4 * self.haze)

    def sunward(self) -> tuple[float, float]:
        """Returns the horizontal unit vector towards the sun: right and forward."""
        return float(np.sin(self.sun[0])), float(np.cos(self.sun[0]))

    def _distance(self, view: View) -> np.ndarray:
        """Angle between lines of sight and the sun, which water reflects."""
        azimuth, elevation = self.sun
        ahead = np.cos(elevation)
        cosine = (
            view.right * ahead * np.sin(azimuth)
            + view.forward * ahead * np.cos(azimuth)
            + np.where(view.up < 0, view.elevation, view.up) * np.sin(elevation)
        )
        return np.arccos(np.clip(cosine, -1, 1 - 1e-12))


def sample_light(rng: RandomStream) -> Light:
    """Samples the light of a time of day and weather."""
    hour = rng.choice(_WEIGHTS)
    elevation = rng.uniform(*_SPANS[hour])
    overcast = rng.uniform(0.4, 1.0) if rng.chance(0.36) else rng.uniform(0, 0.25)
    found = _at(elevation)
    share = overcast * (0.9 if elevation > 5 else 0.4)
    rose = np.array([1.0, 0.94, 1.03]) if rng.chance(0.12) else np.ones(3)
    tint = rose * (1 + rng.normal(0, 0.03, 3))

    def colour(name: str, jitter: float = 0.02) -> np.ndarray:
        mixed = mix(np.array(found[name]), np.array(getattr(_GREY, name)) * found["dim"], share)
        return np.clip(mixed * tint + rng.normal(0, jitter, 3), 0.004, 1)

    moon = elevation < -6
    if moon:
        sun = rng.uniform(-0.8, 0.8), rng.uniform(0.1, 0.9)
        disc = rng.uniform(0.008, 0.02) if rng.chance(0.4) else 0.0
    else:
        sun = rng.uniform(-1.4, 1.4), float(np.radians(max(elevation, -1.0)))
        disc = rng.uniform(0.008, 0.03) if overcast < 0.4 and elevation > 0 else 0.0
    return Light(
        zenith=colour("zenith"),
        horizon=colour("horizon"),
        lit=colour("lit", 0.012),
        shade=colour("shade"),
        beam=colour("beam", 0.01),
        ground=colour("ground", 0.015),
        daylight=float(found["daylight"] * (1 - 0.3 * overcast)),
        lamps=float(np.clip((4 - elevation) / 10, 0, 1) * rng.uniform(0.3, 1.0)),
        overcast=overcast,
        haze=rng.uniform(0.02, 0.12) + (rng.uniform(0, 0.5) if rng.chance(0.35) else 0),
        sun=sun,
        disc=disc,
        glow=float(found["glow"]) * (1 - 0.8 * overcast) * rng.uniform(0.3, 1.1),
        stars=rng.uniform(0.3, 1.0) if moon and overcast < 0.4 else 0.0,
    )


def _at(elevation: float) -> dict[str, np.ndarray]:
    """Interpolates the table of colours."""
    after = next(i for i, hour in enumerate(_HOURS) if hour.sun >= min(elevation, 62.0))
    low, high = _HOURS[max(after - 1, 0)], _HOURS[max(after, 1)]
    share = np.clip((elevation - low.sun) / (high.sun - low.sun), 0, 1)
    found = {
        field.name: mix(np.array(getattr(low, field.name)), getattr(high, field.name), share)
        for field in dataclasses.fields(_Hour)
    }
    found["dim"] = np.clip(0.3 + 0.8 * found["daylight"], 0, 1)
    return found


def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Interpolates linearly from a to b."""
    return a + (b - a) * share


def screen(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Adds light without exceeding 1."""
    return 1 - (1 - a) * (1 - np.clip(b, 0, 1))
