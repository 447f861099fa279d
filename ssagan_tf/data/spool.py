"""A spool file: the clips of one item, kept until all items are read.

It has the frames one after the other, the metadata of the clips as JSON, and a tail with the offset
of the JSON and a checksum, to detect files that are damaged or not ours. It is plain data: reading
it runs no code.
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
_MAGIC = b"ssaspol2"  # change it with the fields of ClipMetadata
_TAIL = struct.Struct("<8sQ32s")  # magic, offset of the JSON, SHA-256 of everything before
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class ClipMetadata:
    """A clip without its frames. See `layouts.Clip`; `bytes` is the size of its JPEGs."""

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
    """A clip whose frames are in a spool file, one after the other from `offset`."""

    path: str
    offset: int
    lengths: tuple[int, ...]

    def metadata(self) -> ClipMetadata:
        """Returns the metadata alone."""
        return ClipMetadata(
            **{f.name: getattr(self, f.name) for f in dataclasses.fields(ClipMetadata)}
        )

    def load(self) -> tuple[bytes, ...]:
        """Returns the frames as JPEGs.

        Raises:
          DataError: The file has been truncated.
        """
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            frames = tuple(map(file.read, self.lengths))
        if tuple(map(len, frames)) != self.lengths:
            raise _damaged(self.path, "it has been truncated")
        return frames


class Writer:
    """Writes the clips of an item, and what was skipped.

    Attributes:
      results: What was added, in order.
    """

    def __init__(self, path: str, file: BinaryIO):
        self._path, self._file = path, file
        self.restart()

    def restart(self) -> None:
        """Removes everything that was added."""
        self._file.seek(0)
        self._file.truncate()
        self._sum = hashlib.sha256()
        self.results: list[SpooledClip | Skipped] = []

    def add(self, clip: tuple[ClipMetadata, Sequence[bytes]] | Skipped) -> None:
        if isinstance(clip, Skipped):
            self.results.append(clip)
            return
        metadata, frames = clip
        lengths = tuple(map(len, frames))
        self.results.append(
            SpooledClip(
                **vars(metadata), path=self._path, offset=self._file.tell(), lengths=lengths
            )
        )
        for frame in frames:
            self._write(frame)

    def finish(self) -> None:
        """Writes the metadata and the tail."""
        offset = self._file.tell()
        self._write(json.dumps([_to_json(result) for result in self.results]).encode())
        self._file.write(_TAIL.pack(_MAGIC, offset, self._sum.digest()))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._sum.update(data)


@contextlib.contextmanager
def writing(path: str) -> Iterator[Writer]:
    """Opens a file that gets its name when it is complete.

    Raises:
      OSError: It cannot be written; no part of it is left.
    """
    try:
        with open(path + PART, "wb") as file:
            writer = Writer(path, file)
            yield writer
            writer.finish()
            file.flush()
            os.fsync(file.fileno())  # complete under its final name even after a power cut
        os.replace(path + PART, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path + PART)
        raise


def load(path: str) -> list[SpooledClip | Skipped]:
    """Reads a file and checks all of it.

    Raises:
      DataError: It is damaged or from another version.
      OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        offset, end, checksum = _tail(path, file)
        file.seek(0)
        found = hashlib.sha256()
        for start in range(0, end, _BLOCK):
            found.update(file.read(min(_BLOCK, end - start)))
        if found.digest() != checksum:
            raise _damaged(path, "its checksum does not match")
        file.seek(offset)
        text = file.read(end - offset)
    try:
        values = limits.parse_json(text.decode(), limits.DESCRIPTION_VALUES)
        return [_from_json(value, path, offset) for value in values]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise _damaged(path, error) from error


def discard_unusable(folder: Path) -> list[str]:
    """Removes files that are incomplete or from another version, by their tails alone.

    Returns:
      A line for each: which, and why.
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
    """Returns where the JSON begins and ends, and the checksum."""
    end = file.seek(0, os.SEEK_END) - _TAIL.size
    if end >= 0:
        file.seek(end)
        magic, offset, checksum = _TAIL.unpack(file.read())
    if end < 0 or magic != _MAGIC:
        raise _damaged(path, "it was not written by this version")
    if not 0 <= end - offset <= limits.DESCRIPTION_BYTES:
        raise _damaged(path, "its tail is invalid")
    return offset, end, checksum


def _damaged(path: str, why: object) -> DataError:
    return DataError(f"{path} cannot be used: {why}")


def _to_json(result: SpooledClip | Skipped) -> dict[str, Any]:
    values = dataclasses.asdict(result)
    if isinstance(result, SpooledClip):
        del values["path"]  # the output may be moved
        values["hashes"] = result.hashes.hex()
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
        raise ValueError("a clip has an invalid split")
    if not 0 <= clip.start < 1 << 63:  # as a record holds it
        raise ValueError("a clip has an invalid start")
    if not abs(clip.drift or 0.0) <= 1:
        raise ValueError("a clip has an invalid drift")
    if min(clip.offset, *lengths) < 0 or clip.offset + sum(lengths) > end:
        raise ValueError("a clip is not within the file")
    return clip
