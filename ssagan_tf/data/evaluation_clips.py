"""Clips for evaluation with their original pixels, from a folder or a prepared set.

Unlike `pipeline`, it knows the name and video of each clip, and can read single clips.
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
from ssagan_tf.progress import ProgressCallback
from ssagan_tf.remote import as_path, no_such_folder
from ssagan_tf.startup import load_tensorflow

_CUT_SETTINGS = ("frame_stride", "motion_target", "clip_stride", "scene_cut", "static_threshold")
_NOT_BROKEN = ("too short", "static")


@dataclasses.dataclass(frozen=True)
class ClipDescription:
    """A clip without its frames."""

    name: str
    video: str
    size: tuple[int, int]  # height and width of the stored frames


class Footage(Protocol):
    """Clips that can be read in order or individually.

    Attributes:
      clips: All clips of the chosen split in order.
      problems: A line for each broken clip, which is not in `clips`.
      skipped: Other files of the source, and folders too short for a clip.
      about: Where the clips are from and how they were cut, for the report.
      fit: How the frames have been made square; empty if they have not.
      synthetic_settings: Settings of a prepared set of the layout synthetic, else None.
    """

    clips: Sequence[ClipDescription]
    problems: Sequence[str]
    skipped: Sequence[Skipped]
    about: dict[str, str]
    fit: str
    synthetic_settings: Mapping[str, Any] | None

    def stream(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields the clips at increasing indices: `[32, H, W, 3]` uint8 each."""

    def other_names(self) -> list[str]:
        """Returns names of clips in the other splits, if known without reading them."""


def open_footage(
    options: PrepareOptions, split: str, report: ProgressCallback = lambda *_: None
) -> Footage:
    """Opens the clips of a folder or a prepared set.

    Args:
      options: Has the source, and for a folder, its layout and how to cut clips.
      split: `train`, `test` or `all`. Of a folder that is not split, all clips are used.
      report: Called with the progress of reading a folder.

    Raises:
      OptionError: The layout cannot be detected.
      DataError: The source does not exist, or has no clips.
    """
    source = as_path(options.source)
    if (source / FILE_NAME).is_file():
        footage: Footage = _PreparedFootage(open_set(source), split)
    elif source.is_dir():
        footage = _FolderFootage(options, split, report)
    else:
        raise DataError(
            f"{source}: {no_such_folder(source)}; expected a prepared set or a folder of footage"
        )
    if not footage.clips and not footage.problems:
        where = "" if split == "all" else f" in the split {split}"
        raise DataError(f"{source} has no clips{where}")
    return footage


