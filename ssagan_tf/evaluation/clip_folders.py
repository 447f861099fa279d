"""Folders of clips made by any system: a video file or 32 pictures per clip."""

from __future__ import annotations

import collections
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ssagan_tf import safe_names, video
from ssagan_tf.data import layouts
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts.clip import Picture
from ssagan_tf.data.layouts.folders import PICTURES, suffix_of
from ssagan_tf.data.layouts.frames import FrameRun
from ssagan_tf.data.layouts.videos import VideoFile
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.real_clips import REAL
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions
from ssagan_tf.progress import ProgressCallback
from ssagan_tf.user_paths import normalized_name


def named_paths(setting: str, values: Iterable[str]) -> dict[str, str]:
    """Reads `NAME=PATH`, or `PATH`, whose last part becomes the name.

    Raises:
      OptionError: A name or path is empty, or a name is invalid or a duplicate.
    """
    named: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or os.sep in name or os.path.exists(value):
            path = value
            name = _last_part(path)
        if not name.strip() or not path.strip():
            raise OptionError(setting, value, "must be NAME=PATH")
        if why := safe_names.fault(name):
            raise OptionError(setting, value, f"must be NAME=PATH: the name {name!r} {why}")
        if name in named:
            raise OptionError(
                setting, value, f"duplicate name {name}; give NAME={path} with another NAME"
            )
        named[name] = path
    return named


def _last_part(path: str) -> str:
    resolved = Path(path).resolve()
    # Every run writes a generator.keras: the run's folder says more.
    return resolved.parent.name if resolved.name == "generator.keras" else resolved.stem


class ClipFolder:
    """A folder of clips of 32 frames: video files, or folders of numbered pictures.

    Args:
      name: Name of the system.
      path: The folder.

    Raises:
      DataError: It is not such a folder.
    """

    def __init__(self, name: str, path: str):
        self.name, self.path = name, path
        if not os.path.isdir(path):
            raise DataError(f"{path}: folder not found; give the folder of the clips of {name}")
        try:
            listing = layouts.list_items(PrepareOptions(source=path))
        except OptionError as error:
            raise DataError(f"{path}: {error}") from error
        # A video is one clip here; a folder of pictures may hold several in succession.
        self._items: dict[str, layouts.Item] = {}
        for item in listing.items:
            for clip in item.by_clips() if isinstance(item, FrameRun) else [item]:
                self._items[clip.name] = clip
        self._skipped = {item.item: item.reason for item in listing.skipped}

    @property
    def names(self) -> list[str]:
        """Paths of the clips without suffix; for pictures, with the number of the first one."""
        return list(self._items)

    def why_missing(self, clip: str) -> str:
        """The reason why a clip is not among these, as a suffix of a message; empty if unknown."""
        for item, reason in self._skipped.items():
            path = os.path.splitext(item)[0]
            if path and (clip == path or clip.startswith(f"{path}/") or path.endswith(f"/{clip}")):
                return f": {item} is {reason}"
        return ""

    def read(self, name: str) -> np.ndarray:
        """Reads the clip of this name, `[32, H, W, 3]` uint8.

        Raises:
          DataError: It cannot be read, or does not have 32 frames of one size.
        """
        item = self._items[name]
        if isinstance(item, VideoFile):
            frames, length = [], 0
            for length, frame in enumerate(video.read_video(item.path), 1):
                if length <= FRAMES:  # a long video would not fit in memory
                    frames.append(layouts.PIXELS(Picture(frame)))
            where, is_complete = item.path, length == FRAMES
        else:
            # As they are: including still clips and scene cuts.
            how = PrepareOptions(source=self.path, scene_cut=0.0, static_threshold=0.0)
            clip = next(
                item.clips(how, layouts.PIXELS)
            )  # another one follows a broken picture only
            if isinstance(clip, Skipped):
                raise DataError(clip.reason)
            frames = list(clip.frames)
            where, length = f"{self.path}: {name}", len(frames)
            if isinstance(item, FrameRun):
                where, length = item.folder, _numbered_pictures(item.folder)
            is_complete = length % FRAMES == 0
        if not is_complete:
            raise DataError(f"{where} has {length} frames, expected {FRAMES}")
        if len({frame.shape for frame in frames}) > 1:
            raise DataError(f"{where} has frames of different sizes")
        return np.stack(frames)


