"""The folders of a source, what kind a file is, and names that tell clips apart."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ssagan_tf import safe_names
from ssagan_tf.data.dataset_info import SPLITS, Skipped
from ssagan_tf.data.layouts.splits import own_split
from ssagan_tf.remote import AnyPath, StoreError

PICTURES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"),
    *(".jp2", ".avif", ".heic", ".heif"),
)
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp", ".gif"),
)
# Of systems, which hold previews, what was deleted, and notes on each file.
_HIDDEN = (".", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "System Volume Information")


@dataclasses.dataclass(frozen=True)
class SourceFolder:
    """A folder of the source, with the files that lie in it."""

    split: str | None
    root: str  # the *_train or *_test folder looked into, with a slash; empty where there is none
    path: str  # relative to the source, `.` for the source itself
    files: tuple[str, ...]

    def below(self, name: str = "") -> str:
        """The path of the folder, or of a file in it, relative to the source."""
        return os.path.normpath(os.path.join(self.path, name)).replace(os.sep, "/")

    def in_root(self, name: str = "") -> str:
        """Likewise, relative to the folder of the split."""
        return self.below(name)[len(self.root) :] or "."


def walk(source: AnyPath, skipped: list[Skipped]) -> Iterator[SourceFolder]:
    """Goes through all folders. A split of the source's own bounds what is looked at.

    It takes both `*_train` and `*_test` folders. Where all folders are `*_train`, or all `*_test`,
    they are looked into, and their videos are divided like those of a source without a split.

    Args:
      source: Where to begin.
      skipped: Takes what is passed over.
    """
    shown = [path for path in source.iterdir() if not _fault(path.name)]
    children = sorted(path.name for path in shown)
    splits = {path.name: own_split(path.name) for path in shown if _is_folder(path)}
    own = set(SPLITS) <= set(splits.values())
    looked_into = own or all(splits[name] for name in splits if not name.startswith("."))
    seen = set()

    def unreadable(error: OSError) -> None:
        where = safe_names.escaped(_decoded(os.path.relpath(error.filename, source)))
        skipped.append(Skipped(where, "cannot be read"))

    for path, subfolders, files in _all_folders(source, unreadable):
        subfolders.sort()
        relative = os.path.relpath(path, source)
        parts = relative.split(os.sep)
        for listed in (subfolders, files):  # what a reader would refuse has no place in a record
            for name, why in [(name, why) for name in listed if (why := _fault(name))]:
                where = safe_names.escaped(_decoded(os.path.join(relative, name)))
                skipped.append(Skipped(where, why))
                listed.remove(name)
        if relative == "." and own:
            for name in children:
                if splits.get(name) is None:
                    skipped.append(Skipped(name, "beside the *_train and *_test folders"))
            subfolders[:] = [name for name in subfolders if splits[name]]
            continue
        for name in [name for name in subfolders if name.startswith(_HIDDEN)]:
            skipped.append(Skipped(os.path.join(relative, name), "hidden"))
            subfolders.remove(name)
        if (real := os.path.realpath(path)) in seen:  # links may go round
            subfolders.clear()
            continue
        seen.add(real)
        if not subfolders and not files:
            skipped.append(Skipped(relative, "empty folder"))
            continue
        root = parts[0] + "/" if looked_into and relative != "." else ""
        yield SourceFolder(splits[parts[0]] if own else None, root, relative, tuple(sorted(files)))


def _all_folders(
    source: AnyPath, unreadable: Callable[[OSError], None]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, which goes on into those folders only that are not taken from its list."""
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
    """Whether something that a folder lists is a folder."""
    if isinstance(path, Path):
        return path.is_dir()
    # To ask would take a request for each of millions of pictures.
    if suffix_of(path.name) in PICTURES or path.is_file():
        return False
    if path.is_dir():
        return True
    raise StoreError(errno.EIO, "is listed, but not found: the store may not answer", str(path))


def suffix_of(name: str) -> str:
    """Lower-case suffix; none for hidden files, as some systems put such beside each file."""
    return "" if name.startswith(".") else os.path.splitext(name)[1].lower()


def plainest(candidates: Iterable[Sequence[str]]) -> list[str]:
    """Of names given from plain to elaborate, the plainest kind that tells all apart.

    Where no kind does, the most elaborate one is taken.

    >>> plainest([("a", "a.mp4"), ("b", "b.mkv")])
    ['a', 'b']
    >>> plainest([("a", "a.mp4"), ("a", "a.mkv")])
    ['a.mp4', 'a.mkv']
    """
    kinds = [list(kind) for kind in zip(*candidates, strict=True)]
    unique = (names for names in kinds if len(set(names)) == len(names))
    return next(unique, kinds[-1] if kinds else [])


def without_suffix(path: str) -> str:
    """The path of a file as a name: without its suffix, unless that leaves no plain name."""
    stem = os.path.splitext(path)[0]
    return path if safe_names.fault(stem) else stem


def _fault(name: str) -> str | None:
    """Why a file or folder cannot be named in a set."""
    if _decoded(name) != name:
        return "name is not UTF-8"
    why = safe_names.fault(name)
    return why and f"name {why}"


def _decoded(name: str) -> str:
    """The name itself if it is valid UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
