"""Frames -> an mp4, a GIF, a WebP, or a folder of PNGs, by the suffix of the path.

Frames come from any iterable, `[H, W, 3]` uint8 and all of one size; a few are in memory at a time.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from ssagan_tf.errors import DataError
from ssagan_tf.files import (
    check_new_file,
    check_new_folder,
    errors_of_writing,
    replacing_file,
    replacing_folder,
)
from ssagan_tf.video.encoding import CRF, FORMATS, Format, checked_frames, encode
from ssagan_tf.video.frames import PathLike, check_suffix
from ssagan_tf.video.timestamps import exact_rate

Frames = Iterable[np.ndarray]
SUFFIXES = tuple(FORMATS)
"""Suffixes of video files; a folder of frames has none."""
_PNG_LEVEL = 1  # a fifth of the time of the default 6, for files a fifth larger


def write_video(
    path: PathLike, frames: Frames, fps: float | Fraction, repeat: int = 1, crf: float = CRF
) -> None:
    """Writes a video in the format of its suffix.

    Args:
      path: Path that ends in .mp4, .gif or .webp, or else a new or empty folder.
      frames: `[H, W, 3]` uint8 each, or an array of them.
      fps: Frames per second, 0.1 to 1000.
      repeat: How many times an mp4 or a folder contains the frames. A GIF or WebP contains them
        once, as players repeat it forever.
      crf: Constant quality of an mp4, 1 (best) to 51.

    Raises:
      ValueError: Invalid frames, fps, repeat or crf.
      DataError: The suffix is unknown, the encoder is missing or fails, the frames are too large
        for it, or the video cannot be written.
    """
    video_format = _format(path)
    if video_format is None:
        write_frames(path, frames, repeat)
    elif video_format.plays_forever:
        _write(path, frames, fps)
    else:
        _write(path, frames, fps, repeat, crf)


def check_encoder(path: PathLike, size: tuple[int, int] | None = None) -> None:
    """Checks before the work, as far as possible, that `write_video` can write to a path.

    Args:
      path: Path of the video or folder.
      size: Height and width of the frames, if known.

    Raises:
      DataError: The suffix is unknown, the encoder is missing or does not take frames of this size,
        the folder is not empty, the path of a file is a directory, or the name is too long.
    """
    video_format = _format(path)
    if video_format is None:
        check_new_folder(path)
        return
    if encoder := video_format.missing_encoder():
        others = [suffix for suffix, other in FORMATS.items() if other is not video_format]
        raise DataError(
            f"cannot write {path}: PyAV's FFmpeg lacks the encoder {encoder}; reinstall PyAV's "
            "wheel (pip install --force-reinstall av), or choose "
            f"{', '.join(sorted(others))} or a directory"
        )
    if size is not None:
        video_format.check_size(*size)
    check_new_file(path)


def write_mp4(
    path: PathLike, frames: Frames, fps: float | Fraction, repeat: int = 1, crf: float = CRF
) -> None:
    """Writes an H.264 video that plays everywhere, browsers included.

    4:2:0 in limited range, with matrix, primaries and transfer of BT.709 and tagged so. It starts
    to play before it is downloaded entirely.

    Args:
      path: Ends in .mp4.
      frames: `[H, W, 3]` uint8 each, or an array of them. An odd last row or column is duplicated,
        as H.264 needs even sizes.
      fps: Frames per second, 0.1 to 1000. 29.97 and the like mean 30000/1001.
      repeat: How many times the video contains the frames; they are encoded once.
      crf: Constant quality, 1 (best) to 51.

    Raises:
      ValueError: Invalid frames, suffix, fps, repeat or crf.
      DataError: As `write_video`.
    """
    check_suffix(path, ".mp4")
    _write(path, frames, fps, repeat, crf)


def write_gif(path: PathLike, frames: Frames, fps: float | Fraction) -> None:
    """Writes an endless GIF; see `encode_gif`.

    Raises:
      ValueError: Invalid frames, suffix or fps.
      DataError: As `write_video`.
    """
    check_suffix(path, ".gif")
    _write(path, frames, fps)


def encode_gif(frames: Frames, fps: float | Fraction) -> bytes:
    """Encodes an endless, dithered GIF.

    Args:
      frames: `[H, W, 3]` uint8 each, or an array of them.
      fps: Frames per second, 0.1 to 1000. GIF counts in 1/100 s, so durations of frames differ by
        1/100 s where that keeps the total length. Viewers show at most 50 frames per second; above,
        frames are dropped and the total length stays the same.

    Returns:
      The bytes of the file.

    Raises:
      ValueError: Invalid frames or fps.
      DataError: The frames are too large, or the encoder is missing or fails.
    """
    rate = exact_rate(fps)
    check_encoder("a.gif")
    buffer = io.BytesIO()
    encode(buffer, ".gif", frames, rate, name="a GIF")
    return buffer.getvalue()


def write_frames(folder: PathLike, frames: Frames, repeat: int = 1) -> None:
    """Writes frame_00001.png, frame_00002.png, … into a new or empty folder.

    Args:
      folder: Path of the folder.
      frames: `[H, W, 3]` uint8 each, or an array of them.
      repeat: How many times the folder contains the frames.

    Raises:
      ValueError: Invalid frames or repeat.
      DataError: The folder is not empty or cannot be written.
    """
    _check_repeat(repeat)
    with replacing_folder(folder) as temporary:
        count = 0
        for count, frame in enumerate(checked_frames(frames), 1):
            picture = Image.fromarray(np.ascontiguousarray(frame))
            picture.save(temporary / _frame_name(count), compress_level=_PNG_LEVEL)
        for number in range(count, count * repeat):
            shutil.copyfile(
                temporary / _frame_name(number % count + 1), temporary / _frame_name(number + 1)
            )


def _frame_name(number: int) -> str:
    return f"frame_{number:05d}.png"


def _format(path: PathLike) -> Format | None:
    """Returns the format of a path's suffix; None for a folder of frames."""
    suffix = Path(path).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    if suffix and not os.fspath(path).endswith(os.sep) and not Path(path).is_dir():
        raise DataError(
            f"{path}: must end in {', '.join(SUFFIXES)}, or be a directory; for a new directory "
            f"with a dot in its name, append {os.sep}"
        )
    return None


