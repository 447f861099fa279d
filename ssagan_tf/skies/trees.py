"""Trees with leaves, bare trees, firs and palms."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ssagan_tf.skies.lighting import Colour, mix
from ssagan_tf.skies.noise import fractal
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Canvas, Lines, curve, inner
from ssagan_tf.skies.site import LEAVES, WOOD, Site, pick

TREES = {"leafy": 0.4, "bare": 0.22, "fir": 0.25, "palm": 0.13}


@dataclasses.dataclass(frozen=True)
class Crown:
    """Leaves (or rocks) in some ellipses with a ragged edge.

    Attributes:
      lobes: The ellipses (x, y, half width, half height).
      dark, bright: Colours of leaves below and above.
      rough: Amplitude of the edge, in heights of the picture.
      clump: Size of the largest clumps of leaves.
      aspect: Width over height of the picture.
      offset: Position in the noise.
      foot: The y of the ground or water, which cuts it off.
    """

    lobes: tuple[tuple[float, float, float, float], ...]
    dark: Colour
    bright: Colour
    rough: float
    clump: float
    aspect: float
    offset: float
    foot: float = 9.0

    def paint(self, canvas: Canvas) -> None:
        x, y, across, down = np.array(self.lobes).T
        far = 1 + 3.3 * self.rough / down
        window = canvas.window(
            (x - across * far).min(), (y - down * far).min(),
            (x + across * far).max(), (y + down * far).max(),
        )  # fmt: skip
        px, py = canvas.x[window], canvas.y[window]
        inside, up = np.full(px.shape, -9.0), np.zeros(px.shape)
        for cx, cy, rx, ry in self.lobes:
            u, v = (px - cx) / rx, (py - cy) / ry
            lobe = (1 - np.sqrt(u * u + v * v)) * ry
            up = np.where(lobe > inside, -v, up)  # affects the brightness only
            inside = np.maximum(inside, lobe)
        noise, lost = fractal(
            px * self.aspect / self.clump + self.offset,
            py / self.clump,
            5,
            canvas.pixel * max(1.0, self.aspect) / self.clump,
            0.75,
        )
        soft = np.hypot(canvas.pixel, self.rough * lost)
        share = np.clip((inside + self.rough * noise) / soft + 0.5, 0, 1)
        share *= inner(self.foot - py, canvas.pixel)
        bright = np.clip(0.45 + 0.35 * up + 0.4 * noise, 0, 1)[..., None]
        canvas.paint(window, mix(np.array(self.dark), np.array(self.bright), bright), share)


@dataclasses.dataclass(frozen=True)
class Fir:
    """A conifer from its foot to its tip, in any direction."""

    foot: tuple[float, float]
    tip: tuple[float, float]
    width: float
    tiers: float
    dark: Colour
    bright: Colour
    aspect: float
    offset: float

    def paint(self, canvas: Canvas) -> None:
        (fx, fy), (tx, ty) = self.foot, self.tip
        reach = 0.9 * self.width
        aside = reach / self.aspect
        window = canvas.window(
            min(fx, tx) - aside, min(fy, ty) - reach, max(fx, tx) + aside, max(fy, ty) + reach
        )
        right, down = (fx - tx) * self.aspect, fy - ty
        long = float(np.hypot(right, down))
        right, down = right / long, down / long
        px, py = (canvas.x[window] - tx) * self.aspect, canvas.y[window] - ty
        along, aside = (px * right + py * down) / long, np.abs(px * down - py * right)
        pixel = canvas.pixel * max(1.0, self.aspect)
        tier = along * self.tiers
        fade = np.clip(1.5 - 2 * pixel * self.tiers / long, 0, 1)
        saw = 0.25 * fade * (tier - np.floor(tier) - 0.5)
        noise, lost = fractal(
            px * 2.5 * self.tiers / long + self.offset,
            py * 2.5 * self.tiers / long,
            2,
            pixel * 2.5 * self.tiers / long,
        )
        half = 0.5 * self.width * np.clip(along, 0, 1.05) ** 0.85 * (0.85 + saw + 0.3 * noise)
        soft = np.hypot(pixel, 0.15 * self.width * lost)
        share = np.clip((half - aside) / soft + 0.5, 0, 1)
        share *= np.clip(half / pixel + 0.3, 0, 1) * np.clip((1 - along) * long / pixel + 0.5, 0, 1)
        share *= np.clip(along * long / pixel + 0.5, 0, 1)
        bright = np.clip(0.4 + 0.5 * noise + 0.6 * saw, 0, 1)[..., None]
        canvas.paint(window, mix(np.array(self.dark), np.array(self.bright), bright), share)


def leaf_colours(rng: RandomStream, site: Site) -> tuple[Colour, Colour]:
    """Samples the colours of shaded and sunny leaves."""
    albedo = np.array(pick(rng, LEAVES))
    return (
        site.lit(albedo * rng.uniform(0.25, 0.6), 0.0),
        site.lit(albedo * rng.uniform(0.9, 1.5), rng.uniform(0.1, 0.9)),
    )


def sample_tree(
    rng: RandomStream, site: Site, kind: str, x: float, foot: float, height: float
) -> tuple:
    """Samples a tree of a kind in `TREES` at (x, foot)."""
    if kind == "fir":
        dark, bright = leaf_colours(rng, site)
        width = height * rng.uniform(0.3, 0.6)
        tip = (x + rng.normal(0, 0.01) * height, foot - height)
        return (
            Fir((x, foot), tip, width, rng.uniform(6, 14), dark, bright, site.aspect,
                rng.uniform(0, 250)),
        )  # fmt: skip
    if kind == "palm":
        return _palm(rng, site, x, foot, height)
    bark = site.lit(np.array(pick(rng, (WOOD, (0.3, 0.28, 0.26)))), rng.uniform(0, 0.6))
    if kind == "bare":
        return (branches(rng, site, (x, foot), -np.pi / 2, height, bark, 6),)
    trunk = rng.uniform(0.1, 0.3) * height
    across = height * rng.uniform(0.22, 0.42) / site.aspect
    lobes = [(x, foot - trunk - 0.42 * (height - trunk), 0.8 * across, 0.4 * (height - trunk))]
    for _ in range(int(rng.uniform(3, 7))):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.75)
        size = rng.uniform(0.35, 0.6)
        lobes.append((
            float(x + across * far * np.cos(angle)),
            float(foot - trunk - (height - trunk) * (0.5 + 0.45 * far * np.sin(angle))),
            across * size,
            0.5 * (height - trunk) * size,
        ))  # fmt: skip
    stem = (x, foot, x, foot - trunk - 0.2 * height, 0.06 * height, 0.04 * height)
    return (Lines((stem,), bark), crown(rng, site, tuple(lobes), height))


def crown(
    rng: RandomStream,
    site: Site,
    lobes: tuple[tuple[float, float, float, float], ...],
    height: float,
) -> Crown:
    """Samples the leaves of a tree of this height."""
    return Crown(
        lobes,
        *leaf_colours(rng, site),
        rough=height * rng.uniform(0.04, 0.12),
        clump=height * rng.uniform(0.08, 0.25),
        aspect=site.aspect,
        offset=rng.uniform(0, 250),
    )


def branches(
    rng: RandomStream,
    site: Site,
    start: tuple[float, float],
    angle: float,
    length: float,
    colour: Colour,
    depth: int = 5,
) -> Lines:
    """Samples a bare tree or branch that forks repeatedly."""
    lines: list[Any] = []
    spread, upward = rng.uniform(0.3, 0.6), rng.uniform(0, 0.15)
    ends = [(*start, angle, length * rng.uniform(0.25, 0.36), length * rng.uniform(0.03, 0.06))]
    for level in range(depth):
        found = []
        for x, y, way, long, width in ends:
            to_x = x + float(np.cos(way)) * long / site.aspect
            to_y = y + float(np.sin(way)) * long
            lines.append((x, y, to_x, to_y, width, 0.7 * width))
            for side in (-1, 1) if level else (-1, 0.1, 1):
                turn = side * spread * rng.uniform(0.4, 1.5)
                turn -= upward * float(np.sin(way + np.pi / 2))
                found.append((to_x, to_y, way + turn, long * rng.uniform(0.6, 0.9), 0.6 * width))
        ends = found
    return Lines(tuple(lines), colour)


def _palm(
    rng: RandomStream, site: Site, x: float, foot: float, height: float
) -> tuple[Lines, Lines]:
    lean, aspect = rng.normal(0, 0.12) * height / site.aspect, site.aspect
    top = (x + lean, foot - 0.75 * height)
    trunk = curve(((x, foot), (x + 0.3 * lean, foot - 0.4 * height), top), 0.045 * height,
                  0.03 * height)  # fmt: skip
    fronds: list[Any] = []
    for frond in range(int(rng.uniform(8, 13))):
        way = np.pi * (-0.05 + 1.1 * (frond + rng.uniform()) / 12)
        long, droop = height * rng.uniform(0.28, 0.42), rng.uniform(0.3, 0.8)
        points = [
            (
                float(top[0] + np.cos(way) * long * t / aspect),
                float(top[1] - long * (np.sin(way) * t - droop * t * t)),
            )
            for t in (0.0, 0.35, 0.7, 1.0)
        ]
        fronds += curve(tuple(points), 0.035 * height, 0.008 * height)
        for px, py in points[1:]:
            for side in (-1, 1):
                tip = (px + side * 0.05 * height / aspect, py + 0.09 * height)
                fronds.append((px, py, *tip, 0.016 * height, 0.004 * height))
    dark, bright = leaf_colours(rng, site)
    return (
        Lines(trunk, site.lit(WOOD, 0.4)),
        Lines(tuple(fronds), dark if rng.chance(0.6) else bright),
    )
