"""Photo files in, video files out, with any clip generator: Keras, ONNX Runtime or a server.

Needs neither TensorFlow nor Keras.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ssagan_tf import user_paths, video
from ssagan_tf.files import check_new_folder
from ssagan_tf.options import OptionError, PhotosToVideos, require
from ssagan_tf.pixels import ClipGenerator
from ssagan_tf.progress import Progress
from ssagan_tf.safe_names import shown

BATCH_SIZE = 4
PIXELS_4K = 3840 * 2160
"""Photos of many more pixels are reduced when they are read, but never below this."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A photo, and the path and format of its video.

    Attributes:
      photo: Path of the photo.
      path: Path of the video; a folder if the format is `frames`.
      format: One of the values of `--format` except `auto`.
    """

    photo: str
    path: Path
    format: str

    @property
    def plays_forever(self) -> bool:
        """Whether players repeat a file of this format by themselves."""
        return self.format != "frames" and video.FORMATS[f".{self.format}"].plays_forever

    def check(self) -> None:
        """Raises DataError if the photo cannot be read or the video cannot be written."""
        if self.format == "frames":
            check_new_folder(self.path)
        else:
            video.check_encoder(self.path)
        video.read_reduced(self.photo, PIXELS_4K)

    def write_clip(self, clip: np.ndarray, size: tuple[int, int], fit: str, fps: float) -> None:
        """Writes a square clip in the aspect of its photo.

        Args:
          clip: `[T, S, S, 3]` uint8.
          size: Height and width of the photo.
          fit: How the photo was made square (`video.fit`).
          fps: Frames per second.

        Raises:
          DataError: It cannot be written.
        """
        self.write(video.unfit(clip, size, fit), fps)

    def write(self, frames: Iterable[np.ndarray], fps: float, repeat: int = 1) -> None:
        """Writes frames, `[H, W, 3]` uint8 each; see `video.write_video`.

        Raises:
          DataError: They cannot be written.
        """
        if self.format == "frames":
            video.write_frames(self.path, frames, repeat)
        else:
            video.write_video(self.path, frames, fps, repeat)


def plan_jobs(options: PhotosToVideos) -> list[Job]:
    """Derives the jobs from the settings; no photo is read yet.

    Raises:
      OptionError: A setting is missing or invalid.
    """
    require(options, "image", "output")
    photos = list(itertools.chain.from_iterable(map(user_paths.expand_pattern, options.image)))
    targets = _targets(options, photos)
    refuse_to_overwrite(photos, "output", *(path for path, _ in targets))
    return [Job(photo, *target) for photo, target in zip(photos, targets, strict=True)]


def refuse_to_overwrite(inputs: Iterable[str], setting: str, *outputs: str | Path) -> None:
    """Raises OptionError about `setting` if an output is one of the input files."""
    input_paths = {os.path.realpath(name) for name in inputs}
    for output in outputs:
        if os.path.realpath(output) in input_paths:
            raise OptionError(setting, output, "is also an input and would be overwritten")


def _targets(options: PhotosToVideos, photos: Sequence[str]) -> list[tuple[Path, str]]:
    """Returns the path and the format of each photo's video."""
    output = Path(options.output)
    suffix = output.suffix.lower()
    if suffix in video.SUFFIXES:
        file_format = suffix.removeprefix(".")
        if options.format not in ("auto", file_format):
            raise OptionError(
                "format", options.format, f"contradicts the suffix of --output={output}"
            )
        if len(photos) > 1:
            raise OptionError(
                "output",
                output,
                f"is one file, but there are {len(photos)} photos; give a directory and "
                f"--format={file_format}",
            )
        return [(output, file_format)]
    if suffix and not output.is_dir():
        raise OptionError(
            "output", output, f"must end in {', '.join(video.SUFFIXES)}, or be a directory"
        )
    file_format = "frames" if options.format == "auto" else options.format
    if file_format == "frames" and len(photos) == 1:
        return [(output, file_format)]
    names = [_name(Path(path)) for path in photos]
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(
            "image",
            ",".join(options.image),
            f"several photos would be written to {output / duplicates[0]}",
        )
    suffix = "" if file_format == "frames" else f".{file_format}"
    return [(output / f"{name}{suffix}", file_format) for name in names]


def _name(photo: Path) -> str:
    """Returns the name of a photo's video, which never leads out of the folder (`...jpg`)."""
    for name in (photo.stem, photo.name):
        if name.strip("."):
            return name
    raise OptionError("image", photo, f"{shown(photo)} is not the name of a photo")


def run_jobs(
    jobs: Sequence[Job],
    make_clips: ClipGenerator,
    side: int,
    fit: str,
    fps: float,
    description: str = "generate",
) -> None:
    """Makes the clips of all photos, a few at a time, and writes them.

    Args:
      jobs: Photos and targets.
      make_clips: Makes the clips.
      side: Height and width S of the photos that it takes.
      fit: How photos are made square (`video.fit`).
      fps: Frames per second.
      description: Name of the work on the progress bar.

    Raises:
      DataError: A photo cannot be read, or a video cannot be written.
    """
    with Progress(description, len(jobs)) as progress:
        for first in range(0, len(jobs), BATCH_SIZE):
            batch = jobs[first : first + BATCH_SIZE]
            photos = [video.read_reduced(job.photo, PIXELS_4K) for job in batch]
            clips = make_clips(np.stack([video.fit(image, side, fit) for image, _ in photos]))
            for job, (_, size), clip in zip(batch, photos, clips, strict=True):
                job.write_clip(clip, size, fit, fps)
                progress.advance(note=str(job.path))
