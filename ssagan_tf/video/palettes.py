"""Dithers frames to a palette of 255 colours, for GIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from ssagan_tf.video.timestamps import TimedFrame

_TICK = Fraction(1, 100)
_COLOURS = 255  # the first of 256 is transparent: it keeps the pixel of the frame before
_PATTERN = np.array([[-2, 1], [2, -1]], np.int16)  # about as strong as the steps of a palette
_BATCH = 1 << 16  # colours whose distances are in memory at once
_CELL = 8  # pixels; colours are compared by cells, as the eye mixes dithered pixels
# A palette is replaced when its error exceeds its first error times the factor plus the levels.
_TOLERANCE_FACTOR, _TOLERANCE_LEVELS = 1.5, 1.0


def quantize_frames(frames: Iterable[TimedFrame]) -> Iterator[av.VideoFrame]:
    """Reduces frames to the palette of the first one, until it no longer fits; then to a new one.

    Ordered dithering: static parts do not flicker, and files are smaller than with error diffusion.

    Args:
      frames: All of one size.

    Yields:
      Frames of pixel format pal8, with times in 1/100 s.
    """
    palette, limit = None, 0.0
    for frame, start, duration in frames:
        indices = palette.nearest(frame) if palette else None
        if palette is None or palette.error(indices, frame) > limit:
            palette = _Palette(frame)
            indices = palette.nearest(frame)
            error = palette.error(indices, frame)
            limit = _TOLERANCE_FACTOR * error + _TOLERANCE_LEVELS
        picture = av.VideoFrame.from_ndarray((indices, palette.argb), "pal8")
        picture.pts, picture.time_base, picture.duration = start, _TICK, duration
        yield picture


class _Palette:
    """A palette of the colours of a frame, by median cut.

    Attributes:
      argb: `[256, 4]` uint8, the order of PyAV; the first colour is transparent.
    """

    def __init__(self, frame: np.ndarray):
        reduced = Image.fromarray(np.ascontiguousarray(frame)).quantize(_COLOURS)
        colours = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[:_COLOURS]
        self.argb = np.zeros((256, 4), np.uint8)
        self.argb[1:, 0] = 255
        self.argb[1 : 1 + len(colours), 1:] = colours
        self._colours = colours.astype(np.float32)
        self._nearest = np.zeros(1 << 24, np.uint8)  # filled on demand; 0: unknown

    def nearest(self, frame: np.ndarray) -> np.ndarray:
        """Dithers a frame; returns indices of the nearest colours, `[H, W]` uint8."""
        height, width = frame.shape[:2]
        pattern = np.tile(_PATTERN, (-(-height // 2), -(-width // 2)))[:height, :width, None]
        red, green, blue = np.moveaxis(np.clip(frame + pattern, 0, 255).astype(np.int32), -1, 0)
        codes = (red << 16) | (green << 8) | blue
        indices = self._nearest[codes]
        unknown = np.unique(codes[indices == 0])
        for first in range(0, len(unknown), _BATCH):
            self._fill(unknown[first : first + _BATCH])
        if len(unknown):
            indices = self._nearest[codes]
        return indices

    def _fill(self, codes: np.ndarray) -> None:
        # Exact: Pillow considers every fourth level only, and FFmpeg's dithers ignore errors below
        # four levels; both cause visible bands.
        levels = np.stack([codes >> shift & 255 for shift in (16, 8, 0)], -1).astype(np.float32)
        distances = np.square(self._colours).sum(1) - 2 * levels @ self._colours.T
        self._nearest[codes] = 1 + distances.argmin(1)

    def error(self, indices: np.ndarray, frame: np.ndarray) -> float:
        """Returns the mean error of the colours of cells, in levels."""
        cells = [
            np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(_CELL), float)
            for pixels in (self.argb[indices, 1:], frame)
        ]
        return float(np.abs(cells[0] - cells[1]).mean())
