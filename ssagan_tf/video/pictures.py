"""Image files <-> arrays: opened by a list of formats, upright, in colour."""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from ssagan_tf import limits
from ssagan_tf.files import replacing_file
from ssagan_tf.remote import StoreError
from ssagan_tf.video.frames import PathLike, check, check_suffix
from ssagan_tf.video.unreadable import UnreadableError

# Of Pillow's formats, pictures; others run programs, as EPS does, or need them.
_PICTURES = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "PPM", "GIF", "AVIF", "JPEG2000"),
    *("TGA", "ICO", "PCX", "SGI", "QOI"),
)
_TILE = (322, 323)  # width and length in a TIFF
# For all of the process, as Pillow has it: what is larger is refused, and nothing warned of.
Image.MAX_IMAGE_PIXELS = limits.PICTURE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


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
