"""Photos moved by the motion of a generator's clips, as `animate` does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.evaluation.systems import Generator
from ssagan_tf.motion import transfer
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import FRAMES, MotionOptions
from ssagan_tf.pixels import to_float, to_uint8

SUFFIX, LOOP_SUFFIX = "_transfer", "_loop"
"""Appended to the generator's name in the names of these rows."""
_LOOP_FPS = FRAMES / MotionOptions().seconds  # a loop has as many frames as a clip


class Transfer:
    """A row of photos that move as a generator's clips do, at the photos' size.

    This is what `animate` makes of the photo. Where nothing would move, the photo stands still.

    Args:
      generator: Makes the clips, at its own size.
      loop: Whether to take 32 frames of an endless loop of `animate`'s length, for the metrics of
        loops, instead of one frame for each of the clip's.

    Attributes:
      still: Why nothing moves, by position, for the clips that stand still.
    """

    def __init__(self, generator: Generator, *, loop: bool = False):
        self._generator, self._loop = generator, loop
        self.name = generator.name + (LOOP_SUFFIX if loop else SUFFIX)
        self.description = f"the input, moved by the motion of {generator.name}'s clip"
        if loop:
            self.description += f"; an endless loop at {_LOOP_FPS:g} frames per second"
        self.still: dict[int, str] = {}

    @property
    def needs_whole_batches(self) -> bool:
        """Whether the generator does."""
        return self._generator.needs_whole_batches

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        guides = to_uint8(self._generator.clips_at_own_size(positions, real))
        photos = real[:, 0]
        return np.stack(
            [to_float(self._moved(*each)) for each in zip(positions, photos, guides, strict=True)]
        )

    def _moved(self, position: int, photo: np.ndarray, guide: np.ndarray) -> np.ndarray:
        try:
            motion = transfer.estimate_motion(guide, photo)
        except NothingMovesError as error:
            self.still[position] = str(error)
            return np.broadcast_to(photo, (FRAMES, *photo.shape))
        frames = transfer.render_frames(photo, motion, FRAMES, loop=self._loop, fps=_LOOP_FPS)
        return np.stack(list(frames))
