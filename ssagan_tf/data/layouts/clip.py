"""Clips, items to read them from, and encoders of their frames: JPEGs of one size, or pixels."""

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
from ssagan_tf.remote import RemoteStorageError, as_path


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip of 32 frames.

    Attributes:
      name: Unique in its source.
      video: Name of the video it is from.
      start: Number of its first frame there.
      frames: As the encoder returns them.
      motion: Mean difference of consecutive frames, in [0, 1] (`motion.difference`).
      hashes: Perceptual hashes of two frames; empty unless encoded as JPEGs.
      drift: Mean horizontal velocity (`motion.drift`), if measured.
    """

    name: str
    video: str
    start: int
    frames: tuple[Any, ...]
    motion: float
    hashes: bytes = b""
    drift: float | None = None


class Picture:
    """A frame in its original size.

    Attributes:
      image: `[H, W, 3]` uint8.
      data: Content of its file; empty if it is not from a file of its own.
    """

    def __init__(self, image: np.ndarray, data: bytes = b""):
        self.image, self.data = image, data
        self._squares: dict[tuple[int, str], np.ndarray] = {}

    def square(self, side: int, how: str) -> np.ndarray:
        """Returns the picture made square by `video.fit`; the result is cached."""
        if (side, how) not in self._squares:
            self._squares[side, how] = video.fit(self.image, side, how)
        return self._squares[side, how]


FrameEncoder = Callable[[Picture, PrepareOptions], Any]
"""Returns what a clip keeps of a frame."""


def resolved_fit(options: PrepareOptions) -> str:
    """Returns `options.fit`, with `auto` resolved."""
    return "stretch" if options.fit == "auto" else options.fit


def read_picture(path: str) -> Picture:
    """Reads a picture.

    Raises:
      DataError: It is broken.
      RemoteStorageError: Its storage fails.
    """
    try:
        data = limits.read_bytes(as_path(path), limits.PICTURE_BYTES)
        return Picture(video.decode_image(data), data)
    except RemoteStorageError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"broken picture: {as_path(path)}: {why}") from error


def as_jpeg(picture: Picture, options: PrepareOptions) -> bytes:
    """Returns a JPEG of the resolution: the file unchanged if it is one already."""
    if 0 < len(picture.data) <= limits.FRAME_BYTES and _is_plain_jpeg(
        picture.data, options.resolution
    ):
        return picture.data
    return encode_jpeg(picture.square(options.resolution, resolved_fit(options)))


def encode_jpeg(image: np.ndarray) -> bytes:
    """Returns a JPEG of high quality, without chroma subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return buffer.getvalue()


def _is_plain_jpeg(data: bytes, side: int) -> bool:
    """Returns whether the file of a valid picture may be stored unchanged."""
    with video.open_image(io.BytesIO(data)) as image:
        return (
            image.format == "JPEG"
            and image.mode == "RGB"
            and image.size == (side, side)
            and video.is_plain(image)
        )


def as_pixels(picture: Picture, _: PrepareOptions | None = None) -> np.ndarray:
    """Returns the picture in its original size, `[H, W, 3]` uint8.

    Raises:
      DataError: 32 of this size exceed `limits.CLIP_PIXELS`.
    """
    height, width = picture.image.shape[:2]
    if FRAMES * height * width > limits.CLIP_PIXELS:
        raise DataError(f"{FRAMES} frames of {width}×{height} are too large; scale them down")
    return picture.image


JPEGS: FrameEncoder = as_jpeg  # for a prepared set
PIXELS: FrameEncoder = as_pixels  # for evaluation


class UnusableItemError(Exception):
    """No clip of an item can be used."""

    def __init__(self, skipped: Skipped):
        super().__init__(skipped)
        self.skipped = skipped


class Item(Protocol):
    """Something to read clips from, such as a video file.

    Attributes:
      name: Unique name, which the names of its clips begin with.
      video: Name of the video that its clips are from.
      split: `train` or `test` if the source is split, else None.
      paths: The files to read.
    """

    name: str
    video: str
    split: str | None

    @property
    def paths(self) -> Sequence[str]: ...

    def clips(
        self, options: PrepareOptions, encoder: FrameEncoder = JPEGS
    ) -> Iterator[Clip | Skipped]:
        """Yields the clips, and what is skipped between them, in order.

        Args:
          options: How to cut, and for JPEGs, how to resize.
          encoder: Makes what the clips keep of their frames.

        Raises:
          DataError: The item is broken; clips that were yielded before must not be used. The
            message becomes the reason of a `Skipped`.
          RemoteStorageError: Its storage fails; the item may be fine.
        """


@dataclasses.dataclass(frozen=True)
class FileItem:
    """Base class of items that are a single file. Subclasses define `clips`.

    Attributes:
      path: The file; the others are those of `Item`.
    """

    name: str
    video: str
    split: str | None
    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,)