def _numbered_pictures(folder: str) -> int:
    """Number of pictures in a folder, including those after the last complete clip."""
    pictures = [name for name in os.listdir(folder) if suffix_of(name) in PICTURES]
    return sum(any(map(str.isdigit, os.path.splitext(name)[0])) for name in pictures)


def check_clips(
    folder: ClipFolder, wanted: Mapping[str, str], report: ProgressCallback = lambda *_: None
) -> tuple[dict[str, str], dict[str, tuple[int, int]]]:
    """Reads every clip once.

    Args:
      folder: The folder.
      wanted: Names of the clips, and their names in the folder.
      report: Called with the progress.

    Returns:
      Problems, by clip, and the sizes (height, width) of the other clips.
    """

    def check(name: str) -> str | tuple[int, int]:
        try:
            return folder.read(name).shape[1:3]
        except DataError as error:
            return str(error)

    problems, sizes = {}, {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = zip(wanted, pool.map(check, wanted.values()), strict=True)
        for done, (clip, result) in enumerate(results, 1):
            report(f"checking {folder.name}", done, len(wanted))
            (problems if isinstance(result, str) else sizes)[clip] = result
    return problems, sizes


def match(wanted: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """Finds clips by name, or by an unambiguous variant of it.

    `vid05/vid05_1/1` is also found as `vid05/vid05_1` (without the number of its first frame),
    as `vid05_1`, or with underscores for slashes, unless another clip could be meant; likewise in
    another Unicode normalization, as on macOS.

    Returns:
      For each wanted name that was found, its name among `found`.
    """
    matched = {name: name for name in set(wanted) & set(found)}
    wanted_aliases = _by_alias([name for name in wanted if name not in matched], set(wanted))
    found_aliases = _by_alias([name for name in found if name not in matched], set(found))
    taken = set(matched.values())
    for alias, name in wanted_aliases.items():
        other = found_aliases.get(alias)
        if other is not None and name not in matched and other not in taken:
            matched[name] = other
            taken.add(other)
    return matched


def _by_alias(names: Sequence[str], all_names: set[str]) -> dict[str, str]:
    """Variants of the names that are unambiguous among all names."""
    counts: collections.Counter[str] = collections.Counter()
    for name in all_names:
        counts.update(_aliases(name))
    return {alias: name for name in names for alias in _aliases(name) if counts[alias] == 1}


def _aliases(name: str) -> list[str]:
    name = normalized_name(name)
    without_start = os.path.dirname(name)
    aliases = {name, without_start, os.path.basename(without_start)}
    aliases |= {alias.replace("/", "_") for alias in aliases}
    return sorted(aliases - {""})


def open_folders(setting: str, values: Sequence[str]) -> list[ClipFolder]:
    """Opens two or more folders given as NAME=FOLDER.

    Raises:
      OptionError: Fewer than two are given, or a name is missing or a duplicate.
      DataError: A folder is not found.
    """
    named = named_paths(setting, values)
    if len(named) < 2:
        raise OptionError(setting, ",".join(values), "must be two or more, as NAME=FOLDER")
    return [ClipFolder(name, path) for name, path in named.items()]


def clips_in_all(folders: Sequence[ClipFolder]) -> dict[str, dict[str, str]]:
    """Finds the clips that all folders have.

    Returns:
      For each clip, named as in the folder `real` (or in the first folder), its name in each
      folder.

    Raises:
      DataError: No clip is in all of them.
    """
    reference = next((folder for folder in folders if folder.name == REAL), folders[0])
    found = {folder.name: match(reference.names, folder.names) for folder in folders}
    clips = {
        clip: {name: names[clip] for name, names in found.items()}
        for clip in reference.names
        if all(clip in names for names in found.values())
    }
    if not clips:
        examples = "; ".join(f"{f.path}: {', '.join(f.names[:2]) or 'none'}, …" for f in folders)
        raise DataError(f"no clip has the same name in all folders ({examples})")
    return clips
