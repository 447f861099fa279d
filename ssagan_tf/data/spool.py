"""A file of the spool: the clips of one item, kept until all are known.

The frames one after the other, then what is known of the clips as JSON, then where that begins and
a checksum of everything before. A file of another kind, or a damaged one, is told by that; nothing
in it is more than data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ssagan_tf import limits, safe_names
from ssagan_tf.data.dataset_info import SPLITS, Skipped
from ssagan_tf.errors import DataError

PART = ".part"  # suffix of a file that is being written
_MAGIC = b"ssaspol2"  # a new one where what is known of clips is more
_TAIL = struct.Struct("<8sQ32s")  # magic, where the JSON begins, SHA-256 of all before the tail
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class ClipMetadata:
    """A clip without its frames."""

    name: str
    video: str
    split: str | None
    start: int
    bytes: int
    motion: float
    hashes: bytes
    drift: float | None


@dataclasses.dataclass(frozen=True)
class SpooledClip(ClipMetadata):
    """A clip whose frames wait in a file, one after the other."""

    path: str
    offset: int
    lengths: tuple[int, ...]

    def metadata(self) -> ClipMetadata:
        """The clip without the file."""
        return ClipMetadata(
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(ClipMetadata)}
        )

    def load(self) -> tuple[bytes, ...]:
        """The frames, as JPEGs.

        Raises:
          DataError: The file has become shorter.
        """
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            frames = tuple(map(file.read, self.lengths))
        if tuple(map(len, frames)) != self.lengths:
            raise _damaged(self.path, "it has become shorter")
        return frames


class Writer:
    """Takes the clips of an item, and what was passed over.

    Attributes:
      results: What it was given, in order.
    """

    def __init__(self, path: str, file: BinaryIO):
        self._path, self._file = path, file
        self.restart()

    def restart(self) -> None:
        """Forgets everything."""
        self._file.seek(0)
        self._file.truncate()
        self._sum = hashlib.sha256()
        self.results: list[SpooledClip | Skipped] = []

    def add(self, one: tuple[ClipMetadata, Sequence[bytes]] | Skipped) -> None:
        if isinstance(one, Skipped):
            self.results.append(one)
            return
        metadata, frames = one
        lengths = tuple(map(len, frames))
        self.results.append(
            SpooledClip(
                **vars(metadata), path=self._path, offset=self._file.tell(), lengths=lengths
            )
        )
        for frame in frames:
            self._write(frame)

    def finish(self) -> None:
        """Writes what makes the file whole."""
        at = self._file.tell()
        self._write(json.dumps([_to_json(one) for one in self.results]).encode())
        self._file.write(_TAIL.pack(_MAGIC, at, self._sum.digest()))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._sum.update(data)


@contextlib.contextmanager
def writing(path: str) -> Iterator[Writer]:
    """A file that has its name once it is whole.

    Raises:
      OSError: It cannot be written; nothing is left of it.
    """
    try:
        with open(path + PART, "wb") as file:
            writer = Writer(path, file)
            yield writer
            writer.finish()
            file.flush()
            os.fsync(file.fileno())  # what has its name is whole after a power cut, too
        os.replace(path + PART, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path + PART)
        raise


def load(path: str) -> list[SpooledClip | Skipped]:
    """What a file holds; all of it is read once, to see whether it is whole.

    Raises:
      DataError: It is damaged, or none of this version.
      OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        at, end, checksum = _tail(path, file)
        file.seek(0)
        found = hashlib.sha256()
        for start in range(0, end, _BLOCK):
            found.update(file.read(min(_BLOCK, end - start)))
        if found.digest() != checksum:
            raise _damaged(path, "its checksum is another")
        file.seek(at)
        text = file.read(end - at)
    try:
        values = limits.parse_json(text.decode(), limits.DESCRIPTION_VALUES)
        return [_from_json(value, path, at) for value in values]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _damaged(path, error) from error


def discard_others(folder: Path) -> list[str]:
    """Removes files that this version did not write whole, as far as their ends tell.

    Returns:
      Why, a line each.
    """
    lines = []
    for path in sorted(folder.glob("*/*")):
        if path.suffix == PART:
            continue
        try:
            with path.open("rb") as file:
                _tail(str(path), file)
        except DataError as error:
            path.unlink()
            lines.append(str(error))
    return lines


def _tail(path: str, file: BinaryIO) -> tuple[int, int, bytes]:
    """Where the JSON begins and ends, and the checksum."""
    end = file.seek(0, os.SEEK_END) - _TAIL.size
    if end >= 0:
        file.seek(end)
        magic, at, checksum = _TAIL.unpack(file.read())
    if end < 0 or magic != _MAGIC:
        raise _damaged(path, "it was not written by this version")
    if not 0 <= end - at <= limits.DESCRIPTION_BYTES:
        raise _damaged(path, "its end is wrong")
    return at, end, checksum


def _damaged(path: str, why: object) -> DataError:
    return DataError(f"{path} cannot be used: {why}")


def _to_json(one: SpooledClip | Skipped) -> dict[str, Any]:
    values = dataclasses.asdict(one)
    if isinstance(one, SpooledClip):
        del values["path"]  # the output may be moved
        values["hashes"] = one.hashes.hex()
    return values


def _from_json(values: dict[str, Any], path: str, end: int) -> SpooledClip | Skipped:
    if "reason" in values:
        return Skipped(str(values["item"]), str(values["reason"]))
    lengths = tuple(map(int, values["lengths"]))
    clip = SpooledClip(
        name=safe_names.checked(values["name"], "clip name"),
        video=safe_names.checked_video(values["video"]),
        split=values["split"],
        start=int(values["start"]),
        bytes=int(values["bytes"]),
        motion=float(values["motion"]),
        hashes=bytes.fromhex(values["hashes"]),
        drift=None if values["drift"] is None else float(values["drift"]),
        path=path,
        offset=int(values["offset"]),
        lengths=lengths,
    )
    if clip.split not in (None, *SPLITS):
        raise ValueError("a clip is of no split")
    if not 0 <= clip.start < 1 << 63:  # as a record holds it
        raise ValueError("a clip starts nowhere")
    if not abs(clip.drift or 0.0) <= 1:
        raise ValueError("a clip drifts by more than its width")
    if min(clip.offset, *lengths) < 0 or clip.offset + sum(lengths) > end:
        raise ValueError("a clip lies outside of it")
    return clip
