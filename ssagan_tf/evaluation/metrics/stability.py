"""Sharpness, and what makes a clip restless: flicker, and of loops the seam and pumping."""

from __future__ import annotations

import cv2
import numpy as np

from ssagan_tf.evaluation.metrics.metric import (
    REGIONS,
    Clip,
    Metric,
    Pair,
    ReportSection,
    mean,
    median,
    quotient,
)

LOOPS = ReportSection("Loops", "Of clips that are meant to be repeated without an end.")
SEEN = slice(4, None, 8)  # frames 5, 13, 21, 29
_NEEDS_LOOPS = frozenset({"loop_metrics"})


def contrast(grey: np.ndarray) -> np.ndarray:
    """Standard deviation of each frame: `[T, H, W]` → `[T]`."""
    return grey.std(axis=(1, 2))


def sharpness(grey: np.ndarray) -> np.ndarray:
    """Standard deviation of the Laplacian of each frame: `[T, H, W]` float32 → `[T]`."""
    return np.array([cv2.Laplacian(frame, cv2.CV_32F).std() for frame in grey])


def flicker(grey: np.ndarray) -> float:
    """Mean |second difference in time| over mean |first difference|; 0 if nothing changes.

    Of noise that is drawn anew in each frame it is about 1.7, of what changes evenly 0.
    """
    first = np.diff(grey, axis=0)
    second = np.diff(first, axis=0)
    return quotient(np.abs(second).mean(), np.abs(first).mean(), of_nothing=0.0)


def seam(grey: np.ndarray) -> float:
    """Mean change from the last frame to the first over the median change; 0 if nothing changes."""
    steps = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    return quotient(np.abs(grey[0] - grey[-1]).mean(), np.median(steps), of_nothing=0.0)


def pumping(of_frames: np.ndarray) -> float:
    """Least over greatest of the frames, `[T]`; 1 if all are 0."""
    return quotient(of_frames.min(), of_frames.max(), of_nothing=1.0)


def _seen(clip: Clip) -> float:
    return float(sharpness(clip.grey[SEEN]).mean())


def _relative_sharpness(pair: Pair) -> float:
    real = pair.real.once(_seen)
    return pair.fake.once(_seen) / real if real else np.nan


METRICS = (
    Metric(
        name="sharpness",
        figure="sharpness",
        section=REGIONS,
        title="sharpness",
        better="→ 1",
        format=".3f",
        of=_relative_sharpness,
        over=mean,
        words="standard deviation of the Laplacian of the grey frame, mean over frames 5, 13, 21 "
        "and 29, over the real clip's: mean over clips",
        partial=True,
    ),
    Metric(
        name="flicker",
        figure="flicker",
        section=REGIONS,
        title="flicker",
        better="→ real",
        format=".3f",
        of=lambda pair: flicker(pair.fake.grey),
        over=median,
        words="mean |x(t+1) - 2 x(t) + x(t-1)| over mean |x(t+1) - x(t)|, of grey: median over "
        "clips; 0 where nothing changes",
        of_real=True,
    ),
    Metric(
        name="seam",
        figure="seam",
        section=LOOPS,
        title="seam",
        better="→ 1",
        format=".3f",
        of=lambda pair: seam(pair.fake.grey),
        over=median,
        words="mean change of grey from the last frame to the first over the median change from "
        "frame to frame: median over clips; 0 where nothing changes",
        of_real=True,
        needs=_NEEDS_LOOPS,
    ),
    Metric(
        name="pumping_contrast",
        figure="pumping_contrast",
        section=LOOPS,
        title="pumping of contrast",
        better="↑",
        format=".3f",
        of=lambda pair: pumping(contrast(pair.fake.grey)),
        over=median,
        words="least over greatest contrast of a frame (standard deviation of grey) in the clip: "
        "median over clips; 1 is steady",
        of_real=True,
        needs=_NEEDS_LOOPS,
    ),
    Metric(
        name="pumping_sharpness",
        figure="pumping_sharpness",
        section=LOOPS,
        title="pumping of sharpness",
        better="↑",
        format=".3f",
        of=lambda pair: pumping(sharpness(pair.fake.grey)),
        over=median,
        words="the same of sharpness (standard deviation of the Laplacian of grey)",
        of_real=True,
        needs=_NEEDS_LOOPS,
    ),
)
