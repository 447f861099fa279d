"""Limits the samples that an mp4 or QuickTime file claims, before FFmpeg allocates memory for them.

FFmpeg allocates memory for each sample in the sample tables (`stsz`, `stz2`) and in the runs of
fragments (`trun`), once for each edit (`elst`), and for each picture item (`iloc`, `iinf`), whether
or not the file contains it. Boxes: ISO/IEC 14496-12.
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from ssagan_tf import limits

_HEAD = struct.Struct(">I4s")
_SLACK = 24  # bytes that FFmpeg may read beyond a box that is too short
# At the top level, FFmpeg skips all other boxes by their length.
_READ = frozenset(
    b"moov moof trak traf mdia minf stbl mvex edts dinf udta meta tref wave sinf schi ilst iprp "
    b"jp2h iacb stsd stsz stz2 trun elst iloc iinf cmov".split()
)
_DISGUISED = {b"free", b"hoov"}  # read as `moov` if they begin like one
# Searched for anywhere, as FFmpeg accepts boxes in more places than the standard.
_COUNTS = re.compile(
    rb"(?=(?:stsz.{8}|stz2.{8}|trun.{4}|iloc[^\x00\x01].{5}|iinf[^\x00].{3})(.{4}))", re.DOTALL
)
# Run-length lists of times and of HEVC's sync samples; FFmpeg expands them if it finds both.
_SYNC = re.compile(rb"sbgp.{4}sync", re.DOTALL)
_RUNS = re.compile(rb"(?=((?:ctts.{4}|sbgp[^\x01].{7}|sbgp\x01.{11})(.{4})))", re.DOTALL)
_EDITS = re.compile(rb"(?=elst.{4}(.{4}))", re.DOTALL)
_KIND = re.compile(rb"(?=hdlr.{8}(.{4}))", re.DOTALL)
_TIMES = re.compile(rb"(?=stts.{4}(.{4}.{4}.{4}))", re.DOTALL)
_ONE_EACH = re.compile(b"\0\0\0\1.{4}\0\0\0\1", re.DOTALL)  # one entry: each sample lasts one tick
_REQUIRED_ONCE = b"mdia minf stbl stts stsc stsz".split()
_FORBIDDEN = b"trak moov mvhd cmov ctts".split()
_PACKET = 160  # samples of uncompressed audio that FFmpeg puts in a packet at least


def check(path: str | os.PathLike[str]) -> None:
    """Checks what a file claims; files of other formats have none of these boxes.

    Raises:
      ValueError: It claims too many samples, or its tables are too long.
      OSError: It cannot be read.
    """
    samples = 0
    left = limits.VIDEO_TABLES
    with open(path, "rb") as file:
        for name, start, end in _boxes(file, 0, file.seek(0, io.SEEK_END)):
            if name in _DISGUISED:
                file.seek(start + 4)
                is_read = file.read(4) in (b"mvhd", b"cmov")
            else:
                is_read = name in _READ
            if not is_read:
                continue
            left -= end - start
            if left < 0:
                raise ValueError(f"it has more than {limits.VIDEO_TABLES:,} bytes of tables")
            parts = _boxes(file, start, end) if name == b"moov" else [(name, start, end)]
            for part, first, last in parts:
                file.seek(first)
                content = b"".join((part, file.read(last - first + _SLACK)))
                if b"cmov" in content:
                    raise ValueError("its tables are compressed")
                is_track = name == b"moov" and part == b"trak"
                samples += _claimed_samples(content, last - first if is_track else 0)
                if samples > limits.VIDEO_SAMPLES:
                    raise ValueError(f"it claims more than {limits.VIDEO_SAMPLES:,} frames")


def _claimed_samples(content: bytes, track: int) -> int:
    """Returns the number of list entries that FFmpeg creates for a box.

    Args:
      content: The box.
      track: Its length if it is a track, else 0.
    """
    samples = _sum(_COUNTS, content)
    if track and (sound := _uncompressed_audio(content, track)):
        packets, counted = sound
        samples += packets - counted
    if _SYNC.search(content):
        samples = max(samples, _longest_runs(content))
    return samples * max(1, _sum(_EDITS, content))


def _uncompressed_audio(content: bytes, length: int) -> tuple[int, int] | None:
    """Returns the packets and the samples of a track of uncompressed audio; None if unsure.

    There, a sample is a single tick, and FFmpeg lists packets instead. To rule out any other
    reading, each table must occur exactly once, in its place, and completely.
    """
    kinds, times = set(_KIND.findall(content)), _TIMES.findall(content)
    if not (b"soun" in kinds <= {b"soun", b"url ", b"alis"} and len(times) == 1):
        return None
    if any(content.count(name) != 1 for name in _REQUIRED_ONCE) or not _ONE_EACH.fullmatch(
        times[0]
    ):
        return None
    if any(name in content[4:] for name in _FORBIDDEN):
        return None
    file, inside = io.BytesIO(content), (4, 4 + length)
    for wanted in (b"mdia", b"minf", b"stbl"):
        inside = next((at for name, *at in _boxes(file, *inside) if name == wanted), (0, 0))
    tables = {name: content[slice(*at)] for name, *at in _boxes(file, *inside)}
    chunks = [name for name in (b"stco", b"co64") if name in content]
    if len(chunks) != 1 or content.count(chunks[0]) != 1:
        return None
    try:
        _, size, samples = struct.unpack_from(">III", tables[b"stsz"])
        _, entries = struct.unpack_from(">II", tables[b"stsc"])
        _, count = struct.unpack_from(">II", tables[chunks[0]])
    except (KeyError, struct.error):
        return None
    runs = tables[b"stsc"][8:]
    if not size or b"stts" not in tables or len(runs) < 12 * entries:
        return None
    most = 0
    for first, each, _ in struct.iter_unpack(">III", runs[: 12 * entries]):
        count, most = max(count, first), max(most, each)
    return count * -(-most // _PACKET), samples


def _longest_runs(content: bytes) -> int:
    """Returns the length of the longest run-length list after expansion."""
    longest, left = 0, len(content)
    for found in _RUNS.finditer(content):
        start = found.end(1)
        pairs = int.from_bytes(found[2], "big")
        left -= 8 * pairs
        if left < 0 or start + 8 * pairs > len(content):
            raise ValueError("its tables are longer than their boxes")
        lengths = np.frombuffer(content, ">u4", 2 * pairs, start)[::2]
        longest = max(longest, int(lengths.sum(dtype=np.uint64)))
    return longest


def _sum(counts: re.Pattern[bytes], content: bytes) -> int:
    return sum(int.from_bytes(count, "big") for count in counts.findall(content))


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the name of each box between two offsets, and where its content starts and ends."""
    while start + _HEAD.size <= end:
        file.seek(start)
        size, name = _HEAD.unpack(file.read(_HEAD.size))
        head = _HEAD.size
        if size == 1:  # a 64-bit size follows
            size, head = int.from_bytes(file.read(8), "big"), 16
        if size == 0:  # up to the end
            size = end - start
        if size < head:
            return
        yield name, min(start + head, end), min(start + size, end)
        start += size
