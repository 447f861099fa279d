"""An endless loop of a photo whose sky drifts.

Two copies of the photo drift at once. Each one fades in, passes the position of the photo and fades
out while the other is fully visible; then it starts again (Holynski et al., "Animating Pictures
with Eulerian Motion Fields", 2021, do this with the features of a network). Plain cross-fading
shows everything twice and pumps, as the mean of two different pictures has less contrast than one.
Our additions:

- The drift within a phase is limited.
- The phase varies over the picture.
- One copy replaces the other in patches, as clouds grow and dissolve, so that both are visible in
  few places at a time; the brighter one stays longer, so that little shows through a cloud.
- Details are amplified where blending weakens them, which keeps their variance.
- All frames are as sharp as the photo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

from ssagan_tf.motion.field import Field
from ssagan_tf.motion.warping import extend_moving_region

MAX_DRIFT = 0.08  # widths that a copy drifts in a phase; more looks like two pictures
_SPEED_PERCENTILE = 98.0  # of the pixels, to which that limit applies
_DETAIL = 0.03  # σ in widths that separates details from light and shade
_MAX_SHARPENING = 1.3  # factor by which a frame is sharpened or softened at most
_REDUCTION = 8  # of the picture in which light and shade are blurred
_CORRELATION_SIDE = 256  # pixels
# Waves that shift the phase over the picture: number across, number down, offset.
_PHASE_WAVES = ((0.9, 0.5, 0.1), (-0.6, 1.1, 0.35), (1.4, -1.0, 0.8))
_PATCH_WAVES = ((3.1, 1.7, 0.2), (-2.3, 3.7, 0.7), (4.9, -2.9, 0.45), (1.3, 5.3, 0.9))
_FADE = 0.5  # share of half a cycle in which a patch changes from one copy to the other
_CLOUD_CONTRAST = 40.0  # of 255; a cloud brighter by this much is kept the longest
_STRIP = 32  # rows
_CACHE_BYTES = 2**28  # for the frames of a phase; otherwise they are computed again each time


def count_phases(
    number: int, advance: float, field: Field, mask: np.ndarray, strength: float
) -> int:
    """Returns the number of phases of a loop that keeps the drift within each short enough.

    Args:
      number: Number of frames N of the loop.
      advance: Frames of the field's clip per frame of the loop.
      field: How the photo drifts.
      mask: `[H, W]`, what moves.
      strength: Drift within a phase, as a multiple of `MAX_DRIFT`.

    Returns:
      At least 1. A divisor of N if there is one nearby, so that frames recur.
    """
    height, width = mask.shape
    small = _scaled(mask, min(1.0, 128 / max(height, width)))
    speeds = np.linalg.norm(field.velocities(*small.shape), axis=-1) / small.shape[1]
    # Approximate, as the pixels of `small` are not exactly square.
    fastest = (
        float(np.percentile(speeds[small > 0.5], _SPEED_PERCENTILE)) if (small > 0.5).any() else 0.0
    )
    least = max(1, math.ceil(number * advance * fastest / (MAX_DRIFT * strength) - 1e-9))
    near = (n for n in range(least, min(2 * least, number) + 1) if number % n == 0)
    return next(near, min(least, number))


def loop_frames(
    photo: np.ndarray,
    field: Field,
    mask: np.ndarray,
    number: int,
    advance: float,
    strength: float = 1.0,
    source: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Yields the frames of an endless loop.

    Args:
      photo: `[H, W, 3]` uint8.
      field: How the photo drifts.
      mask: `[H, W]` in [0, 1]: what moves. Where it is 0, all frames are identical to the photo.
      number: Number of frames.
      advance: Frames of the field's clip per frame, at least 0.
      strength: Drift within a phase, as a multiple of `MAX_DRIFT`; less makes more phases.
      source: See `warping.warp`.

    Yields:
      `number` frames, `[H, W, 3]` uint8, one at a time. At most one phase is kept in memory.
    """
    cycles = count_phases(number, advance, field, mask, strength)
    period, rest = divmod(number, cycles)
    drift = field.scaled(advance * number / cycles)
    make = _Blend(photo, drift, mask, source)
    if rest or photo.nbytes * period > _CACHE_BYTES:
        yield from (make.frame(k * cycles / number % 1) for k in range(number))
        return
    kept = []
    for k in range(period):
        kept.append(make.frame(k / period))
        yield kept[-1].copy() if cycles > 1 else kept.pop()
    for _ in range(cycles - 1):
        yield from (frame.copy() for frame in kept)


