"""Layers of cloud that drift and slowly change shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ssagan_tf.skies.camera import Camera, View
from ssagan_tf.skies.randomness import RandomStream

_WIND_SPREAD = 0.25  # standard deviation of the wind's angle from the right, in radians
_LAYER_SPREAD = 0.2  # of each layer's angle from the wind's
_PACE = 0.0105  # median velocity in the sky, in widths of the picture per frame
_PACE_SPREAD = 0.12  # of its logarithm
_PERIOD = 1.8  # of the texture, in widths of the picture in the middle of the sky
_PROBES = 24  # side of the grid on which that is measured
_LEVELS = 4  # of the texture's pyramid
_SHARPER = 0.4  # levels by which sampling is finer than without any aliasing


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of cloud, whose pattern is a random field of variance 1.

    Attributes:
      kind: Kind of cloud.
      key: Key of the random stream for the pattern.
      wall: Whether it is upright and far away, as towers are, instead of overhead.
      size: Periods of the texture per unit of the layer's coordinates.
      velocity: Periods per frame to the right and forward (for a wall, down).
      change: Rate at which shapes change, in radians per frame.
      waves: Number of the largest features per period.
      ripples: Number of ripples per period; 0: none.
      fall: Exponent by which finer features get weaker.
      stretch: Ratio of length to width of streaks.
      along: Direction of the streaks in radians.
      swirl: Displacement of the pattern by warping, in periods.
      cover: Added to the field; there is cloud where the sum is positive.
      firmness: Firmness of the edges.
      opacity: Opacity where it is thickest.
      bulge: Height of clouds over their width, which hides that the layer is flat.
      top: For a wall, the tangent of the elevation that most of it reaches.
      relief: Strength of light and shade.
      brightness: Brightness of the lit side; 1 is white.
    """

    kind: str
    key: tuple[int, ...]
    wall: bool
    size: float
    velocity: tuple[float, float]
    change: float
    waves: float
    ripples: float
    fall: float
    stretch: float
    along: float
    swirl: float
    cover: float
    firmness: float
    opacity: float
    bulge: float
    top: float
    relief: float
    brightness: float

    def coordinates(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Returns the position in the pattern of each pixel at frame 0, in periods."""
        across, away = (view.azimuth, -view.rise) if self.wall else view.plane(self.bulge)
        return self.size * across, self.size * away

    def slopes(self, view: View, camera: Camera) -> np.ndarray:
        """Returns the derivatives of `coordinates` by x and y, `[2, 2, H, W]`."""
        step = 1e-4
        right = self.coordinates(View(camera, view.x + step, view.y))
        left = self.coordinates(View(camera, view.x - step, view.y))
        below = self.coordinates(View(camera, view.x, view.y + step))
        above = self.coordinates(View(camera, view.x, view.y - step))
        by_x = [(b - a) / (2 * step) for a, b in zip(left, right, strict=True)]
        by_y = [(b - a) / (2 * step) for a, b in zip(above, below, strict=True)]
        return np.array([[by_x[0], by_y[0]], [by_x[1], by_y[1]]])

    def velocities(self, view: View, camera: Camera) -> np.ndarray:
        """Returns velocities in the picture, in widths and heights per frame: `[H, W, 2]`.

        The pattern is a function of coordinates(x, y) − velocity · t, so it moves by the inverse
        of `slopes` times the velocity.
        """
        (a, b), (c, d) = self.slopes(view, camera)
        determinant = a * d - b * c
        determinant = np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
        u, v = self.velocity
        return np.stack([(d * u - b * v) / determinant, (a * v - c * u) / determinant], axis=-1)


# Ranges of the parameters of each kind.
_KINDS: dict[str, dict[str, Any]] = {
    "cumulus": {
        "waves": (1.0, 4.0), "fall": (1.55, 2.1), "cover": (-0.9, 0.3), "firmness": (1.4, 2.8),
        "relief": (0.6, 1.1), "brightness": (0.92, 1.0), "bulge": (0.15, 0.5),
    },
    "stratocumulus": {
        "waves": (0.8, 3.5), "fall": (1.65, 2.2), "cover": (0.1, 1.1), "firmness": (0.7, 1.5),
        "relief": (0.4, 0.9), "brightness": (0.8, 1.0), "bulge": (0.15, 0.5),
    },
    "stratus": {
        "waves": (0.7, 2.2), "fall": (1.8, 2.4), "stretch": (1.0, 2.5), "cover": (1.2, 2.2),
        "firmness": (0.7, 1.2), "relief": (0.25, 0.6), "brightness": (0.65, 0.95),
        "bulge": (0.1, 0.4),
    },
    "altocumulus": {
        "waves": (1.0, 2.0), "ripples": (6.0, 13.0), "fall": (1.8, 2.2), "stretch": (1.0, 2.0),
        "swirl": (0.0, 0.015), "cover": (-0.5, 0.5), "firmness": (0.9, 1.7),
        "opacity": (0.7, 1.0), "relief": (0.3, 0.7), "brightness": (0.92, 1.0),
        "bulge": (0.1, 0.3), "pace": (0.75, 0.95),
    },
    "cirrus": {
        "waves": (1.5, 3.0), "fall": (1.45, 1.75), "stretch": (3.0, 8.0), "swirl": (0.005, 0.02),
        "cover": (-0.4, 0.6), "firmness": (0.45, 0.9), "opacity": (0.4, 0.85),
        "relief": (0.1, 0.4), "brightness": (0.95, 1.0), "bulge": (0.1, 0.3), "pace": (0.65, 0.9),
    },
    "veil": {
        "waves": (1.0, 2.0), "fall": (1.8, 2.3), "cover": (0.0, 0.9), "firmness": (0.3, 0.6),
        "opacity": (0.3, 0.7), "relief": (0.1, 0.3), "brightness": (0.9, 1.0),
        "bulge": (0.1, 0.3), "pace": (0.65, 0.9),
    },
    "towers": {
        "waves": (2.0, 4.0), "fall": (1.65, 2.0), "cover": (0.5, 1.3), "firmness": (1.8, 3.4),
        "relief": (0.8, 1.3), "brightness": (0.95, 1.0), "bulge": (0.0, 0.0), "pace": (0.5, 0.8),
    },
}  # fmt: skip
_DEFAULTS = {
    "ripples": (0.0, 0.0), "stretch": (1.0, 1.4), "swirl": (0.0, 0.0), "opacity": (0.95, 1.0),
    "pace": (0.9, 1.1), "change": (0.004, 0.018),
}  # fmt: skip

# Layers of a sky, from the farthest to the nearest, and their probability.
_SKIES: dict[str, float] = {
    "cumulus": 0.16,
    "veil cumulus": 0.07,
    "cirrus cumulus": 0.10,
    "altocumulus": 0.09,
    "cirrus": 0.06,
    "cirrus altocumulus": 0.05,
    "stratocumulus": 0.13,
    "altocumulus stratocumulus": 0.05,
    "stratus": 0.05,
    "stratus stratocumulus": 0.08,
    "stratus cumulus": 0.04,
    "towers": 0.03,
    "cirrus towers": 0.03,
    "towers cumulus": 0.04,
    "veil": 0.02,
}


def sample_layers(rng: RandomStream, camera: Camera, overcast: float) -> tuple[Layer, ...]:
    """Samples cloud layers with a wind to the right, from the farthest to the nearest.

    Args:
      rng: Random stream.
      camera: Camera of the clip; velocities are scaled to its picture.
      overcast: From 0, a clear day, to 1, a grey one.
    """
    weights = {
        kinds: weight * (1 if overcast < 0.4 else 3.0 * ("strat" in kinds) + 0.15)
        for kinds, weight in _SKIES.items()
    }
    kinds = rng.choice(weights).split()
    angle = rng.normal(0, _WIND_SPREAD)
    pace = _PACE * np.exp(rng.normal(0, _PACE_SPREAD))
    layers = []
    for number, kind in enumerate(kinds):
        part = rng.part(number)
        own = part.normal(angle, _LAYER_SPREAD)
        layers.append(_sample_layer(part, kind, camera, own, pace, 0.5 * overcast))
    return tuple(layers)


def _sample_layer(
    rng: RandomStream, kind: str, camera: Camera, angle: float, pace: float, cover: float
) -> Layer:
    ranges: Mapping[str, Any] = _DEFAULTS | _KINDS[kind]
    drawn = {name: rng.uniform(*between) for name, between in sorted(ranges.items())}
    along, top = rng.uniform(0, np.pi), rng.uniform(0.15, 0.7)
    wall = kind == "towers"
    key = tuple(int(rng.uniform(0, 2**31)) for _ in range(2))
    own_pace = pace * drawn.pop("pace")
    drawn["cover"] += cover
    layer = Layer(kind, key, wall, 1.0, (1.0, 0.0), along=along, top=top, **drawn)
    # Scale and velocity are such that they look the same with every camera.
    view = View.of_square(camera, _PROBES)
    seen = view.up > 0
    (a, b), (c, d) = layer.slopes(view, camera)[..., seen]
    size = 1 / (_PERIOD * float(np.median(np.sqrt(np.abs(a * d - b * c)))))
    layer = dataclasses.replace(layer, size=size)
    heading = (float(np.cos(angle)), 0.15 * float(np.sin(angle)) if wall else float(np.sin(angle)))
    layer = dataclasses.replace(layer, velocity=heading)
    speeds = np.hypot(*np.moveaxis(layer.velocities(view, camera)[seen], -1, 0))
    drift = own_pace / float(np.median(speeds))
    return dataclasses.replace(layer, velocity=(heading[0] * drift, heading[1] * drift))


class LayerRenderer:
    """A layer in the view of a picture.

    Args:
      layer: The layer.
      view: View of the picture.
      camera: Camera of the picture.
      sunward: Horizontal unit vector towards the sun.
      seen: `[H, W]` bool: where clouds are not hidden by land. Elsewhere none are drawn.
    """

    def __init__(
        self,
        layer: Layer,
        view: View,
        camera: Camera,
        sunward: tuple[float, float],
        seen: np.ndarray,
    ):
        self._layer, self._seen = layer, seen
        side = len(view.x)
        self._u, self._v = (each[seen] for each in layer.coordinates(view))
        light = (0.4 * sunward[0], -0.9) if layer.wall else sunward
        self._textures = [list(_pyramid(each)) for each in _textures(layer, 2 * side, light)]
        (a, b), (c, d) = layer.slopes(view, camera)[..., seen] / side
        # Texels per pixel, between the mean and the maximum over directions.
        texels = 2 * side * np.abs(a * d - b * c) ** 0.35
        texels = texels * (a * a + b * b + c * c + d * d) ** 0.15
        level = np.clip(np.log2(np.maximum(texels, 1e-9)) - _SHARPER, 0, _LEVELS - 1)
        self._weights = [
            (np.nonzero(weight)[0], weight[weight > 0])
            for weight in (np.clip(1 - np.abs(level - n), 0, None) for n in range(_LEVELS))
        ]
        self._cover = layer.cover
        if layer.wall:
            self._cover = layer.cover - 2.2 * (view.rise[seen] / layer.top) ** 1.5
        elif layer.kind == "cumulus":
            # Towards the horizon, clouds are seen from the side, and hide the gaps.
            self._cover = layer.cover + 0.35 * np.exp(-view.elevation[seen] / 0.2)

    def draw(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns opacity in [0, 1] and brightness, about in [0, 1], of a frame: `[H, W]` each."""
        layer = self._layer
        found = self._field(frame)
        field, slope = found.real, found.imag
        thickness = np.maximum(field + self._cover, 0)
        opacity = layer.opacity * (1 - np.exp(-((layer.firmness * thickness) ** 1.5)))
        brightness = 0.82 - 0.25 * thickness + layer.relief * slope
        found = np.zeros((2, *self._seen.shape))
        found[:, self._seen] = opacity, layer.brightness * _soft_clip(brightness)
        return found[0], found[1]

    def _field(self, frame: int) -> np.ndarray:
        """The random field and its slope (see `_textures`), where it is visible."""
        turn, (u, v) = self._layer.change * frame, self._layer.velocity
        across, away = self._u - u * frame, self._v - v * frame
        found = np.zeros(len(across), np.complex128)
        for (here, weight), a, b in zip(self._weights, *self._textures, strict=True):
            if len(here):
                texture = np.cos(turn) * a + np.sin(turn) * b
                found[here] += weight * _bilinear(texture, across[here], away[here])
        return found


def _soft_clip(x: np.ndarray) -> np.ndarray:
    """Clips softly about 0.5, to -0.16 to 1.16."""
    return 0.5 + 0.5 * np.tanh(2.0 * (x - 0.5)) / np.tanh(1.0) * (1 - 1e-9)


def _textures(layer: Layer, size: int, sunward: tuple[float, float]) -> list[np.ndarray]:
    """Two fields over one period, `[size, size]` complex; the pattern changes between them.

    The real part is the field, the imaginary one its slope: the difference from the field a little
    closer to the sun.
    """
    made = []
    for number in range(2):
        spectrum, k = _spectrum(layer, number, size)
        phase = 2 * np.pi * (k[1] * sunward[0] + k[0] * sunward[1]) * 0.022
        both = np.stack([spectrum, spectrum * (1 - np.exp(1j * phase))])
        real, imaginary = np.fft.irfft2(both, (size, size))
        field = real + 1j * imaginary
        if layer.swirl:
            field = _warped(field, layer, number)
        made.append(field)
    return made


def _spectrum(layer: Layer, number: int, size: int) -> tuple[np.ndarray, tuple[Any, Any]]:
    """Spectrum of a field of variance 1, and its frequencies.

    Each octave has its own random stream, so that a finer texture only adds detail.
    """
    spectrum = np.zeros((size, size // 2 + 1), np.complex128)
    variance = 0.0
    cos, sin = np.cos(layer.along), np.sin(layer.along)
    for octave in range(size.bit_length() - 2):
        low, high = 2**octave, 2 ** (octave + 1)
        ky, kx = np.arange(1 - high, high)[:, None], np.arange(high)[None]
        shape = np.broadcast_shapes(ky.shape, kx.shape)
        real, imaginary = RandomStream(*layer.key, number, octave).normal(size=(2, *shape))
        ring = np.maximum(abs(ky), kx) >= low
        # Streaks: waves along them are long.
        k = np.hypot(layer.stretch * (cos * kx + sin * ky), cos * ky - sin * kx)
        k = k / np.sqrt(layer.stretch)
        amplitude = (k**2 + layer.waves**2) ** (-0.5 * layer.fall)
        if layer.ripples:
            scale = layer.waves**-layer.fall
            across = np.exp(-(((k - layer.ripples) / (0.25 * layer.ripples)) ** 2))
            amplitude = 0.8 * amplitude + 0.22 * scale * across * layer.waves / layer.ripples
        amplitude = amplitude * ring
        if octave < 5:  # the same at every resolution
            variance += 2 * (amplitude**2).sum()
        spectrum[ky, kx] += amplitude * (real + 1j * imaginary) / np.sqrt(2)
    spectrum *= size**2 / np.sqrt(variance)
    frequencies = np.fft.fftfreq(size, 1 / size)[:, None], np.fft.rfftfreq(size, 1 / size)[None]
    return spectrum, frequencies


def _warped(field: np.ndarray, layer: Layer, number: int) -> np.ndarray:
    """The field, warped by two smooth fields: wisps instead of lumps."""
    size = len(field)
    centres = np.arange(size) / size
    u, v = np.meshgrid(centres, centres)
    rng = RandomStream(*layer.key, number, 99)
    shift = np.zeros((2, size, size))
    for _ in range(6):
        k = np.rint(rng.uniform(-3.49, 3.49, 2))
        phases = rng.uniform(0, 2 * np.pi, 2)
        wave = 2 * np.pi * (k[0] * u + k[1] * v)
        shift += np.sin(wave + phases[:, None, None]) / np.sqrt(3)
    u, v = u + layer.swirl * shift[0], v + layer.swirl * shift[1]
    return _bilinear(field, u.ravel(), v.ravel()).reshape(field.shape)


def _pyramid(texture: np.ndarray) -> Iterator[np.ndarray]:
    """The texture, and its averages over 2×2, 4×4, ... texels, with the same origin."""
    for level in range(_LEVELS):
        if level:
            # The filter (1, 2, 1)/4 in both directions keeps texel (0, 0) in place.
            texture = 0.5 * texture + 0.25 * (np.roll(texture, 1, 0) + np.roll(texture, -1, 0))
            texture = texture[::2]
            texture = 0.5 * texture + 0.25 * (np.roll(texture, 1, 1) + np.roll(texture, -1, 1))
            texture = texture[:, ::2]
        yield texture


def _bilinear(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Samples a periodic texture `[N, N]` at points (u, v) in periods: `[P]`."""
    size = len(texture)
    u, v = u * size, v * size
    left, top = np.floor(u), np.floor(v)
    right, down = u - left, v - top
    column, row = left.astype(np.int64) % size, top.astype(np.int64) % size
    beside, below = (column + 1) % size, (row + 1) % size * size
    row *= size
    flat = texture.ravel()
    upper, lower = np.take(flat, row + column), np.take(flat, below + column)
    upper += (np.take(flat, row + beside) - upper) * right
    lower += (np.take(flat, below + beside) - lower) * right
    return upper + (lower - upper) * down
