"""`python -m ssagan_tf.generate`: videos from photos."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ssagan_tf import program, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, ComputeOptions, GenerateOptions, OptionError, require
from ssagan_tf.progress import Progress
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training.run import open_run

ABOUT = """
Makes a 32-frame time-lapse of each photo, with the generator of a run (--run_dir) or of a file
(--model). Photos may be of any size; videos have their aspect.
"""

PHOTOS_AT_ONCE = 4
WRITERS: dict[str, Callable[..., None]] = {
    "mp4": video.write_mp4,
    "gif": video.write_gif,
    "frames": lambda path, frames, fps: video.write_frames(path, frames),
}


@dataclasses.dataclass(frozen=True)
class Target:
    """Where the video of a photo goes, and as what."""

    path: Path
    format: str

    def check_free(self) -> None:
        """Raises DataError if writing there would mix with what is there."""
        if self.format == "frames" and self.path.is_dir() and any(self.path.iterdir()):
            raise DataError(f"the folder {self.path} holds something already; name another")


def generate(options: GenerateOptions, compute: ComputeOptions) -> None:
    """Writes the videos of all photos, or nothing if a photo cannot be read.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: A photo or the generator cannot be read, or an output not be written.
    """
    require(options, "image", "output")
    photos = _photos(options)
    targets = _targets(options, photos)
    if bool(options.run_dir) == bool(options.model):
        raise OptionError("run_dir", options.run_dir, "give either --run_dir or --model")
    run = open_run(options.run_dir) if options.run_dir else None
    for target in targets:
        target.check_free()
    for photo in photos:
        video.read_image(photo)  # all can be read, or nothing is written

    load_tensorflow()
    from ssagan_tf.models.saved import load_generator
    from ssagan_tf.pixels import to_float, to_uint8
    from ssagan_tf.training import checkpoint

    if run is None:
        generator = load_generator(Path(options.model), compute)
    else:
        generator = checkpoint.load_generator(run, compute)
    how = options.fit
    if how == "auto":
        how = "stretch" if run is None else run.data.fit
    side = generator.options.resolution
    print(f"{len(photos)} photo(s), {how} to {side}×{side}, {FRAMES} frames each", flush=True)

    with Progress("generate", len(photos)) as progress:
        for first in range(0, len(photos), PHOTOS_AT_ONCE):
            some = slice(first, first + PHOTOS_AT_ONCE)
            images = [video.read_image(photo) for photo in photos[some]]
            fitted = np.stack([video.fit(image, side, how) for image in images])
            clips = to_uint8(generator(to_float(fitted), training=False))
            for image, clip, target in zip(images, clips, targets[some], strict=True):
                frames = video.unfit(clip, image.shape[:2], how)
                WRITERS[target.format](target.path, frames, fps=options.fps)
                progress.advance(note=str(target.path))


def _photos(options: GenerateOptions) -> list[str]:
    photos: list[str] = []
    for name in options.image:
        is_pattern = not Path(name).exists() and glob.has_magic(name)
        photos += (is_pattern and sorted(glob.glob(name))) or [name]
    return photos


def _targets(options: GenerateOptions, photos: list[str]) -> list[Target]:
    output = Path(options.output)
    ending = output.suffix.lower().removeprefix(".")
    if ending in ("mp4", "gif"):
        if options.format not in ("auto", ending):
            raise OptionError("format", options.format, f"--output={output} ends otherwise")
        if len(photos) > 1:
            raise OptionError(
                "output",
                output,
                f"is one file, but there are {len(photos)} photos; name "
                f"a folder and --format={ending}",
            )
        return [Target(output, ending)]
    if output.suffix and not output.is_dir():
        raise OptionError("output", output, "must end in .mp4 or .gif, or be a folder")
    kind = "frames" if options.format == "auto" else options.format
    if kind == "frames" and len(photos) == 1:
        return [Target(output, kind)]
    names = [Path(path).stem for path in photos]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(
            "image",
            ",".join(options.image),
            f"several photos would be named {twice[0]} in {output}",
        )
    suffix = "" if kind == "frames" else f".{kind}"
    return [Target(output / f"{name}{suffix}", kind) for name in names]


def main() -> None:
    program.run("generate", ABOUT, [GenerateOptions, ComputeOptions], generate)


if __name__ == "__main__":
    main()
