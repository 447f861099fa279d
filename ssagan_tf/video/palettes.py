"""Frames in the 255 colours of a palette, dithered, as GIF needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import av.filter
import numpy as np
from PIL import Image

from ssagan_tf.video.timing import Timed

FILTERS = ("paletteuse",)
_TICK = Fraction(1, 100)
_COLOURS = 255  # and one that leaves a pixel as it was in the frame before
_SPREAD = 4.0  # grey levels of dither: about as far apart as a palette's colours are in a sky
_CELL = 8  # pixels of the pattern's side, over which the eye mixes colours
_WORSE = 1.5, 1.0  # a palette is given up when colours are off by so many times what they were,
# and by so many grey levels more


def with_palette(frames: Iterable[Timed]) -> Iterator[av.VideoFrame]:
    """Reduces frames to the palette of the first one, or of a later one when it fits no more.

    The dither is a pattern that stays in its place (Bayer 1973): what stands still does not
    flicker, and files are smaller than with diffused errors.

    Args:
      frames: All of one size.

    Yields:
      Frames of the format pal8, with times in 1/100 s.
    """
    use, limit = None, 0.0
    for frame, start, duration in frames:
        picture = use(frame) if use else None
        if picture is None or _error(picture, frame) > limit:
            use = _Palette(frame)
            picture = use(frame)
            times, more = _WORSE
            limit = times * _error(picture, frame) + more
        picture.pts, picture.time_base, picture.duration = start, _TICK, duration
        yield picture


class _Palette:
    """The palette of a frame, by median cut; called with a frame, gives it in these colours."""

    def __init__(self, frame: np.ndarray):
        height, width = frame.shape[:2]
        repeats = -(-height // _CELL), -(-width // _CELL)
        self._pattern = np.tile(_bayer(), repeats)[:height, :width, None]
        self._graph, self._count = av.filter.Graph(), 0
        size = {"width": width, "height": height}
        self._source = self._graph.add_buffer(
            **size, format=av.VideoFormat("rgb24"), time_base=_TICK
        )
        palette = self._graph.add_buffer(
            width=16, height=16, format=av.VideoFormat("bgra"), time_base=_TICK
        )
        wide = self._graph.add("format", "bgra")
        # The nearest colour: Pillow's is the nearest to one of every four, FFmpeg's dithers lose
        # errors of less than four levels, and both show as bands.
        nearest = self._graph.add("paletteuse", "dither=none")
        self._source.link_to(wide)
        wide.link_to(nearest, 0, 0)
        palette.link_to(nearest, 0, 1)
        nearest.link_to(self._graph.add("buffersink"))
        self._graph.configure()
        palette.push(_picture(_colours(frame), "bgra", 0))
        palette.push(None)

    def __call__(self, frame: np.ndarray) -> av.VideoFrame:
        dithered = np.clip(np.rint(frame + self._pattern), 0, 255).astype(np.uint8)
        self._source.push(_picture(dithered, "rgb24", self._count))
        self._count += 1
        return self._graph.pull()


def _bayer() -> np.ndarray:
    """A pattern of `_SPREAD` around zero, float32 `[8, 8]`."""
    order = np.zeros((1, 1))
    while len(order) < _CELL:
        order = np.block([[4 * order, 4 * order + 2], [4 * order + 3, 4 * order + 1]])
    return (_SPREAD * ((order + 0.5) / order.size - 0.5)).astype(np.float32)


def _colours(frame: np.ndarray) -> np.ndarray:
    """A palette as FFmpeg takes it: `[16, 16, 4]` uint8, blue first, the last one transparent."""
    reduced = Image.fromarray(np.ascontiguousarray(frame)).quantize(_COLOURS)
    found = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)[:_COLOURS]
    palette = np.zeros((256, 4), np.uint8)
    palette[:_COLOURS, 3] = 255
    palette[:_COLOURS, :3] = found[-1, ::-1]  # of few colours, the last one fills it up
    palette[: len(found), :3] = found[:, ::-1]
    return palette.reshape(16, 16, 4)


def _picture(array: np.ndarray, pixels: str, number: int) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(array, pixels)
    picture.pts, picture.time_base = number, _TICK
    return picture


def _error(picture: av.VideoFrame, frame: np.ndarray) -> float:
    """Mean error of the colours in cells, grey levels."""
    seen = picture.reformat(format="rgb24").to_ndarray()

    def cells(array: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(np.ascontiguousarray(array)).reduce(_CELL), float)

    return float(np.abs(cells(seen) - cells(frame)).mean())
