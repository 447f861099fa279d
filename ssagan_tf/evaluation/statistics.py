"""Means with intervals, where clips of one video are not independent of each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

DRAWS = 2000
LEVEL = 95  # per cent


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where there is none."""

    value: float | None
    interval: tuple[float, float] | None
    draws: np.ndarray = dataclasses.field(repr=False, compare=False)

    @classmethod
    def of(cls, value: float, draws: np.ndarray) -> Estimate:
        """From the value itself, and the values of the resamples (none: no interval)."""
        if not np.isfinite(value):
            return cls(None, None, draws)
        # Resamples whose real clips all stand still have no ratio.
        usable = draws[np.isfinite(draws)]
        if not usable.size:
            return cls(float(value), None, draws)
        tail = (100 - LEVEL) / 2
        low, high = np.percentile(usable, [tail, 100 - tail])
        return cls(float(value), (float(low), float(high)), draws)

    def minus(self, other: Estimate) -> Estimate:
        """The paired difference: both were estimated on the same resamples."""
        if self.value is None or other.value is None:
            return Estimate(None, None, np.array([]))
        return Estimate.of(self.value - other.value, self.draws - other.draws)


class Bootstrap:
    """Resamples videos with all their clips (percentile intervals of a cluster bootstrap).

    The resamples are the same for everything that is estimated with one object, so differences of
    estimates are paired.

    Args:
      videos: Name of the video of each clip. Of a single one there is no interval.
      seed: Of the resamples.
      draws: Number of resamples.
    """

    def __init__(self, videos: Sequence[str], seed: int, draws: int = DRAWS):
        names, self._video_of = np.unique(np.array(videos, dtype=object), return_inverse=True)
        self.videos = len(names)
        self._times = np.zeros((0, self.videos))
        if self.videos > 1:
            rng = np.random.default_rng(seed)
            shares = np.full(self.videos, 1 / self.videos)
            self._times = rng.multinomial(self.videos, shares, size=draws).astype("float64")

    def mean(self, values: np.ndarray) -> Estimate:
        """Of a number per clip, `[N]`: the mean over clips."""
        return self.ratio(values, np.ones(len(values)))

    def ratio(self, top: np.ndarray, bottom: np.ndarray) -> Estimate:
        """Of two numbers per clip, `[N]` each: the ratio of their means."""
        top, bottom = np.asarray(top, "float64"), np.asarray(bottom, "float64")
        if not np.isfinite(top).all() or not bottom.sum():
            return Estimate(None, None, np.array([]))
        by_video = [np.bincount(self._video_of, x, self.videos) for x in (top, bottom)]
        tops, bottoms = (self._times @ sums for sums in by_video)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Estimate.of(top.sum() / bottom.sum(), tops / bottoms)
