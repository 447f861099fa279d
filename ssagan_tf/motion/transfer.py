"""Transfers the motion of a generated clip to the photo that it was made from.

A generated clip is small and blurred, but its motion can be evaluated at any size:
`estimate_motion` measures it, `render_frames` moves the photo by it. After Endo et al., "Animating
Landscape" (2019), who predict motion and move the photo by it, and Holynski et al. (2021), whose
velocity field is constant over time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np

from ssagan_tf.motion import optical_flow
from ssagan_tf.motion.field import Field, fit
from ssagan_tf.motion.loop import count_phases, loop_frames
from ssagan_tf.motion.moving_mask import horizon_height, moving_mask
from ssagan_tf.motion.relighting import Relighting, estimate_relighting
from ssagan_tf.motion.sky_segmentation import find_sky, not_sky_log_odds
from ssagan_tf.motion.sun import Sun, find_sun
from ssagan_tf.motion.warping import warp_frames

Direction = Literal["right", "left"]

CLIP_RATE = 2.0  # frames of the clip per second at speed 1; about a fiftieth of the width
_FIRST_FRAMES, _FLOW_DISTANCE = 14, 2  # later frames are blurred; frames between two compared
_BORDER = 16  # one part in 16 of each side is distorted by padding
_MIN_MOVING = 0.003  # share of the photo
_MAX_NOT_SKY = 2.8  # log-odds
_MIN_VISIBLE = 0.35  # of 255: mean change when shifted by a twentieth of the width
_NOISE_SIGMA = 1 / 64  # in widths; finer contrasts are noise, not clouds


class NothingMovesError(ValueError):
    """Nothing would move in a photo.

    Attributes:
      reason: Why, without the name of the photo.
      mask_helps: Whether a mask of what moves would help.
    """

    def __init__(self, reason: str, mask_helps: bool = False):
        super().__init__(f"{reason}; pass a mask of what moves" if mask_helps else reason)
        self.reason, self.mask_helps = reason, mask_helps


@dataclasses.dataclass(frozen=True)
class Motion:
    """How a photo moves.

    Attributes:
      field: Velocities per frame of the clip.
      mask: `[H, W]` float32 in [0, 1], how much of each pixel of the photo moves.
      relighting: How the light changes.
      sun: Sun or moon, which stands still with its glow.
      confidence: Share in [0, 1] of the clip's change that is motion. The lower it is, the more
        the field is that of an average sky.
    """

    field: Field
    mask: np.ndarray
    relighting: Relighting
    sun: Sun | None
    confidence: float

    @property
    def drift_direction(self) -> Direction:
        """Main direction of the motion."""
        small = cv2.resize(self.mask, (64, 64), interpolation=cv2.INTER_AREA)
        return (
            "left" if float((self.field.velocities(64, 64)[..., 0] * small).sum()) < 0 else "right"
        )

    def mirrored(self) -> Motion:
        """Returns the motion of the horizontally mirrored photo."""
        relighting = Relighting(np.ascontiguousarray(self.relighting.gains[:, :, ::-1]))
        mask = np.ascontiguousarray(self.mask[:, ::-1])
        sun = self.sun and dataclasses.replace(self.sun, x=1 - self.sun.x)
        return Motion(self.field.mirrored(), mask, relighting, sun, self.confidence)


def estimate_motion(clip: np.ndarray, photo: np.ndarray, mask: np.ndarray | None = None) -> Motion:
    """Estimates the motion of a clip.

    Args:
      clip: `[T, h, w, 3]` uint8, T at least 2: made from the photo, squeezed to any size.
      photo: `[H, W, 3]` uint8.
      mask: `[h', w']`, uint8 or float in [0, 1]: what moves (white), instead of the sky and water
        found automatically. Resized to the photo.

    Raises:
      NothingMovesError: No sky was found, or its motion would be invisible.
    """
    first = clip[:_FIRST_FRAMES]
    apart = min(_FLOW_DISTANCE, len(first) - 1)
    measured = optical_flow.velocities(first, apart)
    change, residual = optical_flow.change_and_residual(first, measured, apart)
    sky = find_sky(photo)
    sun = find_sun(photo, sky)
    moving = (
        moving_mask(photo, sky, sun, change, residual)
        if mask is None
        else _resized_mask(mask, photo)
    )
    _check_visible(photo, moving, found=mask is None)

    height, width = clip.shape[1:3]
    small = cv2.resize(moving, (width, height), interpolation=cv2.INTER_AREA)
    explained = _explained_share(change, residual, small)
    if mask is None and not_sky_log_odds(photo, moving, explained) > _MAX_NOT_SKY:
        raise NothingMovesError("it does not look like a sky", mask_helps=True)
    speeds = np.hypot(measured[..., 0], measured[..., 1])
    weights = small * optical_flow.texture(first) ** 0.25 * np.sqrt(speeds)
    confidence = max(0.0, explained) ** 2  # the best exponent on skies of known motion
    field = fit(measured, weights, horizon_height(moving), confidence)
    return Motion(field, moving, estimate_relighting(clip, small), sun, confidence)


def render_frames(
    photo: np.ndarray,
    motion: Motion,
    number: int,
    *,
    loop: bool = True,
    fps: float = 25.0,
    speed: float = 1.0,
    strength: float = 1.0,
    direction: Direction | None = None,
    light: float = 0.0,
) -> Iterator[np.ndarray]:
    """Yields the frames of the moving photo, deterministically.

    Args:
      photo: `[H, W, 3]` uint8, the one that `motion` was estimated for.
      motion: From `estimate_motion`.
      number: Number of frames N.
      loop: Whether frame N would equal frame 0. Otherwise the first frame is the photo, and each
        frame is `speed` frames of the clip later.
      fps: Frames per second of a loop; its clip plays at `CLIP_RATE`.
      speed: Speed factor.
      strength: In loops, how far clouds drift before they fade; sensible up to 1.
      direction: Main direction of the motion; None: as in the clip.
      light: Strength of the change of light. In a loop it comes and goes once.

    Yields:
      `[H, W, 3]` uint8. Where `motion.mask` is 0, they are identical to the photo.

    Raises:
      ValueError: The photo and the mask have different sizes.
    """
    if photo.shape[:2] != motion.mask.shape:
        raise ValueError(
            f"expected a photo of the mask's size {motion.mask.shape}, got {photo.shape[:2]}"
        )
    sign = -1 if direction not in (None, motion.drift_direction) else 1
    field = motion.field.scaled(sign)
    glow = source = None
    if motion.sun is not None:
        source = motion.sun.source(motion.mask)
        glow = motion.sun.glow(photo, source)
        photo = photo - glow  # the glow is nowhere brighter than the photo
    if loop:
        advance = speed * CLIP_RATE / fps
        moved = loop_frames(photo, field, motion.mask, number, advance, strength, source)
    else:
        velocities = field.velocities(*photo.shape[:2])
        times = speed * np.arange(number)
        moved = warp_frames(photo, velocities, times, motion.mask, source)
    for index, frame in enumerate(moved):
        if glow is not None:
            frame = cv2.add(frame, glow)
        if not light:
            yield frame
            continue
        time = index / max(number, 1)
        time = 0.5 - 0.5 * np.cos(2 * np.pi * time) if loop else time
        yield motion.relighting.apply(frame, motion.mask, time, light)


def loop_repeats(
    motion: Motion, number: int, *, fps: float, speed: float = 1.0, strength: float = 1.0
) -> int:
    """Returns how many times the same frames recur in a loop without a change of light.

    Args:
      motion, number, fps, speed, strength: As in `render_frames`.

    Returns:
      A divisor of `number`, at least 1.
    """
    cycles = count_phases(number, speed * CLIP_RATE / fps, motion.field, motion.mask, strength)
    return 1 if number % cycles else cycles


def _resized_mask(mask: np.ndarray, photo: np.ndarray) -> np.ndarray:
    mask = np.float32(mask) / 255 if mask.dtype == np.uint8 else np.float32(mask)
    height, width = photo.shape[:2]
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(mask, 0, 1)


def _check_visible(photo: np.ndarray, mask: np.ndarray, found: bool) -> None:
    """Raises NothingMovesError if no motion would be visible."""
    if mask.mean() < _MIN_MOVING:
        if found:
            raise NothingMovesError("no sky was found", mask_helps=True)
        raise NothingMovesError("the mask is black, but white marks what moves")
    height, width = photo.shape[:2]
    scale = min(1.0, 256 / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), max(_NOISE_SIGMA * size[0], 0.3))
    share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    shifted = max(1, size[0] // 20)
    if size[0] <= shifted:
        raise NothingMovesError("the photo is too small")
    change = np.abs(small[:, shifted:] - small[:, :-shifted]).mean(axis=2)
    both = np.minimum(share[:, shifted:], share[:, :-shifted])
    if (change * both).sum() < _MIN_VISIBLE * max(float(both.sum()), 1e-6):
        raise NothingMovesError("the sky is as smooth as fog, so its motion would be invisible")


def _explained_share(change: np.ndarray, residual: np.ndarray, mask: np.ndarray) -> float:
    """Returns the share of the change that motion explains, at most 1; may be negative."""
    height, width = mask.shape
    down, across = height // _BORDER, width // _BORDER
    inside = np.s_[down : height - down, across : width - across]
    weights = np.where(mask[inside] > 0.5, 1, 0)
    total = float((weights * change[inside]).sum())
    return 1 - float((weights * residual[inside]).sum()) / total if total > 0 else 0.0
