"""Random augmentation of training clips, the same for all frames of a clip.

It is a function of the run's seed and the clip's position in the run.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from ssagan_tf.data import seeds
from ssagan_tf.options import FRAMES, TrainOptions


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How to augment clips; by default, not at all. See the settings of the same names."""

    flip: bool = False
    canonical_motion: str = "off"
    canonical_threshold: float = TrainOptions.canonical_threshold
    zoom: float = 0.0
    slow_motion: float = 0.0
    colour: float = 0.0

    @classmethod
    def from_options(cls, options: TrainOptions) -> Augmentation:
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(options, name) for name in names})

    def takes(self, drift: float | tf.Tensor) -> bool | tf.Tensor:
        """Returns whether a clip with this drift (see `dataset_info.Shard`) is used."""
        return self.canonical_motion != "drop" or abs(drift) >= self.canonical_threshold

    def mirrors(self, drift: float | tf.Tensor, random: float | tf.Tensor) -> bool | tf.Tensor:
        """Returns whether a clip with this drift is mirrored.

        With canonical motion, that depends on the direction of the drift. Where the drift is below
        the threshold, and without canonical motion, it is random.

        Args:
          drift: Drift of the clip.
          random: A random number in [0, 1).
        """
        if self.canonical_motion == "off":
            return self.flip and random < 0.5
        return tf.where(abs(drift) >= self.canonical_threshold, drift < 0, random < 0.5)

    def apply(
        self, clip: tf.Tensor, base: int, index: tf.Tensor, drift: float | tf.Tensor = 0.0
    ) -> tf.Tensor:
        """Augments a clip.

        Args:
          clip: `[32, H, W, 3]` uint8.
          base: Seed of the run.
          index: Position of the clip in the run.
          drift: Drift of the clip as it is stored.

        Returns:
          A clip of the same shape and type.
        """

        def uniform(use: int, *shape: int) -> tf.Tensor:
            return tf.random.stateless_uniform(shape, seeds.seed(base, use, index))

        if self.zoom or self.slow_motion or self.colour:
            values = tf.cast(clip, tf.float32)
            if self.slow_motion:
                values = slow_down(values, self.slow_motion, uniform(seeds.SLOW_MOTION, 2))
            if self.zoom:
                values = zoom_in(values, self.zoom, uniform(seeds.ZOOM, 3))
            if self.colour:
                values = jitter_colours(values, self.colour, uniform(seeds.COLOUR, 5))
            clip = tf.saturate_cast(tf.round(values), tf.uint8)
        if self.flip or self.canonical_motion != "off":
            mirrored = self.mirrors(drift, uniform(seeds.FLIPS))
            clip = tf.cond(mirrored, lambda: tf.reverse(clip, [2]), lambda: clip)
        return clip


NO_AUGMENTATION = Augmentation()


def slow_down(clip: tf.Tensor, limit: float, random: tf.Tensor) -> tf.Tensor:
    """Stretches a part of a clip over all frames, which are blended from the nearest two.

    Args:
      clip: `[32, H, W, 3]` float.
      limit: Largest decrease of the speed, as a fraction below 1.
      random: Two numbers in [0, 1): for the speed, and for the start, which is a whole frame, so
        that the first one stays sharp.

    Returns:
      A clip of the same shape, 1 − limit to 1 times as fast.
    """
    pace = 1 - limit * random[0]
    room = (FRAMES - 1) * (1 - pace)
    start = tf.floor(random[1] * (tf.floor(room) + 1))
    times = start + pace * tf.range(FRAMES, dtype=tf.float32)
    times = tf.minimum(times, FRAMES - 1.0)  # rounding errors only
    before = tf.cast(tf.floor(times), tf.int32)
    after = tf.minimum(before + 1, FRAMES - 1)
    fraction = (times - tf.floor(times))[:, None, None, None]
    return (1 - fraction) * tf.gather(clip, before) + fraction * tf.gather(clip, after)


def zoom_in(clip: tf.Tensor, limit: float, random: tf.Tensor) -> tf.Tensor:
    """Crops the same square from all frames and enlarges it to their size (bilinear).

    Args:
      clip: `[32, S, S, 3]` float.
      limit: The zoom factor is 1 to 1 + limit.
      random: Three numbers in [0, 1): for the factor, and for the top and left of the square.
    """
    side = 1 / (1 + limit * random[0])
    top, left = random[1] * (1 - side), random[2] * (1 - side)
    box = tf.stack([top, left, top + side, left + side])
    boxes = tf.tile(box[None], [FRAMES, 1])
    return tf.image.crop_and_resize(clip, boxes, tf.range(FRAMES), clip.shape[1:3])


def jitter_colours(clip: tf.Tensor, limit: float, random: tf.Tensor) -> tf.Tensor:
    """Changes contrast, exposure and white balance.

    Args:
      clip: `[32, S, S, 3]` float in [0, 255]; the result may exceed this range.
      limit: Contrast and exposure are multiplied by 1 − limit to 1 + limit, and each channel by
        1 − limit/2 to 1 + limit/2.
      random: Five numbers in [0, 1): for contrast, exposure, and the channels.
    """
    change = limit * (2 * random - 1)
    clip = 127.5 + (1 + change[0]) * (clip - 127.5)
    return (1 + change[1]) * (1 + change[2:] / 2) * clip
