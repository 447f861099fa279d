"""The sky of a photo, found by colour and gradient without learning.

After the detector of Shen and Wang, "Sky Region Detection in a Single Image for Autonomous Ground
Robot Navigation" (2013): of the borders between a sky above and a ground below that some strength
of gradient draws, it takes the one that leaves least variance of colour on both sides, and then
looks whether there is a sky at all. By itself that border follows the edges of clouds: 52 percent
of the pixels are right in 36 first frames of Sky Time-lapse, 98 with what is here.

What is ours: ground is expected where it is dark, warm or low; each side is a mixture of colours
instead of one, fitted in turns with the mask; trees and towers may stand anywhere in the sky; and
a region is ground only if its outline is sharp and it is darker or warmer than the sky beside it,
which tells land from the shadows of clouds. The constants were chosen on first frames of about a
hundred time-lapses, those 36 among them.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from ssagan_tf.motion.guided_filter import guided_filter

_PIXELS = 160 * 160  # of the reduced picture in which the sky is looked for
_ATTEMPTS = ((0.0, 4), (2.0, 4), (3.0, 0))  # how unlikely ground is, and rounds of fitting
_COLOURS = 3  # of each mixture
_RADIUS, _EPSILON = 5, 1e-3  # of the guided filter in the reduced picture
_LARGEST_ODDS = 6.0  # log-odds of a pixel by its colour
_SMALLEST, _SMALL = 0.002, 0.01  # areas: of ground at all; whose doubt takes another attempt
_HARD = 8.0  # change of colour per pixel, of an edge
_DENSE = 0.45, 0.65  # share of edges of what is no cloud, perhaps and surely
_FEW = 8  # rows or columns of the reduced picture in which there is nothing to judge
# Weights of `not_sky_log_odds`: explained, hard edges, upright ones, brown, blue; the intercept.
_ODD = (-4.8, 10.3, 15.4, 2.6, -4.1, -6.3)
_LEVEL = 2.3  # darkening across a level horizon in most columns, in L* per pixel


def find_sky(picture: np.ndarray) -> np.ndarray:
    """How much of each pixel is sky.

    Water is ground, where a horizon can be seen; so are the black bars of a letterbox. Nothing is
    sky in a picture of dark green or brown throughout; any other picture without land, be it of
    fog or of a bright wall, is sky all over.

    Args:
      picture: `[H, W, 3]` uint8, of any size. It is looked at in reduced size; the mask follows
        the edges of the picture at its own.

    Returns:
      `[H, W]` float32: 1 in the sky, 0 elsewhere, and between at the border.
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
    mask[inside] = np.clip(1.25 * (fine - 0.5) + 0.5, 0, 1)  # a tenth of sky is none
    return mask


