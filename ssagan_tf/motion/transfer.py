"""The motion of a generated clip, carried over to the photo that it was made from.

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

CLIP_RATE = 2.0  # frames a second of the clip in a loop at speed 1: a fiftieth of the width
_FIRST, _APART = 14, 2  # frames that are looked at, as clips get softer; and between two of them
_BORDER = 16  # this part of each side is spoilt by padding
_LEAST = 0.003  # share of the photo that should move
_ODD = 2.8  # log-odds from which on what was found is no sky
_VISIBLE = 0.35  # of 255: mean change by a twentieth of the width that can be seen
_GRAIN = 1 / 64  # σ in widths below which what changes is noise and no cloud


class NothingMovesError(ValueError):
    """Nothing would move in this photo. The message says why, without naming it."""


@dataclasses.dataclass(frozen=True)
class Motion:
    """How a photo moves.

    Attributes:
      field: Velocities at any size, per frame of the clip.
      mask: What moves of each pixel of the photo, `[H, W]` float32 in [0, 1].
      relighting: How its light changes.
      sun: In it, whose glow stands still.
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
        """Where most of what moves drifts."""
        small = cv2.resize(self.mask, (64, 64), interpolation=cv2.INTER_AREA)
        return (
            "left" if float((self.field.velocities(64, 64)[..., 0] * small).sum()) < 0 else "right"
        )

    def mirrored(self) -> Motion:
        """That of the mirrored photo."""
        light = Relighting(np.ascontiguousarray(self.relighting.gains[:, :, ::-1]))
        mask = np.ascontiguousarray(self.mask[:, ::-1])
        sun = self.sun and dataclasses.replace(self.sun, x=1 - self.sun.x)
        return Motion(self.field.mirrored(), mask, light, sun, self.confidence)


def estimate_motion(clip: np.ndarray, photo: np.ndarray, mask: np.ndarray | None = None) -> Motion:
    """Reads the motion of a clip.

    Args:
      clip: `[T, h, w, 3]` uint8, T at least 2: made from the photo, at any size, stretched to it.
      photo: `[H, W, 3]` uint8.
      mask: `[h', w']`, uint8 or float in [0, 1]: what moves (white), instead of what is found.
        Brought to the photo's size.

    Raises:
      NothingMovesError: There is no sky, or nothing to be seen in it.
    """
    seen = clip[:_FIRST]
    apart = min(_APART, len(seen) - 1)
    measured = optical_flow.velocities(seen, apart)
    change, residual = optical_flow.change_and_residual(seen, measured, apart)
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
    if mask is None and not_sky_log_odds(photo, moving, explained) > _ODD:
        raise NothingMovesError("it doesn't look like a sky; give a mask that says what moves")
    speeds = np.hypot(measured[..., 0], measured[..., 1])
    weights = small * optical_flow.texture(seen) ** 0.25 * np.sqrt(speeds)
    confidence = max(0.0, explained) ** 2  # on skies of known motion, the best
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
    """Frames of the moving photo, one at a time. Equal ones for equal arguments.

    Args:
      photo: `[H, W, 3]` uint8, which `motion` was read for.
      motion: Of `estimate_motion`.
      number: Of frames N.
      loop: Whether frame N would be frame 0 again. Else the first is the photo, and each is one
        frame of the clip further.
      fps: Frames a second at which a loop is shown; its clip is taken at `CLIP_RATE`.
      speed: Times faster.
      strength: Of loops, at most 1 is sensible: how far clouds drift before they fade.
      direction: Where most of it drifts; None: as in the clip.
      light: How strong the change of light is. In a loop it comes and goes once.

    Yields:
      `[H, W, 3]` uint8. Where `motion.mask` is 0, they are the photo, bit by bit.

    Raises:
      ValueError: The photo is of another size than the mask.
    """
    if photo.shape[:2] != motion.mask.shape:
        raise ValueError(f"a photo of {photo.shape[:2]}, a mask of {motion.mask.shape}")
    turned = -1 if direction not in (None, motion.drift_direction) else 1
    field = motion.field.scaled(turned)
    glow = source = None
    if motion.sun is not None:
        source = motion.sun.source(motion.mask)
        glow = motion.sun.glow(photo, source)
        photo = photo - glow  # nowhere more than the photo
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
    """How many times over a loop of N frames without a change of light has the same frames.

    Args:
      motion: As `render_frames` takes it, as all others.

    Returns:
      A divisor of N, at least 1.
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
    """Whether anybody would see something move."""
    if mask.mean() < _LEAST:
        raise NothingMovesError(
            "no sky was found in it; give a mask that says what moves"
            if found
            else "the mask is black: white moves"
        )
    height, width = photo.shape[:2]
    scale = min(1.0, 256 / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), max(_GRAIN * size[0], 0.3))
    share = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    shifted = max(1, size[0] // 20)
    if size[0] <= shifted:
        raise NothingMovesError("it is too small")
    change = np.abs(small[:, shifted:] - small[:, :-shifted]).mean(axis=2)
    both = np.minimum(share[:, shifted:], share[:, :-shifted])
    if (change * both).sum() < _VISIBLE * max(float(both.sum()), 1e-6):
        raise NothingMovesError(
            "what would move is as smooth as fog, so that nothing would be seen"
        )


def _explained_share(change: np.ndarray, residual: np.ndarray, mask: np.ndarray) -> float:
    """The share of change that motion explains, at most 1; below 0 if it makes things worse."""
    height, width = mask.shape
    down, across = height // _BORDER, width // _BORDER
    inside = np.s_[down : height - down, across : width - across]
    weights = np.where(mask[inside] > 0.5, 1, 0)
    total = float((weights * change[inside]).sum())
    return 1 - float((weights * residual[inside]).sum()) / total if total > 0 else 0.0
