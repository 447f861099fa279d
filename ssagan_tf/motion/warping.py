"""Warps a picture by a velocity field that is constant over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

_MAX_STEP = 2.0  # pixels of an integration step
_PURE = 0.95  # mask value; pixels below may be mixed with the static background
_SMOOTH_SIDE = 128  # pixels; a picture of this size has no details


def resize_velocities(field: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a velocity field.

    Args:
      field: `[h, w, 2]`, x to the right and y down, in pixels per frame at its own size.
      size: Height H and width W.

    Returns:
      `[H, W, 2]` float32, in pixels per frame at the new size.
    """
    field = np.asarray(field, np.float32)
    (height, width), (old_height, old_width) = size, field.shape[:2]
    if (height, width) == (old_height, old_width):
        return field
    smaller = height * width < old_height * old_width
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized = cv2.resize(field, (width, height), interpolation=interpolation)
    return resized * np.array([width / old_width, height / old_height], np.float32)


def backtrace(field: np.ndarray, times: Iterable[float]) -> Iterator[np.ndarray]:
    """Yields the positions at time 0 of what is visible at each pixel at other times.

    Integrates the field backwards from each pixel by the midpoint method, in steps of at most 2
    pixels. Outside the picture, velocities are those of the border.

    Args:
      field: `[H, W, 2]`, pixels per frame.
      times: In frames, positive or negative. A time farther from 0 than the one before continues
        from there; any other starts again.

    Yields:
      `[H, W, 2]` float32: x and y in pixels, possibly outside the picture.
    """
    field = np.asarray(field, np.float32)
    height, width = field.shape[:2]
    grid = np.dstack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (width, height))))
    fastest = float(np.sqrt(np.square(field).sum(axis=-1).max()))
    position, reached = grid, 0.0
    for time in times:
        if not (0 <= reached <= time or time <= reached <= 0):
            position, reached = grid, 0.0
        steps = math.ceil(abs(time - reached) * fastest / _MAX_STEP)
        step = np.float32((time - reached) / max(steps, 1))
        for _ in range(steps):
            midpoint = position - step / 2 * _sampled(field, position, cv2.INTER_LINEAR)
            position = position - step * _sampled(field, midpoint, cv2.INTER_LINEAR)
        reached = time
        yield position


def warp_frames(
    picture: np.ndarray,
    field: np.ndarray,
    times: Iterable[float],
    mask: np.ndarray | None = None,
    source: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Yields the frames of `warp` one at a time."""
    height, width = picture.shape[:2]
    field = resize_velocities(field, (height, width))
    moving = extend_moving_region(picture, mask if source is None else source).astype(np.float32)
    share = np.float32(1) if mask is None else np.asarray(mask, np.float32)[..., None]
    static = picture - share * moving  # the static part of each pixel
    times = list(times)
    for time, position in zip(times, backtrace(field, times), strict=True):
        if time == 0:
            yield picture.copy()
            continue
        sampled = _sampled(moving, position, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)
        frame = static + share * sampled
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
    """Warps a picture by a field, with bicubic sampling and reflection at the borders.

    Args:
      picture: `[H, W, C]`, uint8 or float.
      field: `[h, w, 2]`, x to the right and y down, pixels per frame at its own size. Resized to
        the picture's size by `resize_velocities`.
      times: Times of the frames, in frames of the field; at 0 the frame is the picture itself.
      mask: `[H, W]` in [0, 1]: the share of each pixel that moves. Where it is 0, all frames are
        identical to the picture. Static parts are not dragged along: the moving region is
        extended beneath them, reflected at its border.
      source: `[H, W]` in [0, 1]: the region that pixels may come from, if it is not the mask. It
        is 1 where motion fades out in a region that could move.

    Returns:
      `[T, H, W, C]` of the picture's type.
    """
    return np.stack(list(warp_frames(picture, field, times, mask, source)))


def _sampled(
    values: np.ndarray,
    position: np.ndarray,
    interpolation: int,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    x, y = position[..., 0], position[..., 1]
    sampled = cv2.remap(values, x, y, interpolation, borderMode=border)
    return sampled.reshape(values.shape)


def extend_moving_region(picture: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Returns the picture with its moving region extended over what stands still.

    Colours are extrapolated smoothly; details are reflected at the border of the region.
    """
    if mask is None or mask.min() >= _PURE or mask.max() <= 0:
        return picture
    known = mask >= min(_PURE, float(mask.max()))
    smooth = _smooth(picture.astype(np.float32), known.astype(np.float32)[..., None])
    reflected, is_known = _across_border(known)
    detail = picture - smooth
    extended = smooth + np.where(is_known[..., None], detail[reflected], 0)
    if picture.dtype == np.uint8:
        extended = np.clip(extended, 0, 255)
    return np.where(known[..., None], picture, extended).astype(np.float32)


def _smooth(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the picture without details, extrapolated from pixels with weight to all others."""
    height, width = values.shape[:2]
    scale = min(1.0, _SMOOTH_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = [_resized(some, size, cv2.INTER_AREA) for some in (values * weights, weights)]
    blurred = [cv2.GaussianBlur(some, (0, 0), 2.5).reshape(some.shape) for some in small]
    return _resized(_spread(*blurred), (width, height), cv2.INTER_LINEAR)


def _spread(weighted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fills pixels without weight from weighted means at coarser and coarser scales.

    Args:
      weighted: `[H, W, C]` float32, values times weights.
      weights: `[H, W, 1]` float32 in [0, 1], not all 0.
    """
    height, width = weights.shape[:2]
    mean = weighted / np.maximum(weights, 1e-6)
    if height == width == 1:
        return mean
    half = (width + 1) // 2, (height + 1) // 2
    smaller = [_resized(values, half, cv2.INTER_AREA) for values in (weighted, weights)]
    coarse = _resized(_spread(*smaller), (width, height), cv2.INTER_LINEAR)
    return mean * weights + coarse * (1 - weights)


def _across_border(known: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Reflects each unknown pixel at the nearest border of the known region.

    Returns:
      Rows and columns of the reflected pixels, `[H, W]` each, and whether those are known.
    """
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros((labels.max() + 1, 2), int)
    nearest[labels[known]] = np.argwhere(known)
    position = 2 * nearest[labels] - np.moveaxis(np.indices(known.shape), 0, -1)
    limits = np.array(known.shape) - 1
    within = ((position >= 0) & (position <= limits)).all(axis=-1)
    rows, columns = np.moveaxis(np.clip(position, 0, limits), -1, 0)
    return (rows, columns), within & known[rows, columns]


def _resized(values: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    return cv2.resize(values, size, interpolation=interpolation).reshape(size[1], size[0], -1)
