"""Clips of several systems side by side, as one film."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ssagan_tf import video

_GAP = 4
_READABLE = 96  # smaller sides are enlarged by a whole number


def side_by_side(rows: Sequence[tuple[str, Mapping[str, np.ndarray]]]) -> np.ndarray:
    """Draws a film: a column per system under its name, a row per clip over its name.

    Args:
      rows: Names of clips, each with the clips of the systems, `[T, H, W, 3]` uint8, the same
        systems and sizes in all.

    Returns:
      `[T, height, width, 3]` uint8.
    """
    columns = list(rows[0][1])
    frames, height, width, _ = rows[0][1][columns[0]].shape
    scale = max(1, -(-_READABLE // min(height, width)))
    height, width = scale * height, scale * width
    font = ImageFont.load_default(13)
    line = sum(font.getmetrics()) + 4

    canvas = Image.new(
        "RGB",
        (
            len(columns) * (width + _GAP) + _GAP,
            line + len(rows) * (height + line + _GAP),
        ),
        "white",
    )
    draw = ImageDraw.Draw(canvas)
    lefts = [_GAP + number * (width + _GAP) for number in range(len(columns))]
    tops = [line + number * (height + line + _GAP) for number in range(len(rows))]
    for name, left in zip(columns, lefts, strict=True):
        draw.text((left + width / 2, line / 2), name, "black", font, anchor="mm")
    for (name, _), top in zip(rows, tops, strict=True):
        draw.text((_GAP, top + height + line / 2), name, "dimgray", font, anchor="lm")
    film = np.repeat(np.array(canvas)[None], frames, axis=0)
    for (_, clips), top in zip(rows, tops, strict=True):
        for name, left in zip(columns, lefts, strict=True):
            large = clips[name].repeat(scale, axis=1).repeat(scale, axis=2)
            film[:, top : top + height, left : left + width] = large
    return film


def write_film(path: str | os.PathLike[str], film: np.ndarray, fps: float, loops: int) -> None:
    """Writes a film as mp4, where it is repeated, or as an endless GIF or WebP.

    Raises:
      DataError: The file cannot be written.
    """
    video.write_video(path, film, fps, loops)
