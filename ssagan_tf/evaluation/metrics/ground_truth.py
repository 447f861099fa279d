"""Velocities compared with the true ones, which are known for procedural skies."""

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

CLOUDS = 0.3  # opacity above which a pixel counts as cloud
FREE = 0.99  # share of a pixel that moves: nothing is in front of the sky

_PERCENTILES = "{:g}th to {:g}th percentile".format(*SPREAD)
VELOCITY = ReportSection(
    "Compared with the true velocities",
    "Where the procedural skies have clouds. The row *real* shows the error of the estimator "
    f"itself, on the real clips. Parentheses: {_PERCENTILES} over clips.",
)
_NEEDS = frozenset({"optical_flow", "truth"})
_ESTIMATE = (
    "Estimated velocity: median over time of Farnebäck's optical flow (window 11) at the size of "
    "the clips; true velocity: that of the most opaque layer; compared where the opacity of clouds "
    f"is above {CLOUDS} and nothing is in front of them. With the {_PERCENTILES} over clips"
)


def _true_velocity(real: Clip) -> tuple[np.ndarray, np.ndarray] | None:
    """`[H, W, 2]` pixels per frame, and where it counts, `[H, W]` bool; None if not known."""
    truth = real.truth()
    if truth is None:
        return None
    [velocity] = truth.velocity
    clouds = (truth.opacity[0] > CLOUDS) & (truth.moving > FREE)
    return velocity, clouds & velocity.any(axis=-1)


def _velocities(clip: Clip) -> np.ndarray:
    return velocities(clip.pixels)


def _both(pair: Pair) -> tuple[np.ndarray, np.ndarray] | None:
    """Estimated and true velocity where they are compared, `[N, 2]` each; None if nowhere."""
    known = pair.real.cached(_true_velocity)
    if known is None or not known[1].any():
        return None
    velocity, where = known
    return pair.fake.cached(_velocities)[where], velocity[where]


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between vectors in degrees, in [0, 180]: `[N, 2]` each → `[N]`."""
    cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return np.degrees(np.arctan2(np.abs(cross), (a * b).sum(axis=-1)))


def _angle_error(pair: Pair) -> float:
    both = pair.cached(_both)
    if both is None:
        return np.nan
    moves = both[0].any(axis=-1)  # a pixel that stands still has no direction
    if not moves.any():
        return np.nan
    return float(np.median(angle_between(*(each[moves] for each in both))))


def _speed_ratio(pair: Pair) -> float:
    both = pair.cached(_both)
    if both is None:
        return np.nan
    estimated, true = (np.linalg.norm(each, axis=-1) for each in both)
    return float(np.median(estimated / true))


METRICS = (
    Metric(
        name="angle_error",
        key="angle_error",
        section=VELOCITY,
        title="angle error (°)",
        better="↓",
        format=".1f",
        compute=_angle_error,
        aggregate=median_and_spread,
        description=(
            "angle between estimated and true velocity in degrees: median over the pixels that "
            f"move, then over clips. {_ESTIMATE}"
        ),
        also_real=True,
        can_be_nan=True,
        needs=_NEEDS,
    ),
    Metric(
        name="speed_ratio",
        key="speed_ratio",
        section=VELOCITY,
        title="speed ratio",
        better="→ 1",
        format=".3f",
        compute=_speed_ratio,
        aggregate=median_and_spread,
        description=(
            "estimated speed divided by true speed: median over these pixels, then over clips"
        ),
        also_real=True,
        can_be_nan=True,
        needs=_NEEDS,
    ),
)
