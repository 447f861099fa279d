"""An endless loop of a photo whose sky drifts.

Two copies of the photo drift at once. Each fades in, drifts past the photo itself and fades out,
while the other is at its fullest; then it begins again (as Holynski et al., "Animating Pictures
with Eulerian Motion Fields", 2021, do with features of a network). By itself that doubles what is
seen and pumps: the mean of two unlike pictures has less contrast than one. Ours: the drift in a
phase is bounded; the place in the cycle is another one in each part of the picture; one copy gives
way to the other in patches, as clouds grow and dissolve, so that both are seen in few places at a
time, and the brighter of both is seen longer, so that little shines through a cloud; the blend
keeps its variance, as detail is divided by what blending takes away from it; and all frames are as
crisp as the photo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

from ssagan_tf.motion.field import Field
from ssagan_tf.motion.warping import extend_moving_region

MAX_DRIFT = 0.08  # widths that a copy drifts in a phase: more is seen as two pictures
_FAST = 98.0  # percentile of speeds that keeps to it
_DETAIL = 0.03  # σ in widths that separates detail from light and shade
_MOST = 1.3  # times crisper or softer a frame is made
_SMALL = 8  # times smaller is the picture in which that is blurred
_CORRELATION_SIDE = 256  # pixels
# Waves across, waves down and offset of what shifts the cycle over the picture.
_WAVES = ((0.9, 0.5, 0.1), (-0.6, 1.1, 0.35), (1.4, -1.0, 0.8))
_PATCHES = ((3.1, 1.7, 0.2), (-2.3, 3.7, 0.7), (4.9, -2.9, 0.45), (1.3, 5.3, 0.9))
_SHARE = 0.5  # of the cycle's half in which a patch changes copies
_FIRM = 40.0  # of 255: a cloud so much brighter than what is behind is seen the longest
_STRIP = 32  # rows
_KEPT = 2**28  # bytes of a period's frames; longer ones are made again each time


def count_phases(
    number: int, advance: float, field: Field, mask: np.ndarray, strength: float
) -> int:
    """How many phases a loop has, so that nothing drifts too far in any.

    Args:
      number: Of frames of the loop, N.
      advance: Frames of the field's clip from one of them to the next.
      field: In widths a frame of its clip.
      mask: `[H, W]`, what moves.
      strength: Of 1 lets copies drift `MAX_DRIFT`.

    Returns:
      At least 1. A divisor of N if there is one near, so that frames repeat.
    """
    height, width = mask.shape
    small = _scaled(mask, min(1.0, 128 / max(height, width)))
    speeds = np.linalg.norm(field.velocities(*small.shape), axis=-1) / small.shape[1]
    # `velocities` of a smaller size has pixels of its own shape.
    fastest = float(np.percentile(speeds[small > 0.5], _FAST)) if (small > 0.5).any() else 0.0
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
    """Frames that may be repeated without an end.

    Args:
      photo: `[H, W, 3]` uint8.
      field: How it drifts.
      mask: `[H, W]` in [0, 1]: what does. Where it is 0 the frames are the photo, bit by bit.
      number: Of frames.
      advance: Frames of the field's clip from one to the next, at least 0.
      strength: How far copies drift in a phase, as a share of `MAX_DRIFT`; less has more phases.
      source: See `warping.warp`.

    Yields:
      `number` frames `[H, W, 3]` uint8, one at a time. No more than one phase is kept.
    """
    cycles = count_phases(number, advance, field, mask, strength)
    period, rest = divmod(number, cycles)
    drift = field.scaled(advance * number / cycles)
    make = _Blend(photo, drift, mask, source)
    if rest or photo.nbytes * period > _KEPT:
        yield from (make.frame(k * cycles / number % 1) for k in range(number))
        return
    kept = []
    for k in range(period):
        kept.append(make.frame(k / period))
        yield kept[-1].copy() if cycles > 1 else kept.pop()
    for _ in range(cycles - 1):
        yield from (frame.copy() for frame in kept)


class _Blend:
    """Blends two copies of a photo, for any moment of a phase.

    Args:
      photo: As above, as with the others.
      drift: Of a phase.
    """

    def __init__(
        self, photo: np.ndarray, drift: Field, mask: np.ndarray, source: np.ndarray | None
    ):
        self._photo = photo
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        self._empty = not len(rows)
        if self._empty:
            return
        # Only where something moves, frames are made.
        self._inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        height, width = mask.shape
        moving = np.clip(extend_moving_region(photo, mask if source is None else source), 0, 255)
        self._moving = np.float32(moving)
        field = drift.velocities(height, width)
        self._field, self._bend = (
            [np.ascontiguousarray(each[self._inside][..., axis]) for axis in (0, 1)]
            for each in (field, _bend(field))
        )
        alike = _detail_correlation(photo, drift, mask)
        self._unlike = 1 - cv2.resize(alike, (width, height))[self._inside]
        self._shift = 0.25 * _waves(height, width, _WAVES)[self._inside]
        self._patches = 0.5 * (1 - _SHARE) * np.tanh(_waves(height, width, _PATCHES))[self._inside]
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        self._x, self._y = x[None, self._inside[1]], y[self._inside[0], None]
        share = mask[self._inside]
        self._full = (share >= 1).astype(np.uint8)
        self._partly = (share > 0) & (share < 1)
        self._share = share[self._partly][:, None]
        there = photo[self._inside]
        self._still = there[self._partly] - self._share * self._moving[self._inside][self._partly]
        there = np.float32(there)
        around = np.ones((5, 5), np.uint8)
        self._inner = cv2.erode(self._full, around)
        if not self._inner.any():  # as with a mask that is nowhere quite white
            self._inner = cv2.erode(np.uint8(share > 0.5), around)
        self._crispness = self._crispness_of(there)
        self._sigma = _DETAIL * width / _SMALL

    def frame(self, time: float) -> np.ndarray:
        """The frame at a moment from 0 to 1 of the phase, `[H, W, 3]` uint8."""
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
        crispness = self._crispness_of(blend)
        more = 1.0
        if self._crispness > 0:
            more = np.clip(self._crispness / max(crispness, 1e-3), 1 / _MOST, _MOST)
        frame = cv2.addWeighted(blend, more, soft, 1 - more, 0, dtype=cv2.CV_8U)
        cv2.copyTo(frame, self._full, target)
        if self._share.size:
            part = self._still + self._share * frame[self._partly]
            target[self._partly] = np.clip(np.rint(part), 0, 255)
        return result

    def _crispness_of(self, picture: np.ndarray) -> float:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return cv2.norm(grey, _soft(grey), cv2.NORM_L2, self._inner)

    def _blend(self, time: np.float32, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Both copies together, and how many times less detail is in them than in one."""
        place = self._shift[rows] + time / 2
        place -= np.floor(place)
        first = 2 * place - 1  # from -1, not seen yet, over 0, the photo, to 1, not seen any more
        second = first - np.copysign(np.float32(1), first)
        # Nothing is left of a copy that begins again, as patches keep clear of the cycle's ends.
        apart = np.abs(first - self._patches[rows]) - np.float32(0.5)
        of_second = np.clip(apart / np.float32(_SHARE) + np.float32(0.5), 0, 1)
        copies = self._copy(first, rows), self._copy(second, rows)
        grey = [cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY) for copy in copies]
        brighter = np.clip((grey[1] - grey[0]) / np.float32(_FIRM), -1, 1)
        of_second += of_second * (1 - of_second) * brighter
        of_first = 1 - of_second
        blend = cv2.blendLinear(*copies, of_first, of_second)
        variance = 1 - 2 * of_first * of_second * self._unlike[rows]
        return blend, 1 / np.sqrt(variance)

    def _copy(self, time: np.ndarray, rows: slice) -> np.ndarray:
        """The photo as it has drifted at times from -1 to 1, another one at each pixel."""
        x, y = (
            start - time * (field[rows] - time * bend[rows])
            for start, field, bend in zip(
                (self._x, self._y[rows]), self._field, self._bend, strict=True
            )
        )
        return cv2.remap(self._moving, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)

    def _light_and_shade(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        size = -(-width // _SMALL), -(-height // _SMALL)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small = cv2.convertScaleAbs(small)  # as fine enough, and four times as fast
        small = cv2.GaussianBlur(
            small, (0, 0), max(self._sigma, 0.3), borderType=cv2.BORDER_REFLECT
        )
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _soft(picture: np.ndarray) -> np.ndarray:
    """Without what makes it crisp."""
    return cv2.GaussianBlur(picture, (5, 5), 0, borderType=cv2.BORDER_REFLECT)


def _strips(height: int) -> list[slice]:
    """Rows that a processor's cache holds."""
    return [slice(top, top + _STRIP) for top in range(0, height, _STRIP)]


def _bend(field: np.ndarray) -> np.ndarray:
    """Half of what the field changes by along itself: the second term of a path's series."""
    if min(field.shape[:2]) < 2:
        return np.zeros_like(field)
    down, across = np.gradient(field, axis=(0, 1))
    return np.float32(0.5 * (across * field[..., :1] + down * field[..., 1:]))


def _waves(height: int, width: int, waves: tuple[tuple[float, float, float], ...]) -> np.ndarray:
    """A sum of waves, scaled to a variance of about 1/2: smooth, and the same at any size."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = (np.arange(height, dtype=np.float32) + 0.5) / height
    total = np.zeros((height, width), np.float32)
    for across, down, offset in waves:
        total += np.sin(2 * np.pi * (across * x + down * y[:, None] + offset), dtype=np.float32)
    return total / np.float32(len(waves) ** 0.5)


def _detail_correlation(photo: np.ndarray, drift: Field, mask: np.ndarray) -> np.ndarray:
    """How alike the details of the two copies are around each pixel, at a small size: `[h, w]`.

    Their correlation: 1 where they are the same, so that blending takes nothing away.
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
