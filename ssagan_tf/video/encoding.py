"""Frames -> mp4, GIF and WebP with FFmpeg's encoders, a few frames in memory at a time.

A new output format is an entry of `FORMATS` (and a value of the setting `--format`).
"""

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
"""Constant quality of H.264, from 1 (best) to 51 (worst); 18 is close to visually lossless."""


def _to_yuv420p(frames: Iterable[TimedFrame]) -> Iterator[av.VideoFrame]:
    """Converts to BT.709 in limited range; an odd last row or column is duplicated."""
    reformatter = VideoReformatter()
    for frame, start, duration in frames:
        padding = [(0, length % 2) for length in frame.shape[:2]]
        even = np.pad(frame, (*padding, (0, 0)), "edge") if (0, 1) in padding else frame
        yield reformatter.reformat(
            _to_av_frame(even, start, duration),
            format="yuv420p",
            dst_colorspace=BT709,
            dst_color_range=ColorRange.MPEG,
            interpolation=ACCURATE_SCALING,
        )


def _to_bgra(frames: Iterable[TimedFrame]) -> Iterator[av.VideoFrame]:
    """Converts to the RGB format of libwebp, which converts to YUV itself."""
    reformatter = VideoReformatter()
    for timed_frame in frames:
        yield reformatter.reformat(_to_av_frame(*timed_frame), format="bgra")


def _to_av_frame(frame: np.ndarray, start: int, duration: int) -> av.VideoFrame:
    av_frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24")
    av_frame.pts, av_frame.duration = start, duration
    return av_frame


@dataclasses.dataclass(frozen=True)
class Format:
    """How FFmpeg writes a file format.

    Attributes:
      container, encoder, pixel_format: FFmpeg's names.
      max_side: Largest width or height in pixels that the encoder takes.
      convert: Frames -> FFmpeg's frames in `pixel_format`.
      plays_forever: Whether players repeat such a file by themselves.
      time_unit: Seconds per tick of the file's clock; None: the duration of a frame.
      min_duration: Ticks that a frame must be shown; players slow down shorter ones.
      container_options: FFmpeg's options of the container.
      encoder_options: FFmpeg's options of the encoder.
      is_tagged: Whether the file records its colour space. Untagged colours are guessed,
        differently by each player.
      has_crf: Whether the encoder takes a constant quality.
    """

    container: str
    encoder: str
    pixel_format: str
    max_side: int
    convert: Callable[[Iterable[TimedFrame]], Iterator[av.VideoFrame]]
    plays_forever: bool = False
    time_unit: Fraction | None = None
    min_duration: int = 1
    container_options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    encoder_options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_tagged: bool = False
    has_crf: bool = False

    def check_size(self, height: int, width: int) -> None:
        """Raises DataError if frames of this size are larger than the encoder takes."""
        if max(height, width) > self.max_side:
            raise DataError(
                f"frames of {width}×{height} pixels are too large for {self.container}: the limit "
                f"is {self.max_side} pixels a side"
            )

    def missing_encoder(self) -> str | None:
        """Returns the name of the encoder if this FFmpeg lacks it or the container."""
        try:
            av.codec.Codec(self.encoder, "w")
            av.ContainerFormat(self.container, "w")
        except (av.error.FFmpegError, ValueError):
            return self.encoder
        return None


FORMATS = {
    ".mp4": Format(
        "mp4",
        "libx264",
        "yuv420p",
        16384,
        _to_yuv420p,
        container_options={"movflags": "+faststart"},  # starts to play while it downloads
        # A lookahead of 10 frames instead of 40 takes a third of the memory: 0.35 GB at 4K.
        encoder_options={"preset": "fast", "rc-lookahead": "10"},
        is_tagged=True,
        has_crf=True,
    ),
    ".gif": Format(
        "gif",
        "gif",
        "pal8",
        65535,
        quantize_frames,
        plays_forever=True,
        time_unit=Fraction(1, 100),
        min_duration=2,
        container_options={"loop": "0"},
    ),
    ".webp": Format(
        "webp",
        "libwebp",
        "bgra",
        16383,
        _to_bgra,
        plays_forever=True,
        time_unit=Fraction(1, 1000),
        min_duration=11,
        container_options={"loop": "0"},
        # Level 2 of 6 takes 0.4 of the time of the default 4, for files 7 % larger.
        encoder_options={"quality": "80", "compression_level": "2"},
    ),
}


