"""Outlines of hills, mountains and rows of trees against the sky."""

from __future__ import annotations

import dataclasses

import numpy as np

from ssagan_tf.skies.noise import lookup, noise
from ssagan_tf.skies.shapes import Canvas, inner

_GRID = np.linspace(-0.6, 1.6, 1536)  # x of the tables


@dataclasses.dataclass(frozen=True)
class Outline:
    """An edge: y as a function of x.

    Attributes:
      level: The y of its lowest parts; it falls below this at its ends.
      height: Height of its highest parts above the level.
      length: Length of its largest features.
      offset: Position in the noise.
      sharp: From 0, round hills, to 1, peaks.
      rough: Amplitude of features relative to those twice as large.
      tilt: Height of the right border above the left.
      centre, spread: Where it is highest, and the distance from there to its ends.
      tooth: Width of the trees on it; 0: none.
      tall: Their height.
      pointed: From 0, round crowns, to 1, firs.
      dense: Fraction of it with trees.
    """

    level: float
    height: float
    length: float
    offset: float
    sharp: float = 0.0
    rough: float = 0.45
    tilt: float = 0.0
    centre: float = 0.5
    spread: float = 100.0
    tooth: float = 0.0
    tall: float = 0.0
    pointed: float = 0.0
    dense: float = 1.0

    @property
    def top(self) -> float:
        """A y above all of it."""
        return self.level - 1.3 * self.height - 1.2 * abs(self.tilt) - 1.6 * self.tall

    def table(self, x: np.ndarray) -> np.ndarray:
        """Returns y at each x."""
        total, amplitude, norm = 0.0, 1.0, 0.0
        for octave in range(7):
            value = noise(x / self.length * 2.0**octave + 17.3 * octave, self.offset)
            peaked = 1 - 2 * np.abs(value)
            total = total + amplitude * (value + self.sharp * (peaked - value))
            norm += amplitude
            amplitude *= self.rough
        shape = np.clip(0.5 + 0.8 * total / norm, 0, 1.3)
        past = ((x - self.centre) / self.spread) ** 2 - 1
        shape = shape * np.clip(-past, 0, 1)
        tilted = self.tilt * (x - 0.5) + 0.55 * abs(self.tilt)
        y = self.level - self.height * shape - tilted + 0.1 * np.clip(past, 0, 1)
        return y - self._trees(x) if self.tooth else y

    def _trees(self, x: np.ndarray) -> np.ndarray:
        height = np.zeros(x.shape)
        for row in range(2):
            tree = x / self.tooth + 0.5 * row + 0.9 * noise(x / self.tooth / 2, self.offset + row)
            inside = np.abs(tree - np.floor(tree) - 0.5) * 2
            crown = np.sqrt(np.maximum(1 - inside**2, 0))
            fir = 1 - inside
            size = 0.62 + 0.38 * lookup(tree, np.full(x.shape, np.floor(self.offset) + 5 + row))
            height = np.maximum(height, size * (crown + self.pointed * (fir - crown)))
        ragged, scale = 0.0, 1.0
        for octave in range(3):
            ragged = ragged + noise(2.7 * 2**octave * x / self.tooth, self.offset + 3.5) * scale
            scale *= 0.7
        height = height * (1 + 0.28 * ragged)
        groups = noise(x / self.tooth / 6, self.offset + 9.5) + 2 * self.dense - 1
        return self.tall * height * np.clip(0.5 + 3 * groups, 0, 1)

    def below(self, canvas: Canvas, window: tuple[slice, slice]) -> np.ndarray:
        """Returns the fraction of the pixels below it."""
        step = float(_GRID[1] - _GRID[0])
        y = self.table(_GRID)
        # Mean and variance of y within a pixel; the variance softens steep edges.
        reach = np.array([-0.5, 0.5])[:, None] * max(canvas.pixel, step)
        sums = np.cumsum([y, y * y], 1) * step
        low, high = _GRID + step / 2 + reach
        mean, square = (
            (np.interp(high, _GRID + step / 2, s) - np.interp(low, _GRID + step / 2, s))
            / (reach[1] - reach[0])
            for s in sums
        )
        wide = np.sqrt(canvas.pixel**2 + 12 * np.maximum(square - mean**2, 0))
        position = (canvas.x[window] - _GRID[0]) / step
        left = np.clip(position, 0, len(_GRID) - 2).astype(np.int64)
        rest = np.clip(position - left, 0, 1)
        edge = mean[left] + rest * (mean[left + 1] - mean[left])
        soft = wide[left] + rest * (wide[left + 1] - wide[left])
        return inner(canvas.y[window] - edge, soft)
