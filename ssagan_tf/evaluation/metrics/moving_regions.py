"""Where it moves: does the sky move, and the ground stand still?"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from ssagan_tf.evaluation.metrics.metric import (
    Clip,
    Metric,
    Pair,
    ReportSection,
    mean,
    median,
    ratio,
)

REGIONS = ReportSection(
    "Where it moves, and how sharp it is",
    "Over all frames. Does what moves in the real clips move, and nothing else?",
)
SIDE = 128  # pixels, of the change map
BLUR = 2.0  # σ in pixels of the map
MOVING = 1.5  # of 255: pixels of the real clip that change more are moving
STILL = 0.6  # those that change less are still
MIN_SHARE = 0.03  # of the pixels must be of each kind

_MAP = (
    f"Change map: mean |grey(t+1) - grey(t)| over the 31 steps, on a scale of 0 to 255, of frames "
    f"resized to {SIDE}×{SIDE} (Pillow, bilinear, antialiased), blurred with a Gaussian of σ "
    f"{BLUR:g}. Moving pixels: above {MOVING} in the change map of the real clip; still pixels: "
    f"below {STILL}; a clip counts if at least {MIN_SHARE:.0%} of its pixels are of each kind"
)


def change_map(clip: Clip) -> np.ndarray:
    """How much each pixel changes from frame to frame: `[128, 128]` float32 in [0, 255]."""
    grey = clip.grey
    if grey.shape[1:] != (SIDE, SIDE):
        bilinear = Image.Resampling.BILINEAR  # antialiased in Pillow
        small = (Image.fromarray(frame).resize((SIDE, SIDE), bilinear) for frame in grey)
        grey = np.stack([np.asarray(frame) for frame in small])
    return cv2.GaussianBlur(np.abs(np.diff(grey, axis=0)).mean(axis=0), (0, 0), BLUR)


def area_under_curve(above: np.ndarray, below: np.ndarray) -> float:
    """ROC AUC: the share of pairs in which the first value is greater; ties count half.

    Args:
      above: `[N]`, the values that should be greater.
      below: `[M]`, the others.
    """
    ranked = np.sort(below)
    less, less_or_equal = (np.searchsorted(ranked, above, side) for side in ("left", "right"))
    return (int(less.sum()) + int(less_or_equal.sum())) / (2 * len(above) * len(below))


def regions(real: Clip) -> tuple[np.ndarray, np.ndarray] | None:
    """Masks of the pixels that move and of those that stand still, `[128, 128]` bool each.

    Pixels in between are in neither. None if either mask has too few pixels.
    """
    change = real.cached(change_map)
    moving, still = change > MOVING, change < STILL
    return (moving, still) if min(moving.mean(), still.mean()) >= MIN_SHARE else None


def _auc(pair: Pair) -> float:
    masks = pair.real.cached(regions)
    if masks is None:
        return np.nan
    moving, still = masks
    change = pair.fake.cached(change_map)
    return area_under_curve(change[moving], change[still])


def _leak(pair: Pair) -> float:
    masks = pair.real.cached(regions)
    if masks is None:
        return np.nan
    moving, still = masks
    change = pair.fake.cached(change_map)
    return ratio(change[still].mean(), change[moving].mean(), if_both_zero=0.0)


METRICS = (
    Metric(
        name="moving_auc",
        key="moving_auc",
        section=REGIONS,
        title="moving-region AUC",
        better="↑",
        format=".3f",
        compute=_auc,
        aggregate=mean,
        description=(
            "how well the change map of the generated clip ranks moving pixels above still ones "
            "(ties count half): mean over the clips that count; 0.5 is chance, as for a still "
            f"picture. {_MAP}"
        ),
        can_be_nan=True,
    ),
    Metric(
        name="ground_leak",
        key="ground_leak",
        section=REGIONS,
        title="ground leak",
        better="↓",
        format=".3f",
        compute=_leak,
        aggregate=median,
        description=(
            "mean of the change map of the generated clip over still pixels, divided by that "
            "over moving pixels: median over the clips that count; 0 where nothing changes at "
            "all"
        ),
        can_be_nan=True,
    ),
)
