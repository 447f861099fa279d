"""Arrangements of buildings: skylines, villages, cities, streets, and close-ups of buildings."""

from __future__ import annotations

from typing import Any

import numpy as np

from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Box, Lines, Polygon
from ssagan_tf.skies.site import METAL, ROOFS, WALLS, Site, pick
from ssagan_tf.skies.town import (
    sample_block,
    sample_house,
    sample_tower,
    sample_windows,
)
from ssagan_tf.skies.trees import sample_tree
from ssagan_tf.skies.walls import Facade, StreetFront


def sample_skyline(rng: RandomStream, site: Site, height: float, far: float) -> tuple:
    """Samples a distant city: blocks in two rows, the farther one hazier."""
    found: list[Any] = []
    start, end = rng.uniform(-0.1, 0.6), rng.uniform(0.5, 1.1)
    start, end = (start, end) if end - start > 0.3 else (-0.05, 1.05)
    number = int(rng.uniform(10, 32) * (end - start)) + 4
    for block in range(number):
        part = rng.part(block)
        hazy = min(far * (1.5 if block < number / 2 else 1.0), 0.95)
        tall = height * (part.uniform(0.2, 0.7) if part.chance(0.8) else part.uniform(0.7, 1.2))
        x = start + (end - start) * part.uniform()
        width = part.uniform(0.02, 0.07)
        found += sample_block(part, site, x, site.level + 0.004, width, tall, hazy)
    if rng.chance(0.3):
        x = rng.uniform(start, end)
        found += sample_tower(rng, site, x, site.level + 0.004, 1.5 * height, far)
    return tuple(found)


def sample_village(rng: RandomStream, site: Site, height: float) -> tuple:
    """Samples houses and trees, the nearest last."""
    number = 3 + int(rng.uniform(0, 9))
    found: list[Any] = []
    left, right = rng.uniform(-0.1, 0.4), rng.uniform(0.5, 1.1)
    if rng.chance(0.35):
        part = rng.part(99)
        found += sample_tower(
            part, site, part.uniform(left, right), site.level + 0.02, height * part.uniform(1.5, 3)
        )
    for house in range(number):
        part = rng.part(house)
        near = (house + 1) / number
        size = height * (0.5 + 0.7 * near) * part.uniform(0.8, 1.2)
        x, foot = left + (right - left) * part.uniform(), site.level + 0.5 * size * near
        if part.chance(0.3):
            found += sample_tree(part, site, "leafy", x, foot, size)
        elif part.chance(0.8):
            found += sample_house(part, site, x, foot, size)
        else:
            width = size * part.uniform(0.8, 2) / site.aspect
            found += sample_block(part, site, x, foot, width, 1.2 * size)
    return tuple(found)


def sample_city(rng: RandomStream, site: Site, height: float) -> tuple:
    """Samples blocks of flats down to the lower border."""
    found: list[Any] = []
    number = 6 + int(rng.uniform(0, 16))
    for block in range(number):
        part = rng.part(block)
        near = (block + 1) / number
        foot = site.level + (1.02 - site.level) * near * part.uniform(0.6, 1)
        tall = height * part.uniform(0.3, 1.0) + (foot - site.level) * part.uniform(0.5, 1)
        width = part.uniform(0.06, 0.2) * (0.6 + 0.6 * near)
        far = 0.35 * (1 - near)
        found += sample_block(part, site, part.uniform(-0.05, 1.05), foot, width, tall, far)
    return tuple(found)


def sample_lights(rng: RandomStream, site: Site, top: float, bottom: float) -> tuple[Lines, ...]:
    """Samples lamps of streets and houses, scattered between two heights."""
    middle, spread = rng.uniform(0, 1), rng.uniform(0.1, 0.6)
    found = []
    for group in range(3):
        part = rng.part(group)
        number = int(part.uniform(4, 30) * (0.3 + site.light.lamps))
        x = middle + spread * part.uniform(-1, 1, number)
        y = top + (bottom - top) * part.uniform(0, 1, number) ** 1.5
        size = part.uniform(0.003, 0.011, number) * part.uniform(0.5, 1)
        dots = np.stack([x, y, x, y, size, size], 1).tolist()
        colour = (0.95, 0.2, 0.12) if part.chance(0.1) else site.lamp(part)
        found.append(Lines(tuple(tuple(dot) for dot in dots), colour))
    return tuple(found)


def sample_street(rng: RandomStream, site: Site) -> tuple:
    """Samples house fronts on one or both sides, in perspective."""
    found = []
    vanishing = (rng.uniform(0.3, 0.7), site.level)
    both = rng.chance(0.5)
    first = rng.chance(0.5)
    for number, near in enumerate((-0.05, 1.05)):
        if not (both or (number == 0) == first):
            continue
        part = rng.part(number)
        reach = abs(near - vanishing[0])
        top = part.uniform(0.3, 0.75) * site.level / reach
        end = vanishing[0] + (near - vanishing[0]) * part.uniform(0.2, 0.5)
        walls = tuple(site.lit(pick(part, WALLS), part.uniform(0, 0.9)) for _ in range(5))
        found.append(
            StreetFront(
                vanishing, near, end, top, (1.0 - site.level) * part.uniform(0.3, 0.9) / reach,
                walls, tuple(part.uniform(0.6, 1.0, 5).tolist()),
                columns=part.uniform(5, 12), rows=float(int(part.uniform(3, 7))),
                windows=sample_windows(part, site),
            )
        )  # fmt: skip
    return tuple(found)


