"""Image and video files <-> uint8 RGB arrays, without TensorFlow or Keras.

Images are `[H, W, 3]`, clips `[T, H, W, 3]`, both uint8 in [0, 255]. What is written appears
as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ssagan_tf import limits, mp4
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file, replacing_folder
from ssagan_tf.remote import StoreError

PathLike = str | os.PathLike[str]

FITS = ("stretch", "crop", "letterbox")
_LONGEST = 8  # times the shorter side: the longest picture that unfit makes
_BT709 = 1  # FFmpeg's number of the colour space of HD video and browsers
# Bicubic, full chroma, accurate rounding: FFmpeg's quick default darkens by 1 to 2 levels.
_EXACT = 0x4 | 0x2000 | 0x40000
# Titles and the like need not be UTF-8; from version 19 on PyAV leaves them alone until asked.
_ANY_TITLES = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
# Of FFmpeg's formats, videos; others are playlists, which name more files, pictures, and text.
_CONTAINERS = (
    *("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg", "gif"),
    *("mxf", "nut", "ivf", "h264", "hevc", "m4v", "obu", "dv", "rm", "wtv", "apng"),
)
# Of Pillow's formats, pictures; others run programs, as EPS does, or need them.
_PICTURES = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "PPM", "GIF", "AVIF", "JPEG2000"),
    *("TGA", "ICO", "PCX", "SGI", "QOI"),
)
_TILE = (322, 323)  # width and length in a TIFF
# For all of the process, as Pillow has it: what is larger is refused, and nothing warned of.
Image.MAX_IMAGE_PIXELS = limits.PICTURE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class UnreadableError(DataError):
    """A picture or video that cannot be read; `why` says so without its name."""

    def __init__(self, kind: str, path: PathLike, why: object, advice: str = ""):
        super().__init__(f"cannot read the {kind} {os.fspath(path)}: {why}{advice}")
        self.why = str(why)


# Images.


def read_image(path: PathLike) -> np.ndarray:
    """Reads a picture as it is meant to be seen: upright, in colour, over black.

    Args:
      path: JPEG, PNG, WebP, TIFF, … of any mode that Pillow reads; greyscale of 16 bits is
        scaled to 8. Of an animation, the first frame.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      UnreadableError: It is missing, a folder, truncated, far too large, or no picture.
    """
    try:
        return decode_image(limits.read_bytes(Path(path), limits.PICTURE_BYTES))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnreadableError("image", path, why, "; give a JPEG, PNG, WebP or TIFF") from error


def decode_image(data: bytes) -> np.ndarray:
    """Decodes the bytes of an image file: `read_image` without the file.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      ValueError: They are no picture, or a broken one.
    """
    with open_image(io.BytesIO(data)) as image:
        return np.array(_rgb(ImageOps.exif_transpose(image)))


def image_size(data: bytes, *kinds: str) -> tuple[int, int]:
    """Height and width that the bytes of an image file claim; nothing is decoded.

    Args:
      data: The file.
      kinds: What it may be, in Pillow's names; by default all that is read here.

    Raises:
      ValueError: They are no picture, or none of these.
    """
    with open_image(io.BytesIO(data), *kinds) as image:
        return image.height, image.width


@contextlib.contextmanager
def open_image(file: BinaryIO, *kinds: str) -> Iterator[Image.Image]:
    """Opens a picture of a kind and size that is read here; its pixels are not decoded yet.

    Args:
      file: The picture.
      kinds: What it may be, in Pillow's names; by default all that is read here.

    Raises:
      ValueError: It is none, or a broken one, as may show when it is decoded.
      StoreError: The store it lies in fails.
    """
    try:
        with Image.open(file, formats=kinds or _readable()) as image:
            # Pillow itself refuses twice as many, and fewer as long as nobody resets the warnings.
            if image.width * image.height > limits.PICTURE_PIXELS:
                raise Image.DecompressionBombError
            if image.format == "TIFF":  # a tile is decoded whole, however small the picture
                width, length = (image.tag_v2.get(tag, 1) for tag in _TILE)
                if width * length > limits.PICTURE_PIXELS:
                    raise Image.DecompressionBombError
            yield image
    except StoreError:
        raise
    except Image.UnidentifiedImageError:
        what = " or ".join(kinds) if kinds else "picture, or of an unknown kind"
        raise ValueError(f"it is no {what}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(
            f"it claims more than {limits.PICTURE_PIXELS:,} pixels, as a decompression bomb does"
        ) from None
    except Exception as error:  # Pillow's decoders raise all sorts of things on broken files
        raise ValueError(str(error) or type(error).__name__) from error


@functools.cache
def _readable() -> tuple[str, ...]:
    Image.init()
    return tuple(kind for kind in _PICTURES if kind in Image.OPEN)


def fit(image: np.ndarray, side: int, how: str) -> np.ndarray:
    """Makes a picture square.

    Args:
      image: `[H, W, 3]` uint8.
      side: Height and width of the result.
      how: `stretch` ignores the aspect, `crop` takes the centre square, `letterbox` adds black
        bars.

    Returns:
      `[side, side, 3]` uint8; the image itself where it has that size already.
    """
    _check_how(how)
    _check(image, 3)
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    if how == "stretch":
        return _resize(image, (side, side))
    if how == "crop":
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        return _resize(image[top : top + short, left : left + short], (side, side))
    rows, columns = _inside_bars((height, width), side)
    result = np.zeros((side, side, 3), np.uint8)
    result[rows, columns] = _resize(image, (rows.stop - rows.start, columns.stop - columns.start))
    return result


def unfit(frames: np.ndarray, size: tuple[int, int], how: str) -> np.ndarray:
    """Brings square frames back to the aspect of the picture that `fit` made square.

    Args:
      frames: `[T, S, S, 3]` uint8.
      size: Height and width of that picture.
      how: What `fit` was told. `stretch`: the shorter side stays S, the longer follows the
        aspect, up to 8·S. `letterbox`: the bars are cut off. `crop`: nothing changes.

    Returns:
      `[T, H, W, 3]` uint8 with even H and W if S is even.
    """
    _check_how(how)
    _check(frames, 4)
    side = frames.shape[1]
    if how == "letterbox":
        rows, columns = _inside_bars(size, side)
        return frames[:, rows, columns]
    if how == "crop":
        return frames
    height, width = size
    longer = min(_even(side * max(size) / min(size)), _LONGEST * side)
    shape = (longer, side) if height > width else (side, longer)
    if longer <= side:
        return frames
    return np.stack([_resize(frame, shape, Image.Resampling.BICUBIC) for frame in frames])


def write_image(path: PathLike, image: np.ndarray) -> None:
    """Writes a PNG.

    Raises:
      ValueError: `image` is not `[H, W, 3]` uint8, or `path` does not end in .png.
      DataError: The file cannot be written.
    """
    _check_suffix(path, ".png")
    data = encode_png(image)
    with replacing_file(path) as temporary:
        temporary.write_bytes(data)


def encode_png(image: np.ndarray) -> bytes:
    """The bytes of a PNG file of `[H, W, 3]` uint8.

    Raises:
      ValueError: It is something else.
    """
    _check(image, 3)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow's convert would clip what is above 255
        values = np.asarray(image).clip(0, 65535).astype(np.uint32)
        image = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("RGB")


def _resize(
    image: np.ndarray,
    size: tuple[int, int],
    filter: Image.Resampling = Image.Resampling.BILINEAR,
) -> np.ndarray:
    """`size` is (height, width). Pillow's filters widen when shrinking: no aliasing."""
    return np.array(_image(image).resize(size[::-1], filter))


