"""Footage in its layouts: lists the clips to be, and reads each into 32 JPEG frames.

Listing looks at names only (and, for the layout `auto`, at one picture). Items are small and
picklable; reading is done in worker processes, so nothing here imports TensorFlow.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from ssagan_tf import video
from ssagan_tf.data.info import SPLITS, Skipped
from ssagan_tf.data.synthetic import synthetic_clip
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm")
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".3gp", ".gif"),
)
_ORIENTATION = 0x0112  # EXIF


@dataclasses.dataclass(frozen=True)
class Clip:
    """32 JPEG frames of one size, and where they come from."""

    name: str
    video: str
    start: int
    frames: tuple[bytes, ...]


class Item(Protocol):
    """Something to read clips from."""

    name: str
    video: str
    split: str | None  # train or test where the source says so itself

    def clips(self, options: PrepareOptions) -> Iterator[Clip]:
        """Reads the clips one by one.

        Raises:
          DataError: It is broken; clips that came before are not to be used.
        """


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds."""

    layout: str
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...]


def list_items(options: PrepareOptions) -> Listing:
    """Lists the items of a source in a fixed order.

    Raises:
      OptionError: Source, layout or list do not fit together or do not exist.
      DataError: The source holds no footage.
    """
    if options.list and options.layout not in ("auto", "stacked"):
        raise OptionError("list", options.list, "is for --layout=stacked only")
    if options.layout == "synthetic":
        return Listing("synthetic", tuple(map(SyntheticClip, range(options.synthetic_clips))), ())
    if not options.source:
        raise OptionError("source", "", "give the folder of the footage")
    source = Path(options.source)
    if not source.is_dir():
        why = "is a file, not a folder" if source.exists() else "no such folder"
        raise OptionError("source", options.source, why)

    skipped: list[Skipped] = []
    folders = list(_walk(source, skipped))
    layout = options.layout
    if layout == "auto":
        layout = "stacked" if options.list else _guess(source, folders)
    if layout == "stacked":
        items = _list_stacked(source, folders, options.list, skipped)
    else:
        lister = {"frames": _list_frames, "videos": _list_videos}[layout]
        items = lister(source, folders, options, skipped)
    return Listing(layout, tuple(items), tuple(skipped))


# Folders and names.


@dataclasses.dataclass(frozen=True)
class _Folder:
    split: str | None
    root: str  # the *_train or *_test folder with a slash; empty where there is no such split
    path: str  # relative to the source, `.` for the source itself
    files: tuple[str, ...]

    def below(self, name: str = "") -> str:
        """The path of the folder, or of a file in it, relative to the source."""
        return os.path.normpath(os.path.join(self.path, name)).replace(os.sep, "/")

    def in_root(self, name: str = "") -> str:
        """Likewise, relative to the folder of the split."""
        return self.below(name)[len(self.root) :] or "."


def _walk(source: Path, skipped: list[Skipped]) -> Iterator[_Folder]:
    """Goes through all folders. A split of the source's own bounds what is looked at."""
    children = sorted(os.listdir(source))
    splits = {name: _own_split(name) for name in children if (source / name).is_dir()}
    own = set(SPLITS) <= set(splits.values())
    seen = set()

    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(os.path.relpath(error.filename, source), "cannot be read"))

    for path, subfolders, files in os.walk(source, followlinks=True, onerror=unreadable):
        subfolders.sort()
        relative = os.path.relpath(path, source)
        parts = relative.split(os.sep)
        if relative == "." and own:
            beside = [name for name in children if splits.get(name) is None]
            skipped += [Skipped(name, "beside the *_train and *_test folders") for name in beside]
            subfolders[:] = [name for name in subfolders if splits[name]]
            continue
        for name in [name for name in subfolders if name.startswith(".")]:
            skipped.append(Skipped(os.path.join(relative, name), "hidden"))
            subfolders.remove(name)
        if (real := os.path.realpath(path)) in seen:  # links may go round
            subfolders.clear()
            continue
        seen.add(real)
        if not subfolders and not files:
            skipped.append(Skipped(relative, "empty folder"))
            continue
        root = parts[0] + "/" if own else ""
        yield _Folder(splits[parts[0]] if own else None, root, relative, tuple(sorted(files)))


def _own_split(name: str) -> str | None:
    return next((split for split in SPLITS if name.endswith(f"_{split}")), None)


def _suffix(name: str) -> str:
    """Lower-case suffix; none for hidden files, as some systems put such beside each file."""
    return "" if name.startswith(".") else os.path.splitext(name)[1].lower()


