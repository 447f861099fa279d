"""Video files -> frames, one after the other, or a word of what is wrong with them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from ssagan_tf import limits, mp4
from ssagan_tf.video.colours import EXACT
from ssagan_tf.video.frames import PathLike
from ssagan_tf.video.unreadable import UnreadableError

# Titles and the like need not be UTF-8; from version 19 on PyAV leaves them alone until asked.
_ANY_TITLES = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
# Of FFmpeg's formats, videos; others are playlists, which name more files, pictures, and text.
_CONTAINERS = (
    *("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "gif"),
    *("mxf", "nut", "ivf", "h264", "hevc", "m4v", "obu", "dv", "rm", "wtv", "apng"),
)


def read_video(path: PathLike, step: int = 1) -> Iterator[np.ndarray]:
    """Reads the frames of a video one after the other, turned upright.

    Args:
      path: Anything that FFmpeg reads as a video. Frames come as they are stored, whatever
        their times.
      step: Give every so many frames one, beginning with the first.

    Yields:
      `[H, W, 3]` uint8.

    Raises:
      UnreadableError: At the first frame if it is no video; later where it is broken or ends
        early.
    """
    count = 0
    with contextlib.closing(_decode(path, step)) as images:
        while True:
            try:
                image = next(images, None)
            except Exception as error:  # FFmpeg's errors, and PyAV's on what it makes of them
                why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                if count:
                    why = f"it is damaged after {count * step} frames: {why}"
                raise UnreadableError("video", path, why) from error
            if image is None:
                return
            yield image
            count += 1


def _decode(path: PathLike, step: int) -> Iterator[np.ndarray]:
    """The frames; raises whatever comes up, or ValueError for what FFmpeg lets pass."""
    limits.check_regular(Path(path))
    mp4.check(path)
    bounds = {"max_pixels": str(limits.VIDEO_PIXELS)}
    formats = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "file"}
    with _opened(path, {**bounds, **formats}) as container:
        if not container.streams.video:
            raise ValueError("it holds no video")
        stream = container.streams.video[0]
        if stream.width * stream.height > limits.VIDEO_PIXELS:
            raise ValueError(f"its frames of {stream.width}×{stream.height} are too large")
        stream.thread_type = "AUTO"
        stream.codec_context.options = bounds
        end = None
        # Set up once; and to planes, which gives the same pixels in a third of the time.
        reformatter = VideoReformatter()
        for index, frame in enumerate(container.decode(stream)):
            if index >= limits.VIDEO_FRAMES:
                raise ValueError(f"it has more than {limits.VIDEO_FRAMES:,} frames")
            if frame.is_corrupt:
                raise ValueError("a frame is corrupt")
            if index % step == 0:
                planes = reformatter.reformat(frame, format="gbrp", interpolation=EXACT)
                yield np.rot90(_colours(planes), round(frame.rotation / 90))
            end = max(end or 0.0, frame.time or 0.0)
        if end is None:
            raise ValueError("it holds no frames")
        if _ends_early(path, container, stream, end):
            raise ValueError("it is truncated")


def _opened(path: PathLike, options: dict[str, str]) -> av.container.InputContainer:
    try:
        # A whole path: FFmpeg takes what is before a colon for a protocol.
        return av.open(os.path.abspath(path), options=options, **_ANY_TITLES)
    except av.ArgumentError:
        raise ValueError("it is no video, or of a kind that is not read") from None


def _colours(frame: av.VideoFrame) -> np.ndarray:
    """`[H, W, 3]` of a frame in planes, which stay apart in memory: that is quicker to resize."""
    height, width = frame.height, frame.width
    colours = np.empty((3, height, width), np.uint8)
    for plane, colour in zip(frame.planes, (1, 2, 0), strict=True):
        lines = np.frombuffer(plane, np.uint8)[: height * plane.line_size]
        colours[colour] = lines.reshape(height, plane.line_size)[:, :width]
    return colours.transpose(1, 2, 0)


def _ends_early(
    path: PathLike, container: av.container.InputContainer, stream: av.VideoStream, end: float
) -> bool:
    """Whether a video whose decoding ended without complaint, at `end` seconds, is cut off."""
    # mp4 and AVI know where each frame lies; trimmed mp4s list the frames shown only.
    entries = getattr(stream, "index_entries", ())
    if max((entry.pos + entry.size for entry in entries), default=0) > os.path.getsize(path):
        return True
    # Matroska promises a duration: of each stream if FFmpeg wrote it, else of the longest.
    if "matroska" not in container.format.name:
        return False
    if promised := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, promised.groups())
        seconds += 60 * (minutes + 60 * hours)
    elif len(container.streams) == 1:
        seconds = (container.duration or 0) / av.time_base
    else:
        return False
    return end < 0.9 * seconds - 1
