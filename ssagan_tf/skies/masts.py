"""Thin things in front of the sky: poles, wires, pylons, cranes, wind turbines, lamps."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from ssagan_tf.skies.lighting import Colour
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Canvas, Ellipse, Lines, curve
from ssagan_tf.skies.site import METAL, WOOD, Site

MASTS = {"poles": 0.3, "wires": 0.2, "pylon": 0.15, "crane": 0.1, "turbines": 0.12,
         "lamp": 0.13}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Wire:
    """A wire across the picture: y = height + slope t - sag t², where t = x - lowest."""

    height: float
    slope: float
    sag: float
    lowest: float
    width: float
    colour: Colour

    def paint(self, canvas: Canvas) -> None:
        ends = [self.height + self.slope * t - self.sag * t * t
                for t in (-self.lowest - 0.1, 1.1 - self.lowest)]  # fmt: skip
        most = self.slope**2 / (4 * self.sag)
        window = canvas.window(-1, min(ends) - self.width, 2,
                               self.height + most + self.width)  # fmt: skip
        t = canvas.x[window] - self.lowest
        steep = np.sqrt(1 + (self.slope - 2 * self.sag * t) ** 2)
        far = np.abs(canvas.y[window] - self.height - (self.slope - self.sag * t) * t) / steep
        share = ((self.width + canvas.pixel) / 2 - far) / canvas.pixel
        share = np.clip(share, 0, min(self.width / canvas.pixel, 1))
        canvas.paint(window, self.colour, share)


def sample_wires(rng: RandomStream, site: Site) -> tuple[Wire, ...]:
    """Samples some nearly parallel wires."""
    colour = site.lit((0.12, 0.12, 0.13), 0.2)
    height, slope = rng.uniform(0.05, 0.6), rng.normal(0, 0.25)
    sag, lowest = rng.uniform(0.02, 0.2), rng.uniform(-0.5, 1.5)
    number, gap = 1 + int(rng.uniform(0, 5)), rng.uniform(0.02, 0.09)
    return tuple(
        Wire(
            height + gap * wire + rng.normal(0, 0.006), slope + rng.normal(0, 0.02),
            sag, lowest, rng.uniform(0.003, 0.009), colour,
        )
        for wire in range(number)
    )  # fmt: skip


def sample_mast(rng: RandomStream, site: Site, kind: str) -> tuple:
    """Samples things of a kind in `MASTS`."""
    if kind == "wires":
        return sample_wires(rng, site)
    return {
        "poles": _poles, "pylon": _pylon, "crane": _crane, "turbines": _turbines, "lamp": _lamps,
    }[kind](rng, site)  # fmt: skip


def _poles(rng: RandomStream, site: Site) -> tuple[Lines, ...]:
    """Samples a row of poles into the distance, and its wires."""
    colour = site.lit(np.array(WOOD) * rng.uniform(0.5, 1.2), rng.uniform(0, 0.6))
    near, far = rng.uniform(-0.2, 1.2), rng.uniform(0.2, 0.8)
    tall, ratio = rng.uniform(0.3, 0.75) * min(site.level, 1), rng.uniform(0.5, 0.7)
    lines: list[Any] = []
    tops: list[Any] = []
    for pole in range(5):
        share = ratio**pole
        x, foot = far + (near - far) * share, site.level + 0.25 * tall * share
        height, wide = tall * 1.25 * share, 0.02 * share * rng.uniform(0.8, 1.2)
        lines.append((x, foot, x, foot - height, wide, 0.7 * wide))
        arm, y = 0.11 * height / site.aspect, foot - 0.93 * height
        lines.append((x - arm, y, x + arm, y, 0.5 * wide, 0.5 * wide))
        tops.append((x - 0.9 * arm, x + 0.9 * arm, y))
    wires: list[Any] = []
    for (a, b, y), (c, d, z) in itertools.pairwise(tops):
        for start, end in ((a, c), (b, d)):
            middle = ((start + end) / 2, (y + z) / 2 + 0.05 * abs(start - end))
            wires += curve(((start, y), middle, (end, z)), 0.004, 0.003)
    return Lines(tuple(lines), colour), Lines(tuple(wires), site.lit((0.1, 0.1, 0.1), 0.1))


def _pylon(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    """Samples a lattice tower with its wires."""
    colour = site.lit(METAL, rng.uniform(0, 0.8), rng.uniform(0, 0.3))
    x, height = rng.uniform(0.1, 0.9), rng.uniform(0.25, 0.7) * min(site.level, 1)
    foot, half = site.level + 0.1 * height, 0.11 * height / site.aspect
    thin, brace = 0.016 * height, 0.01 * height
    lines: list[Any] = []

    def edge(share: float) -> float:
        return half * (1 - 0.85 * min(share / 0.7, 1))

    steps = [0.0, 0.25, 0.45, 0.6, 0.7, 0.8, 0.9, 1.0]
    for low, high in itertools.pairwise(steps):
        y, z = foot - low * height, foot - high * height
        for side in (-1, 1):
            lines.append((x + side * edge(low), y, x + side * edge(high), z, thin, thin))
            lines.append((x + side * edge(low), y, x - side * edge(high), z, brace, brace))
    arms = [(0.7, 0.22), (0.83, 0.28), (0.95, 0.18)]
    ends = []
    for share, wide in arms:
        y, reach = foot - share * height, wide * height / site.aspect
        for side in (-1, 1):
            lines.append((x, y - 0.03 * height, x + side * reach, y, thin, 0.6 * thin))
            lines.append((x, y, x + side * reach, y, thin, 0.6 * thin))
            ends.append((x + side * reach, y + 0.03 * height))
    wires: list[Any] = []
    aim = rng.uniform(0.1, 0.5)
    for end_x, end_y in ends:
        for way in (-1, 1):
            to = (end_x + way * 1.2, end_y + aim * (0.3 if way > 0 else -0.1) * height)
            middle = ((end_x + to[0]) / 2, (end_y + to[1]) / 2 + 0.04)
            wires += curve(((end_x, end_y), middle, to), 0.003, 0.004)
    return Lines(tuple(lines), colour), Lines(tuple(wires), site.lit((0.15, 0.15, 0.16), 0.1))


def _crane(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    """Samples a tower crane."""
    albedo = (0.80, 0.62, 0.12) if rng.chance(0.5) else METAL
    colour = site.lit(albedo, rng.uniform(0, 0.9))
    x, height = rng.uniform(0.1, 0.9), rng.uniform(0.3, 0.75) * min(site.level, 1)
    side = 1 if x < 0.5 else -1
    y, top = site.level - 0.85 * height, site.level - height
    jib, back = side * rng.uniform(0.25, 0.5), -side * rng.uniform(0.08, 0.15)
    wide = rng.uniform(0.008, 0.018)
    lines = [
        (x, site.level + 0.05, x, top, wide, 0.6 * wide),
        (x + back, y, x + jib, y, 0.8 * wide, 0.6 * wide),
        (x, top, x + 0.7 * jib, y, 0.003, 0.003),
        (x, top, x + back, y, 0.003, 0.003),
        (x + 0.95 * back, y, x + 0.95 * back, y + 0.05, 2 * wide, 2 * wide),
        (x + 0.6 * jib, y, x + 0.6 * jib, y + rng.uniform(0.05, 0.3), 0.003, 0.003),
    ]
    found: list[Any] = [Lines(tuple(lines), colour)]
    if site.light.lamps > 0:
        red = (0.9 * site.light.lamps, 0.05, 0.04)
        found.append(Ellipse(x, top, 0.007, 0.007, red))
    return tuple(found)


def _turbines(rng: RandomStream, site: Site) -> tuple[Lines, ...]:
    """Samples wind turbines, which do not turn."""
    found = []
    for turbine in range(1 + int(rng.uniform(0, 4))):
        far = 0.15 * turbine
        height = rng.uniform(0.35, 0.6) * min(site.level, 1) / (1 + turbine)
        x, turn = rng.uniform(0.05, 0.95), rng.uniform(0, 2.1)
        foot = site.level + 0.02 + 0.1 * height
        hub, thin = foot - height, 0.03 * height
        lines = [(x, foot, x, hub, 1.3 * thin, 0.7 * thin)]
        for blade in range(3):
            angle, long = turn + blade * 2 * np.pi / 3, 0.55 * height
            tip = (x + float(np.cos(angle)) * long / site.aspect, hub + float(np.sin(angle)) * long)
            lines.append((x, hub, *tip, 0.8 * thin, 0.3 * thin))
        white = site.lit((0.9, 0.9, 0.9), rng.uniform(0.1, 1), far)
        found.append(Lines(tuple(lines), white))
    return tuple(found[::-1])


def _lamps(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    """Samples street lamps, lit at night."""
    found: list[Any] = []
    colour = site.lit(METAL, rng.uniform(0, 0.6))
    start, tall = rng.uniform(0.0, 1.0), rng.uniform(0.3, 0.6) * min(site.level, 1)
    step = rng.uniform(0.15, 0.35) * (1 if start < 0.5 else -1)
    for lamp in range(1 + int(rng.uniform(0, 4))):
        size = tall * 0.7**lamp
        x, foot = start + step * (1 - 0.7**lamp) * 3, site.level + 0.2 * size
        arm = (0.12 if step > 0 else -0.12) * size / site.aspect
        top, thin = foot - size, 0.022 * size
        lines = [
            (x, foot, x, top, thin, 0.8 * thin),
            (x, top, x + arm, top - 0.03 * size, thin, thin),
        ]
        found.append(Lines(tuple(lines), colour))
        glow = site.lamp(rng) if site.light.lamps > 0.2 else site.lit((0.8, 0.8, 0.8), 0.5)
        head = 0.05 * size
        found.append(Ellipse(x + arm, top - 0.02 * size, head / site.aspect, 0.5 * head, glow))
    return tuple(found)
