"""`serving.animate`: moving photos from the clips of a server."""

from __future__ import annotations

import numpy as np

from ssagan_tf import animation_jobs, cli, video
from ssagan_tf.options import require

from ..options import ServingAnimateOptions
from .remote_generator import RemoteGenerator

ABOUT = """
Makes the sky of each photo move, at the photo's full size. Like animate, but the clips come from
TensorFlow Serving with a model written by to_saved_model, which gets a small copy of each photo.
A SavedModel is a program, which can read and write files: load only your own.
"""
SIDE = 512
"""Size of the copies that are sent, which the server scales to the size of its network. They are
square so that a server that crops or letterboxes photos does not do so to them."""


def animate(options: ServingAnimateOptions) -> None:
    """Writes a video for each photo, skipping photos that fail.

    Raises:
      OptionError: A setting is missing or invalid.
      DataError: The server returns no clip. Also, once the others are written, if photos cannot be
        read, have nothing that could move, or their videos cannot be written.
    """
    require(options, "server")
    jobs = animation_jobs.plan_animations(options)
    generator = RemoteGenerator(options)

    def make_clips(photos: np.ndarray) -> np.ndarray:
        return np.stack(generator.clips([video.encode_png(photo) for photo in photos]))

    jobs.run(make_clips, SIDE, f"{options.name} at {options.server}")


def main() -> None:
    cli.run("animate", ABOUT, [ServingAnimateOptions], animate, package=__package__)


if __name__ == "__main__":
    main()
