"""Layout stacked: one picture per clip, with its frames one below the other."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ssagan_tf import limits, video
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import JPEGS, Clip, FileItem, FrameEncoder, Picture, read_picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.data.layouts.folders import (
    PICTURES,
    SourceFolder,
    shortest_unique,
    suffix_of,
    without_suffix,
)
from ssagan_tf.data.layouts.layout import LayoutSpec
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions
from ssagan_tf.remote import AnyPath, RemoteStorageError, as_path
from ssagan_tf.safe_names import checked

_TRIED = 32  # pictures to open until one is not broken


@dataclasses.dataclass(frozen=True)
class StackedPicture(FileItem):
    """A picture of square frames; the last one is repeated if there are fewer than 32."""

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        image = read_picture(self.path).image
        height, width = image.shape[:2]
        if height % width or height == width:
            size = f"{width}×{height} pixels"
            raise DataError(f"not stacked square frames: {as_path(self.path)}: {size}")
        squares = image.reshape(height // width, width, width, 3)[:FRAMES]
        pictures = [Picture(square) for square in squares]
        pictures += pictures[-1:] * (FRAMES - len(pictures))
        # The picture is already a clip, whatever it shows.
        uncut = dataclasses.replace(options, scene_cut=0.0)
        frames = (Frame(number, picture) for number, picture in enumerate(pictures))
        for clip in cut(frames, self.name, self.video, uncut, encoder):
            if isinstance(clip, Clip):
                clip = dataclasses.replace(clip, name=self.name)
            yield clip


def list_stacked(
    source: AnyPath,
    folders: Sequence[SourceFolder],
    options: PrepareOptions,
    skipped: list[Skipped],
) -> Iterator[StackedPicture]:
    """Lists the pictures, or those in `options.list`; `skipped` takes the other files."""
    paths = [(folder, name) for folder in folders for name in folder.files]
    pictures = {folder.relative(n): (folder, n) for folder, n in paths if suffix_of(n) in PICTURES}
    if options.list:
        wanted = _read_list(options.list, source, pictures, skipped)
    else:
        wanted = list(pictures)
        skipped += [
            Skipped(folder.relative(name), "not a picture")
            for folder, name in paths
            if suffix_of(name) not in PICTURES
        ]
    found = [pictures[path] for path in wanted]
    files = shortest_unique(
        (folder.relative_to_split(name), folder.relative(name)) for folder, name in found
    )
    names = shortest_unique((without_suffix(path), path) for path in files)
    # A folder has the clips of one video, unless there is only one folder.
    used = list({folder.path: folder for folder, _ in found}.values())
    paths = shortest_unique((folder.relative_to_split(), folder.relative()) for folder in used)
    video_of = {folder.path: path for folder, path in zip(used, paths, strict=True)}
    for (folder, file), path, name in zip(found, files, names, strict=True):
        video_name = path if len(used) == 1 else video_of[folder.path]
        yield StackedPicture(
            name, video_name, folder.split, os.path.join(source, folder.path, file)
        )


def _read_list(
    list_file: str, source: AnyPath, pictures: Collection[str], skipped: list[Skipped]
) -> list[str]:
    try:
        text = limits.read_text(Path(list_file), limits.LIST_BYTES).removeprefix("\ufeff")  # BOM
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        if isinstance(error, UnicodeDecodeError):
            why = "is not a UTF-8 text file"
        raise OptionError("list", list_file, why) from error
    # A list from macOS may have decomposed accents (NFD) where the files have composed ones (NFC).
    composed = {_compose(path): path for path in pictures}
    wanted: dict[str, None] = {}  # an ordered set
    for entry in filter(None, map(str.strip, text.splitlines())):
        plain = "/".join(part for part in entry.split("/") if part not in ("", "."))
        try:
            path = checked(entry if entry.startswith("/") else plain, "picture")
        except ValueError as error:
            raise DataError(
                f"cannot use {list_file}: {error}; expected paths relative to the source"
            ) from error
        if path not in pictures:
            path = composed.get(_compose(path), path)
        if path in wanted:
            skipped.append(Skipped(entry, "duplicate in the list"))
        elif path in pictures:
            wanted[path] = None
        elif (source / path).is_file():
            skipped.append(Skipped(entry, "not a picture of the source"))
        else:
            skipped.append(Skipped(entry, "not found"))
    return list(wanted)


def _compose(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _looks_stacked(source: AnyPath, files: Sequence[str]) -> bool:
    for name in files[:_TRIED]:
        try:
            with (source / name).open("rb") as file, video.open_image(file) as image:
                return image.height >= 4 * image.width
        except RemoteStorageError:
            raise
        except (OSError, ValueError):  # a broken picture
            continue
    return False


LAYOUT = LayoutSpec(
    "pictures of stacked frames", list_stacked, PICTURES, fits=_looks_stacked, takes_list=True
)
