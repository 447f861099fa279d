"""Clips for evaluation, with the pixels that are stored: of a folder, or of a prepared set.

Unlike `pipeline`, it knows name and video of each clip, and reads any of them.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from ssagan_tf.data import layouts
from ssagan_tf.data.dataset_info import FILE_NAME, SPLITS, PreparedSet, Skipped, open_set
from ssagan_tf.data.frame_decoding import decode_frames
from ssagan_tf.data.layouts.clip import Picture
from ssagan_tf.data.record_index import RecordLocation, find_records
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.progress import Report
from ssagan_tf.remote import as_path, no_such_folder
from ssagan_tf.startup import load_tensorflow

_CUTTING = ("frame_stride", "motion_target", "clip_stride", "scene_cut", "static_threshold")
_NO_FAULT = ("too short", "still")


@dataclasses.dataclass(frozen=True)
class Described:
    """A clip without its frames."""

    name: str
    video: str
    size: tuple[int, int]  # height and width of its frames, as stored


class Footage(Protocol):
    """Clips that can be read one after the other or one by one.

    Attributes:
      clips: All clips of the chosen split, in order.
      problems: What is broken, a line each; not among the clips.
      skipped: What the layout passes over: stray files, folders too short for a clip.
      about: Where the clips come from and how they were cut, in words.
      fit: How the frames were made square already; empty if they are as they were found.
      drawn_by: Settings of the prepared set, where its clips were drawn (layout synthetic).
    """

    clips: Sequence[Described]
    problems: Sequence[str]
    skipped: Sequence[Skipped]
    about: dict[str, str]
    fit: str
    drawn_by: Mapping[str, Any] | None

    def stream(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Reads some clips, rising indices: `[32, H, W, 3]` uint8 each."""

    def other_names(self) -> list[str]:
        """Names of clips of the splits that were not chosen, as far as known without reading."""


def open_footage(how: PrepareOptions, split: str, report: Report = lambda *_: None) -> Footage:
    """Opens a prepared set, or the clips of a folder.

    Args:
      how: Source, and for a folder layout, list and how it is cut.
      split: `train`, `test` or `all`. A folder without a split of its own is taken whole.
      report: Told how far the look through a folder is.

    Raises:
      OptionError: The layout cannot be told.
      DataError: There is nothing of the kind, or no clips.
    """
    source = as_path(how.source)
    if (source / FILE_NAME).is_file():
        footage: Footage = _Prepared(open_set(source), split)
    elif source.is_dir():
        footage = _Folder(how, split, report)
    else:
        raise DataError(
            f"{source}: {no_such_folder(source)}; name a prepared set, or one of footage"
        )
    if not footage.clips and not footage.problems:
        what = "" if split == "all" else f" in its split {split}"
        raise DataError(f"{source} has no clips{what}")
    return footage


