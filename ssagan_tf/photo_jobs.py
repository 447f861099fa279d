"""Photos in, videos out, whatever makes the clips: Keras, ONNX Runtime or a server.

Needs neither TensorFlow nor Keras.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import user_paths, video
from ssagan_tf.files import check_new_folder
from ssagan_tf.options import OptionError, PhotosToVideos, require
from ssagan_tf.progress import Progress
from ssagan_tf.safe_names import shown

PHOTOS_AT_ONCE = 4
MIN_PIXELS = 3840 * 2160
"""Pixels of a photo that are read at least: 4K. JPEGs of many more are reduced while decoded."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A photo, and where its video goes, as what."""

    photo: str
    path: Path
    format: str

    def check(self) -> None:
        """Raises DataError if the video cannot be written there, or there is no photo."""
        if self.format == "frames":
            check_new_folder(self.path)
        else:
            video.check_encoder(self.path)
        video.read_reduced(self.photo, MIN_PIXELS)

    def write(self, clip: np.ndarray, size: tuple[int, int], how: str, fps: float) -> None:
        """Writes a clip, uint8 `[T, S, S, 3]`, in the aspect of its photo of `size`.

        Raises:
          DataError: It cannot be written.
        """
        self.save(video.unfit(clip, size, how), fps)

    def save(self, frames: Iterable[np.ndarray], fps: float, repeat: int = 1) -> None:
        """Writes frames `[H, W, 3]` uint8, one after the other; see `video.write_video`.

        Raises:
          DataError: They cannot be written.
        """
        if self.format == "frames":
            video.write_frames(self.path, frames, repeat)
        else:
            video.write_video(self.path, frames, fps, repeat)


def plan_jobs(options: PhotosToVideos) -> list[Job]:
    """What is to be done, by the settings alone.

    Raises:
      OptionError: A setting is missing or impossible.
    """
    require(options, "image", "output")
    photos = list(itertools.chain.from_iterable(map(user_paths.expand_pattern, options.image)))
    targets = _targets(options, photos)
    refuse_to_overwrite(photos, "output", *(path for path, _ in targets))
    return [Job(photo, *target) for photo, target in zip(photos, targets, strict=True)]


def refuse_to_overwrite(inputs: Iterable[str], setting: str, *outputs: str | Path) -> None:
    """Raises OptionError if what is to be written would replace what is read."""
    read = {os.path.realpath(name) for name in inputs}
    for output in outputs:
        if os.path.realpath(output) in read:
            raise OptionError(setting, output, "is read, too, and would be replaced; name another")


def _targets(options: PhotosToVideos, photos: Sequence[str]) -> list[tuple[Path, str]]:
    """Path and format of each photo's video."""
    output = Path(options.output)
    ending = output.suffix.lower().removeprefix(".")
    if output.suffix.lower() in video.ENDINGS:
        if options.format not in ("auto", ending):
            raise OptionError("format", options.format, f"--output={output} ends otherwise")
        if len(photos) > 1:
            raise OptionError(
                "output",
                output,
                f"is one file, but there are {len(photos)} photos; name "
                f"a folder and --format={ending}",
            )
        return [(output, ending)]
    if output.suffix and not output.is_dir():
        raise OptionError(
            "output", output, f"must end in {', '.join(video.ENDINGS)}, or be a folder"
        )
    kind = "frames" if options.format == "auto" else options.format
    if kind == "frames" and len(photos) == 1:
        return [(output, kind)]
    names = [_name(Path(path)) for path in photos]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(
            "image",
            ",".join(options.image),
            f"several photos would be named {twice[0]} in {output}",
        )
    suffix = "" if kind == "frames" else f".{kind}"
    return [(output / f"{name}{suffix}", kind) for name in names]


def _name(photo: Path) -> str:
    """What a photo's video is called: no name of a photo, such as `...jpg`, leads elsewhere."""
    for name in (photo.stem, photo.name):
        if name.strip("."):
            return name
    raise OptionError("image", photo, f"{shown(photo)} is the name of no photo")


def run_jobs(
    jobs: Sequence[Job],
    make_clips: Callable[[np.ndarray], np.ndarray],
    side: int,
    how: str,
    fps: float,
    what: str = "generate",
) -> None:
    """Fits the photos, a few at once, makes their clips and writes them.

    Args:
      jobs: What to make.
      make_clips: Square photos, uint8 `[B, S, S, 3]` → clips, uint8 `[B, T, S, S, 3]`.
      side: S.
      how: How photos are made square (`video.fit`).
      fps: Frames per second.
      what: The work, as the progress calls it.

    Raises:
      DataError: A photo cannot be read, or a video not be written.
    """
    with Progress(what, len(jobs)) as progress:
        for first in range(0, len(jobs), PHOTOS_AT_ONCE):
            some = jobs[first : first + PHOTOS_AT_ONCE]
            photos = [video.read_reduced(job.photo, MIN_PIXELS) for job in some]
            clips = make_clips(np.stack([video.fit(image, side, how) for image, _ in photos]))
            for job, (_, size), clip in zip(some, photos, clips, strict=True):
                job.write(clip, size, how, fps)
                progress.advance(note=str(job.path))
