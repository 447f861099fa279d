"""Video files -> frames, one after the other, or a word of what is wrong with them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.stream import Disposition

from ssagan_tf import limits
from ssagan_tf.video import mp4_header
from ssagan_tf.video.display import deinterlaced, display_size, upright
from ssagan_tf.video.frames import PathLike
from ssagan_tf.video.unreadable import UnreadableError
from ssagan_tf.video.yuv_conversion import RgbConverter

# Titles and the like need not be UTF-8; from version 19 on PyAV leaves them alone until asked.
_TOLERATE_BAD_METADATA = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
)
# Of FFmpeg's formats, videos; others are playlists, which name more files, pictures, and text.
_CONTAINERS = (
    *("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "gif"),
    *("mxf", "nut", "ivf", "h264", "hevc", "m4v", "obu", "dv", "rm", "wtv", "apng"),
)


# Streams beside the film: covers, thumbnails of chapters, enhancement layers.
_AUXILIARY = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.dependent
)


class DecodedFrame(NamedTuple):
    """A frame, `[H, W, 3]` uint8, and when it is shown, in seconds, if the file says so."""

    image: np.ndarray
    time: float | None


def read_video(path: PathLike, step: int = 1) -> Iterator[np.ndarray]:
    """Reads the frames of a video one after the other, as they are meant to be seen.

    Upright and mirrored as the file says, with square pixels, deinterlaced, in sRGB: high dynamic
    range and wide gamuts are converted, diffuse white comes out at 240. Untagged colours are
    BT.709 in HD, else BT.601. Of several video streams the default one is read, of several such
    the largest; what edit lists hide is left out, and what comes before the first key frame.

    Args:
      path: Anything that FFmpeg reads as a video. Frames come one by one, whatever their times;
        `read_video_with_times` gives these, too.
      step: Give every so many frames one, beginning with the first.

    Yields:
      `[H, W, 3]` uint8, all of one size: where it changes, that of the first.

    Raises:
      UnreadableError: At the first frame if it is no video, or one that is not read; later where
        it is broken or ends early.
    """
    with contextlib.closing(read_video_with_times(path, step)) as frames:
        for frame in frames:
            yield frame.image


def read_video_with_times(path: PathLike, step: int = 1) -> Iterator[DecodedFrame]:
    """Likewise, with their times."""
    count = 0
    with contextlib.closing(_decode(path, step)) as frames:
        while True:
            try:
                frame = next(frames, None)
            except Exception as error:  # FFmpeg's errors, and PyAV's on what it makes of them
                why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                if count:
                    why = f"it is damaged after {count * step} frames: {why}"
                raise UnreadableError("video", path, why) from error
            if frame is None:
                return
            yield frame
            count += 1


def _decode(path: PathLike, step: int) -> Iterator[DecodedFrame]:
    """The frames; raises whatever comes up, or ValueError for what FFmpeg lets pass."""
    limits.check_regular(Path(path))
    mp4_header.check(path)
    bounds = {"max_pixels": str(limits.VIDEO_PIXELS)}
    formats = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "file"}
    with _open(path, {**bounds, **formats}) as container:
        stream = _main_stream(container)
        _check_size(stream.width, stream.height)
        stream.thread_type = "AUTO"
        stream.codec_context.options = bounds
        end = size = None
        colours = RgbConverter()
        for index, frame in enumerate(deinterlaced(_valid_frames(container, stream))):
            if size is None:
                size = display_size(frame, stream)
                _check_size(*size)
            if index % step == 0:
                yield DecodedFrame(upright(colours.rgb(frame, *size), frame), frame.time)
            end = max(end or 0.0, frame.time or 0.0)
        if end is None:
            raise ValueError("it holds no frames")
        if _is_truncated(path, container, stream, end):
            raise ValueError("it is truncated")


def _main_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The default one of the video streams, the largest of several; no poster of one frame."""
    streams = [each for each in container.streams.video if not each.disposition & _AUXILIARY]
    if not streams:
        raise ValueError(f"it holds no video{', only a picture' * bool(container.streams.video)}")

    def rank(one: av.VideoStream) -> tuple[bool, bool, int]:
        is_default = bool(one.disposition & Disposition.default)
        return one.frames != 1, is_default, one.width * one.height

    return max(streams, key=rank)


def _check_size(width: int, height: int) -> None:
    if width * height > limits.VIDEO_PIXELS:
        raise ValueError(f"its frames of {width}×{height} are too large")


def _valid_frames(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """The frames from the first key frame on, none of them corrupt, and not endlessly many."""
    has_key, passed, count = False, 0, 0
    for packet in container.demux(stream):
        is_end = packet.dts is None and not packet.size
        has_key = has_key or packet.is_keyframe  # what comes before would be decoded to grey
        if is_end and not has_key and passed:
            raise ValueError("it holds no key frame, with which pictures begin")
        if not has_key:
            passed += 1
            continue
        for frame in packet.decode():
            if count >= limits.VIDEO_FRAMES:
                raise ValueError(f"it has more than {limits.VIDEO_FRAMES:,} frames")
            if frame.is_corrupt:
                raise ValueError("a frame is corrupt")
            yield frame
            count += 1


def _open(path: PathLike, options: dict[str, str]) -> av.container.InputContainer:
    try:
        # A whole path: FFmpeg takes what is before a colon for a protocol.
        return av.open(os.path.abspath(path), options=options, **_TOLERATE_BAD_METADATA)
    except av.ArgumentError:
        raise ValueError("it is no video, or of a kind that is not read") from None
    except av.EOFError:
        raise ValueError("it ends before its first frame") from None


def _is_truncated(
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
