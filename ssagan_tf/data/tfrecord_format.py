"""The framing of TFRecord files, read so that a damaged record does not hide those behind it.

length (8 bytes) · its checksum (4) · data · its checksum (4), little-endian; checksums are CRC-32C,
rotated and shifted, as TensorFlow's `core/lib/hash/crc32c.h` has it.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from os import PathLike
from typing import BinaryIO

from ssagan_tf import limits
from ssagan_tf.remote import as_path, length_of

HEADER, FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reversed


@dataclasses.dataclass(frozen=True)
class Record:
    """A record as it lies in its file, with its framing. `whole`: its checksums are right.

    Where a length is damaged, `framed` is empty.
    """

    framed: bytes
    whole: bool


def read_records(path: str | PathLike[str]) -> Iterator[Record]:
    """All records of a file, damaged ones too.

    Where a length is damaged, nobody knows where the next record begins: the rest of the file is
    one damaged record.

    Raises:
      OSError: The file cannot be read.
    """
    with as_path(path).open("rb") as file:
        try:
            for head, _, length in _heads(file):
                framed = head + file.read(length + FOOTER.size)
                [checksum] = FOOTER.unpack(framed[-FOOTER.size :])
                data = memoryview(framed)[HEADER.size : -FOOTER.size]
                yield Record(framed, checksum == masked_crc32c(data))
        except ValueError:
            yield Record(b"", False)


class TooLongError(ValueError):
    """A record claims more than one may have."""


def find_records(path: str | PathLike[str]) -> Iterator[tuple[int, int]]:
    """Where the data of each record begins, and its length; the data is not looked at.

    Raises:
      TooLongError: A length is right by its checksum, and more than `limits.RECORD_BYTES`.
        TensorFlow would take the memory, and abort where there is none.
      ValueError: A length is damaged, or the file ends within a record.
      OSError: The file cannot be read.
    """
    with as_path(path).open("rb") as file:
        for _, offset, length in _heads(file):
            yield offset, length


def _heads(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Of each record what stands before its data, and where that begins and how long it is.

    The file is at the data then; it need not be read.
    """
    end = length_of(file)
    start = number = 0
    while start < end:
        if file.tell() != start:
            file.seek(start)
        head = file.read(HEADER.size)
        if len(head) < HEADER.size:
            raise ValueError(f"record {number} is damaged")
        length, checksum = HEADER.unpack(head)
        if checksum != masked_crc32c(head[:8]):
            raise ValueError(f"record {number} is damaged")
        if length > limits.RECORD_BYTES:
            raise TooLongError(f"record {number} claims {length:,} bytes")
        offset = start + HEADER.size
        start = offset + length + FOOTER.size
        if start > end:
            raise ValueError(f"record {number} is damaged")
        yield head, offset, length
        number += 1


def masked_crc32c(data: bytes | memoryview) -> int:
    """The checksum of TFRecord files."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_entry(byte) for byte in range(256)]
