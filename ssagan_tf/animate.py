"""`python -m ssagan_tf.animate`: photos that move, at their own size."""

from __future__ import annotations

from ssagan_tf import animation, box, program, timelapse
from ssagan_tf.errors import DataError
from ssagan_tf.options import AnimateOptions, ComputeOptions
from ssagan_tf.pixels import on_pixels
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import source

ABOUT = """
Makes the sky of each photo move, at the photo's own size and as sharp as it: an endless loop, or
with --noloop a video. The generator that comes with the package, or another one (--run_dir or
--model), makes a small clip; its motion moves the photo. What isn't sky or water stands still.
"""


def animate_photos(options: AnimateOptions, compute: ComputeOptions) -> None:
    """Writes the videos of all photos that can be used.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: The generator cannot be read; or some photos cannot, nothing would move in them, or
        their videos cannot be written.
    """
    jobs = timelapse.plan(options)
    mask = animation.plan(options, jobs)
    origin = source.find(options, otherwise=box.BOX)
    failed = {}
    for job in jobs:
        try:
            job.check()
        except DataError as error:
            failed[job.photo] = str(error)
    if len(failed) == len(jobs):
        raise animation.failure(jobs, failed)

    load_tensorflow()
    generator = origin.load(compute)
    side, number = generator.options.resolution, animation.number_of_frames(options)
    print(f"{len(jobs)} photo(s), {number} frames each, moved by {origin.name}", flush=True)
    animation.make(jobs, on_pixels(generator), side, options, mask, failed)


def main() -> None:
    program.run("animate", ABOUT, [AnimateOptions, ComputeOptions], animate_photos)


if __name__ == "__main__":
    main()
