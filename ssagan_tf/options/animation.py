"""From photos to moving photos of the same size."""

from __future__ import annotations

import dataclasses
from typing import Literal

from ssagan_tf.options.generation import PhotosToVideos, SourceOrBoxOptions
from ssagan_tf.options.setting import Section, between, setting

FLOW_SUFFIXES = (".png", ".npz", ".flo")


@dataclasses.dataclass(frozen=True)
class MotionOptions(Section):
    """How a photo moves."""

    seconds: float = setting(8.0, "Length of the video, or of the loop.", between(0.1, 600.0))
    fps: float = setting(25.0, "Frames per second.", between(0.1, 1000.0))
    loop: bool = setting(
        True,
        "An endless loop: after the last frame comes the first. --noloop: the sky drifts on from "
        "the photo.",
    )
    direction: Literal["right", "left"] = setting("right", "Where clouds drift.")
    speed: float = setting(1.0, "Times faster; below 1 slower.", between(0.05, 20.0))
    strength: float = setting(
        1.0,
        "How far clouds drift in a loop before others take their place; less changes more often.",
        between(0.1, 2.0),
    )
    light: float = setting(
        0.0,
        "How strongly the slow change of light in the network's clip is carried over; 1: as it is "
        "there.",
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
    """Photos in, moving photos out: what all programs share that do this."""

    repeat: int = setting(
        1,
        "How many times over an mp4 or a folder has the frames; a GIF and a WebP play for ever.",
        between(1, 1000),
    )
    mask: str = setting(
        "",
        "A picture of what moves (white) and what stands still (black), instead of what is found.",
        any_bytes=True,
    )
    save_motion: str = setting(
        "",
        "FILE.png, FILE.npz or FILE.flo: also writes how each pixel moves, in pixels from a frame "
        "to the next: as a picture (hue: direction, saturation: speed) or as numbers.",
        _flow_file,
        any_bytes=True,
    )


@dataclasses.dataclass(frozen=True)
class AnimateOptions(PhotosToAnimations, SourceOrBoxOptions):
    """From photos to moving photos."""
