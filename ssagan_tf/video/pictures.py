"""Image files <-> arrays: opened by a list of formats, upright, in sRGB."""

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
from ssagan_tf.video.icc_profiles import PictureColours
from ssagan_tf.video.unreadable import UnreadableError

# Of Pillow's formats, pictures; others run programs, as EPS does, or need them.
_PICTURES = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "PPM", "GIF", "AVIF", "JPEG2000"),
    *("TGA", "ICO", "PCX", "SGI", "QOI", "HEIF"),
)
_AVIF = {b"avif", b"avis"}  # brands of a file of boxes (ISO/IEC 23008-12)
_HEIF = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
_UNKNOWN = "it is no picture, or of an unknown kind"
_SUBFILE, _PHOTOMETRIC, _BITS, _DNG = 254, 262, 258, 50706  # tags of a TIFF
_TILE = (322, 323)  # width and length in a TIFF
_BAND = 1 << 22  # pixels that are converted at once
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it logs, it raises, too
# For all of the process, as Pillow has it: what is larger is refused, and nothing warned of.
Image.MAX_IMAGE_PIXELS = limits.PICTURE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class TooManyPixels(ValueError):
    """A picture claims more than is read."""


def read_image(path: PathLike) -> np.ndarray:
    """Reads a picture as it is meant to be seen: upright, in sRGB, over black.

    Args:
      path: JPEG, PNG, WebP, TIFF, … of any mode that Pillow reads, or HEIC with the extra `heic`;
        16 bits are scaled to 8. Of an animation, the first frame; of several pictures, the main
        one.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      UnreadableError: It is missing, a folder, truncated, far too large, or no picture.
    """
    return _read(path, None)[0]


def read_reduced(path: PathLike, enough: int) -> tuple[np.ndarray, tuple[int, int]]:
    """`read_image` of a photo whose every pixel is not needed: large ones take less memory.

    Args:
      path: Of the photo.
      enough: Pixels that do. A photo of four times as many or more is reduced by a whole number, as
        long as so many are left; a JPEG while it is decoded.

    Returns:
      `[h, w, 3]` uint8; height and width of the whole photo.

    Raises:
      UnreadableError: As `read_image`.
    """
    return _read(path, enough)


def _read(path: PathLike, enough: int | None) -> tuple[np.ndarray, tuple[int, int]]:
    try:
        data = limits.read_bytes(Path(path), limits.PICTURE_BYTES)
        with open_image(io.BytesIO(data)) as image:
            return _decode(image, enough)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        advice = "; give a JPEG, PNG, WebP or TIFF" if why == _UNKNOWN else ""
        raise UnreadableError("image", path, why, advice) from error


def decode_image(data: bytes) -> np.ndarray:
    """Decodes the bytes of an image file: `read_image` without the file.

    Returns:
      `[H, W, 3]` uint8.

    Raises:
      ValueError: They are no picture, or a broken one.
    """
    with open_image(io.BytesIO(data)) as image:
        return _decode(image)[0]


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


def is_plain(image: Image.Image) -> bool:
    """Whether any decoder shows an opened picture as it is read here.

    That is one that knows nothing of orientation, profiles and transparency.
    """
    return (
        image.mode in ("RGB", "L")
        and not image.has_transparency_data
        and PictureColours(image).are_srgb
        and _orientation(image) == 1  # a PNG is decoded for this, as EXIF may be at its end
    )


@contextlib.contextmanager
def open_image(file: BinaryIO, *kinds: str) -> Iterator[Image.Image]:
    """Opens a picture of a kind and size that is read here; its pixels are not decoded yet.

    Args:
      file: The picture.
      kinds: What it may be, in Pillow's names; by default all that is read here.

    Raises:
      TooManyPixels: It claims more than `limits.PICTURE_PIXELS`; a ValueError.
      ValueError: It is none, or a broken one, as may show when it is decoded.
      RemoteStorageError: The store it lies in fails.
    """
    try:
        if not kinds:
            _look_at_head(file)
        with _QUIET, Image.open(file, formats=kinds or _readable()) as image:
            # Pillow itself refuses twice as many, and fewer as long as nobody resets the warnings.
            if image.width * image.height > limits.PICTURE_PIXELS:
                raise Image.DecompressionBombError
            if image.format == "TIFF":
                _check_tiff(image)
            yield image
    except RemoteStorageError:
        raise
    except Image.UnidentifiedImageError:
        raise ValueError(f"it is no {' or '.join(kinds)}" if kinds else _UNKNOWN) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise TooManyPixels(
            f"it claims more than {limits.PICTURE_PIXELS:,} pixels, as a decompression bomb does; "
            "a picture must be smaller"
        ) from None
    except DataError as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # Pillow's decoders raise all sorts of things on broken files
        raise ValueError(str(error) or type(error).__name__) from error


