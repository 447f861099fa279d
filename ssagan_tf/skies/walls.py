"""Walls with windows, some of which are lit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ssagan_tf.skies.lighting import Colour, mix
from ssagan_tf.skies.noise import lookup
from ssagan_tf.skies.shapes import Canvas, between, inner, pulses


@dataclasses.dataclass(frozen=True)
class Windows:
    """The windows of a wall.

    Attributes:
      glass, lamp: Colours of dark and lit ones.
      across, down: Fraction of the wall's width and height that they take.
      lit: Fraction of them that are lit.
      offset: Position in the noise.
    """

    glass: Colour
    lamp: Colour
    across: float
    down: float
    lit: float
    offset: float

    def colour(
        self, wall: np.ndarray, u: np.ndarray, v: np.ndarray, footprint: tuple[Any, Any]
    ) -> np.ndarray:
        """Returns the colour of a wall with a window in each cell of (u, v)."""
        share = pulses(u, self.across, footprint[0]) * pulses(v, self.down, footprint[1])
        chance = 0.5 + 0.5 * lookup(u + self.offset, v + self.offset)
        # A soft step, as the brightness of windows differs.
        lit = np.clip((self.lit - chance) * 6 + 0.5, 0, 1) * (
            0.55 + 0.45 * chance / max(self.lit, 0.05)
        )
        coarse = np.clip(0.5 * np.maximum(*footprint) - 0.4, 0, 1)
        lit = lit + (self.lit * 0.8 - lit) * coarse
        glass = mix(np.array(self.glass), np.array(self.lamp), lit[..., None])
        return mix(wall, glass, share[..., None])


@dataclasses.dataclass(frozen=True)
class Facade:
    """A rectangular wall with rows of windows."""

    left: float
    top: float
    right: float
    bottom: float
    wall: Colour
    shade: float  # how much darker its right side is
    columns: float
    rows: float
    windows: Windows

    def paint(self, canvas: Canvas) -> None:
        window = canvas.window(self.left, self.top, self.right, self.bottom)
        x, y = canvas.x[window], canvas.y[window]
        share = between(x, self.left, self.right, canvas.pixel)
        share *= between(y, self.top, self.bottom, canvas.pixel)
        across, down = self.right - self.left, self.bottom - self.top
        wall = (
            np.array(self.wall)
            * (1 - self.shade * np.clip((x - self.left) / across, 0, 1))[..., None]
        )
        cells = self.columns / across, self.rows / down
        colour = self.windows.colour(
            wall,
            (x - self.left) * cells[0],
            (y - self.top) * cells[1],
            (canvas.pixel * cells[0], canvas.pixel * cells[1]),
        )
        canvas.paint(window, colour, share)


@dataclasses.dataclass(frozen=True)
class StreetFront:
    """A row of houses along a street away from the camera.

    Attributes:
      vanishing: Vanishing point of its horizontal lines.
      near, end: x at which it begins (outside the picture) and ends.
      top, foot: Extent up and down at unit distance from the vanishing point.
      walls: Colour of each house.
      heights: Height of each house relative to `top`.
      columns: Number of windows per unit of the logarithm of the distance.
      rows: Number of storeys.
      windows: Windows of all houses.
    """

    vanishing: tuple[float, float]
    near: float
    end: float
    top: float
    foot: float
    walls: tuple[Colour, ...]
    heights: tuple[float, ...]
    columns: float
    rows: float
    windows: Windows

    def paint(self, canvas: Canvas) -> None:
        (vx, vy), side = self.vanishing, 1.0 if self.near > self.vanishing[0] else -1.0
        left, right = min(self.near, self.end), max(self.near, self.end)
        reach = abs(self.near - vx)
        window = canvas.window(left, vy - self.top * reach, right, vy + self.foot * reach)
        x, y = canvas.x[window], canvas.y[window]
        far = np.maximum((x - vx) * side, 1e-3)
        u = -np.log(far)  # houses are narrower far away, though not in true perspective
        house = np.clip((u + np.log(reach)) * 1.6, 0, len(self.walls) - 1e-6)
        index = np.floor(house).astype(np.int64)
        top = self.top * np.array(self.heights)[index]
        up = (vy - y) / far
        share = between(x, left, right, canvas.pixel)
        share *= inner((top - up) * far / np.sqrt(1 + top**2), canvas.pixel)
        share *= inner((up + self.foot) * far / np.sqrt(1 + self.foot**2), canvas.pixel)
        wall = np.array(self.walls)[index]
        v = (top - up) / self.top * self.rows
        footprint = canvas.pixel / far * self.columns, canvas.pixel / far * self.rows / self.top
        colour = self.windows.colour(wall, u * self.columns, v, footprint)
        canvas.paint(window, colour, share)
