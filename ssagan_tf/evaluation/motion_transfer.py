"""What a generator is worth as a motion: its photos, moved by what its clips say of motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.evaluation.systems import Generator
from ssagan_tf.motion import transfer
from ssagan_tf.motion.transfer import NothingMovesError
from ssagan_tf.options import FRAMES, MotionOptions
from ssagan_tf.pixels import to_float, to_uint8

SUFFIX, LOOP_SUFFIX = "_transfer", "_loop"
"""Of the names of these rows, after that of the generator."""
_LOOP_RATE = FRAMES / MotionOptions().seconds  # frames a second: as many as a clip has in all


class Transfer:
    """A row of photos that move as a generator's clips do, at the photos' size.

    It is what `animate` makes of the photo. Where nothing would move, the photo stands still.

    Args:
      generator: Whose clips, at its own size.
      loop: Frames of the endless loop of `animate`'s length, for measures of loops, instead of a
        frame of the clip each.

    Attributes:
      still: Why nothing moves, by position, for the clips that stand still.
    """

    def __init__(self, generator: Generator, *, loop: bool = False):
        self._generator, self._loop = generator, loop
        self.name = generator.name + (LOOP_SUFFIX if loop else SUFFIX)
        self.about = f"the input, moved by the motion of {generator.name}'s clip"
        if loop:
            self.about += f"; an endless loop, {_LOOP_RATE:g} frames a second, for seam and pumping"
        self.still: dict[int, str] = {}

    @property
    def needs_whole_batches(self) -> bool:
        """As the generator does."""
        return self._generator.needs_whole_batches

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        guides = to_uint8(self._generator.own_clips(positions, real))
        photos = real[:, 0]
        return np.stack(
            [to_float(self._moved(*each)) for each in zip(positions, photos, guides, strict=True)]
        )

    def _moved(self, position: int, photo: np.ndarray, guide: np.ndarray) -> np.ndarray:
        try:
            motion = transfer.estimate_motion(guide, photo)
        except NothingMovesError as nothing:
            self.still[position] = str(nothing)
            return np.broadcast_to(photo, (FRAMES, *photo.shape))
        frames = transfer.render_frames(photo, motion, FRAMES, loop=self._loop, fps=_LOOP_RATE)
        return np.stack(list(frames))
