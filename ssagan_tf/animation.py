"""`ssagan_tf.animate`: the sky of a photo moves, at the photo's own size.

Works with anything that makes a clip of a photo; needs neither TensorFlow nor Keras, unless
`animate` loads a generator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

import ssagan_tf
from ssagan_tf import video
from ssagan_tf.motion import transfer
from ssagan_tf.motion.transfer import CLIP_RATE, Motion
from ssagan_tf.options import MotionOptions, OptionError
from ssagan_tf.pixels import ClipGenerator, on_pixels

_ASPECT_TOLERANCE = 0.02  # relative difference between the aspects of a mask and its photo


@dataclasses.dataclass(frozen=True)
class Animation:
    """A photo, its motion, and the settings that turn both into frames.

    Attributes:
      photo: `[H, W, 3]` uint8.
      motion: Motion of the photo.
      options: Length, speed, loop and so on.
    """

    photo: np.ndarray
    motion: Motion
    options: MotionOptions

    @property
    def _clip_frames_per_frame(self) -> float:
        return self.options.speed * CLIP_RATE / self.options.fps

    @property
    def repeats(self) -> int:
        """How many times the same frames recur in the video."""
        if self.options.light or not self.options.loop:
            return 1
        return transfer.loop_repeats(
            self.motion,
            number_of_frames(self.options),
            fps=self.options.fps,
            speed=self.options.speed,
            strength=self.options.strength,
        )

    @property
    def velocities(self) -> np.ndarray:
        """Motion of each pixel from a frame to the next, `[H, W, 2]` float32, in pixels."""
        field = self.motion.field.scaled(self._clip_frames_per_frame)
        return field.velocities(*self.photo.shape[:2]) * self.motion.mask[..., None]

    def frames(self) -> Iterator[np.ndarray]:
        """Yields the frames, `[H, W, 3]` uint8, one at a time."""
        loop = self.options.loop
        return transfer.render_frames(
            self.photo,
            self.motion,
            number_of_frames(self.options),
            loop=loop,
            fps=self.options.fps,
            # Without a loop, one frame of the clip per frame would be far too fast.
            speed=self.options.speed if loop else self._clip_frames_per_frame,
            strength=self.options.strength,
            direction=self.options.direction,
            light=self.options.light,
        )


def number_of_frames(options: MotionOptions) -> int:
    """Returns the number of frames of a video of this length and frame rate.

    Raises:
      OptionError: It is less than two.
    """
    number = round(options.seconds * options.fps)
    if number < 2:
        raise OptionError("seconds", options.seconds, f"is less than 2 frames at {options.fps} fps")
    return number


def make_animation(
    photo: np.ndarray,
    make_clips: ClipGenerator,
    side: int,
    options: MotionOptions,
    mask: np.ndarray | None = None,
) -> Animation:
    """Estimates how a photo moves from a clip made of it.

    The clip is made from the whole photo, squeezed into a square; its motion is stretched back to
    the photo's aspect. Networks know only motion to the right: for motion to the left, the photo is
    mirrored before and the motion after.

    Args:
      photo: `[H, W, 3]` uint8.
      make_clips: Makes the clip.
      side: Height and width S of the photos that `make_clips` takes.
      options: How the photo moves.
      mask: `[h, w]` uint8 of about the photo's aspect: what moves (255), instead of the sky and
        water found automatically.

    Raises:
      NothingMovesError: Nothing would move.
    """

    def oriented(picture: np.ndarray) -> np.ndarray:
        left = options.direction == "left"
        return np.ascontiguousarray(picture[:, ::-1]) if left else picture

    square = video.fit(oriented(photo), side, "stretch")
    [clip] = make_clips(square[None])
    motion = transfer.estimate_motion(
        clip, oriented(photo), None if mask is None else oriented(mask)
    )
    return Animation(photo, motion.mirrored() if options.direction == "left" else motion, options)


def animate(
    photo: np.ndarray,
    seconds: float = 8.0,
    *,
    fps: float = 25.0,
    loop: bool = True,
    direction: Literal["right", "left"] = "right",
    speed: float = 1.0,
    strength: float = 1.0,
    light: float = 0.0,
    mask: np.ndarray | None = None,
    generator: Any = None,
) -> Iterator[np.ndarray]:
    """Makes the sky of a photo move, at the photo's own size.

    Args:
      photo: `[H, W, 3]` uint8.
      seconds: Length of the video.
      fps: Frames per second.
      loop: Whether the video is an endless loop: the first frame follows the last one. Otherwise
        the first frame is the photo, and the sky drifts on from there.
      direction: Where clouds drift.
      speed: Speed factor; 2 is twice as fast.
      strength: How far clouds drift in a loop before they fade into others.
      light: How much of the clip's slow change of light to apply; 1 applies all of it.
      mask: `[h, w]` uint8 of about the photo's aspect: what moves (255) and what stands still (0),
        instead of the sky and water found automatically.
      generator: A generator from `load_generator`. By default the bundled model, loaded anew by
        each call.

    Returns:
      Iterator over `seconds * fps` frames, `[H, W, 3]` uint8, computed one at a time.

    Raises:
      NothingMovesError: No sky was found, or its motion would be invisible; a ValueError.
      ValueError: An argument is invalid.
      DataError: The package was installed without a bundled model.
    """
    options = MotionOptions(
        seconds=seconds,
        fps=fps,
        loop=loop,
        direction=direction,
        speed=speed,
        strength=strength,
        light=light,
    )
    number_of_frames(options)
    video.check(photo, 3)
    if mask is not None:
        check_mask(mask, photo)
    if generator is None:
        generator = ssagan_tf.load_generator()
    side = generator.options.resolution
    return make_animation(photo, on_pixels(generator), side, options, mask).frames()


def check_mask(mask: np.ndarray, photo: np.ndarray) -> None:
    """Raises ValueError unless a mask is 8-bit and has the aspect of its photo."""
    if mask.dtype != np.uint8:
        raise ValueError(f"expected a uint8 mask, got {mask.dtype}")
    if mask.ndim != 2 or not mask.size:
        raise ValueError(f"expected a mask of shape [h, w], got {list(mask.shape)}")
    (height, width), (mask_height, mask_width) = photo.shape[:2], mask.shape
    # A pixel more or less is no other aspect: sizes are rounded.
    difference = abs(mask_width * height / (mask_height * width) - 1)
    if difference > _ASPECT_TOLERANCE and abs(mask_width - mask_height * width / height) > 1:
        raise ValueError(
            f"its size {mask_width}×{mask_height} does not match the photo's aspect ratio "
            f"({width}×{height}); a mask must cover the whole photo"
        )
