"""`python -m ssagan_tf.animate`: makes the skies of photos move, at the photos' own size."""

from __future__ import annotations

from ssagan_tf import box, cli
from ssagan_tf.options import AnimateOptions, ComputeOptions
from ssagan_tf.startup import load_tensorflow

ABOUT = """
Makes the sky of each photo move, at the photo's own size and sharpness: as an endless loop, or with
--noloop as a video that drifts on. A generator (the bundled model, or --run_dir or --model) makes a
small clip of the photo, whose motion is then applied to the photo. Everything but sky and water
stands still.
"""


def animate_photos(options: AnimateOptions, compute: ComputeOptions) -> None:
    """Writes the videos of all usable photos.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: The generator cannot be read; or some photos cannot be read, nothing would move in
        them, or their videos cannot be written.
    """
    from ssagan_tf import animation_jobs
    from ssagan_tf.pixels import on_pixels
    from ssagan_tf.training import generator_source

    source = generator_source.find(options, otherwise=box.BOX)
    jobs = animation_jobs.plan_animations(options)

    load_tensorflow()
    generator = source.load(compute)
    jobs.run(on_pixels(generator), generator.options.resolution, source.name)


def main() -> None:
    cli.run("animate", ABOUT, [AnimateOptions, ComputeOptions], animate_photos)


if __name__ == "__main__":
    main()
