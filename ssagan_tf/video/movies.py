"""Clips -> mp4, GIF, or a folder of frames."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from ssagan_tf.files import replacing_file, replacing_folder
from ssagan_tf.video.colours import BT709, EXACT
from ssagan_tf.video.frames import PathLike, check, check_suffix


def write_mp4(path: PathLike, frames: np.ndarray, fps: float) -> None:
    """Writes an H.264 video that plays everywhere, browsers included.

    Args:
      path: Ends in .mp4.
      frames: `[T, H, W, 3]` uint8. An odd last row or column is doubled, as H.264 needs even
        sizes.
      fps: Frames per second, 0.1 to 1000.

    Raises:
      ValueError: Wrong frames, suffix or fps.
      DataError: The file cannot be written.
    """
    check(frames, 4)
    check_suffix(path, ".mp4")
    check_fps(fps)
    _, height, width, _ = frames.shape
    frames = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), "edge")
    with (
        replacing_file(path) as temporary,
        av.open(os.fspath(temporary), "w", "mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = container.add_stream("libx264", Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18"}
        # Untagged colours are guessed, differently by each player.
        stream.codec_context.colorspace = BT709
        stream.codec_context.color_primaries = BT709
        stream.codec_context.color_trc = BT709
        for array in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=BT709, interpolation=EXACT)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_gif(path: PathLike, frames: np.ndarray, fps: float) -> None:
    """Writes an endless GIF; see `encode_gif`.

    Raises:
      ValueError: Wrong frames, suffix or fps.
      DataError: The file cannot be written.
    """
    check_suffix(path, ".gif")
    data = encode_gif(frames, fps)
    with replacing_file(path) as temporary:
        temporary.write_bytes(data)


def encode_gif(frames: np.ndarray, fps: float) -> bytes:
    """Makes an endless GIF with one palette for all frames.

    Args:
      frames: `[T, H, W, 3]` uint8. Equal neighbours become one frame of their total time.
      fps: Frames per second, 0.1 to 1000. GIF counts in 1/100 s, so frames differ by one of
        those where needed to keep the total; viewers go no faster than 50.

    Returns:
      The bytes of the file.

    Raises:
      ValueError: Wrong frames or fps.
    """
    check(frames, 4)
    check_fps(fps)
    some = frames[np.linspace(0, len(frames) - 1, min(len(frames), 8)).round().astype(int)]
    palette = Image.fromarray(np.concatenate(some)).quantize(256, Image.Quantize.MAXCOVERAGE)
    # Dithered: skies are smooth, and bands in them look worse than grain.
    pictures = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        for frame in frames
    ]
    ends = [round(100 * (index + 1) / fps) for index in range(len(frames))]
    durations = [max(2, end - start) for start, end in zip([0, *ends], ends, strict=False)]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=[10 * duration for duration in durations],
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def write_frames(folder: PathLike, frames: np.ndarray) -> None:
    """Writes frame_00001.png, frame_00002.png, … into a new or empty folder.

    Raises:
      ValueError: `frames` is not `[T, H, W, 3]` uint8.
      DataError: The folder holds something already or cannot be written.
    """
    check(frames, 4)
    with replacing_folder(folder) as temporary:
        for number, frame in enumerate(frames, 1):
            Image.fromarray(frame).save(temporary / f"frame_{number:05d}.png")


def check_fps(fps: float) -> None:
    if not 0.1 <= fps <= 1000:
        raise ValueError(f"fps={fps}: must be between 0.1 and 1000")