def _plainest(candidates: Iterable[Sequence[str]]) -> list[str]:
    """Of names given from plain to elaborate, the plainest kind that tells all apart."""
    kinds = [list(kind) for kind in zip(*candidates, strict=True)]
    unique = (names for names in kinds if len(set(names)) == len(names))
    return next(unique, kinds[-1] if kinds else [])


def _guess(source: Path, folders: Sequence[_Folder]) -> str:
    files = [folder.below(name) for folder in folders for name in folder.files]
    pictures = [name for name in files if _suffix(os.path.basename(name)) in PICTURES]
    has_videos = any(_suffix(os.path.basename(name)) in VIDEOS for name in files)
    if pictures and has_videos:
        raise OptionError(
            "layout", "auto", f"{source} holds both videos and pictures; say which to take"
        )
    if has_videos:
        return "videos"
    if not pictures:
        raise DataError(f"{source} holds no videos and no pictures")
    for name in pictures[:32]:  # the first ones may be broken
        try:
            with Image.open(source / name) as image:
                return "stacked" if image.height >= 4 * image.width else "frames"
        except Exception:  # Pillow raises all sorts of things on broken files
            continue
    return "frames"


# JPEGs.


def _jpeg(image: np.ndarray) -> bytes:
    """Nearly without loss: the picture may have been a JPEG before, and colours stay whole."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return buffer.getvalue()


def _fit(image: np.ndarray, options: PrepareOptions) -> np.ndarray:
    return video.fit(image, options.resolution, "stretch" if options.fit == "auto" else options.fit)


def _picture(path: str, options: PrepareOptions) -> bytes:
    """Reads a picture as a JPEG of the resolution: its own bytes if it is one already."""
    try:
        data = Path(path).read_bytes()
        image = video.decode_image(data)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"broken picture: {os.path.basename(path)}: {why}") from error
    if _is_plain_jpeg(data, options.resolution):
        return data
    return _jpeg(_fit(image, options))


def _is_plain_jpeg(data: bytes, side: int) -> bool:
    """Whether the bytes of a picture that decodes may go into a record as they are."""
    with Image.open(io.BytesIO(data)) as image:
        return (
            image.format == "JPEG"
            and image.mode == "RGB"
            and image.size == (side, side)
            and "progressive" not in image.info
            and image.getexif().get(_ORIENTATION, 1) == 1
        )


# Layout frames: folders of numbered pictures.


@dataclasses.dataclass(frozen=True)
class FrameRun:
    """32 pictures of a folder."""

    name: str
    video: str
    split: str | None
    folder: str
    files: tuple[str, ...]
    start: int

    def clips(self, options: PrepareOptions) -> Iterator[Clip]:
        frames = tuple(_picture(os.path.join(self.folder, name), options) for name in self.files)
        yield Clip(self.name, self.video, self.start, frames)


def _list_frames(
    source: Path, folders: Sequence[_Folder], options: PrepareOptions, skipped: list[Skipped]
) -> Iterator[FrameRun]:
    found = []
    for folder in folders:
        numbered = _numbered(folder, skipped)
        if not numbered:
            continue
        runs = list(_runs(numbered))
        clips = [clip for run in runs for clip in _cut(run[:: options.frame_stride])]
        if not clips:
            longest = max(len(run[:: options.frame_stride]) for run in runs)
            reason = f"too short: {longest} of {FRAMES} frames without a gap"
            skipped.append(Skipped(folder.path, reason))
        found.append((folder, clips[:1] if options.clip_rule == "first" else clips))

    # The video is the folder on top. A source that holds the pictures itself is one video.
    def on_top(folder: _Folder) -> tuple[str, str]:
        top = folder.in_root().split("/")[0]
        return (top if top != "." else source.resolve().name), folder.root

    tops = sorted({on_top(folder) for folder, clips in found if clips})
    names = dict(zip(tops, _plainest((top, root + top) for top, root in tops), strict=True))
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


def _numbered(folder: _Folder, skipped: list[Skipped]) -> list[tuple[int, str]]:
    """The pictures of a folder with their numbers, in order."""
    by_number: dict[int, str] = {}
    for name in folder.files:
        if _suffix(name) not in PICTURES:
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


def _runs(numbered: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
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


def _cut(run: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    for start in range(0, len(run) - FRAMES + 1, FRAMES):
        yield run[start : start + FRAMES]


# Layout videos: video files.


@dataclasses.dataclass(frozen=True)
class VideoFile:
    """A video, cut into clips one after the other."""

    name: str
    video: str
    split: str | None
    path: str

    def clips(self, options: PrepareOptions) -> Iterator[Clip]:
        stride = options.frame_stride
        count = 0
        frames: list[bytes] = []
        try:
            for image in itertools.islice(video.read_video(self.path), 0, None, stride):
                frames.append(_jpeg(_fit(image, options)))
                if len(frames) == FRAMES:
                    start = count * FRAMES * stride
                    yield Clip(f"{self.name}/{start}", self.video, start, tuple(frames))
                    count, frames = count + 1, []
                    if options.clip_rule == "first":
                        return
        except DataError as error:
            raise DataError(f"broken video: {error}") from error
        if not count:
            raise DataError(f"too short: {len(frames)} of {FRAMES} frames at stride {stride}")


def _list_videos(
    source: Path, folders: Sequence[_Folder], options: PrepareOptions, skipped: list[Skipped]
) -> Iterator[VideoFile]:
    found = []
    for folder in folders:
        for file in folder.files:
            if _suffix(file) in VIDEOS:
                found.append((folder, file))
            else:
                skipped.append(Skipped(folder.below(file), "not a video"))
    videos = _plainest((folder.in_root(file), folder.below(file)) for folder, file in found)
    names = _plainest((os.path.splitext(path)[0], path) for path in videos)
    for (folder, file), name, path in zip(found, names, videos, strict=True):
        yield VideoFile(name, path, folder.split, os.path.join(source, folder.path, file))


# Layout stacked: a picture per clip, its frames one below the other.


@dataclasses.dataclass(frozen=True)
class StackedPicture:
    """A picture of square frames; the last one is repeated where there are less than 32."""

    name: str
    video: str
    split: str | None
    path: str

    def clips(self, options: PrepareOptions) -> Iterator[Clip]:
        try:
            image = video.read_image(self.path)
        except DataError as error:
            raise DataError(f"broken picture: {error}") from error
        height, width = image.shape[:2]
        if height % width or height == width:
            raise DataError(f"no stacked frames: {width}×{height} pixels")
        squares = image.reshape(height // width, width, width, 3)[:FRAMES]
        frames = [_jpeg(_fit(square, options)) for square in squares]
        frames += frames[-1:] * (FRAMES - len(frames))
        yield Clip(self.name, self.video, 0, tuple(frames))


def _list_stacked(
    source: Path, folders: Sequence[_Folder], list_file: str, skipped: list[Skipped]
) -> Iterator[StackedPicture]:
    paths = [(folder, name) for folder in folders for name in folder.files]
    pictures = {folder.below(n): (folder, n) for folder, n in paths if _suffix(n) in PICTURES}
    if list_file:
        wanted = _read_list(list_file, source, pictures, skipped)
    else:
        wanted = list(pictures)
        others = [folder.below(name) for folder, name in paths if _suffix(name) not in PICTURES]
        skipped += [Skipped(path, "not a picture") for path in others]
    found = [pictures[path] for path in wanted]
    files = _plainest((folder.in_root(name), folder.below(name)) for folder, name in found)
    names = _plainest((os.path.splitext(path)[0], path) for path in files)
    # A folder holds the clips of one video, unless there is only one folder.
    holders = list({folder.path: folder for folder, _ in found}.values())
    paths = _plainest((folder.in_root(), folder.below()) for folder in holders)
    video_of = {folder.path: path for folder, path in zip(holders, paths, strict=True)}
    for (folder, file), path, name in zip(found, files, names, strict=True):
        video_name = path if len(holders) == 1 else video_of[folder.path]
        yield StackedPicture(
            name, video_name, folder.split, os.path.join(source, folder.path, file)
        )


def _read_list(
    list_file: str, source: Path, pictures: Iterable[str], skipped: list[Skipped]
) -> list[str]:
    try:
        lines = Path(list_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not a text file"
        raise OptionError("list", list_file, why) from error
    wanted: dict[str, None] = {}  # an ordered set
    for entry in filter(None, map(str.strip, lines)):
        path = os.path.normpath(entry).replace(os.sep, "/")
        if path in wanted:
            skipped.append(Skipped(entry, "listed twice"))
        elif path in pictures:
            wanted[path] = None
        elif (source / path).is_file():
            skipped.append(Skipped(entry, "not a picture of the source"))
        else:
            skipped.append(Skipped(entry, "no such file"))
    return list(wanted)


# Layout synthetic: built-in clouds.


@dataclasses.dataclass(frozen=True)
class SyntheticClip:
    """A sky of its own, not read but drawn."""

    index: int
    split: None = None

    @property
    def name(self) -> str:
        return f"{self.video}/0"

    @property
    def video(self) -> str:
        return f"clouds{self.index:05d}"

    def clips(self, options: PrepareOptions) -> Iterator[Clip]:
        images = synthetic_clip(options.seed, self.index, options.resolution, FRAMES)
        yield Clip(self.name, self.video, 0, tuple(map(_jpeg, images)))
