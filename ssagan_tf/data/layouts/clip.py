"""A clip, what it is read from, and its frames: as JPEGs of one size, or as the pixels they are."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ssagan_tf import limits, video
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.remote import StoreError, as_path


@dataclasses.dataclass(frozen=True)
class Clip:
    """32 frames in one of the forms below, and where they come from.

    Attributes:
      motion: Mean change from frame to frame, in [0, 1] (`motion.difference`).
      hashes: Perceptual hashes of two of the frames, where they were asked for.
      drift: Mean horizontal velocity (`motion.drift`), where it was asked for.
    """

    name: str
    video: str
    start: int
    frames: tuple[Any, ...]
    motion: float
    hashes: bytes = b""
    drift: float | None = None


class Picture:
    """A frame as it was found.

    Attributes:
      image: `[H, W, 3]` uint8.
      data: The bytes of its file, where it has one of its own.
    """

    def __init__(self, image: np.ndarray, data: bytes = b""):
        self.image, self.data = image, data
        self._squares: dict[tuple[int, str], np.ndarray] = {}

    def square(self, side: int, how: str) -> np.ndarray:
        """The picture made square (`video.fit`), once for all who ask."""
        if (side, how) not in self._squares:
            self._squares[side, how] = video.fit(self.image, side, how)
        return self._squares[side, how]


FrameEncoder = Callable[[Picture, PrepareOptions], Any]
"""What is made of a frame."""


def fit_of(options: PrepareOptions) -> str:
    """How pictures are made square, with `auto` resolved."""
    return "stretch" if options.fit == "auto" else options.fit


def read_picture(path: str) -> Picture:
    """Reads a picture.

    Raises:
      DataError: It is broken.
      StoreError: The store fails.
    """
    try:
        data = limits.read_bytes(as_path(path), limits.PICTURE_BYTES)
        return Picture(video.decode_image(data), data)
    except StoreError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"broken picture: {as_path(path)}: {why}") from error


def as_jpeg(picture: Picture, options: PrepareOptions) -> bytes:
    """A JPEG of the resolution: the file's own bytes if it is one already."""
    if 0 < len(picture.data) <= limits.FRAME_BYTES and _is_plain_jpeg(
        picture.data, options.resolution
    ):
        return picture.data
    return encode_jpeg(picture.square(options.resolution, fit_of(options)))


def encode_jpeg(image: np.ndarray) -> bytes:
    """Nearly without loss: the picture may have been a JPEG before, and colours stay whole."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return buffer.getvalue()


def _is_plain_jpeg(data: bytes, side: int) -> bool:
    """Whether the bytes of a picture that decodes may go into a record as they are."""
    with video.open_image(io.BytesIO(data)) as image:
        return (
            image.format == "JPEG"
            and image.mode == "RGB"
            and image.size == (side, side)
            and video.is_plain(image)
        )


def as_pixels(picture: Picture, _: PrepareOptions | None = None) -> np.ndarray:
    """The picture as it was found, `[H, W, 3]` uint8.

    Raises:
      DataError: 32 of its size are too large to be kept as they are.
    """
    height, width = picture.image.shape[:2]
    if FRAMES * height * width > limits.CLIP_PIXELS:
        raise DataError(f"{FRAMES} frames of {width}×{height} are too large; make them smaller")
    return picture.image


JPEGS: FrameEncoder = as_jpeg  # for a prepared set
PIXELS: FrameEncoder = as_pixels  # for evaluation


class Unusable(Exception):
    """Nothing of an item can be used."""

    def __init__(self, skipped: Skipped):
        super().__init__(skipped)
        self.skipped = skipped


class Item(Protocol):
    """Something to read clips from.

    Attributes:
      name: Unique name; those of its clips begin with it.
      video: The video that its clips are of.
      split: `train` or `test` where the source says so itself.
      paths: The files that it is read from.
    """

    name: str
    video: str
    split: str | None

    @property
    def paths(self) -> Sequence[str]: ...

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        """Reads the clips one by one, and what is passed over between them.

        Args:
          options: How to cut, and for JPEGs how to resize.
          form: What becomes of the frames.

        Raises:
          DataError: It is broken; clips that came before are not to be used. The message is
            the reason of a `Skipped`.
          StoreError: The store fails; nothing is known of the item.
        """
