"""Arrangements of trees: groups, frames at the borders, and treetops all around."""

from __future__ import annotations

from typing import Any

import numpy as np

from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.shapes import Lines, curve
from ssagan_tf.skies.site import LEAVES, WOOD, Site, pick
from ssagan_tf.skies.trees import Fir, branches, crown, leaf_colours, sample_tree


def sample_frame(rng: RandomStream, site: Site) -> tuple:
    """Samples trees at the borders that frame the picture, with their trunks outside."""
    kind = rng.choice({"leaves": 0.45, "branches": 0.25, "firs": 0.15, "hanging": 0.15})
    sides = rng.choice({"left": 0.35, "right": 0.35, "both": 0.3})
    found: list[Any] = []
    for number, side in enumerate(("left", "right")):
        if sides not in (side, "both"):
            continue
        part, inward = rng.part(number), 1.0 if side == "left" else -1.0
        border = 0.0 if side == "left" else 1.0
        if kind == "leaves":
            wide = part.uniform(0.05, 0.2) * (0.7 if sides == "both" else 1.2)
            low, high = part.uniform(0.7, 1.1), part.uniform(-0.1, 0.7)
            lobes = []
            for lobe in range(6):
                y = low + (high - low) * (lobe + part.uniform()) / 6
                size = wide * part.uniform(0.6, 1.2)
                lobes.append((border - inward * 0.3 * wide, y, size, part.uniform(0.08, 0.2)))
            found.append(crown(part, site, tuple(lobes), part.uniform(0.25, 0.6)))
        elif kind == "branches":
            bark = site.lit(WOOD, part.uniform(0, 0.5))
            for _ in range(1 + int(part.uniform(0, 2))):
                start = (border - 0.02 * inward, part.uniform(0.0, 0.7))
                way = part.uniform(-0.9, 0.3)
                way = way if inward > 0 else np.pi - way
                found.append(branches(part, site, start, way, part.uniform(0.35, 0.7), bark, 4))
        elif kind == "hanging":
            bark = site.lit(WOOD, part.uniform(0, 0.5))
            start = (border + inward * part.uniform(0, 0.3), -0.02)
            way = np.pi / 2 - inward * part.uniform(0.2, 1.1)
            twigs = branches(part, site, start, way, part.uniform(0.3, 0.55), bark, 4)
            found.append(twigs)
            lobes = tuple((x1, y1, 0.035 / site.aspect, 0.03) for _, _, x1, y1, _, _ in
                          twigs.lines[::3])[:10]  # fmt: skip
            if part.chance(0.7):
                found.append(crown(part, site, lobes, part.uniform(0.2, 0.4)))
        else:
            for tree in range(2 + int(part.uniform(0, 3))):
                height = part.uniform(0.35, 1.0) / (1 + 0.4 * tree)
                x = border + inward * part.uniform(-0.03, 0.06 + 0.06 * tree)
                found += sample_tree(part.part(tree), site, "fir", x, 1.1, height + 0.1)
    return tuple(found)


def sample_looking_up(rng: RandomStream, site: Site) -> tuple:
    """Samples treetops all around, as in a forest when looking up."""
    found: list[Any] = []
    number = int(rng.uniform(5, 14))
    for tree in range(number):
        part = rng.part(tree)
        angle = 2 * np.pi * (tree + part.uniform(0, 0.9)) / number
        out = np.array([np.cos(angle), np.sin(angle)])
        foot = 0.5 + 0.85 * out
        tip = 0.5 + part.uniform(0.36, 0.6) * out
        dark, bright = leaf_colours(part, site)
        width = part.uniform(0.12, 0.3)
        found.append(
            Fir(tuple(foot.tolist()), tuple(tip.tolist()), width, part.uniform(5, 10), dark, bright,
                site.aspect, part.uniform(0, 250))
        )  # fmt: skip
    return tuple(found)


def sample_grove(rng: RandomStream, site: Site, kind: str, height: float) -> tuple:
    """Samples some trees in the middle distance."""
    found: list[Any] = []
    for tree in range(2 + int(rng.uniform(0, 6))):
        part = rng.part(tree)
        size = height * part.uniform(0.5, 1.2)
        foot = site.level + 0.25 * size * part.uniform()
        kind_here = kind if kind != "bare" or tree < 2 else "leafy"
        found += sample_tree(part, site, kind_here, part.uniform(0, 1), foot, size)
    return tuple(found)


def grass_blades(rng: RandomStream, site: Site) -> Lines:
    """Samples blades of grass close to the lens, at the lower border."""
    lines = []
    for _ in range(int(rng.uniform(25, 60))):
        x, size = rng.uniform(-0.05, 1.05), rng.uniform(0.04, 0.22)
        lean = rng.normal(0, 0.35) * size / site.aspect
        lines += curve(
            ((x, 1.02), (x + 0.3 * lean, 1.02 - 0.6 * size), (x + lean, 1.02 - size)),
            0.009,
            0.002,
        )
    return Lines(tuple(lines), site.lit(pick(rng, LEAVES), rng.uniform(0, 0.8)))
