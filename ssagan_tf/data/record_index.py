"""The position of each record in a prepared set, for random access to TFRecord files."""

from __future__ import annotations

import dataclasses

from ssagan_tf.data import tfrecord_format
from ssagan_tf.data.dataset_info import PreparedSet, Shard
from ssagan_tf.errors import DataError
from ssagan_tf.files import sha256_of
from ssagan_tf.remote import AnyPath, as_path


@dataclasses.dataclass(frozen=True)
class RecordLocation:
    """Position of a record in a TFRecord file: its index, byte offset and length."""

    path: str
    number: int
    offset: int
    length: int

    def read(self) -> bytes:
        """Reads the content of the record."""
        with as_path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def unusable(self, why: object) -> DataError:
        """Returns the error about a record that `prepare` would not write."""
        return DataError(f"{self.path}: record {self.number}: {why}; prepare the set again")


def find_records(prepared: PreparedSet, split: str) -> list[RecordLocation]:
    """Finds the records of `train` or `test` in stored order, and checks the shards.

    Raises:
      DataError: A shard cannot be read, or its checksum is not that of `dataset_info.json`.
    """
    return [
        location
        for shard in prepared.shards(split)
        for location in _records(prepared.path(shard), shard)
    ]


def _records(path: AnyPath, shard: Shard) -> list[RecordLocation]:
    try:
        # The checksum of the file makes those of the records unnecessary.
        if sha256_of(path) != shard.sha256:
            raise DataError(f"{path} is corrupt: its checksum does not match; prepare it again")
        return [
            RecordLocation(str(path), number, *span)
            for number, span in enumerate(tfrecord_format.find_records(path))
        ]
    except ValueError as error:
        raise DataError(f"{path}: {error}; prepare the set again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
