"""How much moves, beside how much does in the real clips."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from ssagan_tf.evaluation.metrics.metric import (
    MOVEMENT,
    REGIONS,
    Clip,
    Metric,
    Pair,
    median,
    ratio_of_means,
)
from ssagan_tf.motion.optical_flow import dense_flow

WINDOW = 15  # pixels, of optical flow


def motion(clip: np.ndarray) -> np.ndarray:
    """Mean absolute change from frame to frame: `[T, H, W, 3]` floats → `[T - 1]`."""
    steps = itertools.pairwise(clip)
    return np.array([cv2.norm(x, y, cv2.NORM_L1) / x.size for x, y in steps])


def optical_flow(clip: np.ndarray) -> np.ndarray:
    """Mean length of Farnebäck's dense optical flow from frame to frame, in pixels.

    Args:
      clip: `[T, H, W, 3]` uint8.

    Returns:
      `[T - 1]`.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    flows = (dense_flow(now, then, WINDOW) for now, then in itertools.pairwise(grey))
    lengths = [cv2.magnitude(flow[..., 0], flow[..., 1]).mean() for flow in flows]
    return np.array(lengths, "float64")


def _motion(clip: Clip) -> np.ndarray:
    return motion(clip.values)


def _flow(clip: Clip) -> np.ndarray:
    return optical_flow(clip.pixels)


def _ratio(pair: Pair) -> float:
    real = pair.real.once(_motion).mean()
    return pair.fake.once(_motion).mean() / real if real else np.nan


METRICS = (
    Metric(
        name="motion",
        figure="motion_ratio",
        section=MOVEMENT,
        title="motion ratio",
        better="→ 1",
        format=".3f",
        of=lambda pair: pair.fake.once(_motion),
        over=ratio_of_means,
        words="mean |x(t+1) - x(t)| over the 31 steps, generated over real, each averaged over "
        "clips first: 1 is right, a still picture has 0",
        curve="mean change from frame to frame",
        of_real=True,
    ),
    Metric(
        name="flow",
        figure="flow_ratio",
        section=MOVEMENT,
        title="flow ratio",
        better="→ 1",
        format=".3f",
        of=lambda pair: pair.fake.once(_flow),
        over=ratio_of_means,
        words="the same of the mean length of Farnebäck's optical flow, in pixels a frame (OpenCV: "
        f"grey 8-bit frames, 3 levels by 0.5, window {WINDOW}, 3 iterations, neighbourhood 5, "
        "sigma 1.2)",
        curve="optical flow, pixels a frame",
        of_real=True,
        needs=frozenset({"optical_flow"}),
    ),
    Metric(
        name="motion_ratio",
        figure="motion_ratio_median",
        section=REGIONS,
        title="motion ratio, median",
        better="→ 1",
        format=".3f",
        of=_ratio,
        over=median,
        words="motion of a clip over that of the real one, median over the clips whose real one "
        "moves",
        partial=True,
    ),
)
