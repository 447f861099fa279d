"""Small videos as cameras and programs write them, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def planes(values: Sequence[np.ndarray | float], size: tuple[int, int], pixels: str, **tags: int):
    """Makes a frame from the values of its planes, each a number or an array."""
    frame = av.VideoFrame(size[1], size[0], pixels)
    for plane, value in zip(frame.planes, values, strict=True):
        kind = np.dtype("u1" if frame.format.components[0].bits == 8 else "<u2")
        lines = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        lines[:, : plane.width] = value
        plane.update(lines.tobytes())
    for name, tag in tags.items():
        setattr(frame, name, tag)
    return frame


def record(
    path: Path,
    frames: Iterable[np.ndarray | av.VideoFrame],
    codec: str = "ffv1",
    pixels: str = "bgr0",
    times: Sequence[int] = (),
    rate: int = 25,
    start: int = 0,
    of_stream: Any = lambda stream: None,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes a video.

    Args:
      path: Path of the file; its suffix selects the format.
      frames: RGB arrays, or FFmpeg frames, whose colour tags are copied to the stream.
      codec, pixels: FFmpeg's names of the codec and the pixel format.
      times: Times of the frames in 1/rate seconds; consecutive by default.
      rate: Frames per second.
      start: Number of packets to leave out at the beginning.
      of_stream: Called with the stream before anything is encoded.
      options: Options of the codec.
    """
    with av.open(str(path), "w") as container:
        stream, packets = None, 0
        for index, frame in enumerate(frames):
            if isinstance(frame, np.ndarray):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame)).reformat(
                    format=pixels, interpolation=0x4 | 0x2000 | 0x40000
                )
            if stream is None:
                stream = container.add_stream(codec, rate, options=options or {})
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixels
                context = stream.codec_context
                for tag in ("color_range", "colorspace", "color_primaries", "color_trc"):
                    setattr(context, tag, getattr(frame, tag))
                of_stream(stream)
            frame.pts = times[index] if times else index
            frame.time_base = Fraction(1, rate)
            for packet in stream.encode(frame):
                packets += 1
                if packets > start:
                    container.mux(packet)
        for packet in stream.encode():
            packets += 1
            if packets > start:
                container.mux(packet)
    return path


def filtered(frames: Iterable[np.ndarray], *filters: str) -> list[np.ndarray]:
    """Applies FFmpeg's filters to RGB frames."""
    result = []
    for image in frames:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image))
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format="rgb24", time_base=Fraction(1, 25)
            )
        ]
        for each in filters:
            name, _, arguments = each.partition("=")
            nodes.append(graph.add(name, arguments or None))
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        graph.push(frame)
        result.append(graph.pull().to_ndarray(format="rgb24"))
    return result
