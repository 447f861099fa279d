"""How many samples an mp4 or QuickTime file says it has, told before FFmpeg makes a list of them.

FFmpeg takes memory for each sample of the sample tables (`stsz`, `stz2`) and of the runs of
fragments (`trun`), whether the file has it or not. Boxes: ISO/IEC 14496-12.
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from ssagan_tf import limits

_HEAD = struct.Struct(">I4s")
# What FFmpeg looks into, at the top or below; it passes over other boxes by their length.
_TABLES = frozenset(
    b"moov moof trak traf mdia minf stbl mvex edts udta meta wave stsd stsz stz2 trun cmov".split()
)
_COUNTS = re.compile(rb"(?=(?:stsz.{8}|stz2.{8}|trun.{4})(.{4}))", re.DOTALL)
_KIND = re.compile(rb"hdlr.{8}(.{4})", re.DOTALL)
_TIMES = re.compile(rb"stts.{4}(.{4}.{4}.{4})", re.DOTALL)
_ONE_EACH = re.compile(b"\0\0\0\1.{4}\0\0\0\1", re.DOTALL)  # one entry: all last one tick


def check(path: str | os.PathLike[str]) -> None:
    """Holds what a file claims to the bounds; one of another kind has none of these boxes.

    Raises:
      ValueError: It claims more samples than a video may have, or its tables are too long.
      OSError: It cannot be read.
    """
    samples = 0
    left = limits.VIDEO_TABLES
    with open(path, "rb") as file:
        for name, length in _boxes(file):
            if name not in _TABLES:
                continue
            left -= length
            if left < 0:
                raise ValueError(f"it has more than {limits.VIDEO_TABLES:,} bytes of tables")
            content = b"".join((name, file.read(length)))  # a table may be at the top itself
            if b"cmov" in content:
                raise ValueError("its tables are compressed")
            samples += sum(map(_claimed, content.split(b"trak")))
            if samples > limits.VIDEO_SAMPLES:
                raise ValueError(f"it claims more than {limits.VIDEO_SAMPLES:,} frames")


def _claimed(track: bytes) -> int:
    """Samples of a track that FFmpeg lists one by one: all, but not those of plain sound."""
    kinds, times = set(_KIND.findall(track)), _TIMES.findall(track)
    if (
        b"soun" in kinds <= {b"soun", b"url ", b"alis"}
        and times
        and all(map(_ONE_EACH.fullmatch, times))
    ):
        return 0
    return sum(int.from_bytes(count, "big") for count in _COUNTS.findall(track))


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and length of each box at the top; the file is where its content begins."""
    end = file.seek(0, io.SEEK_END)
    start = 0
    while start + _HEAD.size <= end:
        file.seek(start)
        size, name = _HEAD.unpack(file.read(_HEAD.size))
        head = _HEAD.size
        if size == 1:  # it follows, in 64 bits
            size, head = int.from_bytes(file.read(8), "big"), 16
        if size == 0:  # to the end
            size = end - start
        if size < head:
            return
        file.seek(start + head)
        yield name, min(start + size, end) - start - head
        start += size
