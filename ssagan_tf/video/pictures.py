"""Image files <-> arrays: formats from a list, upright, in sRGB."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ssagan_tf import limits
from ssagan_tf.errors import DataError, require_extra
from ssagan_tf.files import replacing_file
from ssagan_tf.remote import RemoteStorageError
from ssagan_tf.video.frames import PathLike, check, check_suffix
from ssagan_tf.video.icc_profiles import SrgbConverter
from ssagan_tf.video.unreadable import UnreadableError

# Pillow's other formats are no pictures, or run other programs, as EPS does.
_FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "PPM", "GIF", "AVIF", "JPEG2000"),
    *("TGA", "ICO", "PCX", "SGI", "QOI", "HEIF"),
)
_AVIF_BRANDS = {b"avif", b"avis"}  # of ISO/IEC 23008-12
_HEIF_BRANDS = {
    b"heic",
    b"heix",
    b"hevc",
    b"hevx",
    b"heim",
    b"heis",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
}
_UNKNOWN_FORMAT = "it is not a picture, or in an unknown format"
_SUBFILE, _PHOTOMETRIC, _BITS, _DNG = 254, 262, 258, 50706  # tags of a TIFF
_TILE = (322, 323)  # width and length of a tile
_BAND = 1 << 22  # pixels converted at once
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it raises whatever it logs
# Applies to the whole process. Larger pictures are refused, with no warning.
Image.MAX_IMAGE_PIXELS = limits.PICTURE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class TooManyPixelsError(ValueError):
    """A picture claims more pixels than the limit."""


def read_image(path: PathLike) -> np.ndarray:
    """Reads a picture as it is meant to be displayed: upright, in sRGB, over black.

    Args:
      path: JPEG, PNG, WebP, TIFF, … in any mode that Pillow reads, or HEIC with the extra `heic`;
        16 bits are scaled to 8. The first frame of an animation is read; of several pictures, the
        main one.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      UnreadableError: It is missing, a directory, truncated, far too large, or not a picture.
    """
    return _read(path, None)[0]


def read_reduced(path: PathLike, min_pixels: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads a photo at a reduced size if it is very large, which takes less memory.

    Args:
      path: As in `read_image`.
      min_pixels: Pixels to keep at least. A photo of four times as many or more is reduced by a
        whole factor that leaves so many; a JPEG while it is decoded.

    Returns:
      `[h, w, 3]` uint8; height and width of the original.

    Raises:
      UnreadableError: As `read_image`.
    """
    return _read(path, min_pixels)


def _read(path: PathLike, min_pixels: int | None) -> tuple[np.ndarray, tuple[int, int]]:
    try:
        data = limits.read_bytes(Path(path), limits.PICTURE_BYTES)
        with open_image(io.BytesIO(data)) as image:
            return _decode(image, min_pixels)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        advice = "; use a JPEG, PNG, WebP or TIFF" if reason == _UNKNOWN_FORMAT else ""
        raise UnreadableError("image", path, reason, advice) from error


def decode_image(data: bytes) -> np.ndarray:
    """Decodes the bytes of an image file; see `read_image`.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      ValueError: They are not a picture, or a damaged one.
    """
    with open_image(io.BytesIO(data)) as image:
        return _decode(image)[0]


def image_size(data: bytes, *formats: str) -> tuple[int, int]:
    """Returns the height and width that an image file claims, without decoding it.

    Args:
      data: The bytes of the file.
      formats: Pillow's names of the formats allowed; by default all supported ones.

    Raises:
      ValueError: They are not a picture in one of these formats.
    """
    with open_image(io.BytesIO(data), *formats) as image:
        return image.height, image.width


def is_plain(image: Image.Image) -> bool:
    """Returns whether any decoder gives the same pixels as `read_image`.

    That is, also one that ignores orientation, colour profiles and transparency.
    """
    return (
        image.mode in ("RGB", "L")
        and not image.has_transparency_data
        and SrgbConverter(image).are_srgb
        and _orientation(image) == 1  # decodes a PNG, whose EXIF may come last
    )


