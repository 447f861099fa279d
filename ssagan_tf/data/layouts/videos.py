"""Layout videos: video files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence

from ssagan_tf import video
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FileItem, FrameEncoder, Picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import (
    VIDEOS,
    SourceFolder,
    shortest_unique,
    suffix_of,
    without_suffix,
)
from ssagan_tf.data.layouts.layout import LayoutSpec
from ssagan_tf.data.layouts.motion import choose_stride
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions
from ssagan_tf.remote import AnyPath, as_path, local_copy


@dataclasses.dataclass(frozen=True)
class VideoFile(FileItem):
    """A video file, cut into clips."""

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        stride = options.frame_stride
        try:
            with local_copy(self.path) as path:
                if stride == "auto":
                    pictures = map(Picture, video.read_video(path))
                    stride = choose_stride(pictures, options)
                frames = (
                    Frame(index * stride, Picture(image), time=time)
                    for index, (image, time) in enumerate(video.read_video_with_times(path, stride))
                )
                for clip in cut(frames, self.name, self.video, options, encoder):
                    if isinstance(clip, Skipped) and clip.kind == "too short" and stride > 1:
                        clip = Skipped(clip.item, f"{clip.reason}, at stride {stride}")
                    yield clip
        except video.UnreadableError as error:
            raise DataError(f"broken video: {as_path(self.path)}: {error.why}") from error


def list_videos(
    source: AnyPath,
    folders: Sequence[SourceFolder],
    options: PrepareOptions,
    skipped: list[Skipped],
) -> Iterator[VideoFile]:
    """Lists the videos; `skipped` takes the other files."""
    found = []
    for folder in folders:
        for file in folder.files:
            if suffix_of(file) in VIDEOS:
                found.append((folder, file))
            else:
                skipped.append(Skipped(folder.relative(file), "not a video"))
    videos = shortest_unique(
        (folder.relative_to_split(file), folder.relative(file)) for folder, file in found
    )
    names = shortest_unique((without_suffix(path), path) for path in videos)
    for (folder, file), name, path in zip(found, names, videos, strict=True):
        yield VideoFile(name, path, folder.split, os.path.join(source, folder.path, file))


LAYOUT = LayoutSpec("video files", list_videos, VIDEOS)
