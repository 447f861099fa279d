"""`python -m export.serving.animate`: photos that move, by clips that a server makes."""

from __future__ import annotations

import numpy as np

from ssagan_tf import animation, cli, video
from ssagan_tf.options import require

from ..options import ServingAnimateOptions
from .remote_generator import Clips

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
    work = animation.plan(options)
    clips = Clips(options)

    def clips_of(photos: np.ndarray) -> np.ndarray:
        return np.stack(clips.of([video.encode_png(photo) for photo in photos]))

    work.make(clips_of, SIDE, f"{options.name} at {options.server}")


def main() -> None:
    cli.run("animate", ABOUT, [ServingAnimateOptions], animate, package=__package__)


if __name__ == "__main__":
    main()
