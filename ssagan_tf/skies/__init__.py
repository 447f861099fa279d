"""Procedural skies: clips that are generated from random numbers, so that no footage is needed.

any_wind      simple skies whose clouds drift in any direction, over hills or a sea
scene         skies whose clouds drift to the right, with the content of photos: a camera, the light
              of a time of day, clouds, a sea, land, a lens
truth         the known motion of a clip
checksum      checks that the clips of a benchmark are still the same
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from ssagan_tf.options.shared import Wind
from ssagan_tf.skies import any_wind, scene
from ssagan_tf.skies.truth import Truth

_NAME = re.compile(r"clouds(\d+)/0")  # of a clip in a set, the only one of its video


def procedural_clip(
    seed: int, index: int, resolution: int, frames: int = 32, wind: Wind = "any"
) -> np.ndarray:
    """Generates a clip of a moving sky.

    Args:
      seed: Seed of the set, at least 0.
      index: Index of the clip in the set, at least 0.
      resolution: Height and width of the frames, at least 2. The sky does not depend on it.
      frames: Number of frames T, at least 1.
      wind: `any`: simple skies whose clouds drift in any direction. `canonical`: skies as in
        photos, whose clouds drift to the right: the angle of a clip is from N(0, 0.25) radians, and
        that of each layer from N(0, 0.2) about it.

    Returns:
      `[T, resolution, resolution, 3]` uint8.

    Raises:
      ValueError: An argument is out of its range.
    """
    _check(seed, index, resolution, frames, wind)
    if wind == "any":
        return any_wind.synthetic_clip(seed, index, resolution, frames)
    renderer = scene.SceneRenderer(scene.sample_scene(seed, index), resolution)
    return np.stack(list(renderer.frames(frames)))


def clip_truth(
    seed: int, index: int, resolution: int, frames: int = 32, wind: Wind = "any"
) -> Truth:
    """Returns the motion of the clip that `procedural_clip` generates from the same arguments.

    Raises:
      ValueError: An argument is out of its range.
    """
    _check(seed, index, resolution, frames, wind)
    if wind == "any":
        return any_wind.synthetic_truth(seed, index, resolution, frames)
    return scene.SceneRenderer(scene.sample_scene(seed, index), resolution).truth(frames)


def video_name(index: int) -> str:
    """Returns the name of the video with clip `index` in a set; `stored_clip_truth` parses it."""
    return f"clouds{index:05d}"


def stored_clip_truth(name: str, settings: Mapping[str, Any], resolution: int) -> Truth | None:
    """Returns the motion of a clip in a prepared set.

    Args:
      name: Name of the clip.
      settings: Settings of the set.
      resolution: Height and width of the frames.

    Returns:
      None if the clips of the set are not procedural.

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
