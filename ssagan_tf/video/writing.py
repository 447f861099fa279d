"""Frames -> an mp4, a GIF, a WebP, or a folder of PNGs, by the ending of the name.

Frames come from any iterator, `[H, W, 3]` uint8 and all of one size; a few are in memory at a time.
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
from ssagan_tf.video.encoding import CRF, FORMATS, checked_frames, encode
from ssagan_tf.video.frames import PathLike, check_suffix
from ssagan_tf.video.timestamps import exact_rate

Frames = Iterable[np.ndarray]
ENDINGS = tuple(FORMATS)
"""Of the names of movies; a folder has none."""
_FOLDER = "folder"
_PNG_LEVEL = 1  # a fifth of the time of the usual 6, for files a fifth larger


def write_video(
    path: PathLike, frames: Frames, fps: float | Fraction, repeat: int = 1, crf: float = CRF
) -> None:
    """Writes a movie as what its name ends in.

    Args:
      path: Ends in .mp4, .gif or .webp, or else is a new or empty folder.
      frames: `[H, W, 3]` uint8, one after the other, or an array of them.
      fps: Frames per second, 0.1 to 1000.
      repeat: How many times an mp4 or a folder has the frames. A GIF and a WebP have them once, and
        play them for ever.
      crf: Constant quality of an mp4.

    Raises:
      ValueError: Wrong frames, fps, repeat or crf.
      DataError: The name ends otherwise, an encoder is missing or fails, the frames are too large
        for it, or the movie cannot be written.
    """
    kind = _kind(path)
    if kind == _FOLDER:
        write_frames(path, frames, repeat)
    elif kind == ".mp4":
        write_mp4(path, frames, fps, repeat, crf)
    else:
        _write(path, kind, frames, fps)


def check_encoder(path: PathLike, size: tuple[int, int] | None = None) -> None:
    """Finds out before the work whether `write_video` can write there, as far as can be told.

    Args:
      path: As it takes it.
      size: Height and width of the frames, if they are known.

    Raises:
      DataError: The name ends otherwise, the encoder is missing or takes no frames of this size,
        the folder holds something, a folder has the name of the file, or it is too long.
    """
    kind = _kind(path)
    if kind == _FOLDER:
        check_new_folder(path)
        return
    if lacking := FORMATS[kind].missing():
        others = [*sorted(FORMATS.keys() - {kind}), "a folder"]
        raise DataError(
            f"cannot write {path}: PyAV's FFmpeg lacks {lacking}; install PyAV from its wheels "
            f"(pip install --force-reinstall av), or write {', '.join(others[:-1])} or {others[-1]}"
        )
    if size is not None:
        FORMATS[kind].check_size(*size)
    check_new_file(path)


def write_mp4(
    path: PathLike, frames: Frames, fps: float | Fraction, repeat: int = 1, crf: float = CRF
) -> None:
    """Writes an H.264 video that plays everywhere, browsers included.

    4:2:0, limited range, matrix, primaries and transfer of BT.709, and tagged so; it plays before
    all of it has come.

    Args:
      path: Ends in .mp4.
      frames: `[H, W, 3]` uint8, one after the other, or an array of them. An odd last row or column
        is doubled, as H.264 needs even sizes.
      fps: Frames per second, 0.1 to 1000. 29.97 and the like are taken for 30000/1001.
      repeat: How many times it has the frames; they are encoded once.
      crf: Constant quality, 1 (best) to 51.

    Raises:
      ValueError: Wrong frames, suffix, fps, repeat or crf.
      DataError: As `write_video`.
    """
    check_suffix(path, ".mp4")
    _check_repeat(repeat)
    if not 1 <= crf <= 51:
        raise ValueError(f"crf={crf}: must be between 1 and 51")
    _write(path, ".mp4", frames, fps, repeat, crf)


def write_gif(path: PathLike, frames: Frames, fps: float | Fraction) -> None:
    """Writes an endless GIF; see `encode_gif`.

    Raises:
      ValueError: Wrong frames, suffix or fps.
      DataError: As `write_video`.
    """
    check_suffix(path, ".gif")
    _write(path, ".gif", frames, fps)


def encode_gif(frames: Frames, fps: float | Fraction) -> bytes:
    """Makes an endless GIF, dithered.

    Args:
      frames: `[H, W, 3]` uint8, one after the other, or an array of them.
      fps: Frames per second, 0.1 to 1000. GIF counts in 1/100 s, so frames differ by one of those
        where needed to keep the total. Viewers go no faster than 50; above, frames are left out,
        and the total stays what it is.

    Returns:
      The bytes of the file.

    Raises:
      ValueError: Wrong frames or fps.
      DataError: The frames are too large, or the encoder is missing or fails.
    """
    rate = exact_rate(fps)
    check_encoder("a.gif")
    buffer = io.BytesIO()
    encode(buffer, ".gif", frames, rate, called="a GIF")
    return buffer.getvalue()


def write_frames(folder: PathLike, frames: Frames, repeat: int = 1) -> None:
    """Writes frame_00001.png, frame_00002.png, … into a new or empty folder.

    Args:
      folder: Its path.
      frames: `[H, W, 3]` uint8, one after the other, or an array of them.
      repeat: How many times it has the frames.

    Raises:
      ValueError: Wrong frames or repeat.
      DataError: The folder holds something already or cannot be written.
    """
    _check_repeat(repeat)
    with replacing_folder(folder) as temporary:
        count = 0
        for count, frame in enumerate(checked_frames(frames), 1):
            picture = Image.fromarray(np.ascontiguousarray(frame))
            picture.save(temporary / _name(count), compress_level=_PNG_LEVEL)
        for number in range(count, count * repeat):
            shutil.copyfile(temporary / _name(number % count + 1), temporary / _name(number + 1))


def _name(number: int) -> str:
    return f"frame_{number:05d}.png"


def _kind(path: PathLike) -> str:
    """A key of `FORMATS`, or that of a folder."""
    suffix = Path(path).suffix.lower()
    if suffix in FORMATS:
        return suffix
    if suffix and not os.fspath(path).endswith(os.sep) and not Path(path).is_dir():
        raise DataError(
            f"{path}: must end in {', '.join(ENDINGS)}, or be a folder, for frames; a new folder "
            f"with a dot in its name ends in {os.sep}"
        )
    return _FOLDER


def _check_repeat(repeat: int) -> None:
    if repeat < 1:
        raise ValueError(f"repeat={repeat}: must be 1 at least")


def _write(
    path: PathLike,
    kind: str,
    frames: Frames,
    fps: float | Fraction,
    repeat: int = 1,
    crf: float = CRF,
) -> None:
    rate = exact_rate(fps)
    check_encoder(path)
    with replacing_file(path) as temporary:
        if repeat == 1:
            encode(temporary, kind, frames, rate, crf, called=path)
            return
        with _beside(temporary) as period, errors_of_writing(path, period):
            encode(period, kind, frames, rate, crf, called=path)
            _repeat(period, temporary, repeat)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as folder:
        yield Path(folder) / path.name


def _repeat(period: Path, target: Path, times: int) -> None:
    """Writes the packets of a video several times: each time begins with a key frame."""
    settings = dict(FORMATS[".mp4"].container_settings)
    with av.open(os.fspath(target), "w", "mp4", options=settings) as container:
        stream, start = None, 0
        for _ in range(times):
            with av.open(os.fspath(period)) as source:
                track = source.streams.video[0]
                stream = stream or container.add_stream_from_template(track)
                for packet in source.demux(track):
                    if packet.dts is None:  # the end
                        continue
                    packet.pts += start
                    packet.dts += start
                    packet.stream = stream
                    container.mux(packet)
                start += track.duration
