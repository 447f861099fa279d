"""Visitors' photos -> videos, within limits of size and time."""

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

from ssagan_tf import animation, animation_jobs, video
from ssagan_tf.errors import DataError
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import ComputeOptions, MotionOptions
from ssagan_tf.photo_jobs import Job
from ssagan_tf.pixels import on_pixels
from ssagan_tf.training.generator_source import Source
from ssagan_tf.web.temporary_files import TemporaryFiles

MAX_UPLOAD = 32 * 2**20  # bytes of a photo
MAX_MEGAPIXELS = 64
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF")  # Pillow's names
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_NO_PHOTO = "this file is not a photo in a known format"
MAX_SECONDS = 15.0
"""Longest video; other visitors are waiting."""
TIMEOUT = 300.0
"""Seconds after which a video is given up, on machines that are too slow for it."""
MASK_SIDE = 1024
"""Longer side in pixels of the mask that is displayed and painted on."""

_Result = TypeVar("_Result")


class VisitorError(DataError):
    """A visitor's input cannot be used. The message is shown on the page: it says why, and contains
    no path of this machine."""


def check_photo(path: Path, what: str = "photo") -> None:
    """Checks a file by its header, before its pixels take any memory.

    Args:
      path: The file.
      what: What messages call it.

    Raises:
      VisitorError: It is not a picture in a common format, or too large.
    """
    too_large = f"the {what} is too large; the limit is {MAX_MEGAPIXELS} megapixels"
    try:
        with path.open("rb") as file, video.open_image(file, *_FORMATS) as image:
            width, height = image.size
    except video.TooManyPixelsError as error:
        raise VisitorError(too_large) from error
    except (OSError, ValueError) as error:
        raise VisitorError(f"{_problem(path)}; please use a JPEG, PNG or WebP") from error
    if width * height > MAX_MEGAPIXELS * 10**6:
        raise VisitorError(f"{too_large}, this one has {width}×{height} pixels")


def _problem(path: Path) -> str:
    """Says what an unsupported file is, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:  # another visitor sent the same file, and it was already deleted
        return _NO_PHOTO
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp":  # Apple's photos and videos begin alike
        brand = head[8:12]
        kind = "HEIC" if brand in _HEIC_BRANDS else "AVIF" if brand in _AVIF_BRANDS else ""
        return f"this {kind} photo cannot be read on this server" if kind else "this is a video"
    if head.startswith(b"%PDF"):
        return "this is a PDF"
    return _NO_PHOTO


class Maker:
    """Makes the videos of the page; keeps the two generators that were used last in memory.

    Args:
      models: The models that visitors can choose, by name.
      compute: Compute settings of the generators.
      files: Where files are written, each video in a folder that nobody can guess.
      fps: Frames per second of the network's own frames.
    """

    def __init__(
        self,
        models: Mapping[str, Source],
        compute: ComputeOptions,
        files: TemporaryFiles,
        fps: float,
    ):
        self._models, self._files, self._fps = models, files, fps
        self._load = functools.lru_cache(maxsize=2)(lambda name: models[name].load(compute))

    def animate(
        self,
        photo: str,
        mask: str,
        model: str,
        options: MotionOptions,
        report: Callable[[float], None],
    ) -> tuple[str, str]:
        """Makes a photo move, at its own size.

        Args:
          photo: Path.
          mask: Path of a picture of what moves (white); empty: sky and water are found.
          model: Name of the model.
          options: How the photo moves.
          report: Called with the finished share of the work, in [0, 1].

        Returns:
          Paths of the mp4, and of a PNG that shows what moves in it, at most `MASK_SIDE` a side.

        Raises:
          VisitorError: The photo or the mask cannot be used, nothing would move, or it takes too
            long.
          DataError: The model cannot be read, or the video cannot be written.
        """
        if options.seconds > MAX_SECONDS:
            raise VisitorError(f"the limit is {MAX_SECONDS:g} seconds, not {options.seconds:g}")
        total = animation.number_of_frames(options)
        done, started = 0, time.monotonic()

        def advance(frames: int) -> None:
            nonlocal done
            done += frames
            report(done / total)
            if time.monotonic() - started > TIMEOUT:
                raise VisitorError("this takes too long; try a smaller photo or fewer seconds")

        image, _ = _read(photo, "photo", animation_jobs.read_photo)
        painted = _read(mask, "mask", animation_jobs.read_mask) if mask else None
        if painted is not None:
            try:
                animation.check_mask(painted, image)
            except ValueError as error:
                raise VisitorError(f"the mask does not fit the photo: {error}") from error
        generator = self._load(model)
        side = generator.options.resolution
        try:
            moving = animation.make_animation(image, on_pixels(generator), side, options, painted)
        except NothingMovesError as error:
            advice = "; paint what moves" if error.mask_helps else ""
            raise VisitorError(f"nothing would move: {error.reason}{advice}") from error
        with self._new_files(photo, "mp4", "png") as (mp4, mask_png):
            video.write_image(mask_png, _mask_preview(moving.motion.mask))
            animation_jobs.write_animation(moving, Job(photo, mp4, "mp4"), advance=advance)
        return str(mp4), str(mask_png)

    def generate(self, photo: str, model: str, fit: str) -> tuple[str, str, str]:
        """Makes a video of the network's own frames.

        Args:
          photo: Path.
          model: Name of the model.
          fit: As the setting `--fit`.

        Returns:
          Paths of the mp4, the GIF and the contact strip.

        Raises:
          VisitorError: The photo cannot be used.
          DataError: The model cannot be read, or a file cannot be written.
        """
        image = _read(photo, "photo", video.read_image)
        generator = self._load(model)
        fit = self._models[model].how(fit)
        square = video.fit(image, generator.options.resolution, fit)
        frames = video.unfit(on_pixels(generator)(square[None])[0], image.shape[:2], fit)
        input_frame = video.unfit(square[None], image.shape[:2], fit)
        with self._new_files(photo, "mp4", "gif", "png") as (mp4, gif, strip):
            video.write_mp4(mp4, frames, self._fps)
            video.write_gif(gif, frames, self._fps)
            video.write_image(
                strip, video.contact_strip([("photo", input_frame), ("video", frames)])
            )
        return str(mp4), str(gif), str(strip)

    @contextlib.contextmanager
    def _new_files(self, photo: str, *suffixes: str) -> Iterator[list[Path]]:
        """Yields paths in a new folder, which is removed if writing the files fails."""
        self._files.sweep()
        folder = self._files.folder / secrets.token_urlsafe(16)
        folder.mkdir()
        try:
            yield [folder / f"{Path(photo).stem or 'photo'}.{suffix}" for suffix in suffixes]
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _read(path: str, what: str, read: Callable[[str], _Result]) -> _Result:
    try:
        check_photo(Path(path), what)
        return read(path)
    except video.UnreadableError as error:
        raise VisitorError(f"the {what} cannot be read: {error.why}") from error


def _mask_preview(mask: np.ndarray) -> np.ndarray:
    """Returns a mask in [0, 1] as a small picture, `[h, w, 3]` uint8."""
    scale = min(1.0, MASK_SIDE / max(mask.shape))
    size = tuple(max(1, round(length * scale)) for length in mask.shape[::-1])
    small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return np.repeat(np.uint8(np.rint(255 * small))[..., None], 3, axis=2)
