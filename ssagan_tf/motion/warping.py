"""A picture warped by a field of velocities that stays the same over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

_LONGEST_STEP = 2.0  # pixels that are gone at once along a path
_SURE = 0.95  # of the mask: less may be mixed with what stands still
_SMOOTH_SIDE = 128  # pixels at which a picture has no more detail


def resize_velocities(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same motion at another size.

    Args:
      field: `[h, w, 2]`, x to the right and y down, in pixels a frame at its own size.
      size: Height H and width W.

    Returns:
      `[H, W, 2]` float32, in pixels a frame at that size: each axis is scaled by its own ratio.
    """
    field = np.asarray(field, np.float32)
    (height, width), (old_height, old_width) = size, field.shape[:2]
    if (height, width) == (old_height, old_width):
        return field
    smaller = height * width < old_height * old_width
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized = cv2.resize(field, (width, height), interpolation=how)
    return resized * np.array([width / old_width, height / old_height], np.float32)


def backtrace(field: np.ndarray, times: Iterable[float]) -> Iterator[np.ndarray]:
    """Where what is seen at each pixel was at time 0.

    Integrates the field backwards from each pixel, by midpoints of steps of at most 2 pixels.
    Outside of the picture its velocities are those at the border.

    Args:
      field: `[H, W, 2]`, pixels a frame.
      times: In frames; before 0 too. Each that is further from 0 than the one before goes on from
        there; any other begins anew.

    Yields:
      `[H, W, 2]` float32: x and y in pixels, perhaps outside of the picture.
    """
    field = np.asarray(field, np.float32)
    height, width = field.shape[:2]
    grid = np.dstack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (width, height))))
    fastest = float(np.sqrt(np.square(field).sum(axis=-1).max()))
    place, reached = grid, 0.0
    for time in times:
        if not (0 <= reached <= time or time <= reached <= 0):
            place, reached = grid, 0.0
        steps = math.ceil(abs(time - reached) * fastest / _LONGEST_STEP)
        step = np.float32((time - reached) / max(steps, 1))
        for _ in range(steps):
            halfway = place - step / 2 * _sampled(field, place, cv2.INTER_LINEAR)
            place = place - step * _sampled(field, halfway, cv2.INTER_LINEAR)
        reached = time
        yield place


def warp_frames(
    picture: np.ndarray,
    field: np.ndarray,
    times: Iterable[float],
    mask: np.ndarray | None = None,
    source: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """The frames of `warp`, one after the other."""
    height, width = picture.shape[:2]
    field = resize_velocities(field, (height, width))
    moving = extend_moving_region(picture, mask if source is None else source).astype(np.float32)
    share = np.float32(1) if mask is None else np.asarray(mask, np.float32)[..., None]
    still = picture - share * moving  # what of each pixel doesn't move
    for time, place in _with(times, field):
        if time == 0:
            yield picture.copy()
            continue
        sampled = _sampled(moving, place, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)
        frame = still + share * sampled
        if picture.dtype == np.uint8:
            frame = np.clip(np.rint(frame), 0, 255)
        yield np.where(share > 0, frame, picture).astype(picture.dtype)


def warp(
    picture: np.ndarray,
    field: np.ndarray,
    times: Iterable[float],
    mask: np.ndarray | None = None,
    source: np.ndarray | None = None,
) -> np.ndarray:
    """A picture warped by a field: sampled bicubically, mirrored at its borders.

    Args:
      picture: `[H, W, C]`, uint8 or float.
      field: `[h, w, 2]`, x to the right and y down, pixels a frame at its own size. Brought to the
        picture's by `resize_velocities`.
      times: Of the frames, in frames of the field's; at 0 is the picture itself.
      mask: `[H, W]` in [0, 1]: the share of each pixel that moves. Where it is 0, the frames are
        the picture, bit by bit; and nothing that stands still is carried along: the moving side
        is continued below it, mirrored at its border.
      source: `[H, W]` in [0, 1]: what may be carried along, if that isn't the mask. Where motion
        fades out in what could move, it is 1.

    Returns:
      `[T, H, W, C]` of the picture's type.
    """
    return np.stack(list(warp_frames(picture, field, times, mask, source)))


def _with(times: Iterable[float], field: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    times = list(times)
    return zip(times, backtrace(field, times), strict=True)


def _sampled(
    values: np.ndarray, place: np.ndarray, how: int, beyond: int = cv2.BORDER_REPLICATE
) -> np.ndarray:
    sampled = cv2.remap(values, place[..., 0], place[..., 1], how, borderMode=beyond)
    return sampled.reshape(values.shape)


def extend_moving_region(picture: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The picture with its moving side continued over what stands still.

    Its colours spread smoothly, with the detail that lies as far on the other side of the border.
    """
    if mask is None or mask.min() >= _SURE or mask.max() <= 0:
        return picture
    known = mask >= min(_SURE, float(mask.max()))
    smooth = _smooth(picture.astype(np.float32), known.astype(np.float32)[..., None])
    across, there = _across_border(known)
    detail = picture - smooth
    continued = smooth + np.where(there[..., None], detail[across], 0)
    if picture.dtype == np.uint8:
        continued = np.clip(continued, 0, 255)
    return np.where(known[..., None], picture, continued).astype(np.float32)


def _smooth(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The picture without detail, from what has weight alone, and spread over what has none."""
    height, width = values.shape[:2]
    scale = min(1.0, _SMOOTH_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = [_resized(some, size, cv2.INTER_AREA) for some in (values * weights, weights)]
    blurred = [cv2.GaussianBlur(some, (0, 0), 2.5).reshape(some.shape) for some in small]
    return _resized(_spread(*blurred), (width, height), cv2.INTER_LINEAR)


def _spread(weighted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means that fill what has no weight, from ever coarser halves of the picture.

    Args:
      weighted: `[H, W, C]` float32, values times weights.
      weights: `[H, W, 1]` float32 in [0, 1], not all 0.
    """
    height, width = weights.shape[:2]
    own = weighted / np.maximum(weights, 1e-6)
    if height == width == 1:
        return own
    half = (width + 1) // 2, (height + 1) // 2
    smaller = [_resized(values, half, cv2.INTER_AREA) for values in (weighted, weights)]
    coarse = _resized(_spread(*smaller), (width, height), cv2.INTER_LINEAR)
    return own * weights + coarse * (1 - weights)


def _across_border(known: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """For each unknown pixel the one as far from the border on its other side, and if it's known.

    Returns:
      Rows and columns, `[H, W]` each, and `[H, W]` bool.
    """
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((labels.max() + 1, 2), int)
    nearest[labels[known]] = np.argwhere(known)
    place = 2 * nearest[labels] - np.moveaxis(np.indices(known.shape), 0, -1)
    limits = np.array(known.shape) - 1
    within = ((place >= 0) & (place <= limits)).all(axis=-1)
    rows, columns = np.moveaxis(np.clip(place, 0, limits), -1, 0)
    return (rows, columns), within & known[rows, columns]


def _resized(values: np.ndarray, size: tuple[int, int], how: int) -> np.ndarray:
    return cv2.resize(values, size, interpolation=how).reshape(size[1], size[0], -1)
