"""The work of the animate programs: photo files in, videos of the same size out.

`plan_animations` checks settings and files before anything is loaded; `AnimationJobs.run` makes the
videos with any clip generator: Keras, ONNX Runtime or a server. Needs neither TensorFlow nor Keras.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from ssagan_tf import photo_jobs, video
from ssagan_tf.animation import Animation, check_mask, make_animation, number_of_frames
from ssagan_tf.errors import DataError
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import OptionError, PhotosToAnimations
from ssagan_tf.photo_jobs import Job
from ssagan_tf.pixels import ClipGenerator
from ssagan_tf.progress import Progress
from ssagan_tf.video import PathLike

MAX_PIXELS = photo_jobs.PIXELS_4K
"""Larger photos are reduced."""
MAX_SIDE = 4096  # pixels; few players show more
_FRAMES_AHEAD = 2  # frames that are computed while others are written


class _ClipError(DataError):
    """The clip generator failed, and would fail for the next photo as well."""


@dataclasses.dataclass(frozen=True)
class AnimationJobs:
    """Photos to animate.

    Attributes:
      options: Settings of all of them.
      jobs: All photos, the unusable ones included.
      mask: What moves in each photo, `[h, w]` uint8; None finds the sky and water of each.
      unusable: Error messages by photo, of those that cannot be used.
    """

    options: PhotosToAnimations
    jobs: Sequence[Job]
    mask: np.ndarray | None
    unusable: Mapping[str, str]

    def run(self, make_clips: ClipGenerator, side: int, generator_name: str) -> None:
        """Makes the videos. A photo that fails does not stop the others.

        Args:
          make_clips: Makes the clips.
          side: Height and width S of the photos that it takes.
          generator_name: What it is called in the first line of output.

        Raises:
          DataError: Some videos could not be made; says which ones and why. If no clip can be
            made of a photo, the remaining photos are not tried.
        """

        def make_clips_or_stop(photos: np.ndarray) -> np.ndarray:
            try:
                return make_clips(photos)
            except DataError as error:
                raise _ClipError(str(error)) from error

        jobs, failed, number = self.jobs, dict(self.unusable), number_of_frames(self.options)
        print(f"{len(jobs)} photo(s), {number} frames each, model: {generator_name}", flush=True)
        with Progress("animate", len(jobs) * number) as progress:
            for position, job in enumerate(jobs, 1):
                summary = None
                if job.photo not in failed:
                    try:
                        summary = _run_job(
                            job, make_clips_or_stop, side, self.options, self.mask, progress
                        )
                    except _ClipError:
                        raise
                    except NothingMovesError as error:
                        advice = "; mark what moves with --mask=FILE" if error.mask_helps else ""
                        failed[job.photo] = (
                            f"{job.photo}: nothing would move: {error.reason}{advice}"
                        )
                    except DataError as error:
                        failed[job.photo] = str(error)
                progress.update("animate", position * number, len(jobs) * number)
                if summary:
                    progress.print(summary)
        if failed:
            raise _failure(jobs, failed)


def plan_animations(options: PhotosToAnimations) -> AnimationJobs:
    """Checks settings and files before the work begins.

    Raises:
      OptionError: A setting is missing or invalid, or settings contradict each other.
      DataError: The mask cannot be read, or no photo can be used.
    """
    jobs = photo_jobs.plan_jobs(options)
    number_of_frames(options)
    outputs = _outputs(options, jobs)
    if options.mask:
        photo_jobs.refuse_to_overwrite([options.mask], "mask", *outputs)
    mask = read_mask(options.mask) if options.mask else None
    unusable = {}
    for job in jobs:
        try:
            job.check()
        except DataError as error:
            unusable[job.photo] = str(error)
    if len(unusable) == len(jobs):
        raise _failure(jobs, unusable)
    return AnimationJobs(options, jobs, mask, unusable)


def _outputs(options: PhotosToAnimations, jobs: Sequence[Job]) -> list[PathLike]:
    """Returns all paths that will be written, after checking the settings about them."""
    if options.repeat > 1 and (endless := [job.format for job in jobs if job.plays_forever]):
        raise OptionError("repeat", options.repeat, f"a {endless[0]} file repeats forever anyway")
    if options.save_motion and len(jobs) > 1:
        raise OptionError(
            "save_motion", options.save_motion, f"is one file, but there are {len(jobs)} photos"
        )
    outputs = [job.path for job in jobs]
    if options.save_motion:
        photo_jobs.refuse_to_overwrite(
            [job.photo for job in jobs], "save_motion", options.save_motion
        )
        if Path(options.save_motion).is_dir():
            raise OptionError("save_motion", options.save_motion, "is a directory")
        outputs.append(options.save_motion)
    return outputs


def read_mask(path: PathLike) -> np.ndarray:
    """Reads a mask from an image file, `[h, w]` uint8.

    Raises:
      UnreadableError: It cannot be read.
    """
    return cv2.cvtColor(video.read_reduced(path, MAX_PIXELS)[0], cv2.COLOR_RGB2GRAY)


def read_photo(path: PathLike) -> tuple[np.ndarray, tuple[int, int]]:
    """Reads a photo at the size at which it is animated.

    Returns:
      `[H, W, 3]` uint8; height and width of the photo in its file.

    Raises:
      UnreadableError: It cannot be read.
    """
    photo, size = video.read_reduced(path, MAX_PIXELS)
    return limit_size(photo), size


def limit_size(photo: np.ndarray) -> np.ndarray:
    """Reduces a photo to at most `MAX_PIXELS` and `MAX_SIDE`."""
    height, width = photo.shape[:2]
    scale = min(1.0, (MAX_PIXELS / (height * width)) ** 0.5, MAX_SIDE / max(height, width))
    if scale == 1:
        return photo
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def _failure(jobs: Sequence[Job], failed: Mapping[str, str]) -> DataError:
    """Returns the error that reports photos that failed."""
    reasons = "; ".join(failed[job.photo] for job in jobs if job.photo in failed)
    count = f"{len(failed)} of {len(jobs)} photos failed: " if len(jobs) > 1 else ""
    return DataError(count + reasons)


def _run_job(
    job: Job,
    make_clips: ClipGenerator,
    side: int,
    options: PhotosToAnimations,
    mask: np.ndarray | None,
    progress: Progress,
) -> str:
    """Makes one video and returns a line about it."""
    photo, (height, width) = read_photo(job.photo)
    size = f"{photo.shape[1]}×{photo.shape[0]}"
    if photo.shape[:2] != (height, width):
        progress.print(f"{job.photo}: reduced from {width}×{height} to {size} (the limit is 4K)")
    if mask is not None:
        try:
            check_mask(mask, photo)
        except ValueError as error:
            raise DataError(f"mask {options.mask} does not fit {job.photo}: {error}") from error
    animation = make_animation(photo, make_clips, side, options, mask)
    write_animation(animation, job, options.repeat, progress.advance)
    if options.save_motion:
        video.write_flow(options.save_motion, animation.velocities)
    return f"{job.path}: {size}, {options.repeat * options.seconds:g} s"


def write_animation(
    animation: Animation, job: Job, repeat: int = 1, advance: Callable[[int], None] | None = None
) -> None:
    """Writes an animation.

    Args:
      animation: What to write.
      job: Path and format.
      repeat: As in `Job.write`.
      advance: Called with the number of further frames that are finished. An exception that it
        raises stops the work and leaves no file.

    Raises:
      DataError: It cannot be written.
    """
    # A GIF or WebP has all frames; in other formats, repeated frames are copies of encoded ones.
    repeats = 1 if job.plays_forever else animation.repeats
    distinct = number_of_frames(animation.options) // repeats
    frames = _computed_ahead(itertools.islice(animation.frames(), distinct))
    if advance is not None:
        frames = _counted(frames, repeats, advance)
    job.write(frames, animation.options.fps, repeats * repeat)


def _computed_ahead(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the frames; while one is used, a thread computes the next ones."""
    source = iter(frames)
    with ThreadPoolExecutor(1) as thread:
        pending = deque(thread.submit(next, source, None) for _ in range(_FRAMES_AHEAD))
        while (frame := pending.popleft().result()) is not None:
            pending.append(thread.submit(next, source, None))
            yield frame


def _counted(
    frames: Iterable[np.ndarray], weight: int, advance: Callable[[int], None]
) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame
        advance(weight)
