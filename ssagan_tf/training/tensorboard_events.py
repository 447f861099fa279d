"""Removes from TensorBoard's files the steps that a resumed run will train again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event

from ssagan_tf.data.tfrecord_format import FOOTER, HEADER, find_records
from ssagan_tf.files import replacing_file


def drop_later_steps(folder: Path, step: int) -> None:
    """Removes the events of later steps, and an incomplete event at the end of a file.

    Args:
      folder: Folder of the files; it may not exist.
      step: The last step to keep.

    Raises:
      DataError: A file cannot be written.
    """
    for path in folder.glob("events.out.tfevents.*"):
        kept = [span for span, event in _events(path) if not _is_later(event, step)]
        if sum(length for _, length in kept) == path.stat().st_size:
            continue
        with replacing_file(path) as temporary, path.open("rb") as old, temporary.open("wb") as new:
            for start, length in kept:
                old.seek(start)
                new.write(old.read(length))


def _events(path: Path) -> Iterator[tuple[tuple[int, int], Event]]:
    """The complete events of a file, each with the offset and length of its record."""
    with path.open("rb") as file:
        try:
            for offset, length in find_records(path):
                file.seek(offset)
                event = Event.FromString(file.read(length))
                yield (offset - HEADER.size, HEADER.size + length + FOOTER.size), event
        except (ValueError, DecodeError):
            return  # TensorBoard reads no further either


def _is_later(event: Event, step: int) -> bool:
    return event.HasField("summary") and event.step > step
