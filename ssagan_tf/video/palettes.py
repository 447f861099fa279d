"""Frames in the 255 colours of a palette, dithered, as GIF needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from ssagan_tf.video.timestamps import TimedFrame

_TICK = Fraction(1, 100)
_COLOURS = 255  # after the first one, which leaves a pixel as it was in the frame before
_PATTERN = np.array([[-2, 1], [2, -1]], np.int16)  # of levels, about as far apart as colours are
_AT_ONCE = 1 << 16  # colours whose distances are in memory
_CELL = 8  # pixels over which colours are compared, as the eye mixes dithered ones
_WORSE = 1.5, 1.0  # a palette is given up when colours are off by so many times what they were,
# and by so many grey levels more


def quantize_frames(frames: Iterable[TimedFrame]) -> Iterator[av.VideoFrame]:
    """Reduces frames to the palette of the first one, or of a later one when it fits no more.

    The dither is a pattern that stays in its place: what stands still does not flicker, and files
    are smaller than with diffused errors.

    Args:
      frames: All of one size.

    Yields:
      Frames of the format pal8, with times in 1/100 s.
    """
    palette, limit = None, 0.0
    for frame, start, duration in frames:
        indices = palette.nearest(frame) if palette else None
        if palette is None or palette.error(indices, frame) > limit:
            palette = _Palette(frame)
            indices = palette.nearest(frame)
            times, more = _WORSE
            limit = times * palette.error(indices, frame) + more
        picture = av.VideoFrame.from_ndarray((indices, palette.argb), "pal8")
        picture.pts, picture.time_base, picture.duration = start, _TICK, duration
        yield picture


class _Palette:
    """The colours of a frame, by median cut.

    Attributes:
      argb: As PyAV takes it, uint8 `[256, 4]`; the first one is transparent.
    """

    def __init__(self, frame: np.ndarray):
        reduced = Image.fromarray(np.ascontiguousarray(frame)).quantize(_COLOURS)
        colours = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[:_COLOURS]
        self.argb = np.zeros((256, 4), np.uint8)
        self.argb[1:, 0] = 255
        self.argb[1 : 1 + len(colours), 1:] = colours
        self._colours = colours.astype(np.float32)
        self._nearest = np.zeros(1 << 24, np.uint8)  # filled as colours come up; 0: not yet

    def nearest(self, frame: np.ndarray) -> np.ndarray:
        """Indices of the nearest colours of a dithered frame, uint8 `[H, W]`."""
        height, width = frame.shape[:2]
        pattern = np.tile(_PATTERN, (-(-height // 2), -(-width // 2)))[:height, :width, None]
        red, green, blue = np.moveaxis(np.clip(frame + pattern, 0, 255).astype(np.int32), -1, 0)
        codes = (red << 16) | (green << 8) | blue
        indices = self._nearest[codes]
        unknown = np.unique(codes[indices == 0])
        for first in range(0, len(unknown), _AT_ONCE):
            self._fill(unknown[first : first + _AT_ONCE])
        if len(unknown):
            indices = self._nearest[codes]
        return indices

    def _fill(self, codes: np.ndarray) -> None:
        # Pillow looks at every fourth level only, and FFmpeg's dithers lose errors of less than
        # four: both show as bands.
        levels = np.stack([codes >> shift & 255 for shift in (16, 8, 0)], -1).astype(np.float32)
        distances = np.square(self._colours).sum(1) - 2 * levels @ self._colours.T
        self._nearest[codes] = 1 + distances.argmin(1)

    def error(self, indices: np.ndarray, frame: np.ndarray) -> float:
        """Mean error of the colours in cells, grey levels."""
        cells = [
            np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(_CELL), float)
            for pixels in (self.argb[indices, 1:], frame)
        ]
        return float(np.abs(cells[0] - cells[1]).mean())
