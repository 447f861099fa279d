"""Kinds of places, and what may be there."""

from __future__ import annotations

import dataclasses
from typing import Any

from ssagan_tf.skies.clutter import AFLOAT, CLUTTER, draw_clutter
from ssagan_tf.skies.ground import GROUNDS, draw_ground
from ssagan_tf.skies.groves import draw_frame, draw_grove, draw_looking_up, grass_blades
from ssagan_tf.skies.masts import MASTS, draw_mast
from ssagan_tf.skies.outlines import Outline
from ssagan_tf.skies.randomness import Draws
from ssagan_tf.skies.settlements import (
    draw_city,
    draw_lights,
    draw_opening,
    draw_rail,
    draw_roof,
    draw_skyline,
    draw_street,
    draw_village,
)
from ssagan_tf.skies.site import Site
from ssagan_tf.skies.terrain import draw_range, draw_ridge
from ssagan_tf.skies.town import draw_tower
from ssagan_tf.skies.trees import TREES, draw_tree

_PLACES = {
    "mountains": 0.24, "hills": 0.18, "plain": 0.2, "forest": 0.08, "village": 0.14, "city": 0.13,
    "desert": 0.06,
}  # fmt: skip
_POKING = {"frame": 0.25, "treetops": 0.12, "looking_up": 0.05, "tree": 0.12, "wires": 0.12,
           "mast": 0.1, "roof": 0.12, "tower": 0.06, "hilltop": 0.06, "opening": 0.02}  # fmt: skip
_SHORES = {"none": 0.3, "mountains": 0.2, "hills": 0.15, "shore": 0.15, "island": 0.1,
           "skyline": 0.1}  # fmt: skip


@dataclasses.dataclass
class Parts:
    """Collects what is there."""

    kinds: list[str] = dataclasses.field(default_factory=list)
    distant: list[Any] = dataclasses.field(default_factory=list)
    nearby: list[Any] = dataclasses.field(default_factory=list)

    def add_far(self, kind: str, things: tuple) -> None:
        self.kinds.append(kind)
        self.distant += things

    def add(self, kind: str, things: tuple) -> None:
        self.kinds.append(kind)
        self.nearby += things


def draw_inland(draws: Draws, site: Site) -> Parts:
    parts, far, sky = Parts(), site.far(), site.level
    place = draws.choice(_PLACES)
    ground = draws.choice(GROUNDS)
    if place == "mountains":
        kind = draws.choice({"mountains": 0.5, "snow": 0.5})
        height = sky * draws.uniform(0.12, 0.5)
        parts.add_far(kind, draw_range(draws.part(1), far, kind, height))
    elif place == "desert":
        parts.add_far(place, draw_range(draws.part(1), far, place, sky * draws.uniform(0.05, 0.4)))
        ground = draws.choice({"sand": 0.6, "rocks": 0.4})
    elif place == "city":
        if draws.chance(0.4):
            parts.add_far(
                "hills", draw_range(draws.part(1), far, "hills", sky * draws.uniform(0.05, 0.2))
            )
        height = sky * draws.uniform(0.08, 0.3)
        skyline = draw_skyline(draws.part(2), far.lamplit(draws), height, draws.uniform(0, 0.5))
        parts.add_far("skyline", skyline)
        ground = draws.choice({"plaza": 0.4, "road": 0.3, "forest": 0.3})
    else:
        low = place in ("plain", "forest") or draws.chance(0.3)
        height = sky * (draws.uniform(0.005, 0.06) if low else draws.uniform(0.05, 0.28))
        kind = draws.choice({"hills": 0.4, "forest": 0.3, "fields": 0.3})
        parts.add_far(kind, draw_range(draws.part(1), far, kind, height))
    if place == "forest" or draws.chance(0.3):
        parts.add("treeline", _treeline(draws.part(3), site))
    if draws.chance(0.12):
        parts.add("slope", _slope(draws.part(9), site))
    dark = draws.chance(0.15)
    lower = dataclasses.replace(site, exposure=0.3 * site.exposure) if dark else site
    parts.add(ground, draw_ground(draws.part(4), lower, ground))
    lamplit, evening = site.lamplit(draws.part(7)), site.light.lamps > 0.1
    if evening and (place in ("village", "city") or draws.chance(0.2)):
        low = site.level + 0.4 * (1 - site.level) * draws.uniform()
        lights = draw_lights(draws.part(8), site, site.level - 0.02 * draws.uniform(), low)
        parts.add("lights", lights)
    if place == "village":
        parts.add("village", draw_village(draws.part(5), lamplit, sky * draws.uniform(0.05, 0.2)))
    if place == "city" and draws.chance(0.5):
        if draws.chance(0.6):
            parts.add("city", draw_city(draws.part(5), lamplit, sky * draws.uniform(0.1, 0.4)))
        else:
            parts.add("street", draw_street(draws.part(5), lamplit))
    _add_things(draws.part(6), site, parts, CLUTTER)
    return parts


