"""Prepares the frames of a video for display: rotation, pixel aspect, deinterlacing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import av
import numpy as np

_MATRIX = "DISPLAYMATRIX"
_NEARLY_SQUARE = 0.01


def upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Rotates and mirrors a frame according to its display matrix.

    Args:
      image: `[H, W, 3]`, the pixels of `frame`.
      frame: Carries the matrix a, b, u, c, d, v, …, which maps a pixel at (x, y) to
        (a·x + c·y, b·x + d·y) (ISO/IEC 14496-12, 8.3.2). Angles are rounded to multiples of 90°.

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


def display_size(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int]:
    """Returns the width and height of a stored frame with square pixels; neither side shrinks."""
    width, height = frame.width, frame.height
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1
    if abs(aspect - 1) < _NEARLY_SQUARE:
        return width, height
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))


def deinterlaced(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Deinterlaces frames, starting at the first interlaced one; their number stays the same."""
    graph = kind = None
    for frame in frames:
        now = frame.width, frame.height, frame.format.name
        if graph and now != kind:  # a graph takes frames of one format only
            yield from _filtered(graph, None)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph, kind = _deinterlacer(frame), now
        if graph is None:
            yield frame
        else:
            yield from _filtered(graph, frame)
    if graph:
        yield from _filtered(graph, None)


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base=str(frame.time_base),
        colorspace=str(frame.colorspace),
        range=str(frame.color_range),
    )
    bwdif = graph.add("bwdif", mode="send_frame", deint="interlaced")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _filtered(graph: av.filter.Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    """Pushes a frame into a graph and yields what comes out; None flushes it."""
    graph.push(frame)
    with contextlib.suppress(av.BlockingIOError, av.EOFError):
        while True:
            yield graph.vpull()
