"""The description of a prepared set, `dataset_info.json`; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ssagan_tf import limits, safe_names
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file
from ssagan_tf.options import LARGEST_RESOLUTION, current_names
from ssagan_tf.options.shared import Fit, Layout
from ssagan_tf.remote import AnyPath, as_path, no_such_folder

FORMAT = 1  # raise it when older readers would misread the new format
FILE_NAME = "dataset_info.json"
SPLITS = ("train", "test")
T = TypeVar("T")
SHARD_PATTERN = re.compile(r"(train|test)-\d{5,}-of-\d{5,}\.tfrecord")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
      name: Name of the file.
      clips: Number of its records.
      bytes: Size of the file.
      sha256: Checksum of the file.
      drifts: Mean horizontal velocity of each clip in order (`layouts/motion.py`), in frame widths
        per frame, positive to the right. Empty where it was not measured: for synthetic clips, and
        in sets of older versions.

    Raises:
      ValueError: A value is invalid.
    """

    name: str
    clips: int
    bytes: int
    sha256: str
    drifts: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        safe_names.checked(self.name, "shard name")
        _check_counts(self.clips, self.bytes)
        if not re.fullmatch("[0-9a-f]+", self.sha256):
            raise ValueError(f"the checksum of {self.name} is invalid")
        if len(self.drifts) not in (0, self.clips):
            raise ValueError(f"{self.name} has {self.clips} clips, but {len(self.drifts)} drifts")
        if not all(type(drift) in (int, float) and abs(drift) <= 1 for drift in self.drifts):
            raise ValueError(f"the drifts of {self.name} are not all numbers in [-1, 1]")


@dataclasses.dataclass(frozen=True)
class Split:
    """Number of clips and videos for training or testing, and their shards in order."""

    clips: int
    videos: int
    shards: tuple[Shard, ...]

    def __post_init__(self) -> None:
        _check_counts(self.clips, self.videos)


