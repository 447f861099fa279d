"""Layout videos: video files."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ssagan_tf import video
from ssagan_tf.data.info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, Form
from ssagan_tf.data.layouts.folders import VIDEOS, Folder, plainest, suffix_of
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions


@dataclasses.dataclass(frozen=True)
class VideoFile:
    """A video, cut into clips one after the other."""

    name: str
    video: str
    split: str | None
    path: str

    def clips(self, options: PrepareOptions, form: Form = JPEGS) -> Iterator[Clip]:
        stride = options.frame_stride
        count = 0
        frames: list[Any] = []
        try:
            for image in itertools.islice(video.read_video(self.path), 0, None, stride):
                frames.append(form.of_image(image, options))
                if len(frames) == FRAMES:
                    start = count * FRAMES * stride
                    yield Clip(f"{self.name}/{start}", self.video, start, tuple(frames))
                    count, frames = count + 1, []
                    if options.clip_rule == "first":
                        return
        except video.UnreadableError as error:
            path = os.path.normpath(self.path)
            raise DataError(f"broken video: {path}: {error.why}") from error
        if not count:
            raise DataError(f"too short: {len(frames)} of {FRAMES} frames at stride {stride}")


def list_videos(
    source: Path, folders: Sequence[Folder], options: PrepareOptions, skipped: list[Skipped]
) -> Iterator[VideoFile]:
    """Lists the videos; `skipped` takes what is none."""
    found = []
    for folder in folders:
        for file in folder.files:
            if suffix_of(file) in VIDEOS:
                found.append((folder, file))
            else:
                skipped.append(Skipped(folder.below(file), "not a video"))
    videos = plainest((folder.in_root(file), folder.below(file)) for folder, file in found)
    names = plainest((os.path.splitext(path)[0], path) for path in videos)
    for (folder, file), name, path in zip(found, names, videos, strict=True):
        yield VideoFile(name, path, folder.split, os.path.join(source, folder.path, file))
