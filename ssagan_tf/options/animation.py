"""Animating photos at their own size."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf.options.generation import PhotosToVideos, SourceOrBoxOptions
from ssagan_tf.options.setting import Section, between, setting

FLOW_SUFFIXES = (".png", ".npz", ".flo")


@dataclasses.dataclass(frozen=True)
class MotionOptions(Section):
    """How the photo moves."""

    seconds: float = setting(8.0, "Length of the video or loop, in seconds.", between(0.1, 600.0))
    fps: float = setting(25.0, "Frames per second.", between(0.1, 1000.0))
    loop: bool = setting(
        True,
        "Make an endless loop: the first frame follows the last. --noloop: the sky starts at the "
        "photo and keeps drifting.",
    )
    direction: Literal["right", "left"] = setting("right", "Direction in which clouds drift.")
    speed: float = setting(
        1.0, "Speed factor: above 1 faster, below 1 slower.", between(0.05, 20.0)
    )
    strength: float = setting(
        1.0,
        "How far clouds drift in a loop before others fade in; lower values change more often.",
        between(0.1, 2.0),
    )
    light: float = setting(
        0.0,
        "How much of the slow change of light in the generated clip is transferred; 1: all of it.",
        between(0.0, 3.0),
    )


def _flow_file(name: str) -> str | None:
    return (
        None
        if not name or name.lower().endswith(FLOW_SUFFIXES)
        else f"must end in {', '.join(FLOW_SUFFIXES)}"
    )


@dataclasses.dataclass(frozen=True)
class PhotosToAnimations(MotionOptions, PhotosToVideos):
    """Photos to read, and animated photos to write."""

    repeat: int = setting(
        1,
        "How often an mp4 or a folder repeats the frames; GIF and WebP loop forever.",
        between(1, 1000),
    )
    mask: str = setting(
        "",
        "Picture of what moves (white) and what stays still (black), instead of detecting the sky.",
        any_bytes=True,
    )
    save_motion: str = setting(
        "",
        "FILE.png, FILE.npz or FILE.flo: also write the motion of each pixel, in pixels per frame, "
        "as a picture (hue: direction, saturation: speed) or as numbers.",
        _flow_file,
        any_bytes=True,
    )


@dataclasses.dataclass(frozen=True)
class AnimateOptions(PhotosToAnimations, SourceOrBoxOptions):
    """Photos, generator and animated photos."""