@dataclasses.dataclass(frozen=True)
class Skipped:
    """Something in the source that is not in the set. The reason is `KIND` or `KIND: DETAILS`."""

    item: str
    reason: str

    @property
    def kind(self) -> str:
        return self.reason.partition(":")[0]


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """A training clip, the test clip it looks like, and how many bits of their hashes differ."""

    train: str
    test: str
    bits: int


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """A prepared set: how it was made, its shards, and what was skipped."""

    resolution: int
    frames: int
    layout: str
    fit: str
    settings: Mapping[str, Any]
    splits: Mapping[str, Split]
    skipped: tuple[Skipped, ...] = ()
    near_duplicates: tuple[NearDuplicate, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.resolution <= LARGEST_RESOLUTION:
            raise ValueError(f"its resolution is {self.resolution}")
        if self.layout not in get_args(Layout):
            raise ValueError(f"unknown layout {safe_names.shown(self.layout)}")
        if self.fit not in get_args(Fit):
            raise ValueError(f"unknown fit {safe_names.shown(self.fit)}")

    @property
    def drifts(self) -> tuple[float, ...] | None:
        """The drifts of all clips in stored order; None if some were not measured."""
        shards = [shard for split in SPLITS for shard in self.splits[split].shards]
        if not all(len(shard.drifts) == shard.clips for shard in shards):
            return None
        return tuple(drift for shard in shards for drift in shard.drifts)

    @property
    def fingerprint(self) -> str:
        """Identifies the content: SHA-256 of the shards' checksums."""
        checksums = [shard.sha256 for split in SPLITS for shard in self.splits[split].shards]
        return hashlib.sha256("\n".join(checksums).encode()).hexdigest()

    def to_json(self) -> str:
        values = {"format": FORMAT, "fingerprint": self.fingerprint, **dataclasses.asdict(self)}
        values["counts"] = {
            "clips": sum(split.clips for split in self.splits.values()),
            "videos": sum(split.videos for split in self.splits.values()),
            "skipped": len(self.skipped),
        }
        for split in values["splits"].values():
            for shard in split["shards"]:
                if not shard["drifts"]:
                    del shard["drifts"]
        for name in ("near_duplicates", "skipped"):
            values[name] = values.pop(name)  # at the end, as they may be long
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> DatasetInfo:
        """Inverse of `to_json`. Settings that were renamed since get their current names.

        Raises:
          ValueError: It is invalid, or of another format version.
        """
        values = limits.parse_json(text, limits.DESCRIPTION_VALUES)
        try:
            if values["format"] != FORMAT:
                raise ValueError(f"its format is {values['format']}, expected {FORMAT}")
            splits = {
                name: _checked(Split, {**split, "shards": tuple(map(_shard, split["shards"]))})
                for name, split in values["splits"].items()
                if name in SPLITS
            }
            if len(splits) != len(SPLITS):
                raise ValueError(f"a split is missing, expected {' and '.join(SPLITS)}")
            pairs = values.get("near_duplicates", ())
            return _checked(
                cls,
                {
                    **{name: values[name] for name in ("resolution", "frames", "layout", "fit")},
                    "settings": current_names(values["settings"]),
                    "splits": splits,
                    "skipped": tuple(_checked(Skipped, item) for item in values["skipped"]),
                    "near_duplicates": tuple(_checked(NearDuplicate, pair) for pair in pairs),
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"prepare did not write it ({error})") from error

    def write(self, folder: str | PathLike[str]) -> None:
        """Writes `dataset_info.json`, which marks a set as complete.

        Raises:
          DataError: The file cannot be written.
        """
        with replacing_file(as_path(folder) / FILE_NAME) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class PreparedSet:
    """A prepared set and its location.

    Attributes:
      folder: Where it is.
      info: Its description.
      copies: Paths of shards that are read from elsewhere, by name.
    """

    folder: AnyPath
    info: DatasetInfo
    copies: Mapping[str, Path] = dataclasses.field(default_factory=dict)

    def path(self, shard: Shard) -> AnyPath:
        """Returns where a shard is read from."""
        return self.copies.get(shard.name, self.folder / shard.name)

    def paths(self, split: str) -> list[str]:
        """Returns the paths of the shards of `train` or `test` in order."""
        return [str(self.path(shard)) for shard in self.shards(split)]

    def shards(self, split: str) -> Sequence[Shard]:
        return self.info.splits[split].shards

    def drifts(self, split: str) -> list[float]:
        """Returns the drifts of the clips in stored order, zeros where they were not measured."""
        by_shard = (shard.drifts or (0.0,) * shard.clips for shard in self.shards(split))
        return list(itertools.chain.from_iterable(by_shard))


def _checked(kind: type[T], values: dict[str, Any]) -> T:
    """Makes a dataclass from values that were read.

    Raises:
      TypeError: One is missing, unknown, or of another type.
    """
    for name, expected in get_type_hints(kind).items():
        value = values.get(name)
        if name in values and not isinstance(value, get_origin(expected) or expected):
            raise TypeError(f"{name} is {safe_names.escaped(repr(value)[:80])}")
    return kind(**values)


def _shard(values: dict[str, Any]) -> Shard:
    return _checked(Shard, {**values, "drifts": tuple(values.get("drifts", ()))})


def _check_counts(*counts: int) -> None:
    for count in counts:
        if not 0 <= count < 1 << 63:
            raise ValueError(f"it has a count of {count}")


def read_info(folder: str | PathLike[str]) -> DatasetInfo:
    """Reads the description of a prepared set, without looking at its shards.

    Raises:
      DataError: It is not a prepared set, or of another format version.
    """
    folder = as_path(folder)
    path = folder / FILE_NAME
    try:
        if not folder.is_dir():
            raise DataError(f"{folder}: {no_such_folder(folder)}; expected a prepared set")
        if not path.is_file():
            raise DataError(
                f"{folder} is not a prepared set ({FILE_NAME} not found); make one: "
                f"python -m ssagan_tf.prepare --source=FOOTAGE --output=FOLDER"
            )
        info = DatasetInfo.from_json(limits.read_text(path, limits.DESCRIPTION_BYTES))
        if isinstance(folder, Path):
            for shard in (shard for split in info.splits.values() for shard in split.shards):
                safe_names.check_folders(folder, shard.name, "shard name")
        return info
    except ValueError as error:
        raise DataError(f"cannot use {path}: {error}; prepare the set again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def shard_problem(folder: AnyPath, shard: Shard, *, truncated: bool = False) -> str | None:
    """Returns why a shard is missing or has the wrong size; None if it is fine.

    Args:
      folder: Where it is.
      shard: Its description.
      truncated: Whether its size may differ.
    """
    path = folder / shard.name
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return f"{path} not found"
    try:
        limits.check_regular(path)
    except ValueError as error:
        return f"{path} {error}"
    if size != shard.bytes and not truncated:
        return f"{path} has {size} bytes, expected {shard.bytes}"
    return None


def open_set(folder: str | PathLike[str], *, truncated: bool = False) -> PreparedSet:
    """Opens a prepared set, and checks that its shards exist and have the right size.

    Args:
      folder: Folder of the set.
      truncated: Whether the sizes of shards may differ.

    Raises:
      DataError: It is not a prepared set, incomplete, or of another format version.
    """
    prepared = PreparedSet(as_path(folder), read_info(folder))
    for split in SPLITS:
        for shard in prepared.shards(split):
            if problem := shard_problem(prepared.folder, shard, truncated=truncated):
                raise DataError(f"{problem}; prepare the set again")
    return prepared
