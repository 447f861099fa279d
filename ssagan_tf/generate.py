"""`python -m ssagan_tf.generate`: generates time-lapse videos from photos."""

from __future__ import annotations

from ssagan_tf import box, cli, photo_jobs
from ssagan_tf.options import FRAMES, ComputeOptions, GenerateOptions
from ssagan_tf.pixels import on_pixels
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source

ABOUT = """
Generates a 32-frame time-lapse of each photo with the bundled model, or with the generator of a run
(--run_dir) or of a file (--model). Photos may have any size; the videos keep their aspect ratio.
"""


def generate(options: GenerateOptions, compute: ComputeOptions) -> None:
    """Writes the videos of all photos, or nothing if a photo cannot be read.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: A photo or the generator cannot be read, or a video cannot be written.
    """
    jobs = photo_jobs.plan_jobs(options)
    source = generator_source.find(options, otherwise=box.BOX)
    for job in jobs:
        job.check()  # unless all photos can be read, nothing is written

    load_tensorflow()
    generator = source.load(compute)
    fit, side = source.how(options.fit), generator.options.resolution
    print(
        f"{len(jobs)} photo(s), {fit} to {side}×{side}, {FRAMES} frames each, model: {source.name}",
        flush=True,
    )
    photo_jobs.run_jobs(jobs, on_pixels(generator), side, fit, options.fps)


def main() -> None:
    cli.run("generate", ABOUT, [GenerateOptions, ComputeOptions], generate)


if __name__ == "__main__":
    main()
