"""Single buildings: houses, blocks of flats, towers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Box, Ellipse, Lines, Polygon
from ssagan_tf.skies.site import GLASS, METAL, ROOFS, WALLS, Site, pick
from ssagan_tf.skies.walls import Facade, Windows


def sample_windows(rng: RandomStream, site: Site, far: float = 0.0) -> Windows:
    """Samples the windows of a house."""
    ribbon = rng.chance(0.15)
    return Windows(
        glass=site.lit(np.array(GLASS) * rng.uniform(0.4, 1.6), rng.uniform(0, 0.8), far),
        lamp=site.lamp(rng, rng.uniform(0.75, 1.0)),
        across=1.0 if ribbon else rng.uniform(0.3, 0.7),
        down=rng.uniform(0.3, 0.65),
        lit=float(np.clip(site.light.lamps * rng.uniform(0.1, 1.0), 0, 0.8)),
        offset=float(np.floor(rng.uniform(0, 250))),
    )


def sample_block(
    rng: RandomStream,
    site: Site,
    x: float,
    foot: float,
    width: float,
    height: float,
    far: float = 0.0,
) -> tuple:
    """Samples a house with a flat roof and the things on it."""
    left, right, top = x - width / 2, x + width / 2, foot - height
    floor = max(rng.uniform(0.018, 0.04) * (1 - 0.6 * far), 0.1 * height)
    wall = site.lit(pick(rng, WALLS), rng.uniform(0.1, 1.0), far)
    found: list[Any] = []
    roof = rng.choice({"flat": 0.5, "box": 0.2, "tank": 0.1, "mast": 0.1, "stepped": 0.1})
    dark = site.lit(METAL, 0.2, far)
    place = left + width * rng.uniform(0.15, 0.6)
    if roof == "box":
        found.append(Box(place, top - 0.06 * height, place + 0.3 * width, top + 0.01, wall))
    elif roof == "tank":
        size = min(0.12 * width, 0.06)
        found += _sample_tank(rng, site, place, top + 0.005, size, far)
    elif roof == "mast":
        tall = rng.uniform(0.1, 0.35) * height
        found.append(Lines(((place, top, place, top - tall, 0.006, 0.003),), dark))
    elif roof == "stepped":
        found.append(Box(left + 0.2 * width, top - 0.14 * height, right - 0.2 * width, top + 0.01,
                         wall))  # fmt: skip
    windows = sample_windows(rng, site, far)
    found.append(
        Facade(
            left, top, right, foot, wall, rng.uniform(0, 0.35),
            columns=max(2.0, float(np.round(width * site.aspect / floor / 1.2))),
            rows=max(2.0, float(np.round(height / floor))), windows=windows,
        )
    )  # fmt: skip
    return tuple(found)


def _sample_tank(
    rng: RandomStream, site: Site, x: float, foot: float, size: float, far: float = 0.0
) -> tuple:
    """Samples a water tank on legs; `size` is half its width."""
    down = size * site.aspect
    body = site.lit(pick(rng, WALLS), rng.uniform(0.2, 1), far)
    dark = site.lit(METAL, 0.1, far)
    legs = tuple(
        (x + leg, foot, x + leg, foot - 1.2 * down, 0.2 * size, 0.2 * size)
        for leg in (-0.7 * size, 0.7 * size)
    )  # fmt: skip
    top = foot - 1.1 * down
    return (
        Lines(legs, dark),
        Box(x - size, top - 1.3 * down, x + size, top, body),
        Polygon(((x - size, top - 1.3 * down), (x, top - 1.9 * down), (x + size, top - 1.3 * down)),
                dark),
    )  # fmt: skip


def sample_house(rng: RandomStream, site: Site, x: float, foot: float, height: float) -> tuple:
    """Samples a house with a gable or sloping roof, and a chimney."""
    width = height * rng.uniform(0.8, 2.0) / site.aspect
    left, right = x - width / 2, x + width / 2
    eaves = foot - height * rng.uniform(0.45, 0.65)
    ridge = foot - height
    over = 0.05 * width
    wall = site.lit(pick(rng, WALLS), rng.uniform(0.1, 1.0))
    roof = site.lit(pick(rng, ROOFS), rng.uniform(0.1, 0.9))
    found: list[Any] = []
    if rng.chance(0.5):
        place = x + width * rng.uniform(-0.3, 0.3)
        wide = 0.04 * width
        brick = site.lit(pick(rng, ROOFS), 0.4)
        found.append(Box(place - wide, ridge - 0.12 * height, place + wide, eaves, brick))
    inset = rng.uniform(0.0, 0.25) * width
    if rng.chance(0.45):  # its gable faces the camera
        found.append(Polygon(((left, eaves), (x, ridge), (right, eaves)), wall))
        slopes = (
            (left - over, eaves + 0.03 * height, x, ridge, 0.05 * height, 0.05 * height),
            (right + over, eaves + 0.03 * height, x, ridge, 0.05 * height, 0.05 * height),
        )
        found.append(Lines(slopes, roof))
    else:
        corners = ((left - over, eaves), (left + inset, ridge), (right - inset, ridge),
                   (right + over, eaves))  # fmt: skip
        found.append(Polygon(corners, roof))
    rows = 1.0 if height < 0.08 else 2.0
    columns = max(2.0, float(np.round(width * site.aspect / height * 3)))
    found.append(
        Facade(left, eaves - 0.002, right, foot, wall, rng.uniform(0, 0.2), columns, rows,
               sample_windows(rng, site))
    )  # fmt: skip
    return tuple(found)


def sample_tower(
    rng: RandomStream, site: Site, x: float, foot: float, height: float, far: float = 0.0
) -> tuple:
    """Samples a tall building."""
    kind = rng.choice(
        {"church": 0.25, "block": 0.3, "tank": 0.15, "chimney": 0.18, "lighthouse": 0.12}
    )
    aspect = site.aspect
    wall = site.lit(pick(rng, WALLS), rng.uniform(0.1, 1), far)
    roof = site.lit(pick(rng, ROOFS), rng.uniform(0, 0.6), far)
    half = height * rng.uniform(0.06, 0.12) / aspect
    top = foot - height
    if kind == "church":
        eaves = foot - 0.6 * height
        windows = sample_windows(rng, site, far)
        return (
            Facade(x - half, eaves, x + half, foot, wall, 0.3, 1.0, 4.0, windows),
            Polygon(((x - 1.1 * half, eaves), (x, top), (x + 1.1 * half, eaves)), roof),
        )
    if kind == "block":
        wide = min(2 * half * rng.uniform(1, 2.4), 0.28)
        return sample_block(rng, site, x, foot, wide, height, far)
    if kind == "tank":
        bulb = height * rng.uniform(0.1, 0.16)
        stem = (x, foot, x, top + bulb, 0.35 * bulb, 0.25 * bulb)
        return (
            Lines((stem,), wall),
            Ellipse(x, top + 0.6 * bulb, bulb / aspect, 0.6 * bulb, wall),
            Box(x - bulb / aspect, top + 0.55 * bulb, x + bulb / aspect, top + 0.8 * bulb, roof),
        )
    if kind == "chimney":
        half *= 0.4
        bands = [Polygon(((x - half, foot), (x - 0.6 * half, top), (x + 0.6 * half, top),
                          (x + half, foot)), wall)]  # fmt: skip
        red = site.lit((0.75, 0.15, 0.12), 0.5, far)
        for band in range(2 if rng.chance(0.5) else 0):
            y = top + 0.16 * height * band
            bands.append(Box(x - 0.68 * half, y, x + 0.68 * half, y + 0.07 * height, red))
        return tuple(bands)
    white = site.lit((0.93, 0.92, 0.9), rng.uniform(0.2, 1), far)
    lamp = site.lamp(rng, max(site.light.lamps, 0.25))
    return (
        Polygon(((x - half, foot), (x - 0.6 * half, top + 0.15 * height),
                 (x + 0.6 * half, top + 0.15 * height), (x + half, foot)), white),
        Box(x - 0.45 * half, top + 0.07 * height, x + 0.45 * half, top + 0.15 * height, lamp),
        Polygon(((x - 0.6 * half, top + 0.07 * height), (x, top), (x + 0.6 * half,
                 top + 0.07 * height)), roof),
    )  # fmt: skip
