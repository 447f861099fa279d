"""Which parts of a photo move: the sky, and water if it moves in a clip made from the photo.

The sky segmentation works on the photo at about 160 pixels a side. Here, thin structures such as
wires and masts are excluded, and other regions that move in the clip are added.
"""

from __future__ import annotations

import cv2
import numpy as np

from ssagan_tf.motion.guided_filter import guided_filter
from ssagan_tf.motion.sun import Sun, downscale

_SIDE = 1280  # pixels, for finding thin structures
_MAX_THICKNESS = 0.009  # of thin structures, in widths of the picture
# Contrast of certain and of possible parts; possible ones must touch a certain one.
_DARKER = 0.5, 0.30
_LIGHTER = 0.2, 0.1
_MIN_LENGTH = 0.02  # of thin structures, in widths
_MOVING = 0.4  # minimum change, and share explained by motion, relative to those of the sky
_MIN_REGION = 0.05  # share of the picture; smaller moving regions are noise
_RADIUS, _EPSILON = 0.03, 1e-3  # of the guided filter, in widths
_EROSION = 1 / 500  # in widths
_MAX_FRAME, _FRAME_CONTRAST = 0.01, 10.0  # width of a frame in widths or heights; of 255


def moving_mask(
    photo: np.ndarray,
    sky: np.ndarray,
    sun: Sun | None = None,
    change: np.ndarray | None = None,
    residual: np.ndarray | None = None,
) -> np.ndarray:
    """Returns how much of each pixel moves.

    Args:
      photo: `[H, W, 3]` uint8, of any size.
      sky: `[H, W]`, sky mask (`sky_segmentation.find_sky`).
      sun: Sun or moon in the photo, which stands still.
      change: `[h, w]` at any size, how much a clip made from the photo changes; see
        `optical_flow.change_and_residual`.
      residual: `[h, w]`, the part of it that the clip's motion does not explain.

    Returns:
      `[H, W]` float32 in [0, 1].
    """
    mask = sky
    if change is not None and residual is not None:
        mask = np.maximum(mask, _moving_in_clip(photo, sky, change, residual))
    fine = downscale(photo, _SIDE)
    static = _thin_structures(
        fine, cv2.resize(sky, fine.shape[1::-1], interpolation=cv2.INTER_AREA)
    )
    static = cv2.resize(static, sky.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if sun is not None:
        static = np.maximum(static, sun.disc(*sky.shape))
    return _shrunk(mask * (1 - static) * _within_frame(photo))


def horizon_height(mask: np.ndarray) -> float:
    """Returns the median height of a mask's lower end: 0 is the picture's top, 1 its bottom."""
    moving = mask > 0.5
    columns = moving.any(axis=0)
    if not columns.any():
        return 1.0
    lowest = len(mask) - moving[::-1].argmax(axis=0)
    return float(np.median(lowest[columns])) / len(mask)


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """Shrinks and softens a mask a little, so that no halo moves along an edge."""
    whole, part = divmod(_EROSION * mask.shape[1], 1)
    mask = _erode_and_blur(mask, int(whole))
    mask = (1 - part) * mask + part * _erode_and_blur(mask, 1)
    return np.clip((mask - 0.03) / 0.94, 0, 1).astype(np.float32)


def _erode_and_blur(mask: np.ndarray, radius: int) -> np.ndarray:
    if not radius:
        return mask
    side = 2 * radius + 1
    mask = cv2.erode(mask, np.ones((side, side), np.uint8))
    return np.minimum(mask, cv2.blur(mask, (side, side), borderType=cv2.BORDER_REFLECT))


def _within_frame(photo: np.ndarray) -> np.ndarray:
    """Returns 1, but 0 in rows and columns at the borders that contrast with the next: frames."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = np.ones(grey.shape, np.float32)
    for lines, kept in ((grey, inside), (grey.T, inside.T)):  # views, so `inside` is changed
        widest = int(_MAX_FRAME * len(lines))
        if not widest:
            continue
        for some, target in ((lines, kept), (lines[::-1], kept[::-1])):
            neighbours = some[widest + 1 : widest + 3].mean(axis=0)
            differences = np.median(some[:widest] - neighbours, axis=1)
            unlike = np.flatnonzero(np.abs(differences) > _FRAME_CONTRAST)
            target[: unlike[-1] + 1 if len(unlike) else 0] = 0
    return inside


def _moving_in_clip(
    photo: np.ndarray, sky: np.ndarray, change: np.ndarray, residual: np.ndarray
) -> np.ndarray:
    """Returns regions that move in the clip like the sky does, aligned with the photo's edges."""
    height, width = change.shape
    small = cv2.resize(sky, (width, height), interpolation=cv2.INTER_AREA)
    inside = small > 0.9
    if inside.mean() < _MIN_REGION:
        return np.zeros_like(sky)
    explained = np.clip(1 - residual / np.maximum(change, 1e-6), 0, 1)
    sky_change, sky_explained = np.median(change[inside]), np.median(explained[inside])
    level = np.minimum(change / max(sky_change, 1e-6), explained / max(float(sky_explained), 0.2))
    moving = ((level > _MOVING) & (small < 0.9)).astype(np.uint8)
    moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(moving, connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] > _MIN_REGION * moving.size
    large[0] = False
    if not large.any():
        return np.zeros_like(sky)
    found = np.maximum(large[labels].astype(np.float32), small)
    fine = downscale(photo, 4 * max(height, width))
    grey = cv2.cvtColor(fine, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    found = cv2.resize(found, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    found = guided_filter(found, grey, max(2, round(_RADIUS * grey.shape[1])), _EPSILON)
    found = np.clip(2 * found - 0.7, 0, 1)
    return cv2.resize(found, sky.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _thin_structures(photo: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Returns thin, long, attached structures: masts, wires, branches, turbines, lit towers."""
    side = 2 * max(1, round(_MAX_THICKNESS * sky.shape[1] / 2)) + 1
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # In the brightest channel, as blue gaps between clouds are bright in blue.
    light = photo.max(axis=2)
    land = cv2.dilate((sky < 0.5).astype(np.uint8), np.ones((side, side), np.uint8))
    supports = land.copy()
    # Branches reach in from the borders.
    supports[:1] = supports[-1:] = supports[:, :1] = supports[:, -1:] = 1
    around = np.maximum(cv2.morphologyEx(light, cv2.MORPH_CLOSE, shape), 16).astype(np.float32)
    darker = np.where(sky > 0.1, 1 - light / around, 0)
    found = _attached_slender_parts(darker > _DARKER[1], darker > _DARKER[0], supports)
    behind = cv2.morphologyEx(light, cv2.MORPH_OPEN, shape).astype(np.float32)
    lighter = np.where(sky > 0.1, 1 - behind / np.maximum(light, 16), 0)
    # Clouds have light fringes as well, but those do not stand upright on land.
    found |= _attached_slender_parts(
        lighter > _LIGHTER[1], lighter > _LIGHTER[0], land, upright=True
    )
    thick = cv2.dilate(found.astype(np.float32), np.ones((5, 5), np.uint8))
    return cv2.GaussianBlur(thick, (0, 0), 1.0)


def _attached_slender_parts(
    possible: np.ndarray, certain: np.ndarray, supports: np.ndarray, upright: bool = False
) -> np.ndarray:
    """Returns slender connected parts that touch a certain pixel and a support.

    Args:
      possible: `[h, w]` bool, pixels of the parts.
      certain: `[h, w]` bool.
      supports: `[h, w]`, what parts may be attached to; parts in mid-air drift with the sky.
      upright: Only parts that are taller than wide.
    """
    number, labels, stats, _ = cv2.connectedComponentsWithStats(
        possible.astype(np.uint8), connectivity=8
    )
    has_certain, attached = np.zeros((2, number), bool)
    has_certain[np.unique(labels[certain])] = True
    attached[np.unique(labels[supports > 0])] = True
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    length = np.hypot(width, height)
    slender = stats[:, cv2.CC_STAT_AREA] < 0.2 * length**2
    kept = has_certain & attached & slender & (length > max(5, _MIN_LENGTH * possible.shape[1]))
    if upright:
        kept &= height > width
    kept[0] = False
    return kept[labels]