def encode(
    file: PathLike | BinaryIO,
    suffix: str,
    frames: Iterable[np.ndarray],
    rate: Fraction,
    crf: float = CRF,
    name: PathLike = "a video",
) -> None:
    """Writes a video, frame by frame.

    Args:
      file: Path or open file; existing content is replaced.
      suffix: A key of `FORMATS`.
      frames: `[H, W, 3]` uint8, all of one size.
      rate: Frames per second.
      crf: See `CRF`; ignored by formats without one.
      name: What messages call the file.

    Raises:
      ValueError: There are no frames, or one has the wrong type or another size than the first.
      DataError: The frames are too large for the encoder, or it fails.
      OSError: The file cannot be written.
    """
    how = FORMATS[suffix]
    unit = how.time_unit or 1 / rate
    converted = how.convert(
        with_timestamps(checked_frames(frames, how), rate, unit, how.min_duration)
    )
    first = next(converted)
    options = dict(how.encoder_options)
    if how.has_crf:
        options["crf"] = str(crf)
    target = os.fspath(file) if isinstance(file, str | os.PathLike) else file
    with _encoder_errors(name, how.encoder):
        container = av.open(target, "w", how.container, options=dict(how.container_options))
    with _closing(container, name, how.encoder):
        stream = container.add_stream(how.encoder, rate, options=options)
        stream.height, stream.width, stream.pix_fmt = first.height, first.width, how.pixel_format
        stream.codec_context.time_base = unit
        if how.is_tagged:
            stream.codec_context.color_range = ColorRange.MPEG
            stream.codec_context.colorspace = BT709
            stream.codec_context.color_primaries = BT709
            stream.codec_context.color_trc = BT709
        for frame in itertools.chain([first], converted, [None]):  # None flushes the encoder
            if frame is not None:
                frame.time_base, duration = unit, frame.duration
            with _encoder_errors(name, how.encoder):
                for packet in stream.encode(frame):
                    packet.duration = duration
                    container.mux(packet)
                    last = packet
    if how.container == "gif":
        with contextlib.nullcontext(file) if target is file else open(target, "r+b") as written:
            _set_last_delay(written, bytes(last), duration)


def _set_last_delay(written: BinaryIO, packet: bytes, delay: int) -> None:
    """Corrects the delay of a GIF's last frame; FFmpeg repeats that of the frame before it.

    Args:
      written: The GIF, in which one byte follows its last packet.
      packet: That packet. A first packet has the GIF's header and its palette before the frame.
      delay: Delay in 1/100 s.
    """
    header = 13 + 3 * 2 ** (1 + packet[10] % 8) if packet.startswith(b"GIF") else 0
    written.seek(-1 - len(packet) + header + 4, io.SEEK_END)
    written.write(delay.to_bytes(2, "little"))


@contextlib.contextmanager
def _closing(
    container: av.container.OutputContainer, name: PathLike, encoder: str
) -> Iterator[None]:
    """Closes a container at the end; an error of closing never hides an earlier one."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            container.close()
        raise
    with _encoder_errors(name, encoder):
        container.close()


@contextlib.contextmanager
def _encoder_errors(name: PathLike, encoder: str) -> Iterator[None]:
    """Turns FFmpeg's errors into DataErrors, except those of writing, which are OSErrors."""
    try:
        yield
    except OSError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot write {name}: FFmpeg's encoder {encoder} failed: {reason}"
        ) from error


def checked_frames(frames: Iterable[np.ndarray], how: Format | None = None) -> Iterator[np.ndarray]:
    """Yields frames after checking each.

    Args:
      frames: `[H, W, 3]` uint8, all of one size.
      how: Format that they will be written in, which limits their size.

    Raises:
      ValueError: There are no frames, or one has the wrong type or another size than the first.
      DataError: They are too large for the format.
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
        raise ValueError("expected uint8 [H, W, 3] frames, got none")
