"""How much moves, relative to the real clips."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from ssagan_tf.evaluation.metrics.metric import Clip, Metric, Pair, median, ratio_of_means
from ssagan_tf.evaluation.metrics.moving_regions import REGIONS
from ssagan_tf.evaluation.metrics.similarity import SIMILARITY_AND_MOTION
from ssagan_tf.motion.optical_flow import dense_flow

WINDOW = 15  # pixels, of the optical flow


def motion(clip: np.ndarray) -> np.ndarray:
    """Mean absolute difference of successive frames: `[T, H, W, 3]` floats → `[T - 1]`."""
    steps = itertools.pairwise(clip)
    return np.array([cv2.norm(x, y, cv2.NORM_L1) / x.size for x, y in steps])


def optical_flow(clip: np.ndarray) -> np.ndarray:
    """Mean length of Farnebäck's dense optical flow between successive frames, in pixels.

    Args:
      clip: `[T, H, W, 3]` uint8.

    Returns:
      `[T - 1]`.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip]
    flows = (dense_flow(frame, following, WINDOW) for frame, following in itertools.pairwise(grey))
    lengths = [cv2.magnitude(flow[..., 0], flow[..., 1]).mean() for flow in flows]
    return np.array(lengths, "float64")


def _motion(clip: Clip) -> np.ndarray:
    return motion(clip.values)


def _flow(clip: Clip) -> np.ndarray:
    return optical_flow(clip.pixels)


def _ratio(pair: Pair) -> float:
    real = pair.real.cached(_motion).mean()
    return pair.fake.cached(_motion).mean() / real if real else np.nan


METRICS = (
    Metric(
        name="motion",
        key="motion_ratio",
        section=SIMILARITY_AND_MOTION,
        title="motion ratio",
        better="→ 1",
        format=".3f",
        compute=lambda pair: pair.fake.cached(_motion),
        aggregate=ratio_of_means,
        description=(
            "mean |x(t+1) - x(t)| over the 31 steps: the mean over all generated clips divided "
            "by that over all real ones; 1 is right, a still picture has 0"
        ),
        curve="mean change from frame to frame",
        also_real=True,
    ),
    Metric(
        name="flow",
        key="flow_ratio",
        section=SIMILARITY_AND_MOTION,
        title="flow ratio",
        better="→ 1",
        format=".3f",
        compute=lambda pair: pair.fake.cached(_flow),
        aggregate=ratio_of_means,
        description=(
            "as motion_ratio, for the mean length of Farnebäck's optical flow in pixels per "
            f"frame (OpenCV: grey 8-bit frames, 3 levels with scale 0.5, window {WINDOW}, 3 "
            "iterations, poly_n 5, poly_sigma 1.2)"
        ),
        curve="optical flow, pixels per frame",
        also_real=True,
        needs=frozenset({"optical_flow"}),
    ),
    Metric(
        name="motion_ratio",
        key="motion_ratio_median",
        section=REGIONS,
        title="motion ratio, median",
        better="→ 1",
        format=".3f",
        compute=_ratio,
        aggregate=median,
        description=(
            "motion of a generated clip divided by that of its real clip; median over the clips "
            "whose real clip moves"
        ),
        can_be_nan=True,
    ),
)