def draw_coast(draws: Draws, site: Site) -> Parts:
    parts, far, sky = Parts(), site.far(), site.level
    shore = draws.choice(_SHORES)
    if shore == "mountains":
        kind = draws.choice({"mountains": 0.5, "snow": 0.5})
        height = sky * draws.uniform(0.08, 0.45)
        parts.add_far(kind, draw_range(draws.part(1), far, kind, height))
    elif shore in ("hills", "shore"):
        kind = draws.choice({"hills": 0.5, "forest": 0.5})
        height = sky * (draws.uniform(0.05, 0.2) if shore == "hills" else draws.uniform(0.01, 0.05))
        parts.add_far(shore, draw_range(draws.part(1), far, kind, height))
    elif shore == "skyline":
        height = sky * draws.uniform(0.08, 0.3)
        skyline = draw_skyline(draws.part(1), far.lamplit(draws), height, draws.uniform(0, 0.5))
        parts.add_far(shore, skyline)
    if shore == "island" or draws.chance(0.15):
        part = draws.part(2)
        kind = part.choice({"hills": 0.4, "mountains": 0.3, "forest": 0.3})
        where = {"centre": part.uniform(-0.1, 1.1), "spread": part.uniform(0.05, 0.4)}
        height = sky * part.uniform(0.03, 0.3)
        island = draw_ridge(part, far, kind, height, part.uniform(0, 0.6), **where)
        parts.add_far("island", (island,))
    if site.light.lamps > 0.1 and shore != "none" and draws.chance(0.5):
        lights = draw_lights(draws.part(4), far, -0.015 * sky, 0.0)
        parts.add_far("lights", lights)
    if draws.chance(0.3):
        part = draws.part(3)
        beach = Outline(
            level=site.level + (1 - site.level) * part.uniform(0.35, 0.95),
            height=0.05,
            length=part.uniform(0.3, 1.5),
            offset=part.uniform(0, 250),
            rough=0.3,
            tilt=part.normal(0, 0.12),
        )
        kind = part.choice({"sand": 0.55, "rocks": 0.3, "grass": 0.15})
        parts.add("beach", draw_ground(part, site, kind, beach))
    _add_things(draws.part(6), site, parts, AFLOAT)
    return parts


