"""Photos in, moving photos of the same size out, whatever makes the clips that tell how they move.

Needs neither TensorFlow nor Keras, unless `animate` loads a generator.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

import ssagan_tf
from ssagan_tf import photo_jobs, video
from ssagan_tf.errors import DataError
from ssagan_tf.motion import transfer
from ssagan_tf.motion.transfer import CLIP_RATE, Motion, NothingMovesError
from ssagan_tf.options import MotionOptions, OptionError, PhotosToAnimations
from ssagan_tf.photo_jobs import Job
from ssagan_tf.pixels import on_pixels
from ssagan_tf.progress import Progress
from ssagan_tf.video import PathLike

PIXELS = photo_jobs.MIN_PIXELS
"""Of the largest photo that is moved as it is: 4K. Larger ones are reduced."""
LONGEST = 4096  # pixels of a side, as few players show more
_ASPECT = 0.02  # part by which that of a mask may differ
_AHEAD = 2  # frames that are made while others are written

ClipGenerator = Callable[[np.ndarray], np.ndarray]
"""Square photos, uint8 `[B, S, S, 3]` → clips, uint8 `[B, T, S, S, 3]`."""


@dataclasses.dataclass(frozen=True)
class Animation:
    """A photo, how it moves, and how that is shown.

    Attributes:
      photo: `[H, W, 3]` uint8.
      motion: Of it.
      options: Of both.
    """

    photo: np.ndarray
    motion: Motion
    options: MotionOptions

    @property
    def _advance(self) -> float:
        """Frames of the clip from one frame to the next."""
        return self.options.speed * CLIP_RATE / self.options.fps

    @property
    def repeats(self) -> int:
        """How many times over it has the same frames."""
        if self.options.light or not self.options.loop:
            return 1
        return transfer.loop_repeats(
            self.motion,
            number_of_frames(self.options),
            fps=self.options.fps,
            speed=self.options.speed,
            strength=self.options.strength,
        )

    @property
    def velocities(self) -> np.ndarray:
        """How far each pixel moves from a frame to the next, `[H, W, 2]` float32, in pixels."""
        field = self.motion.field.scaled(self._advance)
        return field.velocities(*self.photo.shape[:2]) * self.motion.mask[..., None]

    def frames(self) -> Iterator[np.ndarray]:
        """`[H, W, 3]` uint8, one at a time."""
        loop = self.options.loop
        return transfer.render_frames(
            self.photo,
            self.motion,
            number_of_frames(self.options),
            loop=loop,
            fps=self.options.fps,
            # One at a time, frames of the clip would rush past.
            speed=self.options.speed if loop else self._advance,
            strength=self.options.strength,
            direction=self.options.direction,
            light=self.options.light,
        )


def number_of_frames(options: MotionOptions) -> int:
    """Of a video of so many seconds.

    Raises:
      OptionError: It is less than two.
    """
    number = round(options.seconds * options.fps)
    if number < 2:
        raise OptionError("seconds", options.seconds, f"is one frame at --fps={options.fps}")
    return number


def make_animation(
    photo: np.ndarray,
    make_clips: ClipGenerator,
    side: int,
    options: MotionOptions,
    mask: np.ndarray | None = None,
) -> Animation:
    """Finds out how a photo moves.

    The clip is made of all of the photo, stretched to a square; the motion is brought back to the
    photo's aspect. Networks know one direction: to the left, it is that of the mirrored photo.

    Args:
      photo: `[H, W, 3]` uint8.
      make_clips: What makes the clip.
      side: S.
      options: How it is shown.
      mask: `[h, w]` uint8 of about the photo's aspect: what moves (255), instead of what is found.

    Raises:
      NothingMovesError: Nothing would move.
    """

    def turned(picture: np.ndarray) -> np.ndarray:
        left = options.direction == "left"
        return np.ascontiguousarray(picture[:, ::-1]) if left else picture

    square = video.fit(turned(photo), side, "stretch")
    [clip] = make_clips(square[None])
    motion = transfer.estimate_motion(clip, turned(photo), None if mask is None else turned(mask))
    return Animation(photo, motion.mirrored() if options.direction == "left" else motion, options)


def animate(
    photo: np.ndarray,
    seconds: float = 8.0,
    *,
    fps: float = 25.0,
    loop: bool = True,
    direction: Literal["right", "left"] = "right",
    speed: float = 1.0,
    strength: float = 1.0,
    light: float = 0.0,
    mask: np.ndarray | None = None,
    generator: Any = None,
) -> Iterator[np.ndarray]:
    """Makes the sky of a photo move, at the photo's own size.

    Args:
      photo: `[H, W, 3]` uint8.
      seconds: Length.
      fps: Frames per second.
      loop: Whether the first frame follows the last one. Else the sky drifts on from the photo.
      direction: Where clouds drift.
      speed: Times faster.
      strength: How far clouds drift in a loop before others take their place.
      light: How strongly the clip's slow change of light is carried over.
      mask: `[h, w]` uint8 of about the photo's aspect: what moves (255) and what stands still (0),
        instead of what is found.
      generator: What `load_generator` returns; by default the one that comes with the package,
        loaded each time.

    Returns:
      Frames `[H, W, 3]` uint8, `seconds` times `fps`, made one at a time.

    Raises:
      NothingMovesError: There is no sky, or nothing to be seen in it; a ValueError.
      ValueError: An argument is impossible.
      DataError: No generator comes with the package.
    """
    options = MotionOptions(
        seconds=seconds,
        fps=fps,
        loop=loop,
        direction=direction,
        speed=speed,
        strength=strength,
        light=light,
    )
    number_of_frames(options)
    video.check(photo, 3)
    if mask is not None:
        check_mask(mask, photo)
    if generator is None:
        generator = ssagan_tf.load_generator()
    side = generator.options.resolution
    return make_animation(photo, on_pixels(generator), side, options, mask).frames()


class _NoClip(DataError):
    """What makes the clips has failed, and will of the next photo."""


@dataclasses.dataclass(frozen=True)
class Work:
    """Photos to be made into videos, that can be.

    Attributes:
      options: How they are made.
      jobs: All of them.
      mask: What moves in each, `[h, w]` uint8, instead of what is found.
      unusable: Photos that cannot be used, and why.
    """

    options: PhotosToAnimations
    jobs: Sequence[Job]
    mask: np.ndarray | None
    unusable: Mapping[str, str]

    def make(self, make_clips: ClipGenerator, side: int, by: str) -> None:
        """Makes the videos; a photo that fails doesn't keep others from being made.

        Args:
          make_clips: What makes the clips.
          side: S.
          by: What that is, in words.

        Raises:
          DataError: Some could not be made; says which and why. Or no clip could be made of one,
            and then no other is tried.
        """

        def clips(photos: np.ndarray) -> np.ndarray:
            try:
                return make_clips(photos)
            except DataError as error:
                raise _NoClip(str(error)) from error

        jobs, failed, number = self.jobs, dict(self.unusable), number_of_frames(self.options)
        print(f"{len(jobs)} photo(s), {number} frames each, moved by {by}", flush=True)
        with Progress("animate", len(jobs) * number) as progress:
            for position, job in enumerate(jobs, 1):
                made = None
                if job.photo not in failed:
                    try:
                        made = _make(job, clips, side, self.options, self.mask, progress)
                    except _NoClip:
                        raise
                    except NothingMovesError as nothing:
                        failed[job.photo] = f"{job.photo}: nothing would move: {nothing}"
                    except DataError as error:
                        failed[job.photo] = str(error)
                progress.update("animate", position * number, len(jobs) * number)
                if made:
                    progress.print(made)
        if failed:
            raise _failure(jobs, failed)


def plan(options: PhotosToAnimations) -> Work:
    """Looks at settings and files before the work.

    Raises:
      OptionError: A setting is missing or impossible, or some don't go together.
      DataError: The mask cannot be read, or no photo can be used.
    """
    jobs = photo_jobs.plan_jobs(options)
    number_of_frames(options)
    written = _files(options, jobs)
    if options.mask:
        photo_jobs.refuse_to_overwrite([options.mask], "mask", *written)
    mask = read_mask(options.mask) if options.mask else None
    unusable = {}
    for job in jobs:
        try:
            job.check()
        except DataError as error:
            unusable[job.photo] = str(error)
    if len(unusable) == len(jobs):
        raise _failure(jobs, unusable)
    return Work(options, jobs, mask, unusable)


def _files(options: PhotosToAnimations, jobs: Sequence[Job]) -> list[PathLike]:
    """All that is to be written, where the settings go together with it."""
    endless = {job.format for job in jobs} & {"gif", "webp"}
    if options.repeat > 1 and endless:
        raise OptionError("repeat", options.repeat, f"a {endless.pop()} plays for ever by itself")
    if options.save_motion and len(jobs) > 1:
        raise OptionError(
            "save_motion", options.save_motion, f"is one file, but there are {len(jobs)} photos"
        )
    written = [job.path for job in jobs]
    if options.save_motion:
        photo_jobs.refuse_to_overwrite(
            [job.photo for job in jobs], "save_motion", options.save_motion
        )
        if Path(options.save_motion).is_dir():
            raise OptionError("save_motion", options.save_motion, "is a folder")
        written.append(options.save_motion)
    return written


def read_mask(path: PathLike) -> np.ndarray:
    """A mask out of a picture's file, `[h, w]` uint8.

    Raises:
      UnreadableError: It cannot be read.
    """
    return cv2.cvtColor(video.read_reduced(path, PIXELS)[0], cv2.COLOR_RGB2GRAY)


def read_photo(path: PathLike) -> tuple[np.ndarray, tuple[int, int]]:
    """A photo as large as it is moved, uint8 `[H, W, 3]`, and the height and width of its file.

    Raises:
      UnreadableError: It cannot be read.
    """
    photo, size = video.read_reduced(path, PIXELS)
    return reduced(photo), size


def _failure(jobs: Sequence[Job], failed: Mapping[str, str]) -> DataError:
    """What to raise about photos that failed, and why they did."""
    reasons = "; ".join(failed[job.photo] for job in jobs if job.photo in failed)
    counted = f"{len(failed)} of {len(jobs)} photos failed: " if len(jobs) > 1 else ""
    return DataError(counted + reasons)


def _make(
    job: Job,
    make_clips: ClipGenerator,
    side: int,
    options: PhotosToAnimations,
    mask: np.ndarray | None,
    progress: Progress,
) -> str:
    """Makes one, and says what."""
    photo, (height, width) = read_photo(job.photo)
    now = f"{photo.shape[1]}×{photo.shape[0]}"
    if photo.shape[:2] != (height, width):
        progress.print(f"{job.photo}: reduced from {width}×{height} to {now}, as 4K is the most")
    if mask is not None:
        try:
            check_mask(mask, photo)
        except ValueError as error:
            raise DataError(f"the mask {options.mask} doesn't fit {job.photo}: {error}") from error
    animation = make_animation(photo, make_clips, side, options, mask)
    save(animation, job, options.repeat, progress.advance)
    if options.save_motion:
        video.write_flow(options.save_motion, animation.velocities)
    return f"{job.path}: {now}, {options.repeat * options.seconds:g} s"


def save(
    animation: Animation, job: Job, repeat: int = 1, advance: Callable[[int], None] | None = None
) -> None:
    """Writes a moving photo.

    Args:
      animation: The photo, and how it moves.
      job: Where to, as what.
      repeat: As `Job.save`.
      advance: Told how many more of its frames are ready, each time that some are. What it raises
        ends the work, and leaves nothing.

    Raises:
      DataError: It cannot be written.
    """
    # A GIF and a WebP are as long as asked for; others repeat the file.
    repeats = 1 if job.format in ("gif", "webp") else animation.repeats
    different = number_of_frames(animation.options) // repeats
    frames = _ahead(itertools.islice(animation.frames(), different))
    if advance is not None:
        frames = _counted(frames, repeats, advance)
    job.save(frames, animation.options.fps, repeats * repeat)


def reduced(photo: np.ndarray) -> np.ndarray:
    """A photo of at most `PIXELS`, and `LONGEST` a side."""
    height, width = photo.shape[:2]
    scale = min(1.0, (PIXELS / (height * width)) ** 0.5, LONGEST / max(height, width))
    if scale == 1:
        return photo
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def check_mask(mask: np.ndarray, photo: np.ndarray) -> None:
    """Raises ValueError unless a mask is of 8 bits and can be stretched to a photo."""
    if mask.dtype != np.uint8:
        raise ValueError(f"a mask must be uint8, not {mask.dtype}")
    if mask.ndim != 2 or not mask.size:
        raise ValueError(f"a mask must be [h, w], not {list(mask.shape)}")
    (height, width), (down, across) = photo.shape[:2], mask.shape
    # By a pixel more or less: sizes are rounded.
    wider = abs(across * height / (down * width) - 1)
    if wider > _ASPECT and abs(across - down * width / height) > 1:
        raise ValueError(
            f"it has {across}×{down} pixels, another aspect than the photo's {width}×{height}; "
            "a mask is of the whole photo"
        )


def _ahead(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Frames as they come; while one is used, a thread makes the next ones."""
    source = iter(frames)
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(next, source, None) for _ in range(_AHEAD))
        while (frame := coming.popleft().result()) is not None:
            coming.append(thread.submit(next, source, None))
            yield frame


def _counted(
    frames: Iterable[np.ndarray], times: int, advance: Callable[[int], None]
) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame
        advance(times)
