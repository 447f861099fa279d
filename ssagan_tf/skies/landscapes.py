"""Kinds of landscapes, and the things in them."""

from __future__ import annotations

import dataclasses
from typing import Any

from ssagan_tf.skies.clutter import AFLOAT, CLUTTER, sample_clutter
from ssagan_tf.skies.ground import GROUNDS, sample_ground
from ssagan_tf.skies.groves import grass_blades, sample_frame, sample_grove, sample_looking_up
from ssagan_tf.skies.masts import MASTS, sample_mast
from ssagan_tf.skies.outlines import Outline
from ssagan_tf.skies.randomness import RandomStream
from ssagan_tf.skies.settlements import (
    sample_city,
    sample_lights,
    sample_opening,
    sample_rail,
    sample_roof,
    sample_skyline,
    sample_street,
    sample_village,
)
from ssagan_tf.skies.site import Site
from ssagan_tf.skies.terrain import sample_range, sample_ridge
from ssagan_tf.skies.town import sample_tower
from ssagan_tf.skies.trees import TREES, sample_tree

_LANDSCAPES = {
    "mountains": 0.24, "hills": 0.18, "plain": 0.2, "forest": 0.08, "village": 0.14, "city": 0.13,
    "desert": 0.06,
}  # fmt: skip
_ABOVE = {"frame": 0.25, "treetops": 0.12, "looking_up": 0.05, "tree": 0.12, "wires": 0.12,
           "mast": 0.1, "roof": 0.12, "tower": 0.06, "hilltop": 0.06, "opening": 0.02}  # fmt: skip
_SHORES = {"none": 0.3, "mountains": 0.2, "hills": 0.15, "shore": 0.15, "island": 0.1,
           "skyline": 0.1}  # fmt: skip


@dataclasses.dataclass
class Parts:
    """Collects the things in a landscape."""

    kinds: list[str] = dataclasses.field(default_factory=list)
    distant: list[Any] = dataclasses.field(default_factory=list)
    nearby: list[Any] = dataclasses.field(default_factory=list)

    def add_far(self, kind: str, things: tuple) -> None:
        self.kinds.append(kind)
        self.distant += things

    def add(self, kind: str, things: tuple) -> None:
        self.kinds.append(kind)
        self.nearby += things


def sample_inland(rng: RandomStream, site: Site) -> Parts:
    """Samples a landscape without water."""
    parts, far, sky = Parts(), site.far(), site.level
    place = rng.choice(_LANDSCAPES)
    ground = rng.choice(GROUNDS)
    if place == "mountains":
        kind = rng.choice({"mountains": 0.5, "snow": 0.5})
        height = sky * rng.uniform(0.12, 0.5)
        parts.add_far(kind, sample_range(rng.part(1), far, kind, height))
    elif place == "desert":
        parts.add_far(place, sample_range(rng.part(1), far, place, sky * rng.uniform(0.05, 0.4)))
        ground = rng.choice({"sand": 0.6, "rocks": 0.4})
    elif place == "city":
        if rng.chance(0.4):
            parts.add_far(
                "hills", sample_range(rng.part(1), far, "hills", sky * rng.uniform(0.05, 0.2))
            )
        height = sky * rng.uniform(0.08, 0.3)
        skyline = sample_skyline(rng.part(2), far.lamplit(rng), height, rng.uniform(0, 0.5))
        parts.add_far("skyline", skyline)
        ground = rng.choice({"plaza": 0.4, "road": 0.3, "forest": 0.3})
    else:
        low = place in ("plain", "forest") or rng.chance(0.3)
        height = sky * (rng.uniform(0.005, 0.06) if low else rng.uniform(0.05, 0.28))
        kind = rng.choice({"hills": 0.4, "forest": 0.3, "fields": 0.3})
        parts.add_far(kind, sample_range(rng.part(1), far, kind, height))
    if place == "forest" or rng.chance(0.3):
        parts.add("treeline", _treeline(rng.part(3), site))
    if rng.chance(0.12):
        parts.add("slope", _slope(rng.part(9), site))
    dark = rng.chance(0.15)
    lower = dataclasses.replace(site, exposure=0.3 * site.exposure) if dark else site
    parts.add(ground, sample_ground(rng.part(4), lower, ground))
    lamplit, evening = site.lamplit(rng.part(7)), site.light.lamps > 0.1
    if evening and (place in ("village", "city") or rng.chance(0.2)):
        low = site.level + 0.4 * (1 - site.level) * rng.uniform()
        lights = sample_lights(rng.part(8), site, site.level - 0.02 * rng.uniform(), low)
        parts.add("lights", lights)
    if place == "village":
        parts.add("village", sample_village(rng.part(5), lamplit, sky * rng.uniform(0.05, 0.2)))
    if place == "city" and rng.chance(0.5):
        if rng.chance(0.6):
            parts.add("city", sample_city(rng.part(5), lamplit, sky * rng.uniform(0.1, 0.4)))
        else:
            parts.add("street", sample_street(rng.part(5), lamplit))
    _add_things(rng.part(6), site, parts, CLUTTER)
    return parts


