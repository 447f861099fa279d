"""Frames -> mp4, GIF and WebP by FFmpeg's encoders, a few frames in memory at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from ssagan_tf.errors import DataError
from ssagan_tf.video.frames import PathLike, check
from ssagan_tf.video.palettes import quantize_frames
from ssagan_tf.video.timestamps import TimedFrame, with_timestamps
from ssagan_tf.video.yuv_conversion import ACCURATE_SCALING, BT709

CRF = 18
"""Constant quality of H.264: 1 is the best, 51 the worst; at 18 hardly a difference is seen."""


def _to_yuv420p(frames: Iterable[TimedFrame]) -> Iterator[av.VideoFrame]:
    """In limited range by the matrix of BT.709; an odd last row or column is doubled."""
    reformatter = VideoReformatter()
    for frame, start, duration in frames:
        odd = [(0, length % 2) for length in frame.shape[:2]]
        even = np.pad(frame, (*odd, (0, 0)), "edge") if (0, 1) in odd else frame
        picture = reformatter.reformat(
            _to_av_frame(even, start, duration),
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=ColorRange.MPEG,
            interpolation=ACCURATE_SCALING,
        )
        yield picture


def _to_bgra(frames: Iterable[TimedFrame]) -> Iterator[av.VideoFrame]:
    """As libwebp takes pictures in RGB, which it converts itself."""
    reformatter = VideoReformatter()
    for timed_frame in frames:
        yield reformatter.reformat(_to_av_frame(*timed_frame), format="bgra")


def _to_av_frame(frame: np.ndarray, start: int, duration: int) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
    picture.pts, picture.duration = start, duration
    return picture


@dataclasses.dataclass(frozen=True)
class Format:
    """What FFmpeg is told of a kind of file.

    Attributes:
      container, encoder, pixels: FFmpeg's names of the file, the encoder, and what it takes.
      largest: Pixels of a side; above, the encoder refuses.
      pictures: Frames -> what the encoder takes.
      unit: Seconds that the file counts in; None for those of a frame.
      shortest: Units that a frame must be seen, as players slow down what is shorter.
      settings: Of the container and of the encoder.
    """

    container: str
    encoder: str
    pixels: str
    largest: int
    pictures: Callable[[Iterable[TimedFrame]], Iterator[av.VideoFrame]]
    unit: Fraction | None = None
    shortest: int = 1
    container_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    encoder_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def check_size(self, height: int, width: int) -> None:
        """Raises DataError if frames of this size are larger than the encoder takes."""
        if max(height, width) > self.largest:
            raise DataError(
                f"frames of {width}×{height} pixels are too large for {self.container}, which has "
                f"{self.largest} a side at most; make them smaller"
            )

    def missing(self) -> str | None:
        """What FFmpeg would need and has not, or None."""
        try:
            av.codec.Codec(self.encoder, "w")
            av.ContainerFormat(self.container, "w")
        except (av.error.FFmpegError, ValueError):
            return f"the encoder {self.encoder}"
        return None


FORMATS = {
    ".mp4": Format(
        "mp4",
        "libx264",
        "yuv420p",
        16384,
        _to_yuv420p,
        container_settings={"movflags": "+faststart"},  # plays before all of it has come
        # Looking 10 frames ahead instead of 40: a third of the memory, 0.35 GB at 4K.
        encoder_settings={"preset": "fast", "rc-lookahead": "10"},
    ),
    ".gif": Format(
        "gif",
        "gif",
        "pal8",
        65535,
        quantize_frames,
        Fraction(1, 100),
        shortest=2,
        container_settings={"loop": "0"},
    ),
    ".webp": Format(
        "webp",
        "libwebp",
        "bgra",
        16383,
        _to_bgra,
        Fraction(1, 1000),
        shortest=11,
        container_settings={"loop": "0"},
        # 2 of 6 takes 0.4 of the time of the usual 4, for files 7 % larger.
        encoder_settings={"quality": "80", "compression_level": "2"},
    ),
}


def encode(
    file: PathLike | BinaryIO,
    kind: str,
    frames: Iterable[np.ndarray],
    rate: Fraction,
    crf: float = CRF,
    called: PathLike = "a video",
) -> None:
    """Writes a movie, frame by frame.

    Args:
      file: Where to; what is there is lost.
      kind: A key of `FORMATS`.
      frames: `[H, W, 3]` uint8, all of one size.
      rate: Frames per second.
      crf: See `CRF`; for .mp4.
      called: What it is in messages.

    Raises:
      ValueError: There are no frames, or one is no such, or of another size than the first.
      DataError: They are larger than the encoder takes, or it fails.
      OSError: The file cannot be written.
    """
    how = FORMATS[kind]
    unit = how.unit or 1 / rate
    pictures = how.pictures(with_timestamps(checked_frames(frames, how), rate, unit, how.shortest))
    first = next(pictures)
    settings = dict(how.encoder_settings)
    if kind == ".mp4":
        settings["crf"] = str(crf)
    target = os.fspath(file) if isinstance(file, str | os.PathLike) else file
    with _encoder_errors(called, how.encoder):
        container = av.open(target, "w", how.container, options=dict(how.container_settings))
    with _closing(container, called, how.encoder):
        stream = container.add_stream(how.encoder, rate, options=settings)
        stream.height, stream.width, stream.pix_fmt = first.height, first.width, how.pixels
        stream.codec_context.time_base = unit
        if kind == ".mp4":
            # Untagged colours are guessed, differently by each player.
            stream.codec_context.color_range = ColorRange.MPEG
            stream.codec_context.colorspace = BT709
            stream.codec_context.color_primaries = BT709
            stream.codec_context.color_trc = BT709
        for picture in itertools.chain([first], pictures, [None]):  # None ends it
            if picture is not None:
                picture.time_base, duration = unit, picture.duration
            with _encoder_errors(called, how.encoder):
                for packet in stream.encode(picture):
                    packet.duration = duration
                    container.mux(packet)
                    last = packet
    if kind == ".gif":
        with contextlib.nullcontext(file) if target is file else open(target, "r+b") as written:
            _set_last_delay(written, bytes(last), duration)


def _set_last_delay(written: BinaryIO, packet: bytes, delay: int) -> None:
    """FFmpeg's GIFs show the last frame as long as the one before it; this one knows better.

    Args:
      written: The GIF: one byte follows its last packet.
      packet: That one. A first packet has the GIF's head and its palette before the frame.
      delay: 1/100 s.
    """
    head = 13 + 3 * 2 ** (1 + packet[10] % 8) if packet.startswith(b"GIF") else 0
    written.seek(-1 - len(packet) + head + 4, io.SEEK_END)
    written.write(delay.to_bytes(2, "little"))


@contextlib.contextmanager
def _closing(
    container: av.container.OutputContainer, called: PathLike, encoder: str
) -> Iterator[None]:
    """Closes a container, and lets no error of that hide another one."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            container.close()
        raise
    with _encoder_errors(called, encoder):
        container.close()


@contextlib.contextmanager
def _encoder_errors(called: PathLike, encoder: str) -> Iterator[None]:
    """Makes FFmpeg's errors DataErrors, but for those of writing, which are OSErrors already."""
    try:
        yield
    except OSError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot write {called}: FFmpeg's encoder {encoder} failed: {why}"
        ) from error


def checked_frames(frames: Iterable[np.ndarray], how: Format | None = None) -> Iterator[np.ndarray]:
    """Frames as they come, checked.

    Args:
      frames: Those.
      how: What they are to be written as, which bounds their size.

    Raises:
      ValueError: There are none, or one is no `[H, W, 3]` uint8 or of another size than the first.
      DataError: They are too large.
    """
    size = None
    for number, frame in enumerate(frames, 1):
        check(frame, 3)
        if size is None:
            size = frame.shape[:2]
            if how is not None:
                how.check_size(*size)
        if frame.shape[:2] != size:
            raise ValueError(f"frame {number} is {frame.shape[:2]}, those before it are {size}")
        yield frame
    if size is None:
        raise ValueError("frames must be uint8 [H, W, 3], and one at least; there are none")