def _image(array: np.ndarray) -> Image.Image:
    if array.strides[2] == 1:
        return Image.fromarray(array)
    # Colours that lie apart in memory: Pillow is quicker to mix them than NumPy.
    return Image.merge("RGB", [Image.fromarray(colour) for colour in array.transpose(2, 0, 1)])


def _inside_bars(size: tuple[int, int], side: int) -> tuple[slice, slice]:
    """Rows and columns of a square that a picture of `size` fills; even, as H.264 needs."""

    def centred(length: int) -> slice:
        extent = min(side, _even(side * length / max(size)))
        start = (side - extent) // 2
        return slice(start, start + extent)

    return centred(size[0]), centred(size[1])


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _check_how(how: str) -> None:
    if how not in FITS:
        raise ValueError(f"how={how}: must be one of {', '.join(FITS)}")


def _check(array: np.ndarray, rank: int) -> None:
    shape = "[T, H, W, 3]" if rank == 4 else "[H, W, 3]"
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != rank or array.shape[-1] != 3 or not array.size:
        raise ValueError(f"must be uint8 {shape}, not {array.dtype} {list(array.shape)}")


def _check_suffix(path: PathLike, suffix: str) -> None:
    if Path(path).suffix.lower() != suffix:
        raise ValueError(f"{path}: must end in {suffix}")


