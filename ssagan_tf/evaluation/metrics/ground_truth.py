"""Velocities beside the true ones, which are known of procedural skies."""

from __future__ import annotations

import numpy as np

from ssagan_tf.evaluation.metrics.metric import (
    SPREAD,
    Clip,
    Metric,
    Pair,
    ReportSection,
    median_and_spread,
)
from ssagan_tf.motion.optical_flow import velocities

CLOUDS = 0.3  # opacity above which it is they that move
FREE = 0.99  # share of a pixel that may move: nothing in front of the sky

_PERCENTILES = "{:g}th to {:g}th percentile".format(*SPREAD)
VELOCITY = ReportSection(
    "Beside the true velocities",
    "Of procedural skies, where clouds are. The row *real* is what the estimator makes of the true "
    f"clips. Parentheses: {_PERCENTILES} of the clips.",
)
_NEEDS = frozenset({"optical_flow", "truth"})
_ESTIMATE = (
    "estimated velocity: median over time of Farnebäck's optical flow (window 11) at the clips' "
    f"own size; true: that of the most opaque layer; where clouds' opacity is above {CLOUDS} and "
    f"nothing stands before them. {_PERCENTILES} over clips beside the median"
)


def _true_velocity(real: Clip) -> tuple[np.ndarray, np.ndarray] | None:
    """`[H, W, 2]` pixels a frame, and where it counts, `[H, W]` bool; None: not known."""
    truth = real.truth()
    if truth is None:
        return None
    [velocity] = truth.velocity
    clouds = (truth.opacity[0] > CLOUDS) & (truth.moving > FREE)
    return velocity, clouds & velocity.any(axis=-1)


def _velocities(clip: Clip) -> np.ndarray:
    return velocities(clip.pixels)


def _both(pair: Pair) -> tuple[np.ndarray, np.ndarray] | None:
    """Estimated and true velocity where they are compared, `[N, 2]` each; None: nowhere."""
    known = pair.real.once(_true_velocity)
    if known is None or not known[1].any():
        return None
    velocity, where = known
    return pair.fake.once(_velocities)[where], velocity[where]


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees in [0, 180] between vectors, `[N, 2]` each → `[N]`."""
    cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return np.degrees(np.arctan2(np.abs(cross), (a * b).sum(axis=-1)))


def _angle_error(pair: Pair) -> float:
    both = pair.once(_both)
    if both is None:
        return np.nan
    moves = both[0].any(axis=-1)  # what stands still has no direction
    if not moves.any():
        return np.nan
    return float(np.median(angle_between(*(each[moves] for each in both))))


def _speed_ratio(pair: Pair) -> float:
    both = pair.once(_both)
    if both is None:
        return np.nan
    estimated, true = (np.linalg.norm(each, axis=-1) for each in both)
    return float(np.median(estimated / true))


METRICS = (
    Metric(
        name="angle_error",
        figure="angle_error",
        section=VELOCITY,
        title="angle error (°)",
        better="↓",
        format=".1f",
        of=_angle_error,
        over=median_and_spread,
        words="angle between estimated and true velocity in degrees, median over the pixels that "
        f"move, then over clips. {_ESTIMATE}",
        of_real=True,
        partial=True,
        needs=_NEEDS,
    ),
    Metric(
        name="speed_ratio",
        figure="speed_ratio",
        section=VELOCITY,
        title="speed ratio",
        better="→ 1",
        format=".3f",
        of=_speed_ratio,
        over=median_and_spread,
        words="estimated over true speed, median over these pixels, then over clips",
        of_real=True,
        partial=True,
        needs=_NEEDS,
    ),
)
