"""What a prepared set says about itself: `dataset_info.json`, without TensorFlow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file

FORMAT = 1  # raised when a reader of the old format would misread the new one
FILE_NAME = "dataset_info.json"
SPLITS = ("train", "test")
SHARD_PATTERN = re.compile(r"(train|test)-\d{5}-of-\d{5}\.tfrecord")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file."""

    name: str
    clips: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Split:
    """The clips of training or of testing, in the order in which they are stored."""

    clips: int
    videos: int
    shards: tuple[Shard, ...]


@dataclasses.dataclass(frozen=True)
class Skipped:
    """Something of the source that is not in the set. The reason is `kind` or `kind: more`."""

    item: str
    reason: str

    @property
    def kind(self) -> str:
        return self.reason.partition(":")[0]


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
        values["skipped"] = values.pop("skipped")  # last, as it may be long
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> DatasetInfo:
        """Inverse of `to_json`.

        Raises:
          ValueError: It is no such text, or of another format version.
        """
        values = json.loads(text)
        try:
            if values["format"] != FORMAT:
                raise ValueError(f"its format is {values['format']}, this program reads {FORMAT}")
            splits = {
                name: Split(
                    split["clips"],
                    split["videos"],
                    tuple(Shard(**shard) for shard in split["shards"]),
                )
                for name, split in values["splits"].items()
                if name in SPLITS
            }
            if len(splits) != len(SPLITS):
                raise ValueError(f"it has not the splits {' and '.join(SPLITS)}")
            names = ("resolution", "frames", "layout", "fit", "settings")
            return cls(
                **{name: values[name] for name in names},
                splits=splits,
                skipped=tuple(Skipped(**item) for item in values["skipped"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not as prepare writes it ({error})") from error

    def write(self, folder: str | PathLike[str]) -> None:
        """Writes `dataset_info.json`, the mark of a whole set.

        Raises:
          DataError: The file cannot be written.
        """
        with replacing_file(Path(folder) / FILE_NAME) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")


@dataclasses.dataclass(frozen=True)
class PreparedSet:
    """A prepared set on disk."""

    folder: Path
    info: DatasetInfo

    def paths(self, split: str) -> list[str]:
        """The shards of `train` or `test`, in stored order."""
        return [str(self.folder / shard.name) for shard in self.shards(split)]

    def shards(self, split: str) -> Sequence[Shard]:
        return self.info.splits[split].shards


def open_set(folder: str | PathLike[str], *, truncated: bool = False) -> PreparedSet:
    """Opens a prepared set and checks that its shards are there and as long as they were.

    Args:
      folder: Of the set.
      truncated: Whether shards may have another length.

    Raises:
      DataError: It is no prepared set, an incomplete one, or one of another format version.
    """
    folder = Path(folder)
    path = folder / FILE_NAME
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name a prepared set")
    if not path.is_file():
        raise DataError(
            f"{folder} is no prepared set (no {FILE_NAME}); make one: "
            f"python -m ssagan_tf.prepare --source=FOOTAGE --output=FOLDER"
        )
    try:
        info = DatasetInfo.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot use {path}: {error}; prepare the set again") from error
    prepared = PreparedSet(folder, info)
    for split in SPLITS:
        for shard in prepared.shards(split):
            shard_path = folder / shard.name
            if not shard_path.is_file():
                raise DataError(f"{shard_path} is missing; prepare the set again")
            size = shard_path.stat().st_size
            if size != shard.bytes and not truncated:
                raise DataError(
                    f"{shard_path} has {size} bytes instead of {shard.bytes}; prepare the set again"
                )
    return prepared