# Videos.


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
                planes = reformatter.reformat(frame, format="gbrp", interpolation=_EXACT)
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
    _check(frames, 4)
    _check_suffix(path, ".mp4")
    _check_fps(fps)
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
        stream.codec_context.colorspace = _BT709
        stream.codec_context.color_primaries = _BT709
        stream.codec_context.color_trc = _BT709
        for array in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, interpolation=_EXACT)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_gif(path: PathLike, frames: np.ndarray, fps: float) -> None:
    """Writes an endless GIF; see `encode_gif`.

    Raises:
      ValueError: Wrong frames, suffix or fps.
      DataError: The file cannot be written.
    """
    _check_suffix(path, ".gif")
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
    _check(frames, 4)
    _check_fps(fps)
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
    _check(frames, 4)
    with replacing_folder(folder) as temporary:
        for number, frame in enumerate(frames, 1):
            Image.fromarray(frame).save(temporary / f"frame_{number:05d}.png")


def _check_fps(fps: float) -> None:
    if not 0.1 <= fps <= 1000:
        raise ValueError(f"fps={fps}: must be between 0.1 and 1000")


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


# Contact strips.


def strip(clips: Sequence[tuple[str, np.ndarray]], times: int = 8) -> np.ndarray:
    """Draws clips one below the other, some frames of each side by side.

    Args:
      clips: Labels and clips, `[T, H, W, 3]` uint8, all of one size. A clip of one frame shows
        in the first column only.
      times: Number of columns, evenly spread from the first to the last frame.

    Returns:
      `[height, width, 3]` uint8.

    Raises:
      ValueError: No clips, or clips of different sizes.
    """
    for _, frames in clips:
        _check(frames, 4)
    sizes = {frames.shape[1:3] for _, frames in clips}
    lengths = {len(frames) for _, frames in clips if len(frames) > 1}
    if len(sizes) != 1 or len(lengths) > 1 or times < 1:
        raise ValueError(f"must be clips of one size, not {[frames.shape for _, frames in clips]}")
    [(height, width)] = sizes
    length = max(lengths, default=1)
    columns = np.linspace(0, length - 1, min(times, length)).round().astype(int)

    font = ImageFont.load_default(min(max(10, height // 8), 24))
    gap, margin = 2, 6
    left = 2 * margin + int(max(font.getlength(label) for label, _ in clips)) + 1
    top = sum(font.getmetrics()) + margin
    canvas = Image.new(
        "RGB",
        (left + len(columns) * (width + gap), top + len(clips) * (height + gap)),
        "white",
    )
    draw = ImageDraw.Draw(canvas)
    for column, time in enumerate(columns):
        x = left + column * (width + gap)
        draw.text((x + width / 2, top / 2), str(time + 1), "black", font, anchor="mm")
        for row, (_, frames) in enumerate(clips):
            if time < len(frames):
                y = top + row * (height + gap)
                canvas.paste(Image.fromarray(frames[time]), (x, y))
    for row, (label, _) in enumerate(clips):
        y = top + row * (height + gap) + height / 2
        draw.text((left - margin, y), label, "black", font, anchor="rm")
    return np.array(canvas)
