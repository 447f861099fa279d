"""Video files -> frames, one at a time, with errors that say what is wrong with a file."""

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

# Metadata need not be valid UTF-8; from version 19 on, PyAV decodes it only on access.
_TOLERATE_BAD_METADATA = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
)
# FFmpeg's other formats are playlists, which open further files, pictures, and text.
_CONTAINERS = (
    *("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "gif"),
    *("mxf", "nut", "ivf", "h264", "hevc", "m4v", "obu", "dv", "rm", "wtv", "apng"),
)


# Streams that are not the video: covers, thumbnails of chapters, enhancement layers.
_AUXILIARY = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.dependent
)


class DecodedFrame(NamedTuple):
    """A frame, `[H, W, 3]` uint8, and its time in seconds, if the file has one."""

    image: np.ndarray
    time: float | None


def read_video(path: PathLike, step: int = 1) -> Iterator[np.ndarray]:
    """Reads the frames of a video one at a time, as they are meant to be displayed.

    Frames are rotated, deinterlaced, with square pixels, in sRGB. High dynamic range and wide
    gamuts are converted; diffuse white becomes 240. Untagged colours are taken for BT.709 in HD,
    else for BT.601. The default video stream is read, or the largest one of several. Frames before
    the first key frame are skipped, and those hidden by edit lists.

    Args:
      path: Any video that FFmpeg reads. Frames are returned one by one, whatever their times; see
        `read_video_with_times`.
      step: Read only every `step`-th frame, beginning with the first.

    Yields:
      `[H, W, 3]` uint8, all of the size of the first one.

    Raises:
      UnreadableError: At the first frame if it is not a supported video; later where it is damaged
        or truncated.
    """
    with contextlib.closing(read_video_with_times(path, step)) as frames:
        for frame in frames:
            yield frame.image


def read_video_with_times(path: PathLike, step: int = 1) -> Iterator[DecodedFrame]:
    """Reads frames like `read_video`, with their times."""
    count = 0
    with contextlib.closing(_decode(path, step)) as frames:
        while True:
            try:
                frame = next(frames, None)
            except Exception as error:  # errors of FFmpeg and of PyAV
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                if count:
                    reason = f"it is damaged after {count * step} frames: {reason}"
                raise UnreadableError("video", path, reason) from error
            if frame is None:
                return
            yield frame
            count += 1


def _decode(path: PathLike, step: int) -> Iterator[DecodedFrame]:
    """Yields the frames. Raises any exception, and ValueError for faults that FFmpeg tolerates."""
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
            raise ValueError("it contains no frames")
        if _is_truncated(path, container, stream, end):
            raise ValueError("it is truncated")


def _main_stream(container: av.container.InputContainer) -> av.VideoStream:
    """Returns the default video stream, or the largest of several; a still of one frame last."""
    streams = [each for each in container.streams.video if not each.disposition & _AUXILIARY]
    if not streams:
        raise ValueError(
            f"it contains no video{', only a picture' * bool(container.streams.video)}"
        )

    def rank(one: av.VideoStream) -> tuple[bool, bool, int]:
        is_default = bool(one.disposition & Disposition.default)
        return one.frames != 1, is_default, one.width * one.height

    return max(streams, key=rank)


def _check_size(width: int, height: int) -> None:
    if width * height > limits.VIDEO_PIXELS:
        raise ValueError(f"its frames of {width}×{height} pixels are too large")


def _valid_frames(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    """Yields frames from the first key frame on; ValueError if one is corrupt, or too many."""
    has_key, passed, count = False, 0, 0
    for packet in container.demux(stream):
        is_end = packet.dts is None and not packet.size
        has_key = has_key or packet.is_keyframe  # earlier ones would be decoded to grey
        if is_end and not has_key and passed:
            raise ValueError("it contains no key frame, without which nothing can be decoded")
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
        # An absolute path, as FFmpeg takes what precedes a colon for a protocol.
        return av.open(os.path.abspath(path), options=options, **_TOLERATE_BAD_METADATA)
    except av.ArgumentError:
        raise ValueError("it is not a video, or in an unsupported format") from None
    except av.EOFError:
        raise ValueError("it ends before its first frame") from None


def _is_truncated(
    path: PathLike, container: av.container.InputContainer, stream: av.VideoStream, end: float
) -> bool:
    """Returns whether a video decoded without errors up to `end` seconds is truncated."""
    # mp4 and AVI have an index of all frames; that of a trimmed mp4 lists the visible ones only.
    entries = getattr(stream, "index_entries", ())
    if max((entry.pos + entry.size for entry in entries), default=0) > os.path.getsize(path):
        return True
    # Matroska states a duration: of each stream if FFmpeg wrote it, else of the longest one.
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
