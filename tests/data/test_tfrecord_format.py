"""The format of TFRecords, compared with TensorFlow's writer and reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.data.tfrecord_format import masked_crc32c, read_records

RECORDS = [b"first", b"", b"third, a little longer" * 9, b"last"]
FRAME = 16  # bytes around the data of each


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path


def read(path: Path) -> list[bytes | None]:
    return [record.framed[12:-4] if record.intact else None for record in read_records(path)]


def test_published_checksum() -> None:
    # RFC 3720, B.4: CRC-32C of 32 bytes of zeros is 0x8a9136aa; here rotated and shifted.
    crc = 0x8A9136AA
    rotated = ((crc >> 15) | (crc << 17)) & 0xFFFFFFFF
    assert masked_crc32c(bytes(32)) == (rotated + 0xA282EAD8) & 0xFFFFFFFF


def test_intact_files(path: Path) -> None:
    assert read(path) == RECORDS
    path.write_bytes(b"")
    assert read(path) == []


def test_every_flipped_byte_is_detected(path: Path) -> None:
    """Damaged data or checksums cost one record, a damaged length the rest of the file."""
    content = path.read_bytes()
    starts = np.cumsum([0] + [len(record) + FRAME for record in RECORDS])
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(bytes(damaged))
        index = int(np.searchsorted(starts, position, side="right")) - 1
        in_length = position - starts[index] < 12
        after = [] if in_length else RECORDS[index + 1 :]
        assert read(path) == [*RECORDS[:index], None, *after], position


def test_every_truncation_is_detected(path: Path) -> None:
    content = path.read_bytes()
    starts = np.cumsum([0] + [len(record) + FRAME for record in RECORDS])
    for length in range(len(content)):
        path.write_bytes(content[:length])
        index = int(np.searchsorted(starts, length, side="right")) - 1
        rest = [None] if length > starts[index] else []
        assert read(path) == RECORDS[:index] + rest, length
