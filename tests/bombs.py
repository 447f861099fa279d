"""Builds small files that claim to be large, byte by byte."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from ssagan_tf.data.tfrecord_format import masked_crc32c


def png(width: int, height: int) -> bytes:
    """A PNG whose pixel data are far too short for its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + pixels + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """A small picture whose header claims another size."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def grey_jpeg(width: int, height: int) -> bytes:
    """Not a bomb: a valid large photo in a single grey, at a hundredth of a byte per pixel."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 128).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    scan = content.index(b"\xff\xda") + 10
    blocks = (width + 7) // 8 * ((height + 7) // 8)
    # 00 and 1010 in the usual tables: no change of the mean, end of the block. Four of them:
    return bytes(content[:scan]) + (blocks + 3) // 4 * b"\x28\xa2\x8a" + b"\xff\xd9"


def tiff(side: int) -> bytes:
    """A 16×16 picture in one tile of another size."""
    tags = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: 50}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def gif(width: int, height: int, frames: int = 3) -> bytes:
    """Frames of a single pixel on a large canvas."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frames * frame + b";"


def webp(width: int, height: int) -> bytes:
    """An animation of one small frame on a large canvas."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "WEBP", lossless=True)

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data

    frame = three(0) * 2 + three(15) * 2 + three(100) + b"\0" + buffer.getvalue()[12:]
    chunks = chunk(b"VP8X", b"\2\0\0\0" + three(width - 1) + three(height - 1))
    chunks += chunk(b"ANIM", bytes(6)) + chunk(b"ANMF", frame)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of an mp4."""
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def full(kind: bytes, *numbers: int | bytes) -> bytes:
    """A full box of an mp4: version 0 and no flags precede the content."""
    parts = [n if isinstance(n, bytes) else struct.pack(">I", n) for n in numbers]
    return box(kind, bytes(4), *parts)


def mp4(
    samples: int,
    fragments: bool = False,
    *,
    kind: bytes = b"vide",
    chunks: int = 1,
    edits: int = 0,
    more: bytes = b"",
) -> bytes:
    """An mp4 whose tables or fragment claim samples that it does not contain.

    Args:
      samples: Number of samples claimed, in all and for each chunk.
      fragments: Whether a fragment claims them instead of the tables.
      kind: Type of the track: `vide` is Motion JPEG, `soun` is uncompressed audio.
      chunks: Number of chunk offsets.
      edits: Number of edits, each of which shows the whole track.
      more: Boxes before the sample size table.
    """
    size = struct.pack(">HH", 64, 64)
    sound = box(b"twos", bytes(6), b"\0\1", bytes(8), b"\0\1\0\x10", bytes(4), b"\xac\x44\0\0")
    entry = box(
        b"jpeg",
        bytes(6),
        b"\0\1",
        bytes(16),
        size,
        bytes(12),
        b"\0\1",
        bytes(32),
        b"\0\x18\xff\xff",
    )
    listed = 0 if fragments else samples
    tables = box(
        b"stbl",
        full(b"stsd", 1, sound if kind == b"soun" else entry),
        full(b"stts", 1, listed, 1),
        full(b"stsc", 1, 1, listed, 1),
        more,
        full(b"stsz", 1, listed),
        full(b"stco", chunks, *[40] * chunks),
    )
    media = box(
        b"mdia",
        full(b"mdhd", bytes(8), 1000, 1000, bytes(4)),
        full(b"hdlr", bytes(4), kind, bytes(13)),
        box(
            b"minf", full(b"vmhd", bytes(8)), box(b"dinf", full(b"dref", 1, full(b"url "))), tables
        ),
    )
    track = full(b"tkhd", bytes(8), 1, bytes(4), 1000, bytes(16), bytes(36), 64 << 16, 64 << 16)
    edited = box(b"edts", full(b"elst", edits, *[1000, 0, 1 << 16] * edits)) if edits else b""
    movie = [full(b"mvhd", bytes(8), 1000, 1000, bytes(80)), box(b"trak", track, edited, media)]
    content = box(b"ftyp", b"isom", bytes(4), b"isom")
    if not fragments:
        return content + box(b"moov", *movie) + box(b"mdat", bytes(1000))
    extends = box(b"mvex", full(b"trex", 1, 1, 1, 1, 0))
    run = box(b"traf", full(b"tfhd", 1), full(b"trun", samples))
    return content + box(b"moov", *movie, extends) + box(b"moof", full(b"mfhd", 1), run)


def record(length: int) -> bytes:
    """A TFRecord record that claims a length, with a valid checksum of that length."""
    head = struct.pack("<Q", length)
    return head + struct.pack("<I", masked_crc32c(head)) + bytes(100)
