"""What one input may claim, and reading that holds it to that before memory is taken.

The bounds of data are here, each with its reason, but `options.LARGEST_RESOLUTION`, which settings
have, too; models/keras_file.py has those of model files, web/guard.py those of requests. They are
far above what cameras, archives and this package make.
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
"""Of a photo, a frame's file or a stack: phones end at 201 million. 0.75 GB in RGB; while it is
decoded whole 2 GB a JPEG or PNG, 4 a WebP, 5 a JPEG 2000. Pillow itself refuses twice as many."""
VIDEO_PIXELS = 8192 * 8192
"""Of a frame of a video; 8K has half. 0.2 GB in RGB, several of which a decoder holds at once."""
CLIP_PIXELS = FRAMES * 8192 * 4608
"""Of all frames of a clip that is kept as pixels, for evaluation or from a server: 8K in every
aspect, 3.6 GB."""
VIDEO_FRAMES = 4_000_000
"""Of a video: 37 hours at 30 per second."""
VIDEO_SAMPLES = 16_000_000
"""Frames and packets of sound that an mp4 says it has: two days of both. FFmpeg takes 24 bytes and
more for each, whether it is there or not: 0.5 GB."""
VIDEO_TABLES = 256 << 20
"""Bytes of an mp4 that list its samples: as many take about 200 MB."""
PICTURE_BYTES = 1 << 30
"""Of a picture's file: as many pixels of 48 bits, uncompressed."""
RECORD_BYTES = 1 << 30
"""Of a record: 32 JPEGs of 32 MB. Protocol buffers themselves end at 2 GiB."""
FRAME_BYTES = RECORD_BYTES // FRAMES - 1024
"""Of a frame's file that goes into a record as it is; there may be anything behind the picture."""
DESCRIPTION_BYTES, DESCRIPTION_VALUES = 256 << 20, 16_000_000
"""Of `dataset_info.json`, which has a line for each file passed over: two million of them. A value
takes at least 64 bytes of memory, and three of the file."""
LIST_BYTES = 256 << 20
"""Of a list of pictures: four million of 64 letters."""
NOTE_BYTES = 1 << 20
"""Of the small files of a run: flags.cfg, best.json, stage1.json."""
NOTE_VALUES = 10_000
"""Values in such a file, or in a setting of a study."""

SUBJECTS = 10_000
"""Of a study. Any browser that asks is one, and takes some 200 bytes of disk for each pair."""


def read_bytes(path: AnyPath, most: int) -> bytes:
    """Reads a file of a bounded length.

    Args:
      path: Of the file.
      most: Bytes that it may have.

    Raises:
      ValueError: It has more, or is no regular file: a pipe or a device never ends.
      OSError: It cannot be read.
    """
    check_regular(path)
    with path.open("rb") as file:
        length = length_of(file)
        if length > most:
            raise ValueError(f"has more than {most:,} bytes")
        return file.read(length)


def check_regular(path: AnyPath) -> None:
    """Refuses what never ends: a pipe or a device of this machine.

    Raises:
      ValueError: It is such, or a folder.
      OSError: There is nothing.
    """
    if isinstance(path, Path) and not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("is a folder" if path.is_dir() else "is no regular file")


def read_text(path: AnyPath, most: int) -> str:
    """Likewise, as UTF-8.

    Raises:
      ValueError, OSError: As `read_bytes`; or it is not UTF-8.
    """
    return read_bytes(path, most).decode("utf-8")


def parse_json(text: str, values: int = NOTE_VALUES) -> Any:
    """Parses JSON of a bounded number of values.

    Raises:
      ValueError: It is none, has more values, is nested too deeply, or has half of a character.
    """
    if sum(map(text.count, ",[{")) > values:
        raise ValueError(f"it has more than {values:,} values")
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if re.search(r"\\u[dD][89a-fA-F]", text):  # a pair of them is a character, one alone is none
        json.dumps(parsed, ensure_ascii=False).encode()
    return parsed