def not_sky_log_odds(picture: np.ndarray, sky: np.ndarray, explained: float) -> float:
    """Log-odds that what was taken for sky is none: a face, a room, a wall.

    Skies have few hard edges, of which few are upright, are often blue and not of a dull brown; and
    in a clip that a network makes of them, they drift. The weights are those of a logistic
    regression on 203 skies, half of them drawn, and 40 other photos (faces, rooms, animals, walls).

    Args:
      picture: `[H, W, 3]` uint8.
      sky: `[H, W]` in [0, 1].
      explained: Share of a clip's change in it that is explained by motion, at most 1.
    """
    reduced = _Reduced.of(picture)
    small = cv2.resize(np.float32(sky), reduced.lab.shape[1::-1], interpolation=cv2.INTER_AREA)
    inside = cv2.erode((small > 0.5).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inside.any() or min(inside.shape) < _FEW:
        return 0.0  # a line has no edges but upright ones
    return float(np.dot(_ODD, [max(explained, -0.3), *_looks(reduced, inside), 1]))


def _looks(picture: _Reduced, inside: np.ndarray) -> tuple[float, float, float, float]:
    """Hard edges, upright ones, dull brown, and blue: features in [0, 1] of `not_sky_log_odds`."""
    smooth = cv2.GaussianBlur(picture.lab, (0, 0), 1.0)
    across, down = (
        cv2.Sobel(smooth, cv2.CV_32F, *axis, scale=1 / 8)[inside] for axis in ((1, 0), (0, 1))
    )
    hard = np.sqrt((across**2 + down**2).sum(axis=-1)) > _HARD
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
    """Where hard edges are denser than in clouds, from the ground on: lit towers, crowns, faces."""
    slopes = [cv2.Sobel(picture.lab, cv2.CV_32F, *a, scale=1 / 8) for a in ((1, 0), (0, 1))]
    share = (sky > 0.5).astype(np.float32)
    hard = (np.sqrt(np.square(slopes).sum(axis=(0, -1))) > _HARD) * share
    around = [cv2.GaussianBlur(values, (0, 0), 4.0) for values in (hard, share)]
    density = around[0] / np.maximum(around[1], 0.2)
    _, labels = cv2.connectedComponents(((density > _DENSE[0]) & (share > 0)).astype(np.uint8))
    surely = labels[(density > _DENSE[1]) & (labels > 0)]
    land = (share == 0).astype(np.uint8)
    land[-1] = 1
    standing = labels[cv2.dilate(land, np.ones((3, 3), np.uint8)) > 0]
    return np.isin(labels, np.intersect1d(surely, standing))


def _without_bars(picture: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns within the black bars of a letterbox."""
    return _between(picture.max(axis=(1, 2)) <= 28), _between(picture.max(axis=(0, 2)) <= 28)


def _between(dark: np.ndarray) -> slice:
    bright = np.flatnonzero(~dark)
    return slice(bright[0], bright[-1] + 1) if len(bright) else slice(0, 0)


@dataclasses.dataclass(frozen=True)
class _Reduced:
    """A picture at the size at which it is looked at.

    Attributes:
      lab: `[h, w, 3]` float32, CIE L*a*b*.
      heights: `[h, w]` float32, from 0 at the top to 1.
      gradient: `[h, w]` float32, greatest change of colour per pixel thereabouts.
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
        """Log-odds of ground before anything is fitted: dark or warm, against the upper half."""
        upper = self.lab[: max(1, len(self.lab) // 2)].reshape(-1, 3)
        light, green_red, blue_yellow = np.median(upper, axis=0)
        ratio = self.lab[..., 0] / max(light, 1.0)
        dark = np.clip(8 * (0.55 - ratio), -2, 3)
        hue = np.hypot(self.lab[..., 2] - blue_yellow, self.lab[..., 1] - green_red)
        warm = (self.lab[..., 2] > blue_yellow) & (ratio < 1)
        low = np.clip(6 * (self.heights - 0.62), -3, 1.5)
        return dark + np.where(warm, np.clip(hue / 12 - 1, 0, 2), 0) + low


def _sky_of(picture: _Reduced) -> np.ndarray:
    """How much of each pixel of the reduced picture is sky."""
    below = _below_horizon(picture)
    expected = picture.expected_ground() + np.where(below, _LARGEST_ODDS, 0)
    sky = np.where(below, 0, 1).astype(np.float32)
    # Dark sky may be taken for ground as a whole. Then less of the picture is offered as such.
    for reluctance, rounds in _ATTEMPTS:
        found = _fit(picture, expected - reluctance, rounds)
        land, doubt = np.zeros(sky.shape, np.uint8), False
        for region in _regions(found < 0.5):
            share = region.mean()
            if share < _SMALLEST:
                continue
            if below[region].mean() > 0.5 or _is_ground(region, found, picture):
                land[region] = 1
            else:
                doubt = doubt or share > _SMALL
        beside = cv2.dilate(land, np.ones((7, 7), np.uint8)) > 0
        sky = np.minimum(sky, np.where(beside, found, 1))
        if not doubt:
            break
    return sky


def _fit(picture: _Reduced, expected: np.ndarray, rounds: int) -> np.ndarray:
    """Mask and the colours of its two sides, fitted in turns: how much of each pixel is sky."""
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
    """Log-density at each pixel of a mixture of Gaussians fitted to weighted pixels.

    Expectation maximisation on every other row and column, from groups of equal weight by
    lightness: no random numbers, the same mask each time.
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
_FLOOR = np.diag([16.0, 4.0, 4.0, 0.01])  # variances of L*, a*, b* and height added to any


def _gaussian(samples: np.ndarray, weights: np.ndarray) -> _Gaussian:
    total = weights.sum() + 1e-9
    mean = weights @ samples / total
    offsets = samples - mean
    return total, mean, (offsets * weights[:, None]).T @ offsets / total + _FLOOR


def _joint(features: np.ndarray, gaussian: _Gaussian) -> np.ndarray:
    """Log of weight times density, but for a constant."""
    weight, mean, covariance = gaussian
    offsets = features - mean
    squares = np.einsum("...i,...i->...", offsets @ np.linalg.inv(covariance), offsets)
    return np.log(weight) - 0.5 * (squares + np.linalg.slogdet(covariance)[1])


def _regions(mask: np.ndarray) -> list[np.ndarray]:
    """The connected parts of a mask, `[h, w]` bool each."""
    number, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return [labels == label for label in range(1, number)]


def _is_ground(region: np.ndarray, sky: np.ndarray, picture: _Reduced) -> bool:
    """Whether a region is land and not a part of the sky of another colour."""
    solid = region.astype(np.uint8)
    wide = np.ones((15, 15), np.uint8)
    outline = cv2.dilate(solid, np.ones((3, 3))) > cv2.erode(solid, np.ones((3, 3)))
    beside = (cv2.dilate(solid, wide) > 0) & (sky > 0.5)
    if not beside.any():
        beside = sky > 0.5
    if not beside.any():
        return True
    light, _, hue = np.median(picture.lab[region], axis=0)
    light_beside, _, hue_beside = np.median(picture.lab[beside], axis=0)
    ratio = light / max(light_beside, 1.0)
    sharpness = np.percentile(picture.gradient[outline], 25)  # clouds are soft somewhere
    evidence = 0.85 * np.clip(np.log2(sharpness / 4 + 1e-6), -2, 2)
    evidence += 4 * (0.4 - min(ratio, 1.3))
    evidence += 3 * np.clip((hue - hue_beside) / 20, 0, 1)
    evidence -= 3 * np.clip((-hue - 5) / 10, 0, 2)  # deep blue is sky
    evidence += 1 if region[-1].any() else 0
    return bool(evidence > 0)


def _below_horizon(picture: _Reduced) -> np.ndarray:
    """Where it is below a straight, level line along which the picture darkens: the sea's end."""
    light = cv2.GaussianBlur(picture.lab[..., 0], (0, 0), 1.0)
    height, width = light.shape
    slope = cv2.Sobel(light, cv2.CV_32F, 0, 1, scale=1 / 8)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    best, below = -_LEVEL, np.zeros(light.shape, bool)
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
    """Whether colours `[N, 3]` are as dark and green, or brown, as no sky is."""
    if not len(colours):
        return True
    light, green_red, blue_yellow = np.median(colours, axis=0)
    green = light < 30 and green_red < -3 and blue_yellow > 0
    return bool(green or (light < 40 and green_red < 8 and blue_yellow > 8))


def _without_holes(sky: np.ndarray) -> np.ndarray:
    """Takes away what is bright below the sky proper: lakes, walls, lit windows."""
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
