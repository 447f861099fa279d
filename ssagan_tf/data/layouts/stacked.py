"""Layout stacked: a picture per clip, its frames one below the other."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from ssagan_tf import limits
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FrameEncoder, Picture, read_picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import (
    PICTURES,
    SourceFolder,
    plainest,
    suffix_of,
    without_suffix,
)
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions
from ssagan_tf.remote import AnyPath, as_path
from ssagan_tf.safe_names import checked


@dataclasses.dataclass(frozen=True)
class StackedPicture:
    """A picture of square frames; the last one is repeated where there are less than 32."""

    name: str
    video: str
    split: str | None
    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,)

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        image = read_picture(self.path).image
        height, width = image.shape[:2]
        if height % width or height == width:
            size = f"{width}×{height} pixels"
            raise DataError(f"no stacked frames: {as_path(self.path)}: {size}")
        squares = image.reshape(height // width, width, width, 3)[:FRAMES]
        pictures = [Picture(square) for square in squares]
        pictures += pictures[-1:] * (FRAMES - len(pictures))
        # The picture is the clip already: a jump in it is its own.
        whole = dataclasses.replace(options, scene_cut=0.0)
        frames = (Frame(number, picture) for number, picture in enumerate(pictures))
        for clip in cut(frames, self.name, self.video, whole, encoder):
            if isinstance(clip, Clip):
                clip = dataclasses.replace(clip, name=self.name)
            yield clip


def list_stacked(
    source: AnyPath,
    folders: Sequence[SourceFolder],
    options: PrepareOptions,
    skipped: list[Skipped],
) -> Iterator[StackedPicture]:
    """Lists the pictures, or those of `options.list`; `skipped` takes what is none."""
    paths = [(folder, name) for folder in folders for name in folder.files]
    pictures = {folder.below(n): (folder, n) for folder, n in paths if suffix_of(n) in PICTURES}
    if options.list:
        wanted = _read_list(options.list, source, pictures, skipped)
    else:
        wanted = list(pictures)
        others = [folder.below(name) for folder, name in paths if suffix_of(name) not in PICTURES]
        skipped += [Skipped(path, "not a picture") for path in others]
    found = [pictures[path] for path in wanted]
    files = plainest((folder.in_root(name), folder.below(name)) for folder, name in found)
    names = plainest((without_suffix(path), path) for path in files)
    # A folder holds the clips of one video, unless there is only one folder.
    holders = list({folder.path: folder for folder, _ in found}.values())
    paths = plainest((folder.in_root(), folder.below()) for folder in holders)
    video_of = {folder.path: path for folder, path in zip(holders, paths, strict=True)}
    for (folder, file), path, name in zip(found, files, names, strict=True):
        video_name = path if len(holders) == 1 else video_of[folder.path]
        yield StackedPicture(
            name, video_name, folder.split, os.path.join(source, folder.path, file)
        )


def _read_list(
    list_file: str, source: AnyPath, pictures: Container[str], skipped: list[Skipped]
) -> list[str]:
    try:
        lines = limits.read_text(Path(list_file), limits.LIST_BYTES).splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        if isinstance(error, UnicodeDecodeError):
            why = "is not a text file"
        raise OptionError("list", list_file, why) from error
    wanted: dict[str, None] = {}  # an ordered set
    for entry in filter(None, map(str.strip, lines)):
        plain = "/".join(part for part in entry.split("/") if part not in ("", "."))
        try:
            path = checked(entry if entry.startswith("/") else plain, "picture")
        except ValueError as error:
            raise DataError(
                f"cannot use {list_file}: {error}; list paths below the source"
            ) from error
        if path in wanted:
            skipped.append(Skipped(entry, "listed twice"))
        elif path in pictures:
            wanted[path] = None
        elif (source / path).is_file():
            skipped.append(Skipped(entry, "not a picture of the source"))
        else:
            skipped.append(Skipped(entry, "no such file"))
    return list(wanted)
