"""Contact strips: frames of several clips in one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ssagan_tf.video.frames import check


def contact_strip(clips: Sequence[tuple[str, np.ndarray]], times: int = 8) -> np.ndarray:
    """Draws a row for each clip, with some of its frames side by side.

    Args:
      clips: Labels and clips, `[T, H, W, 3]` uint8, all of one size. A clip of one frame fills
        only the first column.
      times: Number of columns, evenly spaced from the first to the last frame.

    Returns:
      `[height, width, 3]` uint8.

    Raises:
      ValueError: There are no clips, or clips of different sizes.
    """
    for _, frames in clips:
        check(frames, 4)
    sizes = {frames.shape[1:3] for _, frames in clips}
    lengths = {len(frames) for _, frames in clips if len(frames) > 1}
    if len(sizes) != 1 or len(lengths) > 1 or times < 1:
        shapes = [frames.shape for _, frames in clips]
        raise ValueError(f"expected clips of one size, got {shapes}")
    [(height, width)] = sizes
    length = max(lengths, default=1)
    columns = np.linspace(0, length - 1, min(times, length)).round().astype(int)

    font = ImageFont.load_default(min(max(10, height // 8), 24))
    gap, margin = 2, 6
    left = 2 * margin + int(max(font.getlength(label) for label, _ in clips)) + 1
    top = sum(font.getmetrics()) + margin
    canvas = Image.new(
        "RGB",
        (left + len(columns) * (width + gap), top + len(clips) * (height + gap)),
        "white",
    )
    draw = ImageDraw.Draw(canvas)
    for column, time in enumerate(columns):
        x = left + column * (width + gap)
        draw.text((x + width / 2, top / 2), str(time + 1), "black", font, anchor="mm")
        for row, (_, frames) in enumerate(clips):
            if time < len(frames):
                y = top + row * (height + gap)
                canvas.paste(Image.fromarray(frames[time]), (x, y))
    for row, (label, _) in enumerate(clips):
        y = top + row * (height + gap) + height / 2
        draw.text((left - margin, y), label, "black", font, anchor="rm")
    return np.array(canvas)
