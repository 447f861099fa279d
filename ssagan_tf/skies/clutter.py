"""Things of about the size of people: people, cars, boats, fences, signs, rocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Box, Ellipse, Lines, Polygon
from ssagan_tf.skies.site import GLASS, METAL, PAINTS, ROCK, SNOW, WALLS, WOOD, Site, pick
from ssagan_tf.skies.trees import Crown, crown

CLUTTER = {"people": 0.25, "cars": 0.15, "fence": 0.18, "sign": 0.1, "rocks": 0.17,
           "bushes": 0.15}  # fmt: skip
AFLOAT = {"boats": 0.45, "rocks": 0.2, "pier": 0.2, "people": 0.15}


def sample_clutter(rng: RandomStream, site: Site, kind: str) -> tuple:
    """Samples things of a kind in `CLUTTER` or `AFLOAT`."""
    return {
        "people": _people, "cars": _cars, "fence": _fence, "sign": _sign, "rocks": _rocks,
        "bushes": _bushes, "boats": _boats, "pier": _pier,
    }[kind](rng, site)  # fmt: skip


def _foot(rng: RandomStream, site: Site) -> float:
    """Samples a y on the ground."""
    return site.level + (1.02 - site.level) * rng.uniform(0.1, 1.0) ** 1.5


def _people(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    found: list[Any] = []
    number = 1 + int(rng.uniform(0, 3) if rng.chance(0.7) else rng.uniform(3, 9))
    # In a crowd close to the camera, all stand at the lower border.
    foot, middle = _foot(rng, site), rng.uniform(0.1, 0.9)
    for person in range(number):
        part = rng.part(person)
        height = float(np.clip(1.7 * site.metre(foot) * part.uniform(0.85, 1.1), 0.025, 0.4))
        x = middle + part.normal(0, 0.12) * min(number, 4) / 2
        wide = 0.13 * height / site.aspect
        coat = site.lit(pick(part, PAINTS), part.uniform(0, 0.8))
        legs = site.lit(np.array(pick(part, PAINTS)) * 0.5, 0.2)
        skin = site.lit((0.62, 0.45, 0.36), 0.4)
        hip, neck = foot - 0.48 * height, foot - 0.84 * height
        step = 0.4 * wide * part.uniform(0.5, 2)
        thick = 0.085 * height
        found += [
            Lines(((x - step, foot, x, hip, thick, thick), (x + step, foot, x, hip, thick, thick)),
                  legs),
            Box(x - 0.8 * wide, neck, x + 0.8 * wide, hip + 0.03 * height, coat),
            Ellipse(x, foot - 0.92 * height, 0.065 * height / site.aspect, 0.08 * height, skin),
        ]  # fmt: skip
    return tuple(found)


def _cars(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    found: list[Any] = []
    foot = _foot(rng, site)
    for car in range(1 + int(rng.uniform(0, 4))):
        part = rng.part(car)
        height = float(np.clip(1.5 * site.metre(foot), 0.02, 0.18))
        half = 1.4 * height / site.aspect
        x = part.uniform(0, 1)
        paint = site.lit(pick(part, PAINTS), part.uniform(0.1, 0.9))
        dark = site.lit((0.08, 0.08, 0.09), 0.1)
        top, waist = foot - height, foot - 0.55 * height
        roof = ((x - 0.75 * half, waist), (x - 0.45 * half, top), (x + 0.35 * half, top),
                (x + 0.7 * half, waist))  # fmt: skip
        found += [
            Polygon(roof, site.lit(GLASS, 0.5)),
            Box(x - 0.45 * half, top, x + 0.35 * half, top + 0.1 * height, paint),
            Box(x - half, waist, x + half, foot - 0.15 * height, paint),
        ]
        for wheel in (-0.6, 0.6):
            size = 0.19 * height
            found.append(Ellipse(x + wheel * half, foot - size, size / site.aspect, size, dark))
        if site.light.lamps > 0.3:
            lamp = 0.1 * height
            y = foot - 0.4 * height
            found.append(Ellipse(x - 0.95 * half, y, lamp / site.aspect, lamp, (1.0, 0.95, 0.8)))
            found.append(Ellipse(x + 0.95 * half, y, lamp / site.aspect, lamp, (0.9, 0.1, 0.05)))
    return tuple(found)


def _fence(rng: RandomStream, site: Site) -> tuple[Lines, ...]:
    """Samples posts and rails across the picture, or along a slope."""
    foot = site.level + (1.0 - site.level) * rng.uniform(0.3, 1.0)
    tall = float(np.clip(1.2 * site.metre(foot), 0.03, 0.25))
    slope, gap = rng.normal(0, 0.12), tall * rng.uniform(0.25, 1.5) / site.aspect
    white = rng.chance(0.3)
    colour = site.lit((0.88, 0.88, 0.86) if white else np.array(WOOD) * rng.uniform(0.4, 1.3),
                      rng.uniform(0, 0.8))  # fmt: skip
    thick = 0.07 * tall
    lines: list[Any] = []
    start = rng.uniform(-0.1, 0.5) if rng.chance(0.4) else -0.05
    number = min(int((1.1 - start) / gap), 40)
    for post in range(number):
        x = start + post * gap
        y = foot + slope * (x - 0.5)
        lines.append((x, y, x, y - tall, thick, thick))
    for rail in (0.35, 0.8):
        y, z = (foot + slope * (x - 0.5) - rail * tall for x in (start, 1.1))
        lines.append((start, y, 1.1, z, 0.7 * thick, 0.7 * thick))
    return (Lines(tuple(lines), colour),)


def _sign(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    foot = _foot(rng, site)
    height = float(np.clip(2.6 * site.metre(foot), 0.08, 0.5))
    x, thin = rng.uniform(0.05, 0.95), 0.04 * height
    plate = site.lit(pick(rng, PAINTS), rng.uniform(0.2, 1.0))
    size = height * rng.uniform(0.12, 0.25)
    top = foot - height
    post = Lines(((x, foot, x, top, thin, thin),), site.lit(METAL, 0.5))
    if rng.chance(0.4):
        return post, Ellipse(x, top, 0.6 * size / site.aspect, 0.6 * size, plate)
    half = size * rng.uniform(0.5, 1.6) / site.aspect
    return post, Box(x - half, top - 0.3 * size, x + half, top + 0.6 * size, plate)


def _rocks(rng: RandomStream, site: Site) -> tuple[Crown, ...]:
    found = []
    places = sorted(rng.uniform(0.3, 1, 1 + int(rng.uniform(0, 5))).tolist())
    for rock, place in enumerate(places):
        part = rng.part(rock)
        foot = site.level + (1.05 - site.level) * place
        size = (foot - site.level) * part.uniform(0.1, 0.4)
        albedo = np.array(pick(part, ROCK))
        x = part.uniform(-0.05, 1.05)
        lobes = [(x, foot, size * part.uniform(0.8, 2) / site.aspect, size)]
        lobes.append((x + part.normal(0, size) / site.aspect, foot, size / site.aspect, 0.7 * size))
        bright = SNOW if part.chance(0.1) else albedo * 1.3
        found.append(
            Crown(tuple(lobes), site.lit(albedo * 0.35, 0.0), site.lit(bright, part.uniform(0, 1)),
                  0.12 * size, 0.5 * size, site.aspect, part.uniform(0, 250), foot + 0.15 * size)
        )  # fmt: skip
    return tuple(found)


def _bushes(rng: RandomStream, site: Site) -> tuple[Crown, ...]:
    found = []
    places = sorted(rng.uniform(0.1, 1.0, 2 + int(rng.uniform(0, 6))).tolist())
    for bush, place in enumerate(places):
        part = rng.part(bush)
        foot = site.level + (1.02 - site.level) * place**1.5
        size = float(np.clip((foot - site.level) * part.uniform(0.15, 0.5), 0.015, 0.15))
        x = part.uniform(-0.05, 1.05)
        wide = size * part.uniform(0.8, 2.5) / site.aspect
        lobes = ((x, foot - 0.5 * size, wide, 0.7 * size),)
        found.append(crown(part, site, lobes, 2 * size))
    return tuple(found)


def _boats(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    found: list[Any] = []
    places = sorted(rng.uniform(0.02, 0.5, 1 + int(rng.uniform(0, 4))).tolist())
    for boat, place in enumerate(places):
        part = rng.part(boat)
        foot = site.level + (1.0 - site.level) * place**1.5 + 0.004
        long = float(np.clip((foot - site.level) * part.uniform(0.6, 1.4) + 0.015, 0.02, 0.25))
        x, half, deep = part.uniform(0.05, 0.95), long / site.aspect, 0.28 * long
        hull = site.lit(pick(part, PAINTS), part.uniform(0.1, 0.9))
        corners = ((x - half, foot - deep), (x + half, foot - deep), (x + 0.75 * half, foot),
                   (x - 0.7 * half, foot))  # fmt: skip
        kind = part.choice({"sail": 0.4, "mast": 0.25, "motor": 0.35})
        top = foot - long * part.uniform(1.4, 2.4)
        if kind == "motor":
            white = site.lit(pick(part, WALLS), part.uniform(0.2, 1))
            found.append(Box(x - 0.4 * half, foot - 2.2 * deep, x + 0.3 * half, foot - deep, white))
        else:
            pole = (x, foot - deep, x, top, 0.04 * long, 0.03 * long)
            found.append(Lines((pole,), site.lit(METAL, 0.4)))
        if kind == "sail":
            white = site.lit(pick(part, WALLS[:1]), part.uniform(0.2, 1))
            sail = ((x + 0.04 * half, top), (x + 0.85 * half, foot - 1.4 * deep),
                    (x + 0.04 * half, foot - 1.4 * deep))  # fmt: skip
            found.append(Polygon(sail, white))
        found.append(Polygon(corners, hull))
        if site.light.lamps > 0.4:
            found.append(Ellipse(x, foot - 1.5 * deep, 0.006, 0.006, site.lamp(part)))
    return tuple(found)


def _pier(rng: RandomStream, site: Site) -> tuple[Any, ...]:
    """Samples a jetty on posts, from one side."""
    foot = site.level + (1.0 - site.level) * rng.uniform(0.1, 0.6)
    tall = float(np.clip(1.5 * site.metre(foot), 0.015, 0.08))
    end, left = rng.uniform(0.3, 0.8), rng.chance(0.5)
    start = -0.05 if left else 1.05
    colour = site.lit(np.array(WOOD) * rng.uniform(0.5, 1.6), rng.uniform(0, 0.8))
    lines = [(start, foot - tall, end, foot - tall, 0.35 * tall, 0.3 * tall)]
    posts = 10
    for post in range(posts):
        x = end + (start - end) * post / posts
        lines.append((x, foot, x, foot - 1.2 * tall, 0.15 * tall, 0.15 * tall))
    return (Lines(tuple(lines), colour),)
