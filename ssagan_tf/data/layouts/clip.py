"""A clip, what it is read from, and its frames: as JPEGs of one size, or as the pixels they are."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions

_ORIENTATION = 0x0112  # EXIF


@dataclasses.dataclass(frozen=True)
class Clip:
    """32 frames in one of the forms below, and where they come from."""

    name: str
    video: str
    start: int
    frames: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Form:
    """What is made of a frame, be it a file or a picture `[H, W, 3]` uint8 of a larger whole."""

    of_file: Callable[[str, PrepareOptions], Any]
    of_image: Callable[[np.ndarray, PrepareOptions], Any]


def fit_of(options: PrepareOptions) -> str:
    """How pictures are made square, with `auto` resolved."""
    return "stretch" if options.fit == "auto" else options.fit


def read_picture(path: str) -> tuple[bytes, np.ndarray]:
    """Reads a picture.

    Returns:
      Its bytes, and what they decode to: `[H, W, 3]` uint8.

    Raises:
      DataError: It is broken.
    """
    try:
        data = Path(path).read_bytes()
        return data, video.decode_image(data)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"broken picture: {os.path.normpath(path)}: {why}") from error


def read_frame(path: str, options: PrepareOptions) -> bytes:
    """Reads a picture as a JPEG of the resolution: its own bytes if it is one already.

    Raises:
      DataError: It is broken.
    """
    data, image = read_picture(path)
    return data if _is_plain_jpeg(data, options.resolution) else make_frame(image, options)


def make_frame(image: np.ndarray, options: PrepareOptions) -> bytes:
    """A JPEG of the resolution, of `[H, W, 3]` uint8."""
    return encode_jpeg(video.fit(image, options.resolution, fit_of(options)))


def encode_jpeg(image: np.ndarray) -> bytes:
    """Nearly without loss: the picture may have been a JPEG before, and colours stay whole."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return buffer.getvalue()


def _is_plain_jpeg(data: bytes, side: int) -> bool:
    """Whether the bytes of a picture that decodes may go into a record as they are."""
    with Image.open(io.BytesIO(data)) as image:
        return (
            image.format == "JPEG"
            and image.mode == "RGB"
            and image.size == (side, side)
            and image.getexif().get(_ORIENTATION, 1) == 1
        )


JPEGS = Form(read_frame, make_frame)  # of the resolution, for a prepared set
PIXELS = Form(lambda path, _: read_picture(path)[1], lambda image, _: image)  # [H, W, 3] uint8


class Item(Protocol):
    """Something to read clips from."""

    name: str
    video: str
    split: str | None  # train or test where the source says so itself

    def clips(self, options: PrepareOptions, form: Form = JPEGS) -> Iterator[Clip]:
        """Reads the clips one by one.

        Args:
          options: How to cut, and for JPEGs how to resize.
          form: What becomes of the frames.

        Raises:
          DataError: It is broken; clips that came before are not to be used. The message is
            the reason of a `Skipped`.
        """
