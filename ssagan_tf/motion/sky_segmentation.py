"""Finds the sky of a photo by colour and gradient, without a trained model.

After the detector of Shen and Wang, "Sky Region Detection in a Single Image for Autonomous Ground
Robot Navigation" (2013): among the borders between sky above and ground below that thresholds of
the gradient give, it picks the one with the least variance of colour on both sides, and then checks
whether there is a sky at all. By itself, that border often follows the edges of clouds: 52 percent
of the pixels are right in 36 first frames of Sky Time-lapse, against 98 percent with this module.

Our changes: ground is expected where it is dark, warm or low; each side is a mixture of colours
instead of a single one, fitted alternately with the mask; trees and towers may stand anywhere in
the sky; and a region is ground only if its outline is sharp and it is darker or warmer than the sky
next to it, which distinguishes land from the shadows of clouds. The constants were chosen on first
frames of about a hundred time-lapses, including those 36.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from ssagan_tf.motion.guided_filter import guided_filter

_PIXELS = 160 * 160  # of the reduced picture
_ATTEMPTS = ((0.0, 4), (2.0, 4), (3.0, 0))  # log-odds subtracted from ground; fitting iterations
_COLOURS = 3  # components of each mixture
_RADIUS, _EPSILON = 5, 1e-3  # of the guided filter
_LARGEST_ODDS = 6.0  # log-odds of a pixel by its colour
_MIN_GROUND, _MIN_DOUBT = 0.002, 0.01  # areas of ground, and of a doubt worth another attempt
_HARD_EDGE = 8.0  # change of colour per pixel
_DENSE = 0.45, 0.65  # density of hard edges that is possibly, and certainly, not a cloud
_MIN_SIZE = 8  # rows or columns of the reduced picture, below which nothing can be judged
# Weights of `not_sky_log_odds`: explained, hard edges, upright ones, brown, blue; the intercept.
_WEIGHTS = (-4.8, 10.3, 15.4, 2.6, -4.1, -6.3)
_HORIZON_EDGE = 2.3  # darkening across a level horizon in most columns, in L* per pixel


def find_sky(picture: np.ndarray) -> np.ndarray:
    """Returns how much of each pixel is sky.

    Water counts as ground if a horizon is visible; so do the black bars of a letterbox. A picture
    that is dark green or brown throughout has no sky; any other picture without land, such as fog
    or a bright wall, is all sky.

    Args:
      picture: `[H, W, 3]` uint8, of any size. It is segmented at a reduced size; the mask is then
        aligned with the edges at full size.

    Returns:
      `[H, W]` float32: 1 in the sky, 0 elsewhere, and in between at the border.
    """
    mask = np.zeros(picture.shape[:2], np.float32)
    inside = _without_bars(picture)
    picture = picture[inside]
    if not picture.size:
        return mask
    reduced = _Reduced.of(picture)
    sky = _without_holes(_sky_of(reduced))
    sky = np.where(_crowded(reduced, sky), 0, sky)
    if _is_land(reduced.lab[sky > 0.5]):
        return mask
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    fine = guided_filter(sky, reduced.grey, 2, _EPSILON, grey)
    mask[inside] = np.clip(1.25 * (fine - 0.5) + 0.5, 0, 1)  # a tenth of sky counts as none
    return mask


def not_sky_log_odds(picture: np.ndarray, sky: np.ndarray, explained: float) -> float:
    """Returns the log-odds that a region taken for sky is something else (a face, a wall).

    Skies have few hard edges, and few upright ones; they are often blue and rarely dull brown; and
    in a clip that a network makes of them, they drift. The weights come from a logistic regression
    on 203 skies, half of them synthetic, and 40 other photos (faces, rooms, animals, walls).

    Args:
      picture: `[H, W, 3]` uint8.
      sky: `[H, W]` in [0, 1], the region.
      explained: Share of a clip's change in the region that motion explains, at most 1.
    """
    reduced = _Reduced.of(picture)
    small = cv2.resize(np.float32(sky), reduced.lab.shape[1::-1], interpolation=cv2.INTER_AREA)
    inside = cv2.erode((small > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inside.any() or min(inside.shape) < _MIN_SIZE:
        return 0.0  # all edges of a line are upright
    return float(np.dot(_WEIGHTS, [max(explained, -0.3), *_appearance(reduced, inside), 1]))


def _appearance(picture: _Reduced, inside: np.ndarray) -> tuple[float, float, float, float]:
    """Returns features in [0, 1] of `not_sky_log_odds`: hard edges, upright ones, brown, blue."""
    smooth = cv2.GaussianBlur(picture.lab, (0, 0), 1.0)
    across, down = (
        cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=1 / 8)[inside] for axis in ((1, 0), (0, 1))
    )
    hard = np.sqrt((across**2 + down**2).sum(axis=-1)) > _HARD_EDGE
    upright, level = np.abs(across[:, 0]).mean(), np.abs(down[:, 0]).mean()
    light, green_red, blue_yellow = picture.lab[inside].T
    brown = (blue_yellow > 8) & (light < 60) & (np.hypot(green_red, blue_yellow) < 40)
    return (
        float(hard.mean() ** 0.5),
        float(upright / (upright + level + 1e-6)),
        float(brown.mean()),
        float((blue_yellow < -4).mean()),
    )


def _crowded(picture: _Reduced, sky: np.ndarray) -> np.ndarray:
    """Returns regions on the ground with denser edges than clouds: towers, trees, faces."""
    slopes = [cv2.Sobel(picture.lab, cv2.CV_32F, *a, scale=1 / 8) for a in ((1, 0), (0, 1))]
    share = (sky > 0.5).astype(np.float32)
    hard = (np.sqrt(np.square(slopes).sum(axis=(0, -1))) > _HARD_EDGE) * share
    around = [cv2.GaussianBlur(values, (0, 0), 4.0) for values in (hard, share)]
    density = around[0] / np.maximum(around[1], 0.2)
    _, labels = cv2.connectedComponents(((density > _DENSE[0]) & (share > 0)).astype(np.uint8))
    certain = labels[(density > _DENSE[1]) & (labels > 0)]
    land = (share == 0).astype(np.uint8)
    land[-1] = 1
    standing = labels[cv2.dilate(land, np.ones((3, 3), np.uint8)) > 0]
    return np.isin(labels, np.intersect1d(certain, standing))


def _without_bars(picture: np.ndarray) -> tuple[slice, slice]:
    """Returns the rows and columns between the black bars of a letterbox."""
    return _between(picture.max(axis=(1, 2)) <= 28), _between(picture.max(axis=(0, 2)) <= 28)


def _between(dark: np.ndarray) -> slice:
    bright = np.flatnonzero(~dark)
    return slice(bright[0], bright[-1] + 1) if len(bright) else slice(0, 0)


@dataclasses.dataclass(frozen=True)
class _Reduced:
    """A picture at reduced size.

    Attributes:
      lab: `[h, w, 3]` float32, CIE L*a*b*.
      heights: `[h, w]` float32, from 0 at the top to 1 at the bottom.
      gradient: `[h, w]` float32, largest change of colour per pixel in the neighbourhood.
    """

    lab: np.ndarray
    heights: np.ndarray
    gradient: np.ndarray

    @classmethod
    def of(cls, picture: np.ndarray) -> _Reduced:
        height, width = picture.shape[:2]
        scale = min(1.0, (_PIXELS / (height * width)) ** 0.5)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        rows = (np.arange(size[1], dtype=np.float32) + 0.5) / size[1]
        smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
        slopes = [cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))]
        gradient = np.sqrt(np.square(slopes).sum(axis=(0, -1)))
        return cls(
            lab,
            np.broadcast_to(rows[:, None], lab.shape[:2]),
            cv2.dilate(gradient, np.ones((3, 3), np.uint8)),
        )

    @property
    def grey(self) -> np.ndarray:
        return self.lab[..., 0] / 100

    def expected_ground(self) -> np.ndarray:
        """Returns the prior log-odds of ground: low, or dark or warm for the upper half."""
        upper = self.lab[: max(1, len(self.lab) // 2)].reshape(-1, 3)
        light, green_red, blue_yellow = np.median(upper, axis=0)
        ratio = self.lab[..., 0] / max(light, 1.0)
        dark = np.clip(8 * (0.55 - ratio), -2, 3)
        hue = np.hypot(self.lab[..., 2] - blue_yellow, self.lab[..., 1] - green_red)
        warm = (self.lab[..., 2] > blue_yellow) & (ratio < 1)
        low = np.clip(6 * (self.heights - 0.62), -3, 1.5)
        return dark + np.where(warm, np.clip(hue / 12 - 1, 0, 2), 0) + low


def _sky_of(picture: _Reduced) -> np.ndarray:
    """Returns how much of each pixel of the reduced picture is sky."""
    below = _below_horizon(picture)
    expected = picture.expected_ground() + np.where(below, _LARGEST_ODDS, 0)
    sky = np.where(below, 0, 1).astype(np.float32)
    # A whole dark sky may be taken for ground. Then ground is made less likely, and fitted again.
    for reluctance, rounds in _ATTEMPTS:
        found = _fit(picture, expected - reluctance, rounds)
        land, doubt = np.zeros(sky.shape, np.uint8), False
        for region in _regions(found < 0.5):
            share = region.mean()
            if share < _MIN_GROUND:
                continue
            if below[region].mean() > 0.5 or _is_ground(region, found, picture):
                land[region] = 1
            else:
                doubt = doubt or share > _MIN_DOUBT
        adjacent = cv2.dilate(land, np.ones((7, 7), np.uint8)) > 0
        sky = np.minimum(sky, np.where(adjacent, found, 1))
        if not doubt:
            break
    return sky


def _fit(picture: _Reduced, expected: np.ndarray, rounds: int) -> np.ndarray:
    """Fits the mask and the colours of its two sides alternately; returns how much is sky."""
    features = np.dstack([picture.lab, picture.heights]).astype(np.float64)
    odds = expected
    for done in range(rounds + 1):
        sky = (1 / (1 + np.exp(np.clip(odds, -30, 30)))).astype(np.float32)
        sky = guided_filter(sky, picture.grey, _RADIUS, _EPSILON)
        if done < rounds:
            ground = _log_density(features, np.where(sky < 0.5, 1 - sky, 0))
            above = _log_density(features, np.where(sky > 0.5, sky, 0))
            odds = np.clip(ground - above, -_LARGEST_ODDS, _LARGEST_ODDS) + 0.5 * expected
    return sky


def _log_density(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fits a mixture of Gaussians to weighted pixels; returns its log-density at each pixel.

    Expectation maximisation on every other row and column. It starts from groups of equal weight
    ordered by lightness, so the result is deterministic.
    """
    some = features[::2, ::2].reshape(-1, features.shape[-1])
    given = weights[::2, ::2].ravel() + 1e-6
    order = np.argsort(some[:, 0], kind="stable")
    shares = np.cumsum(given[order]) / given.sum()
    groups = np.empty(len(some), int)
    groups[order] = np.minimum(shares * _COLOURS, _COLOURS - 1).astype(int)
    parts = given * (groups == np.arange(_COLOURS)[:, None])
    for _ in range(4):
        gaussians = [_gaussian(some, part) for part in parts]
        joint = np.stack([_joint(some, gaussian) for gaussian in gaussians])
        parts = given * np.exp(joint - np.logaddexp.reduce(joint))
    gaussians = [_gaussian(some, part) for part in parts]
    return np.logaddexp.reduce([_joint(features, gaussian) for gaussian in gaussians])


