"""Antialiased shapes of one colour, by the fraction of each pixel that they cover.

Coordinates are those of a `Canvas`: 1 is the width or height of the picture.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right

import numpy as np

from ssagan_tf.skies.camera import Camera, View, axes
from ssagan_tf.skies.lighting import Colour


class Canvas:
    """A picture to paint shapes on, one over the other.

    Args:
      x: x of the pixels, `[H, W]`; increases with the column.
      y: y of the pixels, downwards. Where water reflects, it decreases again below the horizon.
      pixel: Side of a pixel.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, pixel: float):
        self.x, self.y, self.pixel = x, y, pixel
        self._colour = np.zeros((*x.shape, 3))  # times the coverage
        self._coverage = np.zeros(x.shape)
        self._left = np.minimum.accumulate(x.min(0)[::-1])[::-1].tolist()
        self._right = np.maximum.accumulate(x.max(0)).tolist()
        self._top = np.minimum.accumulate(y.min(1)[::-1])[::-1].tolist()
        self._bottom = np.maximum.accumulate(y.max(1)).tolist()
        self._mirrored = np.maximum.accumulate(y.max(1)[::-1]).tolist()

    @classmethod
    def of_directions(cls, view: View, camera: Camera) -> Canvas:
        """For distant things: x increases with the azimuth, -y with the rise above the horizon."""
        across, down = camera.focal
        return cls(0.5 + across * view.azimuth, -down * view.rise, down * view.pixel)

    @classmethod
    def of_picture(cls, camera: Camera, side: int) -> Canvas:
        """For nearby things: x and y of the picture, rotated so that the horizon is level."""
        x, y = axes(side)
        cos, sin = np.cos(camera.roll), np.sin(camera.roll)
        aspect = camera.focal[1] / camera.focal[0]
        turned = 0.5 + cos * (x - 0.5) + sin * (0.5 - y) / aspect
        return cls(turned, 0.5 - cos * (0.5 - y) + sin * (x - 0.5) * aspect, 1 / side)

    def window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        """Returns the rows and columns of all pixels that a rectangle touches."""
        margin = self.pixel
        first = bisect_left(self._bottom, top - margin)
        last = min(
            bisect_right(self._top, bottom + margin),
            len(self._top) - bisect_left(self._mirrored, top - margin),
        )
        start = bisect_left(self._right, left - margin)
        return slice(first, max(first, last)), slice(
            start, max(start, bisect_right(self._left, right + margin))
        )

    def paint(
        self, window: tuple[slice, slice], colour: np.ndarray | Colour, share: np.ndarray
    ) -> None:
        """Covers this fraction of each pixel in the window."""
        share3, rest = share[..., None], 1 - share
        part = self._colour[window]
        part *= rest[..., None]
        part += share3 * np.asarray(colour)
        part = self._coverage[window]
        part *= rest
        part += share

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns colour `[H, W, 3]` and coverage `[H, W]`, in [0, 1]."""
        coverage = np.clip(self._coverage, 0, 1)
        return np.clip(self._colour / np.maximum(coverage, 1e-9)[..., None], 0, 1), coverage


def inner(inside: np.ndarray, pixel: np.ndarray | float) -> np.ndarray:
    """Returns the fraction of pixels inside an edge, from their signed distance to it."""
    return np.minimum(np.maximum(inside / pixel + 0.5, 0), 1)


def between(t: np.ndarray, low: float, high: float, pixel: float) -> np.ndarray:
    """Returns the fraction of pixels between two parallel edges."""
    return inner(t - low, pixel) - inner(t - high, pixel)


def pulses(t: np.ndarray, width: float, pixel: np.ndarray | float) -> np.ndarray:
    """Returns the fraction of pixels in the intervals n + 0.5 ± width / 2 for all integers n."""

    def integral(t: np.ndarray) -> np.ndarray:
        whole = np.floor(t)
        return whole * width + np.clip(t - whole - 0.5 + width / 2, 0, width)

    return (integral(t + pixel / 2) - integral(t - pixel / 2)) / pixel


@dataclasses.dataclass(frozen=True)
class Box:
    """An upright rectangle."""

    left: float
    top: float
    right: float
    bottom: float
    colour: Colour

    def paint(self, canvas: Canvas) -> None:
        window = canvas.window(self.left, self.top, self.right, self.bottom)
        share = between(canvas.x[window], self.left, self.right, canvas.pixel)
        share *= between(canvas.y[window], self.top, self.bottom, canvas.pixel)
        canvas.paint(window, self.colour, share)


@dataclasses.dataclass(frozen=True)
class Ellipse:
    """An ellipse with vertical and horizontal axes."""

    x: float
    y: float
    across: float  # half the width
    down: float
    colour: Colour

    def paint(self, canvas: Canvas) -> None:
        window = canvas.window(
            self.x - self.across, self.y - self.down, self.x + self.across, self.y + self.down
        )
        u, v = (canvas.x[window] - self.x) / self.across, (canvas.y[window] - self.y) / self.down
        far = np.hypot(u, v)
        slope = np.hypot(u / self.across, v / self.down) / np.maximum(far, 1e-9)
        slope = np.maximum(slope, min(1 / self.across, 1 / self.down))
        area = np.pi * self.across * self.down / canvas.pixel**2
        canvas.paint(window, self.colour, np.minimum(inner((1 - far) / slope, canvas.pixel), area))


@dataclasses.dataclass(frozen=True)
class Polygon:
    """A convex polygon."""

    points: tuple[tuple[float, float], ...]
    colour: Colour

    def paint(self, canvas: Canvas) -> None:
        x, y = zip(*self.points, strict=True)
        window = canvas.window(min(x), min(y), max(x), max(y))
        px, py = canvas.x[window], canvas.y[window]
        share = np.ones(px.shape)
        ends = [*self.points[1:], self.points[0]]
        area = sum(a * d - c * b for (a, b), (c, d) in zip(self.points, ends, strict=True)) / 2
        sign = 1.0 if area > 0 else -1.0
        for (a, b), (c, d) in zip(self.points, ends, strict=True):
            length = sign * float(np.hypot(c - a, d - b))
            share *= inner(((px - a) * (b - d) + (py - b) * (c - a)) / length, canvas.pixel)
        # The product is too large for thin polygons and pointed ends.
        share = np.minimum(share, between(px, min(x), max(x), canvas.pixel))
        share = np.minimum(share, between(py, min(y), max(y), canvas.pixel))
        canvas.paint(window, self.colour, np.minimum(share, abs(area) / canvas.pixel**2))


@dataclasses.dataclass(frozen=True)
class Lines:
    """Straight lines with round ends: (x, y) of both ends, and the width at both."""

    lines: tuple[tuple[float, float, float, float, float, float], ...]
    colour: Colour

    def paint(self, canvas: Canvas) -> None:
        if not self.lines:
            return
        x0, y0, x1, y1, w0, w1 = np.array(self.lines).T
        half = max(w0.max(), w1.max()) / 2
        window = canvas.window(
            min(x0.min(), x1.min()) - half,
            min(y0.min(), y1.min()) - half,
            max(x0.max(), x1.max()) + half,
            max(y0.max(), y1.max()) + half,
        )
        free = np.ones(canvas.x.shape)
        for line in self.lines:
            _subtract_line(free, canvas, *line)
        canvas.paint(window, self.colour, 1 - free[window])


def _subtract_line(
    free: np.ndarray,
    canvas: Canvas,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    w0: float,
    w1: float,
) -> None:
    """Reduces the free fraction of pixels on a line."""
    pixel, half = canvas.pixel, max(w0, w1) / 2
    window = canvas.window(
        min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half
    )
    along, down = x1 - x0, y1 - y0
    x, y = canvas.x[window] - x0, canvas.y[window] - y0
    t = np.minimum(np.maximum((x * along + y * down) / (along**2 + down**2 + 1e-12), 0), 1)
    width = w0 + t * (w1 - w0)
    far = np.sqrt((x - t * along) ** 2 + (y - t * down) ** 2)
    share = np.minimum(((width + pixel) / 2 - far) / pixel, np.minimum(width / pixel, 1))
    free[window] *= 1 - np.maximum(share, 0)


def curve(
    points: tuple[tuple[float, float], ...], start: float, end: float
) -> tuple[tuple[float, float, float, float, float, float], ...]:
    """Returns lines from point to point, whose width changes from `start` to `end`."""
    number = len(points) - 1
    return tuple(
        (*points[i], *points[i + 1], start + (end - start) * i / number,
         start + (end - start) * (i + 1) / number)
        for i in range(number)
    )  # fmt: skip