def sample_roof(rng: RandomStream, site: Site) -> tuple:
    """Samples a roof or house front close to the camera, cut off by the border."""
    right = rng.chance(0.5)
    found: list[Any] = []

    def across(x: float) -> float:
        return 1 - x if right else x

    wall = site.lit(pick(rng, WALLS), rng.uniform(0, 1))
    roof = site.lit(pick(rng, ROOFS), rng.uniform(0, 0.8))
    trim = site.lit(pick(rng, WALLS), rng.uniform(0.2, 0.8))
    kind = rng.choice({"gable": 0.4, "eaves": 0.25, "flat": 0.2, "front": 0.15})
    low = rng.uniform(0.62, 0.9)
    if kind == "gable":
        wide = rng.uniform(0.15, 0.4)
        peak = (rng.uniform(-0.1, 0.25), low - rng.uniform(0.05, 0.25))
        end, foot = peak[0] + wide, 1.02
        found.append(Polygon(
            tuple((across(x), y) for x, y in ((peak[0] - 0.6, foot), peak, (end, foot))), wall
        ))  # fmt: skip
        shift = rng.uniform(0.03, 0.12)
        corners = (peak, (peak[0] + shift, peak[1]), (end + shift, foot), (end, foot))
        found.append(Polygon(tuple((across(x), y) for x, y in corners), roof))
        found.append(Lines(((across(peak[0]), peak[1], across(end), foot, 0.014, 0.018),), trim))
    elif kind == "eaves":
        slope = rng.uniform(0.1, 0.5)
        end = rng.uniform(0.3, 0.9)
        corners = ((-0.05, low - 0.1), (end, low + slope * end), (end, 1.1), (-0.05, 1.1))
        found.append(Polygon(tuple((across(x), y) for x, y in corners), roof))
        gutter = (across(-0.05), low - 0.1, across(end), low + slope * end, 0.015, 0.015)
        found.append(Lines((gutter,), trim))
    else:
        wide = rng.uniform(0.08, 0.3)
        top = low - rng.uniform(0.1, 0.4) if kind == "front" else low
        edges = sorted((across(-0.02), across(wide if kind == "front" else wide + 0.3)))
        found.append(
            Facade(edges[0], top, edges[1], 1.02, wall, rng.uniform(-0.2, 0.4),
                   rng.uniform(2, 5), rng.uniform(2, 6), sample_windows(rng, site))
        )  # fmt: skip
        found.append(Box(edges[0] - 0.01, top - 0.015, edges[1] + 0.01, top + 0.01, trim))
    if rng.chance(0.4):
        x, tall = across(rng.uniform(0, 0.15)), rng.uniform(0.08, 0.2)
        brick = site.lit(pick(rng, ROOFS), 0.4)
        found.insert(0, Box(x - 0.025, low - tall, x + 0.025, 1.0, brick))
    if rng.chance(0.3):
        x, tall = across(rng.uniform(0.02, 0.3)), rng.uniform(0.1, 0.3)
        aerial = [(x, 1.0, x, low - tall, 0.006, 0.005)]
        for bar in range(4):
            y, half = low - tall + 0.02 * bar, 0.02 + 0.006 * bar
            aerial.append((x - half, y, x + half, y, 0.004, 0.004))
        found.insert(0, Lines(tuple(aerial), site.lit(METAL, 0.2)))
    return tuple(found)


def sample_rail(rng: RandomStream, site: Site) -> tuple[Lines]:
    """Samples the railing of a balcony or bridge at the lower border."""
    top, gap = rng.uniform(0.75, 0.93), rng.uniform(0.03, 0.12)
    thin, slope = rng.uniform(0.006, 0.015), rng.normal(0, 0.05)
    lines: list[Any] = [(-0.1, top - 0.6 * slope, 1.1, top + 0.6 * slope, 2.5 * thin, 2.5 * thin)]
    for bar in range(int(1.2 / gap)):
        x = -0.1 + bar * gap
        lines.append((x, top + slope * (x - 0.5), x, 1.1, thin, thin))
    return (Lines(tuple(lines), site.lit(pick(rng, (METAL, WALLS[0])), rng.uniform(0, 0.8))),)


def sample_opening(rng: RandomStream, site: Site) -> tuple[Box, ...]:
    """Samples the frame of a window that the camera looks out of."""
    colour = site.lit(pick(rng, (WALLS[0], METAL, WALLS[6])), 0.0)
    left, right = (rng.uniform(-0.03, 0.12) for _ in range(2))
    top, bottom = rng.uniform(-0.03, 0.08), rng.uniform(-0.03, 0.12)
    found = [
        Box(-0.2, -0.2, left, 1.2, colour),
        Box(1 - right, -0.2, 1.2, 1.2, colour),
        Box(-0.2, -0.2, 1.2, top, colour),
        Box(-0.2, 1 - bottom, 1.2, 1.2, colour),
    ]
    if rng.chance(0.5):
        x, half = rng.uniform(0.3, 0.7), rng.uniform(0.01, 0.03)
        found.append(Box(x - half, -0.2, x + half, 1.2, colour))
    return tuple(found)
