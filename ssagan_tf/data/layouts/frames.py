"""Layout frames: folders of pictures in order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence

from ssagan_tf import safe_names
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FrameEncoder, read_picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import PICTURES, SourceFolder, plainest, suffix_of
from ssagan_tf.data.layouts.motion import choose_stride
from ssagan_tf.data.layouts.sequences import NumberedFile, Row, labels, rows
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.remote import AnyPath


@dataclasses.dataclass(frozen=True)
class FrameRun:
    """Pictures of a folder, in order and without a gap, each with its number."""

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
        """Runs of just 32 pictures, one after the other."""
        for index in range(0, len(self.files) - FRAMES + 1, FRAMES):
            some = slice(index, index + FRAMES)
            yield dataclasses.replace(self, files=self.files[some], numbers=self.numbers[some])

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
            except DataError as error:  # like a gap
                yield Frame(number, None, str(error))


def list_frames(
    source: AnyPath,
    folders: Sequence[SourceFolder],
    options: PrepareOptions,
    skipped: list[Skipped],
) -> Iterator[FrameRun]:
    """Lists the runs of 32 or more pictures.

    Args:
      source: Where the folders lie.
      folders: Where to look.
      options: How to cut.
      skipped: Takes what is no picture, the folders without such a run, and in the other folders
        the runs from gap to gap that are too short, by their first picture.
    """
    stride = 1 if options.frame_stride == "auto" else options.frame_stride
    found = []
    for folder in folders:
        in_order = _rows(folder, skipped)
        if not in_order:
            continue
        long: list[tuple[Row, list[tuple[NumberedFile, ...]]]] = []
        short: list[tuple[str, int]] = []
        for row in in_order:
            runs = list(row.runs())
            lengths = [-(-len(run) // stride) for run in runs]
            named = list(zip(runs, lengths, strict=True))
            short += [(folder.below(run[0].file), n) for run, n in named if n < FRAMES]
            if usable := [run for run, n in named if n >= FRAMES]:
                long.append((row, usable))
        if not long:
            short = [(folder.path, max(length for _, length in short))]
        for item, length in short:
            reason = f"too short: {length} of {FRAMES} frames without a gap"
            skipped.append(Skipped(item, reason))
        if options.clip_rule == "first":
            long = [(row, runs[:1]) for row, runs in long[:1]]
        found.append((folder, long))

    # The video is the folder on top. One that holds all the pictures itself is one video.
    def on_top(folder: SourceFolder) -> tuple[str, str]:
        top = folder.in_root().split("/")[0]
        return (top if top != "." else folder.root[:-1] or of_source), folder.root

    of_source = source.resolve().name
    if safe_names.fault(of_source):
        of_source = "footage"

    tops = sorted({on_top(folder) for folder, long in found if long})
    name_of = dict(zip(tops, plainest((top, root + top) for top, root in tops), strict=True))
    used = [(folder, long) for folder, long in found if long]
    called = ["/".join([name_of[on_top(at)], *at.in_root().split("/")[1:]]) for at, _ in used]
    for (folder, long), name in zip(used, called, strict=True):
        path = os.path.join(source, folder.path)
        for label, (row, runs) in zip(labels([row for row, _ in long]), long, strict=True):
            if f"{name}/{label}" in called:
                label = row.places[0].file  # which no folder here is called
            of_row = f"{name}/{label}" if label else name
            for run in runs:
                files, numbers = zip(*((place.file, place.number) for place in run), strict=True)
                video = name_of[on_top(folder)]
                yield FrameRun(of_row, video, folder.split, path, files, numbers)


def _rows(folder: SourceFolder, skipped: list[Skipped]) -> list[Row]:
    """The sequences of a folder's pictures."""
    are = {name: suffix_of(name) in PICTURES for name in folder.files}
    found, passed_over = rows(name for name, is_picture in are.items() if is_picture)
    for name, is_picture in are.items():
        if why := passed_over.get(name) if is_picture else "not a picture":
            skipped.append(Skipped(folder.below(name), why))
    return found