class _Folder:
    """Frames or videos, read where they are, with nothing encoded again."""

    fit = ""
    drawn_by = None

    def __init__(self, how: PrepareOptions, split: str, report: Report):
        self._how = how
        listing = layouts.list_items(how)
        items = [item for item in listing.items if item.split in (split, None) or split == "all"]
        own = any(item.split for item in listing.items)
        self.about = {
            "data": how.source,
            "split": split if own else "none of its own: all clips",
            "clips": _how_cut(listing.layout, dataclasses.asdict(how)),
        }
        clips: list[Described] = []
        problems: list[str] = []
        skipped = list(listing.skipped)
        self._places: list[tuple[layouts.Item, int]] = []
        # Decoding is done outside of Python: threads do.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            looks = zip(items, pool.map(self._look, items), strict=True)
            for done, (item, (found, passed_over)) in enumerate(looks, 1):
                report("looking through the real clips", done, len(items))
                clips += found
                self._places += [(item, number) for number in range(len(found))]
                for one in passed_over:
                    if one.kind in _NO_FAULT:  # as with folders
                        skipped.append(one)
                    else:
                        problems.append(f"{one.item}: {one.reason}")
        self.clips, self.problems, self.skipped = clips, problems, skipped
        chosen = set(items)
        self._others = [item.name for item in listing.items if item not in chosen]

    def other_names(self) -> list[str]:
        # A video's clips are known only once it is read; its first begins at 0.
        return [*self._others, *(f"{name}/0" for name in self._others)]

    def _look(self, item: layouts.Item) -> tuple[list[Described], list[Skipped]]:
        described: list[Described] = []
        passed_over: list[Skipped] = []
        try:
            for clip in item.clips(self._how, _as_size):
                if isinstance(clip, Skipped):
                    passed_over.append(clip)
                    continue
                sizes = set(clip.frames)
                if len(sizes) > 1:
                    return [], [Skipped(clip.name, "frames of different sizes")]
                described.append(Described(clip.name, item.video, *sizes))
        except DataError as error:
            return [], [Skipped(item.name, str(error))]
        return described, passed_over

    def stream(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        places = [self._places[index] for index in indices]
        for item, some in itertools.groupby(places, key=lambda location: location[0]):
            wanted = {number for _, number in some}
            clips = item.clips(self._how, layouts.PIXELS)
            whole = (clip for clip in clips if not isinstance(clip, Skipped))
            for number, clip in enumerate(itertools.islice(whole, max(wanted) + 1)):
                if number in wanted:
                    yield np.stack(clip.frames)


def _how_cut(layout: str, settings: Mapping[str, Any]) -> str:
    """Layout and clip rule, and whatever else of the cutting is not as usual."""
    usual = dataclasses.asdict(PrepareOptions())
    given = {**usual, **settings}
    others = [
        f"{name.replace('_', ' ')} {given[name]}" for name in _CUTTING if given[name] != usual[name]
    ]
    return ", ".join([f"layout {layout}", f"clip rule {given['clip_rule']}", *others])


def _as_size(picture: Picture, how: PrepareOptions) -> tuple[int, int]:
    """Height and width alone: the frames of a clip in each thread would take much memory."""
    height, width = layouts.PIXELS(picture, how).shape[:2]
    return height, width


class _Prepared:
    """The records of a prepared set."""

    problems = ()
    skipped = ()

    def __init__(self, prepared: PreparedSet, split: str):
        load_tensorflow()
        from ssagan_tf.data import schema

        self._parse_clip = schema.parse_clip
        info = prepared.info
        self.fit = info.fit
        self.drawn_by = info.settings if info.layout == "synthetic" else None
        chosen = SPLITS if split == "all" else (split,)
        self._places = [location for name in chosen for location in find_records(prepared, name)]
        self.about = {
            "data": f"{prepared.folder}, prepared set {info.fingerprint[:12]}",
            "split": split,
            "clips": _how_cut(info.layout, info.settings),
        }
        if (benchmark := info.settings.get("benchmark", "none")) != "none":
            self.about["benchmark"] = str(benchmark)
        size = (info.resolution, info.resolution)
        described = (self._parse(location)[:2] for location in self._places)
        self.clips = [Described(name, of, size) for name, of in described]
        self._prepared, self._rest = prepared, [name for name in SPLITS if name not in chosen]

    def other_names(self) -> list[str]:
        places = (p for name in self._rest for p in find_records(self._prepared, name))
        return [self._parse(location)[0] for location in places]

    def _parse(self, location: RecordLocation) -> tuple[str, str, list[bytes]]:
        try:
            return self._parse_clip(location.read())
        except ValueError as error:
            raise location.unusable(error) from error

    def stream(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        for index in indices:
            location = self._places[index]
            try:
                frames = list(
                    decode_frames(self._parse(location)[2], self._prepared.info.resolution)
                )
            except ValueError as error:
                raise location.unusable(error) from error
            if len(frames) != FRAMES:
                raise location.unusable(f"it has {len(frames)} frames instead of {FRAMES}")
            yield np.stack(frames)