class _FolderFootage:
    """Frames or videos in a folder, which are not encoded again."""

    fit = ""
    synthetic_settings = None

    def __init__(self, options: PrepareOptions, split: str, report: ProgressCallback):
        self._options = options
        listing = layouts.list_items(options)
        items = [item for item in listing.items if item.split in (split, None) or split == "all"]
        has_splits = any(item.split for item in listing.items)
        self.about = {
            "data": options.source,
            "split": split if has_splits else "all clips, as the folder is not split",
            "clips": _describe_cutting(listing.layout, dataclasses.asdict(options)),
        }
        clips: list[ClipDescription] = []
        problems: list[str] = []
        skipped = list(listing.skipped)
        self._locations: list[tuple[layouts.Item, int]] = []
        # Decoding releases the GIL, so threads suffice.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = zip(items, pool.map(self._describe, items), strict=True)
            for done, (item, (found, passed_over)) in enumerate(results, 1):
                report("reading the real clips", done, len(items))
                clips += found
                self._locations += [(item, number) for number in range(len(found))]
                for skip in passed_over:
                    if skip.kind in _NOT_BROKEN:
                        skipped.append(skip)
                    else:
                        problems.append(f"{skip.item}: {skip.reason}")
        self.clips, self.problems, self.skipped = clips, problems, skipped
        chosen = set(items)
        self._others = [item.name for item in listing.items if item not in chosen]

    def other_names(self) -> list[str]:
        # The clips of a video are known only after reading it; the first one starts at 0.
        return [*self._others, *(f"{name}/0" for name in self._others)]

    def _describe(self, item: layouts.Item) -> tuple[list[ClipDescription], list[Skipped]]:
        described: list[ClipDescription] = []
        passed_over: list[Skipped] = []
        try:
            for clip in item.clips(self._options, _frame_size):
                if isinstance(clip, Skipped):
                    passed_over.append(clip)
                    continue
                sizes = set(clip.frames)
                if len(sizes) > 1:
                    return [], [Skipped(clip.name, "frames of different sizes")]
                described.append(ClipDescription(clip.name, item.video, *sizes))
        except DataError as error:
            return [], [Skipped(item.name, str(error))]
        return described, passed_over

    def stream(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        chosen = [self._locations[index] for index in indices]
        for item, locations in itertools.groupby(chosen, key=lambda location: location[0]):
            wanted = {number for _, number in locations}
            clips = item.clips(self._options, layouts.PIXELS)
            usable = (clip for clip in clips if not isinstance(clip, Skipped))
            for number, clip in enumerate(itertools.islice(usable, max(wanted) + 1)):
                if number in wanted:
                    yield np.stack(clip.frames)


def _describe_cutting(layout: str, settings: Mapping[str, Any]) -> str:
    """Names layout and clip rule, and other settings of cutting that are not the default."""
    defaults = dataclasses.asdict(PrepareOptions())
    given = {**defaults, **settings}
    others = [
        f"{name.replace('_', ' ')} {given[name]}"
        for name in _CUT_SETTINGS
        if given[name] != defaults[name]
    ]
    return ", ".join([f"layout {layout}", f"clip rule {given['clip_rule']}", *others])


def _frame_size(picture: Picture, options: PrepareOptions) -> tuple[int, int]:
    """An encoder that keeps the size only, as the frames of a clip per thread take much memory."""
    height, width = layouts.PIXELS(picture, options).shape[:2]
    return height, width


class _PreparedFootage:
    """The records of a prepared set."""

    problems = ()
    skipped = ()

    def __init__(self, prepared: PreparedSet, split: str):
        load_tensorflow()
        from ssagan_tf.data import schema

        self._parse_clip = schema.parse_clip
        info = prepared.info
        self.fit = info.fit
        self.synthetic_settings = info.settings if info.layout == "synthetic" else None
        chosen = SPLITS if split == "all" else (split,)
        self._locations = [location for name in chosen for location in find_records(prepared, name)]
        self.about = {
            "data": f"{prepared.folder}, prepared set {info.fingerprint[:12]}",
            "split": split,
            "clips": _describe_cutting(info.layout, info.settings),
        }
        if (benchmark := info.settings.get("benchmark", "none")) != "none":
            self.about["benchmark"] = str(benchmark)
        size = (info.resolution, info.resolution)
        named = (self._parse(location)[:2] for location in self._locations)
        self.clips = [ClipDescription(name, video, size) for name, video in named]
        self._prepared = prepared
        self._other_splits = [name for name in SPLITS if name not in chosen]

    def other_names(self) -> list[str]:
        locations = (
            location
            for split in self._other_splits
            for location in find_records(self._prepared, split)
        )
        return [self._parse(location)[0] for location in locations]

    def _parse(self, location: RecordLocation) -> tuple[str, str, list[bytes]]:
        try:
            return self._parse_clip(location.read())
        except ValueError as error:
            raise location.unusable(error) from error

    def stream(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        for index in indices:
            location = self._locations[index]
            try:
                frames = list(
                    decode_frames(self._parse(location)[2], self._prepared.info.resolution)
                )
            except ValueError as error:
                raise location.unusable(error) from error
            if len(frames) != FRAMES:
                raise location.unusable(f"{len(frames)} frames, expected {FRAMES}")
            yield np.stack(frames)
