"""Changes of training clips that leave a sky a sky: the same for all frames of a clip.

What is drawn is a function of the run's seed and the clip's position in the run, like the flips.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from ssagan_tf.data import seeds
from ssagan_tf.options import FRAMES, TrainOptions


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is done to clips; without arguments, nothing. See the settings of the same names."""

    flip: bool = False
    canonical_motion: str = "off"
    canonical_threshold: float = TrainOptions.canonical_threshold
    zoom: float = 0.0
    slow_motion: float = 0.0
    colour: float = 0.0

    @classmethod
    def of(cls, options: TrainOptions) -> Augmentation:
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(options, name) for name in names})

    def takes(self, drift: float | tf.Tensor) -> bool | tf.Tensor:
        """Whether a clip that drifts so (`info.Shard`) is used at all."""
        return self.canonical_motion != "drop" or abs(drift) >= self.canonical_threshold

    def mirrors(self, drift: float | tf.Tensor, drawn: float | tf.Tensor) -> bool | tf.Tensor:
        """Whether a clip that drifts so is mirrored; a number drawn in [0, 1) where either will do.

        A clip that drifts neither way by the threshold may be shown both ways.
        """
        if self.canonical_motion == "off":
            return self.flip and drawn < 0.5
        return tf.where(abs(drift) >= self.canonical_threshold, drift < 0, drawn < 0.5)

    def apply(
        self, clip: tf.Tensor, base: int, index: tf.Tensor, drift: float | tf.Tensor = 0.0
    ) -> tf.Tensor:
        """Changes a clip.

        Args:
          clip: `[32, H, W, 3]` uint8.
          base: Seed of the run.
          index: Position of the clip in the run.
          drift: Of the clip as it is.

        Returns:
          Of the same shape and type.
        """

        def drawn(use: int, *shape: int) -> tf.Tensor:
            return tf.random.stateless_uniform(shape, seeds.seed(base, use, index))

        if self.zoom or self.slow_motion or self.colour:
            values = tf.cast(clip, tf.float32)
            if self.slow_motion:
                values = slowed(values, self.slow_motion, drawn(seeds.SLOW_MOTION, 2))
            if self.zoom:
                values = zoomed(values, self.zoom, drawn(seeds.ZOOM, 3))
            if self.colour:
                values = coloured(values, self.colour, drawn(seeds.COLOUR, 5))
            clip = tf.saturate_cast(tf.round(values), tf.uint8)
        if self.flip or self.canonical_motion != "off":
            mirrored = self.mirrors(drift, drawn(seeds.FLIPS))
            clip = tf.cond(mirrored, lambda: tf.reverse(clip, [2]), lambda: clip)
        return clip


NOTHING = Augmentation()


def slowed(clip: tf.Tensor, most: float, drawn: tf.Tensor) -> tf.Tensor:
    """Plays a part of a clip in the time of the whole, frames in between blended.

    Args:
      clip: `[32, H, W, 3]` float.
      most: The share of its pace that a clip loses at most, below 1.
      drawn: Two numbers in [0, 1): how much, and where it begins, at a whole frame, so that the
        first one stays sharp.

    Returns:
      Of the same shape; motion is 1 − most to 1 times what it was.
    """
    pace = 1 - most * drawn[0]
    room = (FRAMES - 1) * (1 - pace)
    start = tf.floor(drawn[1] * (tf.floor(room) + 1))
    times = start + pace * tf.range(FRAMES, dtype=tf.float32)
    times = tf.minimum(times, FRAMES - 1.0)  # for rounding alone
    before = tf.cast(tf.floor(times), tf.int32)
    after = tf.minimum(before + 1, FRAMES - 1)
    share = (times - tf.floor(times))[:, None, None, None]
    return (1 - share) * tf.gather(clip, before) + share * tf.gather(clip, after)


def zoomed(clip: tf.Tensor, most: float, drawn: tf.Tensor) -> tf.Tensor:
    """Cuts a square out of all frames and enlarges it to their size (bilinear).

    Args:
      clip: `[32, S, S, 3]` float.
      most: The enlargement is 1 to 1 + most.
      drawn: Three numbers in [0, 1): how much, and from where, down and to the right.
    """
    side = 1 / (1 + most * drawn[0])
    top, left = drawn[1] * (1 - side), drawn[2] * (1 - side)
    box = tf.stack([top, left, top + side, left + side])
    boxes = tf.tile(box[None], [FRAMES, 1])
    return tf.image.crop_and_resize(clip, boxes, tf.range(FRAMES), clip.shape[1:3])


def coloured(clip: tf.Tensor, most: float, drawn: tf.Tensor) -> tf.Tensor:
    """Changes contrast, exposure and white balance.

    Args:
      clip: `[32, S, S, 3]` float in [0, 255]; the result may leave it.
      most: Contrast and exposure are 1 − most to 1 + most times what they were, and each channel
        1 − most/2 to 1 + most/2 times that.
      drawn: Five numbers in [0, 1): contrast, exposure, the channels.
    """
    change = most * (2 * drawn - 1)
    clip = 127.5 + (1 + change[0]) * (clip - 127.5)
    return (1 + change[1]) * (1 + change[2:] / 2) * clip