def _check_repeat(repeat: int) -> None:
    if repeat < 1:
        raise ValueError(f"repeat={repeat}: must be at least 1")


def _write(
    path: PathLike, frames: Frames, fps: float | Fraction, repeat: int = 1, crf: float = CRF
) -> None:
    _check_repeat(repeat)
    if not 1 <= crf <= 51:
        raise ValueError(f"crf={crf}: must be between 1 and 51")
    suffix, rate = Path(path).suffix.lower(), exact_rate(fps)
    check_encoder(path)
    with replacing_file(path) as temporary:
        if repeat == 1:
            encode(temporary, suffix, frames, rate, crf, name=path)
            return
        with _temporary_sibling(temporary) as period, errors_of_writing(path, period):
            encode(period, suffix, frames, rate, crf, name=path)
            _repeat(period, temporary, repeat, FORMATS[suffix])


@contextlib.contextmanager
def _temporary_sibling(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as folder:
        yield Path(folder) / path.name


def _repeat(period: Path, target: Path, times: int, video_format: Format) -> None:
    """Writes the packets of a video several times; each repetition begins with a key frame."""
    options = dict(video_format.container_options)
    with av.open(os.fspath(target), "w", video_format.container, options=options) as container:
        stream, start, end = None, 0, 0
        for _ in range(times):
            with av.open(os.fspath(period)) as source:
                track = source.streams.video[0]
                stream = stream or container.add_stream_from_template(track)
                for packet in source.demux(track):
                    if packet.dts is None:  # the end
                        continue
                    packet.pts += start
                    packet.dts += start
                    end = max(end, packet.pts + packet.duration)
                    packet.stream = stream
                    container.mux(packet)
                start = end
