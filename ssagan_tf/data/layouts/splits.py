"""Splits clips into training and testing: by the folders of the source, or at random by video."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

from ssagan_tf.data.dataset_info import SPLITS
from ssagan_tf.options import PrepareOptions


class HasSplit(Protocol):
    """What the split of a clip depends on."""

    @property
    def video(self) -> str: ...

    @property
    def split(self) -> str | None: ...


ClipT = TypeVar("ClipT", bound=HasSplit)


def split_of_folder(name: str) -> str | None:
    """Returns the split that a folder is named after, such as `sky_train`, if any."""
    return next((split for split in SPLITS if name.endswith(f"_{split}")), None)


def random_key(seed: int, name: str) -> bytes:
    """Returns a random sort key for a name, which does not depend on other names."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def split_clips(clips: Sequence[ClipT], options: PrepareOptions) -> dict[str, list[ClipT]]:
    """Splits clips as the folders of the source say, or at random by video."""
    videos = {clip.video for clip in clips if clip.split is None}
    number = round(options.test_fraction * len(videos))
    if 0 < options.test_fraction < 1:  # at least one each, if possible; training comes first
        number = min(max(number, 1), max(len(videos) - 1, 0))
    shuffled = sorted(videos, key=lambda video: random_key(options.seed, f"split/{video}"))
    test_videos = frozenset(shuffled[:number])
    by_split: dict[str, list[ClipT]] = {split: [] for split in SPLITS}
    for clip in clips:
        by_split[clip.split or ("test" if clip.video in test_videos else "train")].append(clip)
    return by_split