_Gaussian = tuple[float, np.ndarray, np.ndarray]
_FLOOR = np.diag([16.0, 4.0, 4.0, 0.01])  # added to the variances of L*, a*, b* and height


def _gaussian(samples: np.ndarray, weights: np.ndarray) -> _Gaussian:
    total = weights.sum() + 1e-9
    mean = weights @ samples / total
    offsets = samples - mean
    return total, mean, (offsets * weights[:, None]).T @ offsets / total + _FLOOR


def _joint(features: np.ndarray, gaussian: _Gaussian) -> np.ndarray:
    """Returns the log of weight times density, up to a constant."""
    weight, mean, covariance = gaussian
    offsets = features - mean
    squares = np.einsum("...i,...i->...", offsets @ np.linalg.inv(covariance), offsets)
    return np.log(weight) - 0.5 * (squares + np.linalg.slogdet(covariance)[1])


def _regions(mask: np.ndarray) -> list[np.ndarray]:
    """Returns the connected parts of a mask, `[h, w]` bool each."""
    number, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return [labels == label for label in range(1, number)]


def _is_ground(region: np.ndarray, sky: np.ndarray, picture: _Reduced) -> bool:
    """Returns whether a region is land, and not a part of the sky in another colour."""
    solid = region.astype(np.uint8)
    wide = np.ones((15, 15), np.uint8)
    outline = cv2.dilate(solid, np.ones((3, 3))) > cv2.erode(solid, np.ones((3, 3)))
    adjacent = (cv2.dilate(solid, wide) > 0) & (sky > 0.5)
    if not adjacent.any():
        adjacent = sky > 0.5
    if not adjacent.any():
        return True
    light, _, hue = np.median(picture.lab[region], axis=0)
    light_adjacent, _, hue_adjacent = np.median(picture.lab[adjacent], axis=0)
    ratio = light / max(light_adjacent, 1.0)
    sharpness = np.percentile(picture.gradient[outline], 25)  # clouds have soft edges somewhere
    evidence = 0.85 * np.clip(np.log2(sharpness / 4 + 1e-6), -2, 2)
    evidence += 4 * (0.4 - min(ratio, 1.3))
    evidence += 3 * np.clip((hue - hue_adjacent) / 20, 0, 1)
    evidence -= 3 * np.clip((-hue - 5) / 10, 0, 2)  # deep blue is sky
    evidence += 1 if region[-1].any() else 0
    return bool(evidence > 0)


