"""`python -m ssagan_tf.generate`: videos from photos."""

from __future__ import annotations

from ssagan_tf import box, cli, photo_jobs
from ssagan_tf.options import FRAMES, ComputeOptions, GenerateOptions
from ssagan_tf.pixels import on_pixels
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source

ABOUT = """
Makes a 32-frame time-lapse of each photo, with the generator that comes with the package, or that
of a run (--run_dir) or of a file (--model). Photos may be of any size; videos have their aspect.
"""


def generate(options: GenerateOptions, compute: ComputeOptions) -> None:
    """Writes the videos of all photos, or nothing if a photo cannot be read.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: A photo or the generator cannot be read, or an output not be written.
    """
    jobs = photo_jobs.plan_jobs(options)
    origin = generator_source.find(options, otherwise=box.BOX)
    for job in jobs:
        job.check()  # all photos can be read, or nothing is written

    load_tensorflow()
    generator = origin.load(compute)
    how, side = origin.how(options.fit), generator.options.resolution
    print(
        f"{len(jobs)} photo(s), {how} to {side}×{side}, {FRAMES} frames each, by {origin.name}",
        flush=True,
    )
    photo_jobs.run_jobs(jobs, on_pixels(generator), side, how, options.fps)


def main() -> None:
    cli.run("generate", ABOUT, [GenerateOptions, ComputeOptions], generate)


if __name__ == "__main__":
    main()
