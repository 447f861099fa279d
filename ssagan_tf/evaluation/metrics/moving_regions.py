"""Where it moves: whether the sky does, and the ground does not."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from ssagan_tf.evaluation.metrics.metric import (
    REGIONS,
    Clip,
    Metric,
    Pair,
    mean,
    median,
    quotient,
)

SIDE = 128  # of the map
BLUR = 2.0  # σ in pixels of the map
PLAIN, NONE = 1.5, 0.6  # of 255: more change is plain motion, less is none
LEAST = 0.03  # of the pixels must be of each kind

_MAP = (
    f"change map: mean |grey(t+1) - grey(t)| over the 31 steps, 0-255, of frames brought to "
    f"{SIDE}×{SIDE} (Pillow, bilinear, antialiased), blurred with a Gaussian of σ {BLUR:g}. Plain "
    f"motion: the real clip's is above {PLAIN}; none: below {NONE}; a clip counts if each has "
    f"{LEAST:.0%} of the pixels"
)


def change_map(clip: Clip) -> np.ndarray:
    """How much each place changes from frame to frame: `[128, 128]` float32 in [0, 255]."""
    grey = clip.grey
    if grey.shape[1:] != (SIDE, SIDE):
        bilinear = Image.Resampling.BILINEAR  # Pillow's averages where it makes smaller
        small = (Image.fromarray(frame).resize((SIDE, SIDE), bilinear) for frame in grey)
        grey = np.stack([np.asarray(frame) for frame in small])
    return cv2.GaussianBlur(np.abs(np.diff(grey, axis=0)).mean(axis=0), (0, 0), BLUR)


def area_under_curve(above: np.ndarray, below: np.ndarray) -> float:
    """Share of the pairs whose first number is greater (ROC AUC), ties as half.

    Args:
      above: `[N]`, the numbers that should be greater.
      below: `[M]`, the others.
    """
    ranked = np.sort(below)
    less, not_greater = (np.searchsorted(ranked, above, side) for side in ("left", "right"))
    return (int(less.sum()) + int(not_greater.sum())) / (2 * len(above) * len(below))


def regions(real: Clip) -> tuple[np.ndarray, np.ndarray] | None:
    """Where a real clip plainly moves, and where it does not, `[128, 128]` bool; None: too little.

    What is neither is left out.
    """
    change = real.once(change_map)
    plain, none = change > PLAIN, change < NONE
    return (plain, none) if min(plain.mean(), none.mean()) >= LEAST else None


def _auc(pair: Pair) -> float:
    found = pair.real.once(regions)
    if found is None:
        return np.nan
    plain, none = found
    change = pair.fake.once(change_map)
    return area_under_curve(change[plain], change[none])


def _leak(pair: Pair) -> float:
    found = pair.real.once(regions)
    if found is None:
        return np.nan
    plain, none = found
    change = pair.fake.once(change_map)
    return quotient(change[none].mean(), change[plain].mean(), of_nothing=0.0)


METRICS = (
    Metric(
        name="moving_auc",
        figure="moving_auc",
        section=REGIONS,
        title="moving-region AUC",
        better="↑",
        format=".3f",
        of=_auc,
        over=mean,
        words="how well the generated change map ranks pixels of plain motion above those of none "
        f"(ties half): mean over the clips that count; 0.5 is chance, a still picture. {_MAP}",
        partial=True,
    ),
    Metric(
        name="ground_leak",
        figure="ground_leak",
        section=REGIONS,
        title="ground leak",
        better="↓",
        format=".3f",
        of=_leak,
        over=median,
        words="mean of the generated change map over pixels of no motion, over that of pixels of "
        "plain motion: median over the clips that count; 0 where nothing changes at all",
        partial=True,
    ),
)
