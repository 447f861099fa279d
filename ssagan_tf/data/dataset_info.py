"""What a prepared set says about itself: `dataset_info.json`, without TensorFlow."""

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

FORMAT = 1  # raised when a reader of the old format would misread the new one
FILE_NAME = "dataset_info.json"
SPLITS = ("train", "test")
Made = TypeVar("Made")
SHARD_PATTERN = re.compile(r"(train|test)-\d{5,}-of-\d{5,}\.tfrecord")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
      drifts: Of each clip in order its mean horizontal velocity (`layouts/motion.py`): the share
        of the width a frame, positive to the right. Empty where none was measured: of skies that
        were drawn, and in sets written before it was.

    Raises:
      ValueError: It cannot be what is said of it.
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
            raise ValueError(f"the checksum of {self.name} is none")
        if len(self.drifts) not in (0, self.clips):
            raise ValueError(
                f"{self.name} has {self.clips} clips, but says of {len(self.drifts)} how they drift"
            )
        if not all(type(each) in (int, float) and abs(each) <= 1 for each in self.drifts):
            raise ValueError(f"a clip of {self.name} drifts by no number in [-1, 1]")


@dataclasses.dataclass(frozen=True)
class Split:
    """The clips of training or of testing, in the order in which they are stored."""

    clips: int
    videos: int
    shards: tuple[Shard, ...]

    def __post_init__(self) -> None:
        _check_counts(self.clips, self.videos)


@dataclasses.dataclass(frozen=True)
class Skipped:
    """Something of the source that is not in the set. The reason is `kind` or `kind: more`."""

    item: str
    reason: str

    @property
    def kind(self) -> str:
        return self.reason.partition(":")[0]


@dataclasses.dataclass(frozen=True)
class NearDuplicate:
    """A training clip, the test clip that it looks like, and how many bits of a hash differ."""

    train: str
    test: str
    bits: int


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """A prepared set: how it was made, its shards, and what was left out."""

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
        if self.layout not in get_args(Layout) or self.fit not in get_args(Fit):
            raise ValueError("its layout or fit is none that prepare writes")

    @property
    def drifts(self) -> tuple[float, ...] | None:
        """How all clips drift, in stored order; None if that is not known of each."""
        shards = [shard for split in SPLITS for shard in self.splits[split].shards]
        if not all(len(shard.drifts) == shard.clips for shard in shards):
            return None
        return tuple(drift for shard in shards for drift in shard.drifts)

    @property
    def fingerprint(self) -> str:
        """Tells sets of different content apart: SHA-256 over the shards' checksums."""
        sums = [shard.sha256 for split in SPLITS for shard in self.splits[split].shards]
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()

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
            values[name] = values.pop(name)  # last, as they may be long
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> DatasetInfo:
        """Inverse of `to_json`.

        Raises:
          ValueError: It is no such text, or of another format version.
        """
        values = limits.parse_json(text, limits.DESCRIPTION_VALUES)
        try:
            if values["format"] != FORMAT:
                raise ValueError(f"its format is {values['format']}, this program reads {FORMAT}")
            splits = {
                name: _made(Split, {**split, "shards": tuple(map(_shard, split["shards"]))})
                for name, split in values["splits"].items()
                if name in SPLITS
            }
            if len(splits) != len(SPLITS):
                raise ValueError(f"it has not the splits {' and '.join(SPLITS)}")
            own = ("resolution", "frames", "layout", "fit", "settings")
            pairs = values.get("near_duplicates", ())
            lists = {
                "skipped": tuple(_made(Skipped, item) for item in values["skipped"]),
                "near_duplicates": tuple(_made(NearDuplicate, pair) for pair in pairs),
            }
            given = {name: values[name] for name in own}
            given["settings"] = current_names(given["settings"])
            return _made(cls, {**given, **lists, "splits": splits})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not as prepare writes it ({error})") from error

    def write(self, folder: str | PathLike[str]) -> None:
        """Writes `dataset_info.json`, the mark of a whole set.

        Raises:
          DataError: The file cannot be written.
        """
        with replacing_file(as_path(folder) / FILE_NAME) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class PreparedSet:
    """A prepared set where it lies.

    Attributes:
      folder: Of the set.
      info: Its description.
      copies: Where shards are read that are not read in the folder, by name.
    """

    folder: AnyPath
    info: DatasetInfo
    copies: Mapping[str, Path] = dataclasses.field(default_factory=dict)

    def path(self, shard: Shard) -> AnyPath:
        """Where a shard is read."""
        return self.copies.get(shard.name, self.folder / shard.name)

    def paths(self, split: str) -> list[str]:
        """The shards of `train` or `test`, in stored order."""
        return [str(self.path(shard)) for shard in self.shards(split)]

    def shards(self, split: str) -> Sequence[Shard]:
        return self.info.splits[split].shards

    def drifts(self, split: str) -> list[float]:
        """How the clips drift, in stored order; where that is not known, zeros."""
        of_shards = (shard.drifts or (0.0,) * shard.clips for shard in self.shards(split))
        return list(itertools.chain.from_iterable(of_shards))


def _made(kind: type[Made], values: dict[str, Any]) -> Made:
    """A description of what was read.

    Raises:
      TypeError: Something is missing, too much, or not of its type.
    """
    for name, expected in get_type_hints(kind).items():
        value = values.get(name)
        if name in values and not isinstance(value, get_origin(expected) or expected):
            raise TypeError(f"{name} is {safe_names.escaped(repr(value)[:80])}")
    return kind(**values)


def _shard(values: dict[str, Any]) -> Shard:
    return _made(Shard, {**values, "drifts": tuple(values.get("drifts", ()))})


def _check_counts(*counts: int) -> None:
    for count in counts:
        if not 0 <= count < 1 << 63:
            raise ValueError(f"it has a count of {count}")


def read_info(folder: str | PathLike[str]) -> DatasetInfo:
    """Reads the description of a prepared set; its shards are not looked at.

    Raises:
      DataError: It is no prepared set, or one of another format version.
    """
    folder = as_path(folder)
    path = folder / FILE_NAME
    try:
        if not folder.is_dir():
            raise DataError(f"{folder}: {no_such_folder(folder)}; name a prepared set")
        if not path.is_file():
            raise DataError(
                f"{folder} is no prepared set (no {FILE_NAME}); make one: "
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


def shard_fault(folder: AnyPath, shard: Shard, *, truncated: bool = False) -> str | None:
    """What is wrong with a shard as far as its size tells; None if nothing is."""
    path = folder / shard.name
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return f"{path} is missing"
    try:
        limits.check_regular(path)
    except ValueError as error:
        return f"{path} {error}"
    if size != shard.bytes and not truncated:
        return f"{path} has {size} bytes instead of {shard.bytes}"
    return None


def open_set(folder: str | PathLike[str], *, truncated: bool = False) -> PreparedSet:
    """Opens a prepared set and checks that its shards are there and as long as they were.

    Args:
      folder: Of the set.
      truncated: Whether shards may have another length.

    Raises:
      DataError: It is no prepared set, an incomplete one, or one of another format version.
    """
    prepared = PreparedSet(as_path(folder), read_info(folder))
    for split in SPLITS:
        for shard in prepared.shards(split):
            if fault := shard_fault(prepared.folder, shard, truncated=truncated):
                raise DataError(f"{fault}; prepare the set again")
    return prepared
