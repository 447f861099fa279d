"""Sharpness and flicker; for loops also the seam and pumping."""

from __future__ import annotations

import cv2
import numpy as np

from ssagan_tf.evaluation.metrics.metric import (
    Clip,
    Metric,
    Pair,
    ReportSection,
    mean,
    median,
    ratio,
)
from ssagan_tf.evaluation.metrics.moving_regions import REGIONS

LOOPS = ReportSection("Loops", "For clips that are meant to be repeated endlessly.")
SHARPNESS_FRAMES = slice(4, None, 8)  # frames 5, 13, 21, 29
_NEEDS_LOOPS = frozenset({"loop_metrics"})


def contrast(grey: np.ndarray) -> np.ndarray:
    """Standard deviation of each frame: `[T, H, W]` → `[T]`."""
    return grey.std(axis=(1, 2))


def sharpness(grey: np.ndarray) -> np.ndarray:
    """Standard deviation of the Laplacian of each frame: `[T, H, W]` float32 → `[T]`."""
    return np.array([cv2.Laplacian(frame, cv2.CV_32F).std() for frame in grey])


def flicker(grey: np.ndarray) -> float:
    """Mean |second difference in time| over mean |first difference|; 0 if nothing changes.

    About 1.7 for independent noise in each frame, 0 for steady change.
    """
    first = np.diff(grey, axis=0)
    second = np.diff(first, axis=0)
    return ratio(np.abs(second).mean(), np.abs(first).mean(), if_both_zero=0.0)


def seam(grey: np.ndarray) -> float:
    """Mean change from the last frame to the first over the median change between frames.

    0 if nothing changes.
    """
    steps = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    return ratio(np.abs(grey[0] - grey[-1]).mean(), np.median(steps), if_both_zero=0.0)


def pumping(values: np.ndarray) -> float:
    """Smallest over largest of the values of the frames, `[T]`; 1 if all are 0."""
    return ratio(values.min(), values.max(), if_both_zero=1.0)


def _sharpness(clip: Clip) -> float:
    return float(sharpness(clip.grey[SHARPNESS_FRAMES]).mean())


def _relative_sharpness(pair: Pair) -> float:
    real = pair.real.cached(_sharpness)
    return pair.fake.cached(_sharpness) / real if real else np.nan


METRICS = (
    Metric(
        name="sharpness",
        key="sharpness",
        section=REGIONS,
        title="sharpness",
        better="→ 1",
        format=".3f",
        compute=_relative_sharpness,
        aggregate=mean,
        description=(
            "standard deviation of the Laplacian of the grey frame, mean over frames 5, 13, 21 "
            "and 29, divided by the same of the real clip: mean over clips"
        ),
        can_be_nan=True,
    ),
    Metric(
        name="flicker",
        key="flicker",
        section=REGIONS,
        title="flicker",
        better="→ real",
        format=".3f",
        compute=lambda pair: flicker(pair.fake.grey),
        aggregate=median,
        description=(
            "mean |x(t+1) - 2 x(t) + x(t-1)| divided by mean |x(t+1) - x(t)|, in grey: median "
            "over clips; 0 where nothing changes"
        ),
        also_real=True,
    ),
    Metric(
        name="seam",
        key="seam",
        section=LOOPS,
        title="seam",
        better="→ 1",
        format=".3f",
        compute=lambda pair: seam(pair.fake.grey),
        aggregate=median,
        description=(
            "mean change in grey from the last frame to the first divided by the median change "
            "from frame to frame: median over clips; 0 where nothing changes"
        ),
        also_real=True,
        needs=_NEEDS_LOOPS,
    ),
    Metric(
        name="pumping_contrast",
        key="pumping_contrast",
        section=LOOPS,
        title="contrast pumping",
        better="↑",
        format=".3f",
        compute=lambda pair: pumping(contrast(pair.fake.grey)),
        aggregate=median,
        description=(
            "smallest contrast of a frame (standard deviation in grey) divided by the largest of"
            " the clip: median over clips; 1 is steady"
        ),
        also_real=True,
        needs=_NEEDS_LOOPS,
    ),
    Metric(
        name="pumping_sharpness",
        key="pumping_sharpness",
        section=LOOPS,
        title="sharpness pumping",
        better="↑",
        format=".3f",
        compute=lambda pair: pumping(sharpness(pair.fake.grey)),
        aggregate=median,
        description=(
            "as pumping_contrast, for sharpness (standard deviation of the Laplacian of the grey"
            " frame)"
        ),
        also_real=True,
        needs=_NEEDS_LOOPS,
    ),
)
