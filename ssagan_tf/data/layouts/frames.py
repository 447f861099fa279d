"""Layout frames: folders of numbered pictures."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence

from ssagan_tf import safe_names
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FrameEncoder, read_picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import PICTURES, SourceFolder, shortest_unique, suffix_of
from ssagan_tf.data.layouts.layout import LayoutSpec
from ssagan_tf.data.layouts.motion import choose_stride
from ssagan_tf.data.layouts.sequences import (
    FileSequence,
    NumberedFile,
    find_sequences,
    sequence_labels,
)
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.remote import AnyPath


@dataclasses.dataclass(frozen=True)
class FrameRun:
    """Consecutive pictures of a folder without a gap, and their numbers."""

    folder_name: str
    video: str
    split: str | None
    folder: str
    files: tuple[str, ...]
    numbers: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.folder_name}/{self.numbers[0]}"

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(os.path.join(self.folder, file) for file in self.files)

    def by_clips(self) -> Iterator[FrameRun]:
        """Yields consecutive runs of 32 pictures each."""
        for index in range(0, len(self.files) - FRAMES + 1, FRAMES):
            part = slice(index, index + FRAMES)
            yield dataclasses.replace(self, files=self.files[part], numbers=self.numbers[part])

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        stride = options.frame_stride
        if stride == "auto":
            frames = (frame.picture for frame in self._frames(1) if frame.picture)
            stride = choose_stride(frames, options)
        yield from cut(self._frames(stride), self.folder_name, self.video, options, encoder)

    def _frames(self, stride: int) -> Iterator[Frame]:
        for number, path in list(zip(self.numbers, self.paths, strict=True))[::stride]:
            try:
                yield Frame(number, read_picture(path))
            except DataError as error:  # treated like a gap
                yield Frame(number, None, str(error))


def list_frames(
    source: AnyPath,
    folders: Sequence[SourceFolder],
    options: PrepareOptions,
    skipped: list[Skipped],
) -> Iterator[FrameRun]:
    """Lists the runs of at least 32 pictures.

    Args:
      source: Folder of the footage.
      folders: Its folders.
      options: Has clip rule and frame stride.
      skipped: Takes other files, folders without such a run, and in other folders, the runs that
        are too short, by their first picture.
    """
    stride = 1 if options.frame_stride == "auto" else options.frame_stride
    found = []
    for folder in folders:
        sequences = _sequences(folder, skipped)
        if not sequences:
            continue
        long: list[tuple[FileSequence, list[tuple[NumberedFile, ...]]]] = []
        short: list[tuple[str, int]] = []
        for sequence in sequences:
            runs = [(run, -(-len(run) // stride)) for run in sequence.runs()]
            short += [(folder.relative(run[0].name), n) for run, n in runs if n < FRAMES]
            if usable := [run for run, n in runs if n >= FRAMES]:
                long.append((sequence, usable))
        if not long:
            short = [(folder.path, max(length for _, length in short))]
        for item, length in short:
            reason = f"too short: {length} of {FRAMES} frames without a gap"
            skipped.append(Skipped(item, reason))
        if options.clip_rule == "first":
            long = [(sequence, runs[:1]) for sequence, runs in long[:1]]
        found.append((folder, long))

    # A video is a top-level folder, or the source itself if the pictures are directly in it.
    def top_level(folder: SourceFolder) -> tuple[str, str]:
        top = folder.relative_to_split().split("/")[0]
        name = top if top != "." else folder.split_folder[:-1] or source_name
        return name, folder.split_folder

    source_name = source.resolve().name
    if safe_names.fault(source_name):
        source_name = "footage"

    tops = sorted({top_level(folder) for folder, long in found if long})
    unique = shortest_unique((top, split_folder + top) for top, split_folder in tops)
    video_of = dict(zip(tops, unique, strict=True))
    used = [(folder, long) for folder, long in found if long]
    names = [
        "/".join([video_of[top_level(folder)], *folder.relative_to_split().split("/")[1:]])
        for folder, _ in used
    ]
    for (folder, long), name in zip(used, names, strict=True):
        path = os.path.join(source, folder.path)
        labels = sequence_labels([sequence for sequence, _ in long])
        for label, (sequence, runs) in zip(labels, long, strict=True):
            if f"{name}/{label}" in names:  # a subfolder has this name
                label = sequence.files[0].name
            full_name = f"{name}/{label}" if label else name
            for run in runs:
                files, numbers = zip(*((file.name, file.number) for file in run), strict=True)
                video = video_of[top_level(folder)]
                yield FrameRun(full_name, video, folder.split, path, files, numbers)


def _sequences(folder: SourceFolder, skipped: list[Skipped]) -> list[FileSequence]:
    is_picture = {name: suffix_of(name) in PICTURES for name in folder.files}
    found, reasons = find_sequences(name for name in folder.files if is_picture[name])
    for name in folder.files:
        if why := reasons.get(name) if is_picture[name] else "not a picture":
            skipped.append(Skipped(folder.relative(name), why))
    return found


LAYOUT = LayoutSpec("folders of numbered pictures", list_frames, PICTURES)