@contextlib.contextmanager
def open_image(file: BinaryIO, *formats: str) -> Iterator[Image.Image]:
    """Opens a picture of a supported format and size without decoding its pixels.

    Args:
      file: The picture.
      formats: Pillow's names of the formats allowed; by default all supported ones.

    Raises:
      TooManyPixelsError: It claims more than `limits.PICTURE_PIXELS`; a ValueError.
      ValueError: It is not such a picture, or a damaged one; also while it is decoded.
      RemoteStorageError: The object store that it is read from fails.
    """
    try:
        if not formats or "HEIF" in formats:
            _check_header(file)
        with _QUIET, Image.open(file, formats=_available(formats or _FORMATS)) as image:
            # Pillow refuses twice as many, or this many unless something resets the warnings.
            if image.width * image.height > limits.PICTURE_PIXELS:
                raise Image.DecompressionBombError
            if image.format == "TIFF":
                _check_tiff(image)
            yield image
    except RemoteStorageError:
        raise
    except Image.UnidentifiedImageError:
        names = " or ".join(formats)
        raise ValueError(f"it is not a {names}" if formats else _UNKNOWN_FORMAT) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise TooManyPixelsError(
            f"it claims more than the limit of {limits.PICTURE_PIXELS:,} pixels and may be a "
            "decompression bomb"
        ) from None
    except DataError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # Pillow's decoders raise many types on damaged files
        raise ValueError(str(error) or type(error).__name__) from error


def _check_header(file: BinaryIO) -> None:
    """Refuses an empty file; loads the decoder of HEIC if the file needs it."""
    head = file.read(64)
    file.seek(0)
    if not head:
        raise ValueError("it is empty")
    if head[4:8] != b"ftyp":
        return
    brands = {head[at : at + 4] for at in (8, *range(16, min(len(head), head[3]), 4))}
    if not brands & _HEIF_BRANDS or brands & _AVIF_BRANDS:
        return
    try:
        require_extra("heic", "pillow_heif")
        import pillow_heif
    except (DataError, ImportError) as error:
        raise ValueError(f"it is a HEIC photo, but {error}") from error
    pillow_heif.register_heif_opener(thumbnails=False)


def _check_tiff(image: Image.Image) -> None:
    """Refuses what would be decoded to another picture, or to far more pixels."""
    tags = image.tag_v2
    width, length = (tags.get(tag, 1) for tag in _TILE)
    if width * length > limits.PICTURE_PIXELS:  # a tile is always decoded entirely
        raise Image.DecompressionBombError
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:  # the first picture is a preview
        raise ValueError("it is a raw photo, or begins with a preview; convert it to JPEG or PNG")


def _available(formats: tuple[str, ...]) -> tuple[str, ...]:
    _load_plugins()
    return tuple(name for name in formats if name in Image.OPEN)


@functools.cache
def _load_plugins() -> None:
    Image.init()