class _Blend:
    """Blends the two copies of a photo at any time of a phase.

    Args:
      photo: As in `loop_frames`.
      drift: Displacement over a whole phase.
      mask: As in `loop_frames`.
      source: As in `loop_frames`.
    """

    def __init__(
        self, photo: np.ndarray, drift: Field, mask: np.ndarray, source: np.ndarray | None
    ):
        self._photo = photo
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        self._empty = not len(rows)
        if self._empty:
            return
        # Only the bounding box of what moves is computed.
        self._inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        height, width = mask.shape
        moving = np.clip(extend_moving_region(photo, mask if source is None else source), 0, 255)
        self._moving = np.float32(moving)
        field = drift.velocities(height, width)
        self._field, self._curvature = (
            [np.ascontiguousarray(each[self._inside][..., axis]) for axis in (0, 1)]
            for each in (field, _curvature(field))
        )
        correlation = _detail_correlation(photo, drift, mask)
        self._variance_loss = 1 - cv2.resize(correlation, (width, height))[self._inside]
        self._shift = 0.25 * _waves(height, width, _PHASE_WAVES)[self._inside]
        self._patches = (
            0.5 * (1 - _FADE) * np.tanh(_waves(height, width, _PATCH_WAVES))[self._inside]
        )
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        self._x, self._y = x[None, self._inside[1]], y[self._inside[0], None]
        share = mask[self._inside]
        self._full = (share >= 1).astype(np.uint8)
        self._partly = (share > 0) & (share < 1)
        self._share = share[self._partly][:, None]
        visible = photo[self._inside]
        self._static = (
            visible[self._partly] - self._share * self._moving[self._inside][self._partly]
        )
        visible = np.float32(visible)
        neighbourhood = np.ones((5, 5), np.uint8)
        self._inner = cv2.erode(self._full, neighbourhood)
        if not self._inner.any():  # the mask is nowhere entirely white
            self._inner = cv2.erode(np.uint8(share > 0.5), neighbourhood)
        self._sharpness = self._sharpness_of(visible)
        self._sigma = _DETAIL * width / _REDUCTION

    def frame(self, time: float) -> np.ndarray:
        """Returns the frame at a time in [0, 1) of the phase, `[H, W, 3]` uint8."""
        result = self._photo.copy()
        if self._empty:
            return result
        target = result[self._inside]
        blend, gain = np.empty(target.shape, np.float32), np.empty_like(self._shift)
        for rows in _strips(len(target)):
            blend[rows], gain[rows] = self._blend(np.float32(time), rows)
        smooth = self._light_and_shade(blend)
        for rows in _strips(len(target)):
            more = gain[rows]
            blend[rows] = cv2.blendLinear(blend[rows], np.float32(smooth[rows]), more, 1 - more)
        soft = _soft(blend)
        sharpness = self._sharpness_of(blend)
        more = 1.0
        if self._sharpness > 0:
            more = np.clip(
                self._sharpness / max(sharpness, 1e-3), 1 / _MAX_SHARPENING, _MAX_SHARPENING
            )
        frame = cv2.addWeighted(blend, more, soft, 1 - more, 0, dtype=cv2.CV_8U)
        cv2.copyTo(frame, self._full, target)
        if self._share.size:
            part = self._static + self._share * frame[self._partly]
            target[self._partly] = np.clip(np.rint(part), 0, 255)
        return result

    def _sharpness_of(self, picture: np.ndarray) -> float:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return cv2.norm(grey, _soft(grey), cv2.NORM_L2, self._inner)

    def _blend(self, time: np.float32, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Returns the blend of both copies, and the factor that restores its contrast."""
        place = self._shift[rows] + time / 2
        place -= np.floor(place)
        first = 2 * place - 1  # from -1 (invisible) over 0 (the photo) to 1 (invisible again)
        second = first - np.copysign(np.float32(1), first)
        # A copy is invisible when it restarts: patches avoid that time.
        apart = np.abs(first - self._patches[rows]) - np.float32(0.5)
        of_second = np.clip(apart / np.float32(_FADE) + np.float32(0.5), 0, 1)
        copies = self._copy(first, rows), self._copy(second, rows)
        grey = [cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY) for copy in copies]
        brighter = np.clip((grey[1] - grey[0]) / np.float32(_CLOUD_CONTRAST), -1, 1)
        of_second += of_second * (1 - of_second) * brighter
        of_first = 1 - of_second
        blend = cv2.blendLinear(*copies, of_first, of_second)
        variance = 1 - 2 * of_first * of_second * self._variance_loss[rows]
        return blend, 1 / np.sqrt(variance)

    def _copy(self, time: np.ndarray, rows: slice) -> np.ndarray:
        """Returns the photo after drifting for times in [-1, 1], one per pixel."""
        x, y = (
            start - time * (field[rows] - time * curvature[rows])
            for start, field, curvature in zip(
                (self._x, self._y[rows]), self._field, self._curvature, strict=True
            )
        )
        return cv2.remap(self._moving, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)

    def _light_and_shade(self, picture: np.ndarray) -> np.ndarray:
        """Returns the picture without its details."""
        height, width = picture.shape[:2]
        size = -(-width // _REDUCTION), -(-height // _REDUCTION)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small = cv2.convertScaleAbs(small)  # 8 bits suffice and are four times as fast
        small = cv2.GaussianBlur(
            small, (0, 0), max(self._sigma, 0.3), borderType=cv2.BORDER_REFLECT
        )
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _soft(picture: np.ndarray) -> np.ndarray:
    """Returns a slightly blurred picture."""
    return cv2.GaussianBlur(picture, (5, 5), 0, borderType=cv2.BORDER_REFLECT)


def _strips(height: int) -> list[slice]:
    """Returns strips of rows that fit into a processor's cache."""
    return [slice(top, top + _STRIP) for top in range(0, height, _STRIP)]


def _curvature(field: np.ndarray) -> np.ndarray:
    """Returns the second-order term of the Taylor series of a path along the field."""
    if min(field.shape[:2]) < 2:
        return np.zeros_like(field)
    down, across = np.gradient(field, axis=(0, 1))
    return np.float32(0.5 * (across * field[..., :1] + down * field[..., 1:]))


def _waves(height: int, width: int, waves: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """Returns a sum of waves with a variance of about 1/2, the same at any size."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    total = np.zeros((height, width), np.float32)
    for across, down, offset in waves:
        total += np.sin(2 * np.pi * (across * x + down * y[:, None] + offset), dtype=np.float32)
    return total / np.float32(len(waves) ** 0.5)


def _detail_correlation(photo: np.ndarray, drift: Field, mask: np.ndarray) -> np.ndarray:
    """Returns the local correlation of the details of the two copies, `[h, w]` at a reduced size.

    Where it is 1, blending loses no variance.
    """
    scale = min(1.0, _CORRELATION_SIDE / max(photo.shape[:2]))
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey, share = _scaled(grey, scale), _scaled(mask, scale)
    height, width = grey.shape
    sigma = max(_DETAIL * width, 0.5)

    def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
        return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)

    detail = (grey - smooth(grey * share, sigma) / np.maximum(smooth(share, sigma), 1e-3)) * share
    half = drift.velocities(height, width) / 2
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    before, after = (
        cv2.remap(
            detail,
            x + sign * half[..., 0],
            y + sign * half[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        for sign in (-1, 1)
    )
    wide = 3 * sigma
    together = smooth(before * after, wide)
    apart = np.sqrt(smooth(before**2, wide) * smooth(after**2, wide))
    return np.clip(together / (apart + 1e-2), 0, 1)


def _scaled(values: np.ndarray, scale: float) -> np.ndarray:
    height, width = values.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(np.float32(values), size, interpolation=cv2.INTER_AREA)
