"""`python -m ssagan_tf.animate`: photos that move, at their own size."""

from __future__ import annotations

from ssagan_tf import animation, box, cli
from ssagan_tf.options import AnimateOptions, ComputeOptions
from ssagan_tf.pixels import on_pixels
from ssagan_tf.startup import load_tensorflow
from ssagan_tf.training import generator_source

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
    origin = generator_source.find(options, otherwise=box.BOX)
    work = animation.plan(options)

    load_tensorflow()
    generator = origin.load(compute)
    work.make(on_pixels(generator), generator.options.resolution, origin.name)


def main() -> None:
    cli.run("animate", ABOUT, [AnimateOptions, ComputeOptions], animate_photos)


if __name__ == "__main__":
    main()