def sample_coast(rng: RandomStream, site: Site) -> Parts:
    """Samples a landscape at a sea or lake."""
    parts, far, sky = Parts(), site.far(), site.level
    shore = rng.choice(_SHORES)
    if shore == "mountains":
        kind = rng.choice({"mountains": 0.5, "snow": 0.5})
        height = sky * rng.uniform(0.08, 0.45)
        parts.add_far(kind, sample_range(rng.part(1), far, kind, height))
    elif shore in ("hills", "shore"):
        kind = rng.choice({"hills": 0.5, "forest": 0.5})
        height = sky * (rng.uniform(0.05, 0.2) if shore == "hills" else rng.uniform(0.01, 0.05))
        parts.add_far(shore, sample_range(rng.part(1), far, kind, height))
    elif shore == "skyline":
        height = sky * rng.uniform(0.08, 0.3)
        skyline = sample_skyline(rng.part(1), far.lamplit(rng), height, rng.uniform(0, 0.5))
        parts.add_far(shore, skyline)
    if shore == "island" or rng.chance(0.15):
        part = rng.part(2)
        kind = part.choice({"hills": 0.4, "mountains": 0.3, "forest": 0.3})
        where = {"centre": part.uniform(-0.1, 1.1), "spread": part.uniform(0.05, 0.4)}
        height = sky * part.uniform(0.03, 0.3)
        island = sample_ridge(part, far, kind, height, part.uniform(0, 0.6), **where)
        parts.add_far("island", (island,))
    if site.light.lamps > 0.1 and shore != "none" and rng.chance(0.5):
        lights = sample_lights(rng.part(4), far, -0.015 * sky, 0.0)
        parts.add_far("lights", lights)
    if rng.chance(0.3):
        part = rng.part(3)
        beach = Outline(
            level=site.level + (1 - site.level) * part.uniform(0.35, 0.95),
            height=0.05,
            length=part.uniform(0.3, 1.5),
            offset=part.uniform(0, 250),
            rough=0.3,
            tilt=part.normal(0, 0.12),
        )
        kind = part.choice({"sand": 0.55, "rocks": 0.3, "grass": 0.15})
        parts.add("beach", sample_ground(part, site, kind, beach))
    _add_things(rng.part(6), site, parts, AFLOAT)
    return parts


