"""Train and test: as the source says, or drawn video by video."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

from ssagan_tf.data.dataset_info import SPLITS
from ssagan_tf.options import PrepareOptions


class Divisible(Protocol):
    """A clip, as far as its split depends on it."""

    @property
    def video(self) -> str: ...

    @property
    def split(self) -> str | None: ...


AnyClip = TypeVar("AnyClip", bound=Divisible)


def own_split(name: str) -> str | None:
    """The split that the name of a folder promises: `sky_train` is for training."""
    return next((split for split in SPLITS if name.endswith(f"_{split}")), None)


def draw(seed: int, name: str) -> bytes:
    """A random number of a name: the order drawn for one depends on no other."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def divide(clips: Sequence[AnyClip], options: PrepareOptions) -> dict[str, list[AnyClip]]:
    """Into train and test: as the source says, or video by video."""
    videos = {clip.video for clip in clips if clip.split is None}
    number = round(options.test_fraction * len(videos))
    if 0 < options.test_fraction < 1:  # some for each, for training first
        number = min(max(number, 1), max(len(videos) - 1, 0))
    drawn = sorted(videos, key=lambda video: draw(options.seed, f"split/{video}"))[:number]
    test = frozenset(drawn)
    parts: dict[str, list[AnyClip]] = {split: [] for split in SPLITS}
    for clip in clips:
        parts[clip.split or ("test" if clip.video in test else "train")].append(clip)
    return parts