def _look_at_head(file: BinaryIO) -> None:
    """Tells what Pillow alone would not: an empty file, and one that needs another decoder."""
    head = file.read(64)
    file.seek(0)
    if not head:
        raise ValueError("it is empty")
    if head[4:8] != b"ftyp":
        return
    brands = {head[at : at + 4] for at in (8, *range(16, min(len(head), head[3]), 4))}
    if not brands & _HEIF or brands & _AVIF:
        return
    try:
        require_extra("heic", "pillow_heif")
        import pillow_heif
    except (DataError, ImportError) as error:
        raise ValueError(f"it is a HEIC: {error}") from error
    pillow_heif.register_heif_opener(thumbnails=False)


def _check_tiff(image: Image.Image) -> None:
    """Refuses what its head says cannot be read, or would be read as something else."""
    tags = image.tag_v2
    width, length = (tags.get(tag, 1) for tag in _TILE)
    if width * length > limits.PICTURE_PIXELS:  # a tile is decoded whole, whatever is seen of it
        raise Image.DecompressionBombError
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:  # the first picture is a small preview
        raise ValueError("it begins with a preview, as raw photos do; save it as a JPEG or PNG")


def _readable() -> tuple[str, ...]:
    _all_plugins()
    return tuple(kind for kind in _PICTURES if kind in Image.OPEN)


@functools.cache
def _all_plugins() -> None:
    Image.init()


class _Quiet:
    """Keeps Pillow from warning, as long as any thread is in it: filters are of the process."""

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


def _decode(image: Image.Image, enough: int | None = None) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes an opened picture.

    Args:
      image: The picture.
      enough: As in `read_reduced`.

    Returns:
      `[h, w, 3]` uint8; height and width of the whole picture.
    """
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError("its pixels are numbers of unknown range; give one of 8 or 16 bits")
    colours, size = PictureColours(image), image.size
    _mend_key(image)
    if enough and (times := _times(size, enough)) > 1:
        image.draft(None, (max(1, size[0] // times), max(1, size[1] // times)))
    image.load()
    turned = _orientation(image) in (5, 6, 7, 8)
    with contextlib.suppress(Exception):  # broken EXIF says nothing, and raises all sorts of things
        ImageOps.exif_transpose(image, in_place=True)
    if turned:
        size = size[::-1]
    if image.mode.startswith("I"):
        shown = functools.partial(_of_sixteen_bits, table=_greys(colours, *_range_of(image)))
    else:
        shown = functools.partial(_over_black, colours=colours)
    times = _times(image.size, enough) if enough else 1
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


def _mend_key(image: Image.Image) -> None:
    """Brings the transparent value of a PNG to the 8 bits that Pillow makes of its colours."""
    key = image.info.get("transparency")
    if image.format != "PNG" or image.mode not in ("L", "RGB") or isinstance(key, bytes | None):
        return
    at = image.fp.tell()
    image.fp.seek(24)
    [bits] = image.fp.read(1)
    image.fp.seek(at)
    if bits > 8:  # the upper ones are left
        image.info["transparency"] = tuple(value >> bits - 8 for value in key)
    elif bits < 8:
        image.info["transparency"] = key * 255 // ((1 << bits) - 1)


def _times(size: tuple[int, int], enough: int) -> int:
    """By how much a picture is reduced to have enough pixels still."""
    return max(1, min(int((size[0] * size[1] / enough) ** 0.5), *size))


def _over_black(band: Image.Image, colours: PictureColours) -> Image.Image:
    """Some rows of a picture in sRGB, without transparency."""
    if not band.has_transparency_data:
        return colours.to_srgb(band)
    band = band.convert("RGBA")
    alpha = band.getchannel("A")
    return Image.composite(colours.to_srgb(band), Image.new("RGB", band.size), alpha)


def _of_sixteen_bits(band: Image.Image, table: np.ndarray) -> Image.Image:
    """Grey of more than 8 bits, which Pillow's own conversion would clip."""
    values = np.asarray(band).clip(0, 65535).astype(np.uint16)
    shown = table[values]
    if isinstance(key := band.info.get("transparency"), int):
        shown[values == key] = 0
    return Image.fromarray(shown)


def _range_of(image: Image.Image) -> tuple[int, bool]:
    """The highest value of greys, and whether it is black."""
    if image.format != "TIFF":
        return 65535, False
    return (1 << image.tag_v2[_BITS][0]) - 1, image.tag_v2.get(_PHOTOMETRIC) == 0


def _greys(colours: PictureColours, highest: int, negative: bool) -> np.ndarray:
    """The colours of all greys of 16 bits, `[65536, 3]` uint8."""
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
    """The bytes of a PNG file of `[H, W, 3]` uint8.

    Raises:
      ValueError: It is something else.
    """
    check(image, 3)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
