"""Reads TFRecord files beyond damaged records, at which TensorFlow stops.

A record is: length (8 bytes) · its checksum (4) · data · its checksum (4), little-endian. Checksums
are CRC-32C, rotated and offset as in TensorFlow's `core/lib/hash/crc32c.h`.
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
    """A record in a file.

    Attributes:
      framed: Its bytes with length and checksums; empty if its length is damaged.
      intact: Whether its checksums match.
    """

    framed: bytes
    intact: bool


def read_records(path: str | PathLike[str]) -> Iterator[Record]:
    """Reads all records of a file, including damaged ones.

    After a damaged length, the next record cannot be found: the rest of the file counts as one
    damaged record.

    Raises:
      OSError: The file cannot be read.
    """
    with as_path(path).open("rb") as file:
        try:
            for header, _, length in _headers(file):
                framed = header + file.read(length + FOOTER.size)
                [checksum] = FOOTER.unpack(framed[-FOOTER.size :])
                data = memoryview(framed)[HEADER.size : -FOOTER.size]
                yield Record(framed, checksum == masked_crc32c(data))
        except ValueError:
            yield Record(b"", False)


class TooLongError(ValueError):
    """A record claims to be longer than the limit."""


def find_records(path: str | PathLike[str]) -> Iterator[tuple[int, int]]:
    """Yields offset and length of the data of each record, without reading the data.

    Raises:
      TooLongError: A length with a valid checksum exceeds `limits.RECORD_BYTES`. TensorFlow would
        allocate as much, and abort if it cannot.
      ValueError: A length is damaged, or the file ends within a record.
      OSError: The file cannot be read.
    """
    with as_path(path).open("rb") as file:
        for _, offset, length in _headers(file):
            yield offset, length


def _headers(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yields header, data offset and data length of each record.

    The file position is then that of the data, which may be read or not.
    """
    end = length_of(file)
    start = number = 0
    while start < end:
        if file.tell() != start:
            file.seek(start)
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            raise ValueError(f"record {number} is damaged")
        length, checksum = HEADER.unpack(header)
        if checksum != masked_crc32c(header[:8]):
            raise ValueError(f"record {number} is damaged")
        if length > limits.RECORD_BYTES:
            raise TooLongError(f"record {number} claims {length:,} bytes")
        offset = start + HEADER.size
        start = offset + length + FOOTER.size
        if start > end:
            raise ValueError(f"record {number} is damaged")
        yield header, offset, length
        number += 1


def masked_crc32c(data: bytes | memoryview) -> int:
    """Returns the checksum that TFRecord files use."""
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