def _below_horizon(picture: _Reduced) -> np.ndarray:
    """Returns what is below a straight, level line across which the picture darkens: the sea."""
    light = cv2.GaussianBlur(picture.lab[..., 0], (0, 0), 1.0)
    height, width = light.shape
    slope = cv2.Sobel(light, cv2.CV_32F, 0, 1, scale=1 / 8)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    best, below = -_HORIZON_EDGE, np.zeros(light.shape, bool)
    for tilt in np.linspace(-0.03, 0.03, 7, dtype=np.float32):
        lean = tilt * (columns - width / 2)
        level = cv2.remap(
            slope, columns, rows + lean, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        darkest = cv2.erode(level, np.ones((3, 1), np.uint8))
        most = np.percentile(darkest, 85, axis=1)
        most[:3] = most[-3:] = 0
        if most.min() < best:
            best, below = most.min(), rows - lean > most.argmin()
    return below


def _is_land(colours: np.ndarray) -> bool:
    """Returns whether colours, `[N, 3]`, are too dark and green or brown for a sky."""
    if not len(colours):
        return True
    light, green_red, blue_yellow = np.median(colours, axis=0)
    green = light < 30 and green_red < -3 and blue_yellow > 0
    return bool(green or (light < 40 and green_red < 8 and blue_yellow > 8))


def _without_holes(sky: np.ndarray) -> np.ndarray:
    """Removes bright regions below the main sky: lakes, walls, lit windows."""
    regions = _regions(sky > 0.5)
    if len(regions) < 2:
        return sky
    depth = [np.flatnonzero(region.any(axis=1)).mean() / len(sky) for region in regions]
    proper = max(range(len(regions)), key=lambda i: regions[i].sum() * (1 - depth[i]))
    kept = sky.copy()
    for region, deep in zip(regions, depth, strict=True):
        if deep > depth[proper] and not region[0].any():
            kept[region] = 0
    return kept
