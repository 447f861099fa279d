"""The folders of a source, kinds of files, and unique names for clips."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ssagan_tf import safe_names
from ssagan_tf.data.dataset_info import SPLITS, Skipped
from ssagan_tf.data.layouts.splits import split_of_folder
from ssagan_tf.remote import AnyPath, RemoteStorageError

PICTURES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"),
    *(".jp2", ".avif", ".heic", ".heif"),
)
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp", ".gif"),
)
# Folders of operating systems and file managers, with previews, deleted files and metadata.
_HIDDEN = (".", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "System Volume Information")


@dataclasses.dataclass(frozen=True)
class SourceFolder:
    """A folder of the source.

    Attributes:
      split: `train` or `test` if the source is split, else None.
      split_folder: The *_train or *_test folder it is in, with a slash; empty if there is none.
      path: Relative to the source; `.` for the source itself.
      files: Names of its files, sorted.
    """

    split: str | None
    split_folder: str
    path: str
    files: tuple[str, ...]

    def relative(self, name: str = "") -> str:
        """Returns the path of the folder, or of a file in it, relative to the source."""
        return os.path.normpath(os.path.join(self.path, name)).replace(os.sep, "/")

    def relative_to_split(self, name: str = "") -> str:
        """Returns the same path relative to the folder of the split."""
        return self.relative(name)[len(self.split_folder) :] or "."


def walk(source: AnyPath, skipped: list[Skipped]) -> Iterator[SourceFolder]:
    """Yields all folders with files or subfolders.

    A source is split if it has both `*_train` and `*_test` folders; then only these are searched.
    If all its folders are `*_train`, or all `*_test`, its videos are split at random, like those of
    any other source.

    Args:
      source: The folder to start from.
      skipped: Takes what is skipped.
    """
    visible = [path for path in source.iterdir() if not _fault(path.name)]
    children = sorted(path.name for path in visible)
    splits = {path.name: split_of_folder(path.name) for path in visible if _is_folder(path)}
    is_split = set(SPLITS) <= set(splits.values())
    has_split_names = is_split or all(splits[name] for name in splits if name[0] != ".")
    seen = set()

    def unreadable(error: OSError) -> None:
        where = safe_names.escaped(_decoded(os.path.relpath(error.filename, source)))
        skipped.append(Skipped(where, "cannot be read"))

    for path, subfolders, files in _all_folders(source, unreadable):
        subfolders.sort()
        relative = os.path.relpath(path, source)
        parts = relative.split(os.sep)
        for listed in (subfolders, files):  # leave out names that readers of the set would refuse
            for name, why in [(name, why) for name in listed if (why := _fault(name))]:
                where = safe_names.escaped(_decoded(os.path.join(relative, name)))
                skipped.append(Skipped(where, why))
                listed.remove(name)
        if relative == "." and is_split:
            for name in children:
                if splits.get(name) is None:
                    skipped.append(Skipped(name, "outside the *_train and *_test folders"))
            subfolders[:] = [name for name in subfolders if splits[name]]
            continue
        for name in [name for name in subfolders if name.startswith(_HIDDEN)]:
            skipped.append(Skipped(os.path.join(relative, name), "hidden"))
            subfolders.remove(name)
        if (real := os.path.realpath(path)) in seen:  # links may form cycles
            subfolders.clear()
            continue
        seen.add(real)
        if not subfolders and not files:
            skipped.append(Skipped(relative, "empty folder"))
            continue
        split_folder = parts[0] + "/" if has_split_names and relative != "." else ""
        split = splits[parts[0]] if is_split else None
        yield SourceFolder(split, split_folder, relative, tuple(sorted(files)))


def _all_folders(
    source: AnyPath, unreadable: Callable[[OSError], None]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Like `os.walk`: subfolders that the caller removes from the list are not entered."""
    if isinstance(source, Path):
        yield from os.walk(source, followlinks=True, onerror=unreadable)
        return
    folders: list[str] = []
    files: list[str] = []
    try:
        for path in source.iterdir():
            (folders if _is_folder(path) else files).append(path.name)
    except FileNotFoundError as error:
        unreadable(error)
        return
    yield str(source), folders, files
    for name in folders:
        yield from _all_folders(source / name, unreadable)


def _is_folder(path: AnyPath) -> bool:
    """Returns whether an entry of a folder is a folder."""
    if isinstance(path, Path):
        return path.is_dir()
    # Pictures are recognised by name, as there may be millions, and a stat takes a request.
    if suffix_of(path.name) in PICTURES or path.is_file():
        return False
    if path.is_dir():
        return True
    why = "is listed, but not found: the server may not respond"
    raise RemoteStorageError(errno.EIO, why, str(path))


def suffix_of(name: str) -> str:
    """Returns the suffix in lower case; none for hidden files, such as those with metadata."""
    return "" if name.startswith(".") else os.path.splitext(name)[1].lower()


def shortest_unique(candidates: Iterable[Sequence[str]]) -> list[str]:
    """Chooses names of one kind for all things, the shortest kind that makes them unique.

    Args:
      candidates: Names of each thing, from the shortest to the longest kind.

    Returns:
      A name of each; of the longest kind if none is unique.

    >>> shortest_unique([("a", "a.mp4"), ("b", "b.mkv")])
    ['a', 'b']
    >>> shortest_unique([("a", "a.mp4"), ("a", "a.mkv")])
    ['a.mp4', 'a.mkv']
    """
    kinds = [list(kind) for kind in zip(*candidates, strict=True)]
    unique = (names for names in kinds if len(set(names)) == len(names))
    return next(unique, kinds[-1] if kinds else [])


def without_suffix(path: str) -> str:
    """Returns the path without its suffix, unless that is not a valid name."""
    stem = os.path.splitext(path)[0]
    return path if safe_names.fault(stem) else stem


def _fault(name: str) -> str | None:
    """Returns why the name of a file or folder cannot be used in a set, if so."""
    if _decoded(name) != name:
        return "name is not UTF-8"
    why = safe_names.fault(name)
    return why and f"name {why}"


def _decoded(name: str) -> str:
    """Returns the name itself if it is valid UTF-8, else with escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
