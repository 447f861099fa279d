"""Layout frames: folders of numbered pictures."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence

from ssagan_tf import names
from ssagan_tf.data.info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, Form, read_picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import PICTURES, Folder, plainest, suffix_of
from ssagan_tf.data.layouts.motion import choose_stride
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.remote import AnyPath

Numbered = Sequence[tuple[int, str]]
"""Pictures with their numbers, in order."""


@dataclasses.dataclass(frozen=True)
class FrameRun:
    """Pictures of a folder, numbered without a gap."""

    folder_name: str
    video: str
    split: str | None
    folder: str
    files: tuple[str, ...]
    start: int

    @property
    def name(self) -> str:
        return f"{self.folder_name}/{self.start}"

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(os.path.join(self.folder, file) for file in self.files)

    def by_clips(self) -> Iterator[FrameRun]:
        """Runs of just 32 pictures, one after the other."""
        for index in range(0, len(self.files) - FRAMES + 1, FRAMES):
            files = self.files[index : index + FRAMES]
            yield dataclasses.replace(self, files=files, start=self.start + index)

    def clips(self, options: PrepareOptions, form: Form = JPEGS) -> Iterator[Clip | Skipped]:
        stride = options.frame_stride
        if stride == "auto":
            frames = (frame.picture for frame in self._frames(1) if frame.picture)
            stride = choose_stride(frames, options)
        yield from cut(self._frames(stride), self.folder_name, self.video, options, form)

    def _frames(self, stride: int) -> Iterator[Frame]:
        for index, path in list(enumerate(self.paths))[::stride]:
            number = self.start + index
            try:
                yield Frame(number, read_picture(path))
            except DataError as error:  # like a gap
                yield Frame(number, None, str(error))


def list_frames(
    source: AnyPath,
    folders: Sequence[Folder],
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
        numbered = _numbered(folder, skipped)
        if not numbered:
            continue
        runs = list(_runs(numbered))
        lengths = [-(-len(run) // stride) for run in runs]
        long = [run for run, length in zip(runs, lengths, strict=True) if length >= FRAMES]
        if long:
            named = zip(runs, lengths, strict=True)
            short = [(folder.below(run[0][1]), n) for run, n in named if n < FRAMES]
        else:
            short = [(folder.path, max(lengths))]
        for item, length in short:
            reason = f"too short: {length} of {FRAMES} frames without a gap"
            skipped.append(Skipped(item, reason))
        found.append((folder, long[:1] if options.clip_rule == "first" else long))

    # The video is the folder on top. One that holds all the pictures itself is one video.
    def on_top(folder: Folder) -> tuple[str, str]:
        top = folder.in_root().split("/")[0]
        return (top if top != "." else folder.root[:-1] or of_source), folder.root

    of_source = source.resolve().name
    if names.fault(of_source):
        of_source = "footage"

    tops = sorted({on_top(folder) for folder, runs in found if runs})
    name_of = dict(zip(tops, plainest((top, root + top) for top, root in tops), strict=True))
    for folder, runs in found:
        if not runs:
            continue
        video_name = name_of[on_top(folder)]
        name = "/".join([video_name, *folder.in_root().split("/")[1:]])
        path = os.path.join(source, folder.path)
        for run in runs:
            files = tuple(file for _, file in run)
            yield FrameRun(name, video_name, folder.split, path, files, run[0][0])


def _numbered(folder: Folder, skipped: list[Skipped]) -> Numbered:
    """The pictures of a folder. The number is the last one in the name."""
    by_number: dict[int, str] = {}
    for name in folder.files:
        if suffix_of(name) not in PICTURES:
            skipped.append(Skipped(folder.below(name), "not a picture"))
            continue
        digits = re.findall(r"[0-9]+", os.path.splitext(name)[0])
        if not digits:
            skipped.append(Skipped(folder.below(name), "no number in its name"))
        elif (number := int(digits[-1])) >= 1 << 63:  # more than a record can hold
            skipped.append(Skipped(folder.below(name), "its number is too large"))
        elif number in by_number:
            reason = f"a number twice: as {by_number[number]}"
            skipped.append(Skipped(folder.below(name), reason))
        else:
            by_number[number] = name
    return sorted(by_number.items())


def _runs(numbered: Numbered) -> Iterator[Numbered]:
    """Breaks where a number is missing, or where the names change."""
    run: list[tuple[int, str]] = []
    for number, name in numbered:
        if run and (number != run[-1][0] + 1 or _before(name) != _before(run[-1][1])):
            yield run
            run = []
        run.append((number, name))
    yield run


def _before(name: str) -> str:
    """What stands before the number."""
    return re.split(r"[0-9]+(?=[^0-9]*$)", os.path.splitext(name)[0])[0]
