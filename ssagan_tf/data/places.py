"""Where each record of a prepared set lies: TFRecord files have no random access by themselves."""

from __future__ import annotations

import dataclasses
import os

from ssagan_tf.data.info import PreparedSet, Shard
from ssagan_tf.data.records import FOOTER, HEADER
from ssagan_tf.errors import DataError
from ssagan_tf.files import sha256_of
from ssagan_tf.remote import AnyPath, place


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a record lies."""

    path: str
    offset: int
    length: int

    def read(self) -> bytes:
        """The record, as it was written."""
        with place(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)


def find_records(prepared: PreparedSet, split: str) -> list[Place]:
    """The records of `train` or `test` in stored order, of shards that are as they were written.

    Raises:
      DataError: A shard cannot be read, or is not what `dataset_info.json` says.
    """
    return [place for shard in prepared.shards(split) for place in _records(prepared.folder, shard)]


def _records(folder: AnyPath, shard: Shard) -> list[Place]:
    path = folder / shard.name
    places = []
    try:
        # The checksum of the whole stands for those of the single records.
        if sha256_of(path) != shard.sha256:
            raise DataError(f"{path} is corrupt: not as it was written; prepare the set again")
        with path.open("rb") as file:
            while head := file.read(HEADER.size):
                length, _ = HEADER.unpack(head)
                places.append(Place(str(path), file.tell(), length))
                file.seek(length + FOOTER.size, os.SEEK_CUR)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    return places
