"""Procedural skies: clips drawn from random numbers, which need no footage.

any_wind      clouds that drift every way over plain hills or a sea
scene         clouds that drift to the right, and what photos have: a camera, an hour's light,
              clouds, a sea, land, a lens
truth         how a clip moves
checksum      whether the skies of a benchmark are those it was frozen with
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from ssagan_tf.options.shared import Wind
from ssagan_tf.skies import any_wind, scene
from ssagan_tf.skies.truth import Truth

_NAME = re.compile(r"clouds(\d+)/0")  # of a clip in a set: the only one of its video


def procedural_clip(
    seed: int, index: int, resolution: int, frames: int = 32, wind: Wind = "any"
) -> np.ndarray:
    """RandomStream one clip of a moving sky.

    Args:
      seed: Seed of the whole set, at least 0.
      index: Number of the clip in the set, at least 0.
      resolution: Side of the frames, at least 2. The same sky at any.
      frames: Number of frames T, at least 1.
      wind: `any`: plain skies whose clouds drift every way. `canonical`: skies as photos have them,
        whose clouds drift to the right: the angle is drawn from N(0, 0.25) radians for a clip, and
        that of each layer from N(0, 0.2) about it.

    Returns:
      `[T, resolution, resolution, 3]` uint8.

    Raises:
      ValueError: An argument is out of its range.
    """
    _check(seed, index, resolution, frames, wind)
    if wind == "any":
        return any_wind.synthetic_clip(seed, index, resolution, frames)
    return np.stack(list(scene.Stage(scene.sample_scene(seed, index), resolution).frames(frames)))


def clip_truth(
    seed: int, index: int, resolution: int, frames: int = 32, wind: Wind = "any"
) -> Truth:
    """How the clip that `procedural_clip` draws of the same arguments moves.

    Raises:
      ValueError: An argument is out of its range.
    """
    _check(seed, index, resolution, frames, wind)
    if wind == "any":
        return any_wind.synthetic_truth(seed, index, resolution, frames)
    return scene.Stage(scene.sample_scene(seed, index), resolution).truth(frames)


def video_name(index: int) -> str:
    """Name in a set of the video that is clip `index`; `truth` reads it."""
    return f"clouds{index:05d}"


def truth(name: str, settings: Mapping[str, Any], resolution: int) -> Truth | None:
    """How a clip of a prepared set moves.

    Args:
      name: Of the clip.
      settings: Of the set.
      resolution: Of the frames.

    Returns:
      None if the set's clips are not procedural.

    Raises:
      KeyError, TypeError, ValueError: The settings are not those of procedural skies.
    """
    found = _NAME.fullmatch(name)
    if settings.get("layout") != "synthetic" or not found:
        return None
    wind = settings.get("wind", "any")
    return clip_truth(settings["seed"], int(found[1]), resolution, wind=wind)


def _check(seed: int, index: int, resolution: int, frames: int, wind: str) -> None:
    least = {"seed": (seed, 0), "index": (index, 0), "resolution": (resolution, 2)}
    for name, (value, low) in (least | {"frames": (frames, 1)}).items():
        if value < low:
            raise ValueError(f"{name}={value}: must be at least {low}")
    if wind not in get_args(Wind):
        raise ValueError(f"wind={wind}: must be one of {', '.join(get_args(Wind))}")
