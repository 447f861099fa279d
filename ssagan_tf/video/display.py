"""How the frames of a video are meant to be seen: upright, with square pixels, without combs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import av
import numpy as np

_MATRIX = "DISPLAYMATRIX"
_NEARLY_SQUARE = 0.01


def upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turns and mirrors a frame as its display matrix says.

    Args:
      image: `[H, W, 3]`, the pixels of `frame`.
      frame: Has the matrix, which takes a pixel at (x, y) to (a·x + c·y, b·x + d·y) and is given
        as a, b, u, c, d, v, … (ISO/IEC 14496-12, 8.3.2). Angles between the right ones are
        rounded to these.

    Returns:
      A view, `[H, W, 3]` or `[W, H, 3]`.
    """
    try:
        matrix = np.frombuffer(frame.side_data[_MATRIX], np.int32)
    except KeyError:
        return image
    a, b, c, d = matrix[[0, 1, 3, 4]].astype(float)
    if abs(a) + abs(d) < abs(b) + abs(c):
        image, a, d = image.transpose(1, 0, 2), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def shown_size(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int]:
    """Width and height of a frame, as it is stored, with square pixels; none is lost."""
    width, height = frame.width, frame.height
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1
    if abs(aspect - 1) < _NEARLY_SQUARE:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def without_combs(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Deinterlaces frames from the first interlaced one on; as many come out."""
    frames = iter(frames)
    for first in frames:
        if first.interlaced_frame:
            break
        yield first
    else:
        return
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add(
            "buffer",
            video_size=f"{first.width}x{first.height}",
            pix_fmt=first.format.name,
            time_base=str(first.time_base),
            colorspace=str(first.colorspace),
            range=str(first.color_range),
        ),
        graph.add("bwdif", mode="send_frame", deint="interlaced"),
        graph.add("buffersink"),
    ).configure()
    for frame in itertools.chain([first], frames, [None]):
        graph.push(frame)
        while True:
            try:
                yield graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                break
