"""`python -m export.serving.animate`: photos that move, by clips that a server makes."""

from __future__ import annotations

import numpy as np

from export.options import ServingAnimateOptions
from export.serving.remote_generator import Clips
from ssagan_tf import animation_jobs, cli, video
from ssagan_tf.options import require

ABOUT = """
Makes the sky of each photo move, at the photo's own size: what ssagan_tf.animate does, by clips of
TensorFlow Serving, which has a model of export.to_saved_model. A small copy of the photo is sent.
A SavedModel is a program, which may read and write files: load only your own.
"""
SIDE = 512
"""Of the square copies that are sent, which the server brings to its network's size: squares, so
that it neither crops them nor adds bars, whatever it does with others."""


def animate(options: ServingAnimateOptions) -> None:
    """Writes the videos of all photos that can be used.

    Raises:
      OptionError: A setting is missing or impossible.
      DataError: The server gives no clip; or some photos cannot be read, nothing would move in
        them, or their videos cannot be written.
    """
    require(options, "server")
    jobs = animation_jobs.plan_animations(options)
    clips = Clips(options)

    def make_clips(photos: np.ndarray) -> np.ndarray:
        return np.stack(clips.of([video.encode_png(photo) for photo in photos]))

    jobs.run(make_clips, SIDE, f"{options.name} at {options.server}")


def main() -> None:
    cli.run("animate", ABOUT, [ServingAnimateOptions], animate, package="export.serving")


if __name__ == "__main__":
    main()
