"""Simple skies whose clouds drift in any direction, the default of `--data=synthetic`.

A clip is a pure function of (seed, index); the resolution changes only how finely it is drawn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from ssagan_tf.skies.lighting import mix, screen
from ssagan_tf.skies.truth import Truth

_PERIOD = 1.7  # of the cloud pattern, in widths of the picture at its middle
_MOTION = (0.005, 0.009)  # target range of the mean |x[t+1] - x[t]|, in [0, 1] units
_SQUEEZE = 1.4  # height of the sky over that of its reflection in the sea
_PROBE = 32  # side of the few frames drawn first, to find the speed that gives this motion


@dataclasses.dataclass(frozen=True)
class _Light:
    """Colours of a time of day, sRGB in [0, 1]."""

    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    lit: tuple[float, float, float]
    shade: tuple[float, float, float]
    sun: tuple[float, float, float]
    glow: float  # strength of the glow around the sun
    ground: tuple[float, float, float]
    overcast: float = 0.0  # additional cloud cover


_LIGHTS = {
    "midday": _Light(
        (0.13, 0.32, 0.66), (0.66, 0.80, 0.92), (1.0, 1.0, 0.99), (0.56, 0.62, 0.71),
        (1.0, 0.97, 0.88), 0.35, (0.13, 0.18, 0.12),
    ),
    "summer": _Light(
        (0.20, 0.45, 0.80), (0.75, 0.87, 0.95), (1.0, 0.99, 0.96), (0.66, 0.70, 0.77),
        (1.0, 0.98, 0.90), 0.30, (0.18, 0.24, 0.14),
    ),
    "sunset": _Light(
        (0.17, 0.22, 0.45), (0.98, 0.62, 0.32), (1.0, 0.72, 0.50), (0.36, 0.27, 0.38),
        (1.0, 0.80, 0.45), 0.75, (0.07, 0.05, 0.07),
    ),
    "rose": _Light(
        (0.30, 0.38, 0.62), (0.97, 0.72, 0.66), (1.0, 0.80, 0.76), (0.47, 0.42, 0.57),
        (1.0, 0.86, 0.70), 0.45, (0.10, 0.08, 0.11),
    ),
    "dusk": _Light(
        (0.05, 0.08, 0.22), (0.70, 0.42, 0.40), (0.52, 0.36, 0.44), (0.10, 0.11, 0.22),
        (1.0, 0.55, 0.30), 0.45, (0.02, 0.02, 0.04),
    ),
    "grey": _Light(
        (0.46, 0.51, 0.58), (0.74, 0.77, 0.80), (0.90, 0.91, 0.92), (0.34, 0.37, 0.42),
        (0.98, 0.97, 0.94), 0.18, (0.12, 0.13, 0.13), 0.6,
    ),
}  # fmt: skip


def synthetic_clip(seed: int, index: int, resolution: int, frames: int = 32) -> np.ndarray:
    """Generates a clip of a moving sky.

    Args:
      seed: Seed of the set.
      index: Index of the clip in the set.
      resolution: Height and width of the frames. The sky does not depend on it.
      frames: Number of frames T.

    Returns:
      `[T, resolution, resolution, 3]` uint8.
    """
    sky = _Sky(seed, index)
    clip = sky.draw(resolution, frames, sky.speed())
    return (clip * 255 + 0.5).astype(np.uint8)


def synthetic_truth(seed: int, index: int, resolution: int, frames: int = 32) -> Truth:
    """Returns the motion of that clip; its sea moves as the sky that it reflects."""
    sky = _Sky(seed, index)
    return sky.truth(resolution, frames, sky.speed())


class _Sky:
    """The random content of a clip; `draw` renders it."""

    def __init__(self, seed: int, index: int):
        rng = np.random.default_rng((seed, index))
        self.motion = rng.uniform(*_MOTION)
        self.light = _LIGHTS[rng.choice(list(_LIGHTS))]
        self.ground = rng.choice(["none", "hills", "sea"], p=[0.4, 0.35, 0.25])
        # Lower edge of the sky, from the top; without ground it is below the picture.
        self.horizon = 1.1 if self.ground == "none" else rng.uniform(0.66, 0.86)
        self.sun = rng.uniform(0.1, 0.9), self.horizon - rng.uniform(0.08, 0.6)
        self.glow = self.light.glow * float(rng.choice([0.25, 1.0], p=[0.4, 0.6]))
        self.hills = rng.uniform(0, 2 * np.pi, (2, 7)), rng.normal(0, 1, (2, 7))
        wind, cover = rng.uniform(0, 2 * np.pi), rng.uniform(-0.7, 0.6)
        cover += self.light.overcast
        # A high veil, and below it, larger and faster clouds with firmer edges.
        self.layers = [
            _Layer((seed, index, 0), 3.0, cover + 0.2, 0.5, wind + rng.normal(0, 0.6), 0.006),
            _Layer((seed, index, 1), 2.0, cover, 1.6, wind, 0.012),
        ]

    def speed(self) -> float:
        """Returns the speed that gives the target motion, within limits."""
        probe = self.draw(_PROBE, 3, speed=1.0)
        speed = float(self.motion / np.abs(np.diff(probe, axis=0)).mean().clip(1e-4))
        return min(max(speed, 0.4), 2.0)

    def truth(self, side: int, frames: int, speed: float) -> Truth:
        """Returns the motion of the clip that `draw` renders from the same arguments."""
        x, y = _axes(side)
        u, v = _plane(x, y, self.horizon)
        u_x, v_x = np.subtract(_plane(x + 1e-3, y, self.horizon), _plane(x, y, self.horizon)) * 1e3
        u_y, v_y = np.subtract(_plane(x, y + 1e-3, self.horizon), _plane(x, y, self.horizon)) * 1e3
        area = u_x * v_y - u_y * v_x
        area = np.where(area == 0, np.inf, area)  # below the horizon, where nothing is visible
        clear = 1 - 0.85 * np.clip(y / self.horizon, 0, 1) ** 4.5
        velocities, opacities = [], []
        for layer in self.layers:
            right, away = np.cos(layer.wind), np.sin(layer.wind)
            along = np.stack([v_y * right - u_y * away, u_x * away - v_x * right], axis=-1)
            velocities.append(layer.pace * speed * side * along / area[..., None])
            opacities.append(layer.draw(u, v, np.zeros(2), frames, speed)[0] * clear)
        most = np.stack(opacities).argmax(axis=0)
        velocity = np.stack(velocities)[:, None]
        velocity = np.take_along_axis(velocity, most[None, ..., None], axis=0)[0]
        opacity = 1 - np.prod(1 - np.stack(opacities), axis=0)
        moving = np.ones((side, side))
        if self.ground == "hills":
            for top, _ in self._ridges(x):
                moving = moving * (1 - _below(top, y))
        if self.ground == "sea":
            first, below = self._sea(y)
            rows = self._mirrored(below, 0.0, side)
            mirrored = np.take_along_axis(velocity, rows[None, ..., None], axis=1)
            velocity[:, first:] = mirrored * (1, -1 / _SQUEEZE)
            opacity[:, first:] = 0
        velocity, opacity = velocity * (moving > 0)[..., None], opacity * moving
        return Truth(*(each.astype(np.float32) for each in (velocity, opacity, moving)))

    def draw(self, side: int, frames: int, speed: float) -> np.ndarray:
        """Renders the clip, `[frames, side, side, 3]` float32 in [0, 1]."""
        light = self.light
        x, y = _axes(side)
        distance = np.hypot(x - self.sun[0], y - self.sun[1])[None, ..., None]
        halo = self.glow * (0.75 * np.exp(-distance / 0.22) + np.exp(-((distance / 0.06) ** 2)))
        height = np.clip(y / self.horizon, 0, 1)[None, ..., None] ** 1.5
        sky = mix(_colour(light.zenith), _colour(light.horizon), height)
        sky = screen(sky, halo * _colour(light.sun))
        haze = 0.85 * height**3

        picture = np.broadcast_to(sky, (frames, side, side, 3))
        u, v = _plane(x, y, self.horizon)
        # One direction for the whole sky: directions to the sun would draw rings around it.
        sunward = np.subtract(_plane(*self.sun, self.horizon), _plane(0.5, 0.35, self.horizon))
        sunward = 0.022 * sunward / np.hypot(*sunward).clip(1e-3)
        for layer in self.layers:
            opacity, brightness = layer.draw(u, v, sunward, frames, speed)
            cloud = mix(_colour(light.shade), _colour(light.lit), brightness[..., None])
            cloud = screen(cloud, 0.6 * halo * _colour(light.sun))
            picture = mix(picture, cloud, opacity[..., None] * (1 - haze))
        if self.ground == "hills":
            picture = self._add_hills(picture, x, y)
        if self.ground == "sea":
            picture = self._add_sea(picture, x, y, speed)
        return picture

    def _add_hills(self, picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        for top, share in self._ridges(x):
            colour = mix(_colour(self.light.horizon), _colour(self.light.ground), share)
            picture = mix(picture, colour, _below(top, y)[None, ..., None])
        return picture

    def _ridges(self, x: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
        """Tops of the hills in each column, and how clear they are of haze."""
        waves = np.arange(1, 8) * 0.8
        for ridge, (phases, sizes) in enumerate(zip(*self.hills, strict=True)):
            shape = np.sin(2 * np.pi * waves * x[0, :, None] + phases) @ (sizes / waves**1.4)
            yield self.horizon + 0.06 * ridge - 0.03 * shape.astype(np.float32), 0.6 + 0.4 * ridge

    def _add_sea(
        self, picture: np.ndarray, x: np.ndarray, y: np.ndarray, speed: float
    ) -> np.ndarray:
        """The sky upside down and darker, distorted by waves that shrink towards the horizon."""
        frames, side = picture.shape[:2]
        first, below = self._sea(y)
        below = below[None]
        time = np.arange(frames, dtype=np.float32)[:, None, None] * speed
        far = 1 / (below + 0.12)
        waves = sum(
            np.sin(across * x[None, first:] + along * far + phase + pace * time)
            for across, along, pace, phase in zip(
                (9, -14, 23), (4, 6, 8), (0.08, 0.11, 0.15), self.hills[0][0].tolist(), strict=False
            )
        )
        rows = self._mirrored(below, waves, side)
        reflected = np.take_along_axis(picture, rows[..., None], axis=1)
        deep = mix(_colour(self.light.ground), _colour(self.light.zenith), 0.35)
        sea = mix(deep, reflected, 0.62 - 0.5 * below[..., None] + 0.05 * waves[..., None])
        return np.concatenate([picture[:, :first], np.clip(sea, 0, 1)], axis=1)

    def _sea(self, y: np.ndarray) -> tuple[int, np.ndarray]:
        """The first row of the sea, and the distance of its pixels from the horizon."""
        first = int(np.ceil(self.horizon * len(y)))
        return first, y[first:] - self.horizon

    def _mirrored(self, below: np.ndarray, waves: np.ndarray | float, side: int) -> np.ndarray:
        """Rows of the sky that are reflected at this distance below the horizon."""
        y = self.horizon - below * (_SQUEEZE + 0.2 * waves) - 0.02
        return np.clip(y * side, 0, side - 1).astype(np.intp)


@dataclasses.dataclass(frozen=True)
class _Layer:
    """A layer of cloud: a random field on a plane that drifts and changes."""

    key: tuple[int, ...]  # of its random stream
    scale: float  # waves of the largest features per period
    cover: float  # added to the field of variance 1; there is cloud where the sum is positive
    firmness: float  # of the edges
    wind: float  # direction, in radians
    pace: float  # periods per frame at speed 1

    def draw(
        self,
        u: np.ndarray,
        v: np.ndarray,
        sunward: np.ndarray,
        frames: int,
        speed: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns opacity and brightness, `[frames, side, side]`, at points (u, v) of the plane.

        `sunward` is a short vector in the plane towards the sun.
        """
        texture = self._texture(2 * len(u), frames, speed)
        field = _sample(texture, u, v)
        # Lit where there is less cloud towards the sun.
        shadow = _sample(texture, u + sunward[0], v + sunward[1])
        thickness = np.maximum(field + self.cover, 0)
        opacity = 1 - np.exp(-((self.firmness * thickness) ** 1.5))
        brightness = 0.85 - 0.28 * thickness + 0.5 * (field - shadow)
        return opacity, np.clip(brightness, 0, 1)

    def _texture(self, size: int, frames: int, speed: float) -> np.ndarray:
        """The field over one period, `[frames, size, size]`, as a sum of waves.

        Each octave has its own random numbers, so that a finer texture only adds detail. Each wave
        drifts with the wind and at a random rate, which slowly changes the shapes of clouds.
        """
        spectrum = np.zeros((size, size // 2 + 1), np.complex64)
        turn = np.zeros((size, size // 2 + 1), np.float32)  # radians per frame
        variance = 0.0
        for octave in range(size.bit_length() - 2):
            low, high = 2**octave, 2 ** (octave + 1)
            rng = np.random.default_rng((*self.key, octave))
            ky, kx = np.arange(1 - high, high)[:, None], np.arange(high)[None]
            real, imaginary, rate = rng.standard_normal(
                (3, *np.broadcast_shapes(ky.shape, kx.shape))
            )
            k = np.hypot(ky, kx)
            ring = np.maximum(abs(ky), kx) >= low
            amplitude = ring * (k**2 + self.scale**2) ** -1.0
            if octave < 5:  # the same at every resolution
                variance += 2 * (amplitude**2).sum()
            drift = self.pace * (np.cos(self.wind) * kx + np.sin(self.wind) * ky)
            spectrum[ky, kx] += amplitude * (real + 1j * imaginary) / np.sqrt(2)
            turn[ky, kx] += ring * (0.02 * rate * np.sqrt(k) - 2 * np.pi * drift)
        spectrum *= size**2 / np.sqrt(variance)
        time = np.arange(frames, dtype=np.float32)[:, None, None]
        waves = spectrum * np.exp(1j * (speed * turn * time))
        return np.fft.irfft2(waves, (size, size)).astype(np.float32)


def _axes(side: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the pixel centres, `[side, side]` in [0, 1]."""
    centres = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(centres, centres)
    return x, y


def _plane(x: ArrayLike, y: ArrayLike, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Where lines of sight meet the plane of the clouds, in periods of their pattern.

    The horizon is a little closer than infinity, which keeps the farthest clouds visible.
    """
    middle = horizon  # there, where y is 0.35, depth is 1
    depth = middle / np.maximum(horizon + 0.35 - y, 0.2)
    return (x - 0.5) * depth / _PERIOD, middle * depth / _PERIOD


def _below(top: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fraction of each pixel below a line, `[side, side]`."""
    return np.clip((y - top) * len(y) + 0.5, 0, 1)


def _sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a periodic texture, `[T, N, N]`, at points `[H, W]`."""
    size = texture.shape[1]
    row, column = np.floor(v * size), np.floor(u * size)
    down, right = v * size - row, u * size - column
    row, column = row.astype(np.intp) % size, column.astype(np.intp) % size
    flat = texture.reshape(len(texture), -1)
    result = np.zeros((len(texture), *u.shape), np.float32)
    for i, weight_i in ((0, 1 - down), (1, down)):
        for j, weight_j in ((0, 1 - right), (1, right)):
            index = (row + i) % size * size + (column + j) % size
            result += np.take(flat, index, axis=1) * (weight_i * weight_j).astype(np.float32)
    return result


def _colour(rgb: tuple[float, float, float]) -> np.ndarray:
    return np.array(rgb, np.float32)
