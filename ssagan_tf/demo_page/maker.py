"""Photos of visitors -> videos, within bounds."""

from __future__ import annotations

import contextlib
import functools
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from ssagan_tf import animation, video
from ssagan_tf.errors import DataError
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import ComputeOptions, MotionOptions
from ssagan_tf.photo_jobs import Job
from ssagan_tf.pixels import on_pixels
from ssagan_tf.training.generator_source import Source
from ssagan_tf.web.temporary_files import TemporaryFiles

LARGEST = 32 * 2**20  # bytes of a photo
MEGAPIXELS = 64
_NO_PHOTO = "this is no photo that can be read"
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
PHOTOS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")  # as Pillow calls them
SECONDS = 15.0
"""Of a moving photo at most: others wait."""
PATIENCE = 300.0
"""Seconds after which its making is given up, on machines too slow for it."""
PAINTED = 1024
"""Pixels of the longer side of a mask that is shown and painted on."""

_Read = TypeVar("_Read")
Report = Callable[[float], None]
"""Told which part of the work is done."""


class VisitorError(DataError):
    """What a visitor gave cannot be used. Says why, and names nothing of this machine."""


def check_photo(path: Path, what: str = "photo") -> None:
    """Looks at a file's head, before its pixels take memory.

    Args:
      path: Of the file.
      what: What it is given as.

    Raises:
      VisitorError: It is no picture of the usual kinds, or too large.
    """
    try:
        with path.open("rb") as file, video.open_image(file, *PHOTOS) as image:
            width, height = image.size
    except video.TooManyPixelsError as error:
        raise VisitorError(f"the {what} is too large; at most {MEGAPIXELS} megapixels") from error
    except (OSError, ValueError) as error:
        raise VisitorError(f"{_kind(path)}; give a JPEG, PNG or WebP") from error
    if width * height > MEGAPIXELS * 10**6:
        raise VisitorError(
            f"the {what} is too large: {width}×{height} pixels; at most {MEGAPIXELS} megapixels"
        )


def _kind(path: Path) -> str:
    """What a file is that is no photo of ours, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:  # another visitor has sent the same, and it is gone already
        return _NO_PHOTO
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp":  # of Apple's photos and videos alike
        brand = head[8:12]
        what = "a HEIC" if brand in _HEIC else "an AVIF" if brand in (b"avif", b"avis") else ""
        return f"this is {what} photo, which cannot be read here" if what else "this is a video"
    if head.startswith(b"%PDF"):
        return "this is a PDF"
    return _NO_PHOTO


class Maker:
    """Makes the videos of the page; keeps the generators it has used last.

    Args:
      models: By name, what can be chosen.
      compute: How they are computed.
      room: Where the files go, each video's into a folder that others cannot guess.
      fps: Frames per second of the network's own frames.
    """

    def __init__(
        self,
        models: Mapping[str, Source],
        compute: ComputeOptions,
        room: TemporaryFiles,
        fps: float,
    ):
        self._models, self._room, self._fps = models, room, fps
        self._load = functools.lru_cache(maxsize=2)(lambda name: models[name].load(compute))

    def animate(
        self, photo: str, mask: str, name: str, options: MotionOptions, report: Report
    ) -> tuple[str, str]:
        """Makes a photo move, at its own size.

        Args:
          photo: Path.
          mask: Path of a picture of what moves (white); empty: it is found.
          name: Of the model.
          options: How it moves.
          report: Told how far it is.

        Returns:
          Paths of the mp4, and of a PNG of what moves in it, `PAINTED` a side at most.

        Raises:
          VisitorError: The photo or the mask cannot be used, nothing would move, or it takes too
            long.
          DataError: The model cannot be read, or the video not be written.
        """
        if options.seconds > SECONDS:
            raise VisitorError(f"seconds={options.seconds:g}: {SECONDS:g} at most here")
        number = animation.number_of_frames(options)
        done, began = 0, time.monotonic()

        def advance(frames: int) -> None:
            nonlocal done
            done += frames
            report(done / number)
            if time.monotonic() - began > PATIENCE:
                raise VisitorError(
                    "this takes too long here; give a smaller photo, or fewer seconds"
                )

        image, _ = _read(photo, "photo", animation.read_photo)
        drawn = _read(mask, "mask", animation.read_mask) if mask else None
        if drawn is not None:
            try:
                animation.check_mask(drawn, image)
            except ValueError as error:
                raise VisitorError(f"the mask doesn't fit the photo: {error}") from error
        generator = self._load(name)
        side = generator.options.resolution
        try:
            moving = animation.make_animation(image, on_pixels(generator), side, options, drawn)
        except NothingMovesError as error:
            raise VisitorError(f"nothing would move: {error}") from error
        with self._files(photo, "mp4", "png") as (mp4, picture):
            video.write_image(picture, _shown(moving.motion.mask))
            animation.save(moving, Job(photo, mp4, "mp4"), advance=advance)
        return str(mp4), str(picture)

    def generate(self, photo: str, name: str, fit: str) -> tuple[str, str, str]:
        """Makes the network's own frames.

        Args:
          photo: Path.
          name: Of the model.
          fit: As the setting `--fit`.

        Returns:
          Paths of the mp4, the GIF and the strip.

        Raises:
          VisitorError: The photo cannot be used.
          DataError: The model cannot be read, or a file not be written.
        """
        image = _read(photo, "photo", video.read_image)
        generator = self._load(name)
        how = self._models[name].how(fit)
        square = video.fit(image, generator.options.resolution, how)
        frames = video.unfit(on_pixels(generator)(square[None])[0], image.shape[:2], how)
        input_frame = video.unfit(square[None], image.shape[:2], how)
        with self._files(photo, "mp4", "gif", "png") as (mp4, gif, strip):
            video.write_mp4(mp4, frames, self._fps)
            video.write_gif(gif, frames, self._fps)
            video.write_image(
                strip, video.contact_strip([("photo", input_frame), ("video", frames)])
            )
        return str(mp4), str(gif), str(strip)

    @contextlib.contextmanager
    def _files(self, photo: str, *kinds: str) -> Iterator[list[Path]]:
        """Names of files to be written into a new folder, which goes if they cannot be."""
        self._room.sweep()
        folder = self._room.folder / secrets.token_urlsafe(16)
        folder.mkdir()
        try:
            yield [folder / f"{Path(photo).stem or 'photo'}.{kind}" for kind in kinds]
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _read(path: str, what: str, read: Callable[[str], _Read]) -> _Read:
    try:
        check_photo(Path(path), what)
        return read(path)
    except video.UnreadableError as error:
        raise VisitorError(f"the {what} cannot be read: {error.why}") from error


def _shown(mask: np.ndarray) -> np.ndarray:
    """A mask in [0, 1] as a small picture, `[h, w, 3]` uint8."""
    scale = min(1.0, PAINTED / max(mask.shape))
    size = tuple(max(1, round(length * scale)) for length in mask.shape[::-1])
    small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return np.repeat(np.uint8(np.rint(255 * small))[..., None], 3, axis=2)
