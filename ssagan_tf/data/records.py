"""The framing of TFRecord files, read so that a damaged record does not hide those behind it.

length (8 bytes) · its checksum (4) · data · its checksum (4), little-endian; checksums are CRC-32C,
rotated and shifted, as TensorFlow's `core/lib/hash/crc32c.h` has it.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from os import PathLike

from ssagan_tf.remote import place

HEADER, FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reversed


@dataclasses.dataclass(frozen=True)
class Record:
    """A record as it lies in its file, with its framing. `whole`: its checksums are right."""

    framed: bytes
    whole: bool


def read_records(path: str | PathLike[str]) -> Iterator[Record]:
    """All records of a file, damaged ones too.

    Where a length is damaged, nobody knows where the next record begins: the rest of the file is
    one damaged record.

    Raises:
      OSError: The file cannot be read.
    """
    content = memoryview(place(path).read_bytes())
    start = 0
    while start < len(content):
        data_at = start + HEADER.size
        end = len(content)
        whole = False
        if data_at <= end:
            length, checksum = HEADER.unpack(content[start:data_at])
            known = checksum == masked_crc32c(content[start : start + 8])
            footer_at = data_at + length
            if known and footer_at + FOOTER.size <= len(content):
                end = footer_at + FOOTER.size
                [checksum] = FOOTER.unpack(content[footer_at:end])
                whole = checksum == masked_crc32c(content[data_at:footer_at])
        yield Record(bytes(content[start:end]), whole)
        start = end


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