def _add_things(draws: Draws, site: Site, parts: Parts, clutter: dict[str, float]) -> None:
    """What stands here and there, and what the camera looks past."""
    afloat, sky = site.water, site.level
    if not afloat and draws.chance(0.22):
        kind = draws.choice(TREES)
        parts.add("grove", draw_grove(draws.part(1), site, kind, sky * draws.uniform(0.08, 0.4)))
    if not afloat and draws.chance(0.09):
        tower = draw_tower(
            draws.part(2), site, draws.uniform(0.05, 0.95), site.level + 0.03,
            sky * draws.uniform(0.3, 0.85),
        )  # fmt: skip
        parts.add("tower", tower)
    if draws.chance(0.03 if afloat else 0.16):
        kind = draws.choice(MASTS if not afloat else {"wires": 1.0})
        parts.add(kind, draw_mast(draws.part(3), site, kind))
    for number in range(int(draws.uniform(0, 2.4))):
        kind = draws.choice(clutter)
        parts.add(kind, draw_clutter(draws.part(4, number), site, kind))
    if not afloat and draws.chance(0.1):
        parts.add("roof", draw_roof(draws.part(5), site.lamplit(draws)))
    if draws.chance(0.2):
        parts.add("frame", draw_frame(draws.part(6), site))
    elif draws.chance(0.05):
        x, part = draws.uniform(0.05, 0.95), draws.part(7)
        height = part.uniform(0.4, 0.9)
        parts.add("tree", draw_tree(part, site, part.choice(TREES), x, 1.02, height))
    if draws.chance(0.07):
        parts.add("blades", (grass_blades(draws.part(8), site),))
    if draws.chance(0.03):
        parts.add("rail", draw_rail(draws.part(9), site))
    if draws.chance(0.02):
        parts.add("opening", draw_opening(draws.part(10), site))


def draw_above(draws: Draws, site: Site) -> Parts:
    """Before a camera that sees no horizon there is often nothing."""
    parts = Parts()
    if draws.chance(0.5):
        return parts
    for number in range(1 + int(draws.uniform(0, 1.4))):
        kind, part = draws.choice(_POKING), draws.part(number)
        if kind == "frame":
            things = draw_frame(part, site)
        elif kind == "treetops":
            things = _treeline(part, site)
        elif kind == "looking_up":
            things = draw_looking_up(part, site)
        elif kind == "tree":
            things = draw_tree(
                part,
                site,
                part.choice(TREES),
                part.uniform(-0.05, 1.05),
                1.1,
                part.uniform(0.3, 0.8),
            )
        elif kind == "mast":
            things = draw_mast(part, site, part.choice(MASTS))
        elif kind == "wires":
            things = draw_mast(part, site, "wires")
        elif kind == "roof":
            things = draw_roof(part, site)
        elif kind == "opening":
            things = draw_opening(part, site)
        elif kind == "tower":
            things = draw_tower(part, site, part.uniform(0, 1), 1.02, part.uniform(0.2, 0.7))
        else:
            height, hill = part.uniform(0.05, 0.3), part.choice({"hills": 0.5, "forest": 0.5})
            things = (draw_ridge(part, site, hill, height, part.uniform(0, 0.3)),)
        parts.add(kind, things)
    return parts


def _slope(draws: Draws, site: Site) -> tuple:
    """A hillside at one border."""
    where: dict[str, float] = {
        "centre": draws.uniform(-0.1, 0.1) + float(draws.chance(0.5)),
        "spread": draws.uniform(0.3, 0.9),
    }
    if draws.chance(0.6):
        where |= {
            "tooth": draws.uniform(0.015, 0.06) / site.aspect,
            "tall": draws.uniform(0.01, 0.06),
            "pointed": draws.uniform(),
            "dense": draws.uniform(0.3, 1),
        }
    kind = draws.choice({"forest": 0.5, "hills": 0.3, "mountains": 0.2})
    height = site.level * draws.uniform(0.1, 0.5)
    return (draw_ridge(draws, site, kind, height, draws.uniform(0, 0.25), **where),)


def _treeline(draws: Draws, site: Site) -> tuple:
    """A row of trees or the edge of a forest."""
    tall = min(site.level, 1) * draws.uniform(0.04, 0.2)
    trees = {
        "tooth": tall * draws.uniform(0.25, 0.9) / site.aspect,
        "tall": tall,
        "pointed": float(draws.chance(0.4)),
        "dense": draws.uniform(0.35, 1.0),
    }
    height = draws.uniform(0, 0.05)
    return (draw_ridge(draws, site, "forest", height, draws.uniform(0, 0.3), **trees),)