def _add_things(rng: RandomStream, site: Site, parts: Parts, clutter: dict[str, float]) -> None:
    """Adds single things, and those in the foreground."""
    afloat, sky = site.water, site.level
    if not afloat and rng.chance(0.22):
        kind = rng.choice(TREES)
        parts.add("grove", sample_grove(rng.part(1), site, kind, sky * rng.uniform(0.08, 0.4)))
    if not afloat and rng.chance(0.09):
        tower = sample_tower(
            rng.part(2), site, rng.uniform(0.05, 0.95), site.level + 0.03,
            sky * rng.uniform(0.3, 0.85),
        )  # fmt: skip
        parts.add("tower", tower)
    if rng.chance(0.03 if afloat else 0.16):
        kind = rng.choice(MASTS if not afloat else {"wires": 1.0})
        parts.add(kind, sample_mast(rng.part(3), site, kind))
    for number in range(int(rng.uniform(0, 2.4))):
        kind = rng.choice(clutter)
        parts.add(kind, sample_clutter(rng.part(4, number), site, kind))
    if not afloat and rng.chance(0.1):
        parts.add("roof", sample_roof(rng.part(5), site.lamplit(rng)))
    if rng.chance(0.2):
        parts.add("frame", sample_frame(rng.part(6), site))
    elif rng.chance(0.05):
        x, part = rng.uniform(0.05, 0.95), rng.part(7)
        height = part.uniform(0.4, 0.9)
        parts.add("tree", sample_tree(part, site, part.choice(TREES), x, 1.02, height))
    if rng.chance(0.07):
        parts.add("blades", (grass_blades(rng.part(8), site),))
    if rng.chance(0.03):
        parts.add("rail", sample_rail(rng.part(9), site))
    if rng.chance(0.02):
        parts.add("opening", sample_opening(rng.part(10), site))


def sample_above(rng: RandomStream, site: Site) -> Parts:
    """Samples what is in front of a camera that sees no horizon, which is often nothing."""
    parts = Parts()
    if rng.chance(0.5):
        return parts
    for number in range(1 + int(rng.uniform(0, 1.4))):
        kind, part = rng.choice(_ABOVE), rng.part(number)
        if kind == "frame":
            things = sample_frame(part, site)
        elif kind == "treetops":
            things = _treeline(part, site)
        elif kind == "looking_up":
            things = sample_looking_up(part, site)
        elif kind == "tree":
            things = sample_tree(
                part,
                site,
                part.choice(TREES),
                part.uniform(-0.05, 1.05),
                1.1,
                part.uniform(0.3, 0.8),
            )
        elif kind == "mast":
            things = sample_mast(part, site, part.choice(MASTS))
        elif kind == "wires":
            things = sample_mast(part, site, "wires")
        elif kind == "roof":
            things = sample_roof(part, site)
        elif kind == "opening":
            things = sample_opening(part, site)
        elif kind == "tower":
            things = sample_tower(part, site, part.uniform(0, 1), 1.02, part.uniform(0.2, 0.7))
        else:
            height, hill = part.uniform(0.05, 0.3), part.choice({"hills": 0.5, "forest": 0.5})
            things = (sample_ridge(part, site, hill, height, part.uniform(0, 0.3)),)
        parts.add(kind, things)
    return parts


def _slope(rng: RandomStream, site: Site) -> tuple:
    """Samples a hillside at one border."""
    where: dict[str, float] = {
        "centre": rng.uniform(-0.1, 0.1) + float(rng.chance(0.5)),
        "spread": rng.uniform(0.3, 0.9),
    }
    if rng.chance(0.6):
        where |= {
            "tooth": rng.uniform(0.015, 0.06) / site.aspect,
            "tall": rng.uniform(0.01, 0.06),
            "pointed": rng.uniform(),
            "dense": rng.uniform(0.3, 1),
        }
    kind = rng.choice({"forest": 0.5, "hills": 0.3, "mountains": 0.2})
    height = site.level * rng.uniform(0.1, 0.5)
    return (sample_ridge(rng, site, kind, height, rng.uniform(0, 0.25), **where),)


def _treeline(rng: RandomStream, site: Site) -> tuple:
    """Samples a row of trees or the edge of a forest."""
    tall = min(site.level, 1) * rng.uniform(0.04, 0.2)
    trees = {
        "tooth": tall * rng.uniform(0.25, 0.9) / site.aspect,
        "tall": tall,
        "pointed": float(rng.chance(0.4)),
        "dense": rng.uniform(0.35, 1.0),
    }
    height = rng.uniform(0, 0.05)
    return (sample_ridge(rng, site, "forest", height, rng.uniform(0, 0.3), **trees),)
