"""A video of clips of several systems side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 4
_MIN_SIDE = 96  # pixels; smaller clips are enlarged by a whole factor


def side_by_side(rows: Sequence[tuple[str, Mapping[str, np.ndarray]]]) -> np.ndarray:
    """Draws a column per system, headed by its name, and a row per clip, with its name below.

    Args:
      rows: Names of clips, each with the clips of the systems by name, `[T, H, W, 3]` uint8; all
        rows have the same systems and sizes.

    Returns:
      `[T, height, width, 3]` uint8.
    """
    columns = list(rows[0][1])
    frames, height, width, _ = rows[0][1][columns[0]].shape
    scale = max(1, -(-_MIN_SIDE // min(height, width)))
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
    video = np.repeat(np.array(canvas)[None], frames, axis=0)
    for (_, clips), top in zip(rows, tops, strict=True):
        for name, left in zip(columns, lefts, strict=True):
            large = clips[name].repeat(scale, axis=1).repeat(scale, axis=2)
            video[:, top : top + height, left : left + width] = large
    return video
