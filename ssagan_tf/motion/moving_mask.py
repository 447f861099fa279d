"""What of a photo moves: the sky, and water where a clip made from the photo says so.

The sky finder sees the photo alone, at a hundred pixels and some; here wires and masts that are
finer than that are looked for, and what else moves in the clip.
"""

from __future__ import annotations

import cv2
import numpy as np

from ssagan_tf.motion.guided_filter import guided_filter
from ssagan_tf.motion.sun import Sun, downscale

_SIDE = 1280  # pixels at which thin things are looked for
_THIN = 0.009  # greatest width of such, in widths of the picture
_DARKER = 0.5, 0.30  # of what is around: surely something, and perhaps, if it goes on from there
_LIGHTER = 0.2, 0.1  # the same of what is lighter
_LONG = 0.02  # least length, in widths
_SURELY = 0.4  # of the change as large as the sky's, and as well explained by motion
_REGION = 0.05  # of the picture: smaller regions in the clip are noise
_RADIUS, _EPSILON = 0.03, 1e-3  # of the guided filter, in widths
_EROSION = 1 / 500  # widths
_EDGE, _UNLIKE = 0.01, 10.0  # greatest width of a frame, in heights or widths; of 255


def moving_mask(
    photo: np.ndarray,
    sky: np.ndarray,
    sun: Sun | None = None,
    change: np.ndarray | None = None,
    residual: np.ndarray | None = None,
) -> np.ndarray:
    """How much of each pixel moves.

    Args:
      photo: `[H, W, 3]` uint8, of any size.
      sky: Of it, `[H, W]` (`sky_segmentation.find_sky`).
      sun: In it.
      change: How much a clip made from it changes, `[h, w]`, at any size: see
        `optical_flow.change_and_residual`.
      residual: What of that its motion doesn't explain.

    Returns:
      `[H, W]` float32 in [0, 1].
    """
    mask = sky
    if change is not None and residual is not None:
        mask = np.maximum(mask, _moving_in_clip(photo, sky, change, residual))
    fine = downscale(photo, _SIDE)
    still = _thin_structures(fine, cv2.resize(sky, fine.shape[1::-1], interpolation=cv2.INTER_AREA))
    still = cv2.resize(still, sky.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if sun is not None:
        still = np.maximum(still, sun.disc(*sky.shape))
    return _shrunk(mask * (1 - still) * _within_frame(photo))


def horizon_height(mask: np.ndarray) -> float:
    """Height at which the sky mostly ends: 0 at the top of the picture, 1 at its bottom."""
    moving = mask > 0.5
    columns = moving.any(axis=0)
    if not columns.any():
        return 1.0
    lowest = len(mask) - moving[::-1].argmax(axis=0)
    return float(np.median(lowest[columns])) / len(mask)


def _shrunk(mask: np.ndarray) -> np.ndarray:
    """A little smaller and a little softer: no halo moves along an edge."""
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
    """1, but 0 in lines at the picture's borders that are unlike the next ones: seams, frames."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = np.ones(grey.shape, np.float32)
    for lines, kept in ((grey, inside), (grey.T, inside.T)):  # views: what is written stays
        widest = int(_EDGE * len(lines))
        if not widest:
            continue
        for some, target in ((lines, kept), (lines[::-1], kept[::-1])):
            beside = some[widest + 1 : widest + 3].mean(axis=0)
            differences = np.median(some[:widest] - beside, axis=1)
            unlike = np.flatnonzero(np.abs(differences) > _UNLIKE)
            target[: unlike[-1] + 1 if len(unlike) else 0] = 0
    return inside


def _moving_in_clip(
    photo: np.ndarray, sky: np.ndarray, change: np.ndarray, residual: np.ndarray
) -> np.ndarray:
    """Where the clip changes as the sky does, by motion, along the photo's edges: `[H, W]`."""
    height, width = change.shape
    small = cv2.resize(sky, (width, height), interpolation=cv2.INTER_AREA)
    inside = small > 0.9
    if inside.mean() < _REGION:
        return np.zeros_like(sky)
    explained = np.clip(1 - residual / np.maximum(change, 1e-6), 0, 1)
    usual = np.median(change[inside]), max(float(np.median(explained[inside])), 0.2)
    level = np.minimum(change / max(usual[0], 1e-6), explained / usual[1])
    moving = ((level > _SURELY) & (small < 0.9)).astype(np.uint8)
    moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(moving, connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] > _REGION * moving.size
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
    """What is thin, long and held: masts, wires, branches; turbines and lit towers."""
    side = 2 * max(1, round(_THIN * sky.shape[1] / 2)) + 1
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # In the brightest channel, as blue between clouds is bright in blue.
    light = photo.max(axis=2)
    land = cv2.dilate((sky < 0.5).astype(np.uint8), np.ones((side, side), np.uint8))
    held = land.copy()
    held[:1] = held[-1:] = held[:, :1] = held[:, -1:] = 1  # from the borders branches hang
    around = np.maximum(cv2.morphologyEx(light, cv2.MORPH_CLOSE, shape), 16).astype(np.float32)
    darker = np.where(sky > 0.1, 1 - light / around, 0)
    found = _attached_slender_parts(darker > _DARKER[1], darker > _DARKER[0], held)
    behind = cv2.morphologyEx(light, cv2.MORPH_OPEN, shape).astype(np.float32)
    lighter = np.where(sky > 0.1, 1 - behind / np.maximum(light, 16), 0)
    # Clouds have light fringes, too, but those don't stand upright on land.
    found |= _attached_slender_parts(
        lighter > _LIGHTER[1], lighter > _LIGHTER[0], land, upright=True
    )
    thick = cv2.dilate(found.astype(np.float32), np.ones((5, 5), np.uint8))
    return cv2.GaussianBlur(thick, (0, 0), 1.0)


def _attached_slender_parts(
    perhaps: np.ndarray, surely: np.ndarray, held: np.ndarray, upright: bool = False
) -> np.ndarray:
    """The parts that are slender, sure somewhere and held somewhere: what hangs in the air drifts.

    Args:
      perhaps, surely, held: `[h, w]`, whether each pixel is.
      upright: Only what is taller than wide.
    """
    number, labels, stats, _ = cv2.connectedComponentsWithStats(
        perhaps.astype(np.uint8), connectivity=8
    )
    sure, fixed = np.zeros((2, number), bool)
    sure[np.unique(labels[surely])] = True
    fixed[np.unique(labels[held > 0])] = True
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    length = np.hypot(width, height)
    slender = stats[:, cv2.CC_STAT_AREA] < 0.2 * length**2
    kept = sure & fixed & slender & (length > max(5, _LONG * perhaps.shape[1]))
    if upright:
        kept &= height > width
    kept[0] = False
    return kept[labels]
