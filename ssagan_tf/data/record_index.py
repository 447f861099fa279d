"""Where each record of a prepared set lies: TFRecord files have no random access by themselves."""

from __future__ import annotations

import dataclasses

from ssagan_tf.data import tfrecord_format
from ssagan_tf.data.dataset_info import PreparedSet, Shard
from ssagan_tf.errors import DataError
from ssagan_tf.files import sha256_of
from ssagan_tf.remote import AnyPath, as_path


@dataclasses.dataclass(frozen=True)
class RecordLocation:
    """Where a record lies."""

    path: str
    number: int
    offset: int
    length: int

    def read(self) -> bytes:
        """The record, as it was written."""
        with as_path(self.path).open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def unusable(self, why: object) -> DataError:
        """The error of a record that is not as `prepare` writes it."""
        return DataError(f"{self.path}: record {self.number}: {why}; prepare the set again")


def find_records(prepared: PreparedSet, split: str) -> list[RecordLocation]:
    """The records of `train` or `test` in stored order, of shards that are as they were written.

    Raises:
      DataError: A shard cannot be read, or is not what `dataset_info.json` says.
    """
    return [
        place for shard in prepared.shards(split) for place in _records(prepared.path(shard), shard)
    ]


def _records(path: AnyPath, shard: Shard) -> list[RecordLocation]:
    try:
        # The checksum of the whole stands for those of the single records.
        if sha256_of(path) != shard.sha256:
            raise DataError(f"{path} is corrupt: not as it was written; prepare the set again")
        return [
            RecordLocation(str(path), number, *span)
            for number, span in enumerate(tfrecord_format.find_records(path))
        ]
    except ValueError as error:
        raise DataError(f"{path}: {error}; prepare the set again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
