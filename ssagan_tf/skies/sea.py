"""A sea or lake: the reflected sky, distorted by moving waves."""

from __future__ import annotations

import dataclasses

import numpy as np

from ssagan_tf.skies.camera import Camera, View
from ssagan_tf.skies.lighting import Light, mix
from ssagan_tf.skies.randomness import RandomStream


@dataclasses.dataclass(frozen=True)
class Wave:
    """A plane wave on water, seen from a height of 1.

    Attributes:
      number: Wave vector to the right and forward, in radians.
      slope: Its largest slope.
      rate: Radians per frame.
      phase: Phase at frame 0, in radians.
    """

    number: tuple[float, float]
    slope: float
    rate: float
    phase: float


@dataclasses.dataclass(frozen=True)
class Sea:
    """Water and its waves, which move to the right and towards the camera.

    Attributes:
      waves: From the longest to the shortest.
      deep: Colour of the water itself.
      clear: Fraction of the sky that it reflects.
    """

    waves: tuple[Wave, ...]
    deep: tuple[float, float, float]
    clear: float


def sample_sea(rng: RandomStream, camera: Camera, light: Light) -> Sea:
    """Samples water, from a calm lake to a rough sea."""
    rough = rng.uniform(0.005, 0.07)
    # Lengths are in widths of the picture, at its bottom.
    bottom = View(camera, np.array([[0.5]]), np.array([[1.0]]))
    scale = 1 / (camera.focal[0] * float(np.maximum(bottom.elevation[0, 0], 0.02)))
    longest, heading = rng.uniform(0.06, 0.3), rng.uniform(0.15, 1.1)
    pace = rng.uniform(0.004, 0.012)
    waves = []
    for number in range(9):
        length = longest * 0.72**number
        k = 2 * np.pi / (length * scale)
        angle = heading + rng.normal(0, 0.35)
        waves.append(
            Wave(
                (float(k * np.cos(angle)), float(-k * np.sin(angle))),
                rough * rng.uniform(0.5, 1.0) / 3,
                # In deep water, speed is proportional to the root of the length.
                2 * np.pi * pace / np.sqrt(length * longest),
                rng.uniform(0, 2 * np.pi),
            )
        )
    kind = rng.choice({"blue": 0.5, "green": 0.3, "grey": 0.2})
    own = {"blue": (0.10, 0.24, 0.38), "green": (0.12, 0.32, 0.33), "grey": (0.25, 0.28, 0.30)}
    deep = np.array(own[kind]) * (0.08 + 0.92 * light.daylight) * rng.uniform(0.5, 1.2)
    deep = mix(deep, light.horizon * light.daylight, 0.2)
    return Sea(tuple(waves), tuple(float(c) for c in deep), rng.uniform(0.55, 0.95))


class SeaRenderer:
    """A sea in the view of a picture."""

    def __init__(self, sea: Sea, view: View, camera: Camera):
        self._sea = sea
        side = len(view.x)
        # Rows from the highest that has water.
        self._first = int((view.above.min(axis=1) == 1).sum())
        across, away = (each[self._first :] for each in view.plane())
        self._phases = []
        for wave in sea.waves:
            phase = wave.number[0] * across + wave.number[1] * away + wave.phase
            # Waves that are shorter than a pixel fade out.
            step = np.hypot(*np.gradient(phase)) if len(phase) > 1 else 2.0
            self._phases.append((wave, phase, wave.slope * np.exp(-((step / 2.0) ** 2))))
        calm = np.sqrt(sum(wave.slope**2 for wave in sea.waves))
        seen = np.sqrt(sum(size**2 for _, _, size in self._phases))
        self._unseen = np.maximum(calm - seen, 0)
        # Fresnel's reflection, made less steep by the waves.
        elevation = view.elevation[self._first :]
        self._mirrors = sea.clear * (0.12 + 0.88 * np.exp(-elevation / 0.28))[..., None]
        self._per_slope = 2 * camera.focal[1] * side
        self._row = np.arange(self._first, side)[:, None]
        # First row of water in each column.
        self._shore = view.above.sum(axis=0)[None]

    def draw(self, frame: int, mirrored: np.ndarray) -> np.ndarray:
        """Returns a frame of the water.

        Args:
          frame: Its index.
          mirrored: `[H, W, 3]`: the picture, with the sky in place of the water as a calm sea
            reflects it.

        Returns:
          `[H, W, 3]`, which equals `mirrored` above the water.
        """
        slope = sum(size * np.sin(phase - w.rate * frame) for w, phase, size in self._phases)
        reflection = 0.0
        for shift in (-1.0, 0.0, 1.0):  # blur by waves that are too short to see
            moved = self._row + self._per_slope * (slope + shift * self._unseen)
            reflection = reflection + _at_rows(mirrored, moved, self._shore) / 3
        share = self._mirrors * (1 + 3.0 * slope[..., None])
        deep = np.array(self._sea.deep) * (1 + 2.0 * slope[..., None])
        water = np.clip(mix(deep, reflection, np.clip(share, 0, 1)), 0, 1)
        return np.concatenate([mirrored[: self._first], water])


def _at_rows(picture: np.ndarray, rows: np.ndarray, shore: np.ndarray) -> np.ndarray:
    """Samples the picture at other rows of the same columns, mirrored at the shore."""
    last = len(picture) - 1
    rows = np.clip(np.abs(rows - shore) + shore, 0, last)
    above = np.minimum(np.floor(rows), last).astype(np.intp)
    below = np.minimum(above + 1, last)
    share = (rows - above)[..., None]
    columns = np.arange(picture.shape[1])[None]
    return picture[above, columns] * (1 - share) + picture[below, columns] * share
