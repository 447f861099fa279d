"""Layout frames: folders of numbered pictures."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ssagan_tf.data.info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, Form
from ssagan_tf.data.layouts.folders import PICTURES, Folder, plainest, suffix_of
from ssagan_tf.options import FRAMES, PrepareOptions

Numbered = Sequence[tuple[int, str]]
"""Pictures with their numbers, in order."""


@dataclasses.dataclass(frozen=True)
class FrameRun:
    """32 pictures of a folder."""

    name: str
    video: str
    split: str | None
    folder: str
    files: tuple[str, ...]
    start: int

    def clips(self, options: PrepareOptions, form: Form = JPEGS) -> Iterator[Clip]:
        paths = (os.path.join(self.folder, name) for name in self.files)
        frames = tuple(form.of_file(path, options) for path in paths)
        yield Clip(self.name, self.video, self.start, frames)


def list_frames(
    source: Path, folders: Sequence[Folder], options: PrepareOptions, skipped: list[Skipped]
) -> Iterator[FrameRun]:
    """Lists the runs of 32 pictures.

    Args:
      source: Where the folders lie.
      folders: Where to look.
      options: How to cut.
      skipped: Takes what is no picture, the folders without a clip, and in the other folders the
        runs from gap to gap that are too short for one, by their first picture.
    """
    found = []
    for folder in folders:
        numbered = _numbered(folder, skipped)
        if not numbered:
            continue
        runs = [run[:: options.frame_stride] for run in _runs(numbered)]
        clips = [clip for run in runs for clip in _cut(run)]
        if clips:
            short = [(folder.below(run[0][1]), len(run)) for run in runs if len(run) < FRAMES]
        else:
            short = [(folder.path, max(map(len, runs)))]
        for item, length in short:
            reason = f"too short: {length} of {FRAMES} frames without a gap"
            skipped.append(Skipped(item, reason))
        found.append((folder, clips[:1] if options.clip_rule == "first" else clips))

    # The video is the folder on top. One that holds all the pictures itself is one video.
    def on_top(folder: Folder) -> tuple[str, str]:
        top = folder.in_root().split("/")[0]
        return (top if top != "." else folder.root[:-1] or source.resolve().name), folder.root

    tops = sorted({on_top(folder) for folder, clips in found if clips})
    names = dict(zip(tops, plainest((top, root + top) for top, root in tops), strict=True))
    for folder, clips in found:
        if not clips:
            continue
        video_name = names[on_top(folder)]
        below = folder.in_root().split("/")[1:]
        for clip in clips:
            start = clip[0][0]
            name = "/".join([video_name, *below, str(start)])
            files = tuple(file for _, file in clip)
            path = os.path.join(source, folder.path)
            yield FrameRun(name, video_name, folder.split, path, files, start)


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
        elif (number := int(digits[-1])) in by_number:
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


def _cut(run: Numbered) -> Iterator[Numbered]:
    for start in range(0, len(run) - FRAMES + 1, FRAMES):
        yield run[start : start + FRAMES]