class _Quiet:
    """Suppresses Pillow's warnings while any thread is in it, as filters are process-wide."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)\.")
                warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._filters.__exit__(None, None, None)


_QUIET = _Quiet()


def _decode(
    image: Image.Image, min_pixels: int | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes an opened picture.

    Args:
      image: The picture.
      min_pixels: As in `read_reduced`; None never reduces it.

    Returns:
      `[h, w, 3]` uint8; height and width of the original.
    """
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError("its pixels have an unknown range; convert it to 8 or 16 bits")
    colours, size = SrgbConverter(image), image.size
    _fix_transparent_value(image)
    if min_pixels and (times := _reduction_factor(size, min_pixels)) > 1:
        image.draft(None, (max(1, size[0] // times), max(1, size[1] // times)))
    image.load()
    turned = _orientation(image) in (5, 6, 7, 8)
    with contextlib.suppress(Exception):  # damaged EXIF is ignored; it raises many types
        ImageOps.exif_transpose(image, in_place=True)
    if turned:
        size = size[::-1]
    if image.mode.startswith("I"):
        shown = functools.partial(
            _from_16_bit_grey, table=_grey_table(colours, *_grey_range(image))
        )
    else:
        shown = functools.partial(_over_black, colours=colours)
    times = _reduction_factor(image.size, min_pixels) if min_pixels else 1
    rows = times * max(1, _BAND // (times * image.width))
    if rows >= image.height:
        return np.array(_reduced(shown(image), times)), size[::-1]
    width, height = (-(-length // times) for length in image.size)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        part = _reduced(shown(band), times)
        pixels[top // times :][: part.height] = np.asarray(part)
    return pixels, size[::-1]


def _reduced(part: Image.Image, times: int) -> Image.Image:
    return part.reduce(times) if times > 1 else part


def _fix_transparent_value(image: Image.Image) -> None:
    """Scales the transparent value of a PNG to 8 bits, as Pillow does with the colours only."""
    key = image.info.get("transparency")
    if image.format != "PNG" or image.mode not in ("L", "RGB") or isinstance(key, bytes | None):
        return
    at = image.fp.tell()
    image.fp.seek(24)
    [bits] = image.fp.read(1)
    image.fp.seek(at)
    if bits > 8:  # the upper 8 are kept
        image.info["transparency"] = tuple(value >> bits - 8 for value in key)
    elif bits < 8:
        image.info["transparency"] = key * 255 // ((1 << bits) - 1)


def _reduction_factor(size: tuple[int, int], min_pixels: int) -> int:
    """Returns the largest whole factor that leaves `min_pixels`."""
    return max(1, min(int((size[0] * size[1] / min_pixels) ** 0.5), *size))


def _over_black(band: Image.Image, colours: SrgbConverter) -> Image.Image:
    """Returns rows of a picture in sRGB, composited over black."""
    if not band.has_transparency_data:
        return colours.to_srgb(band)
    band = band.convert("RGBA")
    alpha = band.getchannel("A")
    return Image.composite(colours.to_srgb(band), Image.new("RGB", band.size), alpha)


def _from_16_bit_grey(band: Image.Image, table: np.ndarray) -> Image.Image:
    """Converts grey of more than 8 bits, which Pillow would clip."""
    values = np.asarray(band).clip(0, 65535).astype(np.uint16)
    shown = table[values]
    if isinstance(key := band.info.get("transparency"), int):
        shown[values == key] = 0
    return Image.fromarray(shown)


def _grey_range(image: Image.Image) -> tuple[int, bool]:
    """Returns the highest grey value, and whether that is black."""
    if image.format != "TIFF":
        return 65535, False
    return (1 << image.tag_v2[_BITS][0]) - 1, image.tag_v2.get(_PHOTOMETRIC) == 0


def _grey_table(colours: SrgbConverter, highest: int, negative: bool) -> np.ndarray:
    """Returns the sRGB colours of all 16-bit greys, `[65536, 3]` uint8."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    eight = np.asarray(colours.to_srgb(ramp))[0].astype(np.float64)
    exact = np.arange(65536).clip(0, highest) * (255 / highest)
    if negative:
        exact = 255 - exact
    channels = [np.interp(exact, np.arange(256), channel) for channel in eight.T]
    return np.rint(np.stack(channels, -1)).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    with contextlib.suppress(Exception):
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    return 1


def write_image(path: PathLike, image: np.ndarray) -> None:
    """Writes a PNG.

    Raises:
      ValueError: `image` is not `[H, W, 3]` uint8, or `path` does not end in .png.
      DataError: The file cannot be written.
    """
    check_suffix(path, ".png")
    data = encode_png(image)
    with replacing_file(path) as temporary:
        temporary.write_bytes(data)


def encode_png(image: np.ndarray) -> bytes:
    """Encodes a PNG.

    Args:
      image: `[H, W, 3]` uint8.

    Raises:
      ValueError: `image` is something else.
    """
    check(image, 3)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
