"""Limits for untrusted input, and reading that enforces them before memory is allocated.

These are the limits for data, each with its reason; `options.LARGEST_RESOLUTION` is another one,
models/keras_file.py has those for model files, and web/guard.py those for requests. They are far
above what cameras, data sets and this package produce.
"""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

from ssagan_tf.options import FRAMES
from ssagan_tf.remote import AnyPath, length_of

PICTURE_PIXELS = 250_000_000
"""Pixels of a photo, frame or stack: phones reach 201 million. That is 0.75 GB in RGB; decoding
takes 2 GB for JPEG and PNG, 4 for WebP, 5 for JPEG 2000. Pillow itself refuses twice as many."""
VIDEO_PIXELS = 8192 * 8192
"""Pixels of a video frame; 8K has half. That is 0.2 GB in RGB; a decoder holds several frames."""
CLIP_PIXELS = FRAMES * 8192 * 4608
"""Pixels of all frames of a clip that is kept as pixels, for evaluation or from a server: 8K of any
aspect ratio, 3.6 GB."""
VIDEO_FRAMES = 4_000_000
"""Frames of a video: 37 hours at 30 frames per second."""
VIDEO_SAMPLES = 16_000_000
"""Video frames and audio packets that an mp4 claims: two days of both. FFmpeg allocates at least 24
bytes for each, whether it exists or not: 0.5 GB."""
VIDEO_TABLES = 256 << 20
"""Bytes of the sample tables of an mp4: `VIDEO_SAMPLES` take about 200 MB."""
PICTURE_BYTES = 1 << 30
"""Bytes of a picture's file: as many pixels of 48 bits need about that, uncompressed."""
RECORD_BYTES = 1 << 30
"""Bytes of a record: 32 JPEGs of 32 MB. Protocol buffers themselves are limited to 2 GiB."""
FRAME_BYTES = RECORD_BYTES // FRAMES - 1024
"""Bytes of a JPEG that is stored in a record unchanged; any data may follow the image."""
DESCRIPTION_BYTES, DESCRIPTION_VALUES = 256 << 20, 16_000_000
"""Bytes and values of `dataset_info.json`, which lists each skipped file: two million of them. A
value takes at least 64 bytes of memory, and three of the file."""
LIST_BYTES = 256 << 20
"""Bytes of a list of pictures: four million names of 64 characters."""
NOTE_BYTES = 1 << 20
"""Bytes of a small file of a run: flags.cfg, best.json, stage1.json."""
NOTE_VALUES = 10_000
"""Values in such a file, or in a study's settings."""

SUBJECTS = 10_000
"""Subjects of a study. Every browser is one, and takes about 200 bytes of disk per pair."""


def read_bytes(path: AnyPath, limit: int) -> bytes:
    """Reads a file of limited size.

    Args:
      path: Path of the file.
      limit: Its largest size in bytes.

    Raises:
      ValueError: It is larger, or not a regular file: reading a pipe or device may never end.
      OSError: It cannot be read.
    """
    check_regular(path)
    with path.open("rb") as file:
        length = length_of(file)
        if length > limit:
            raise ValueError(f"has more than {limit:,} bytes")
        return file.read(length)


def check_regular(path: AnyPath) -> None:
    """Checks that a local path is a regular file: reading a pipe or device may never end.

    Raises:
      ValueError: It is not.
      OSError: It does not exist.
    """
    if isinstance(path, Path) and not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("is a directory" if path.is_dir() else "is not a regular file")


def read_text(path: AnyPath, limit: int) -> str:
    """Reads a UTF-8 file of limited size.

    Raises:
      ValueError, OSError: As `read_bytes`, or it is not UTF-8.
    """
    return read_bytes(path, limit).decode("utf-8")


def parse_json(text: str, values: int = NOTE_VALUES) -> Any:
    """Parses JSON with a limited number of values.

    Raises:
      ValueError: It is invalid, has more values, is nested too deeply, or has a lone surrogate.
    """
    if sum(map(text.count, ",[{")) > values:
        raise ValueError(f"it has more than {values:,} values")
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if re.search(r"\\u[dD][89a-fA-F]", text):  # valid in pairs only
        json.dumps(parsed, ensure_ascii=False).encode()
    return parsed
