"""Means and medians with intervals, where clips of one video are not independent of each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

DRAWS = 2000
LEVEL = 95  # per cent
_BLOCK = 100  # resamples at once: with thousands of clips all of them would not fit in memory


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where there is none.

    Attributes:
      draws: Its values in the resamples.
      clips: How many clips it is of; None for differences.
      spread: Percentiles of these clips, where they were asked for.
    """

    value: float | None
    interval: tuple[float, float] | None
    draws: np.ndarray = dataclasses.field(repr=False, compare=False)
    clips: int | None = None
    spread: tuple[float, float] | None = None

    @classmethod
    def of(cls, value: float, draws: np.ndarray, clips: int | None = None) -> Estimate:
        """From the value itself, and the values of the resamples (none: no interval)."""
        if not np.isfinite(value):
            return cls(None, None, draws, clips)
        # NaN: no clip of the resample counts, or its real ones all stand still.
        usable = draws[~np.isnan(draws)]
        if not usable.size:
            return cls(float(value), None, draws, clips)
        tail = (100 - LEVEL) / 2
        with np.errstate(invalid="ignore"):  # between infinite ones
            interval = np.percentile(usable, [tail, 100 - tail])
        if not np.isfinite(interval).all():
            return cls(float(value), None, draws, clips)
        return cls(float(value), (float(interval[0]), float(interval[1])), draws, clips)

    def minus(self, other: Estimate) -> Estimate:
        """The paired difference: both were estimated on the same resamples."""
        if self.value is None or other.value is None:
            return Estimate(None, None, np.array([]))
        with np.errstate(invalid="ignore"):  # of two infinite ones
            draws = self.draws - other.draws
        return Estimate.of(self.value - other.value, draws)


class Bootstrap:
    """Resamples videos with all their clips (percentile intervals of a cluster bootstrap).

    The resamples are the same for everything that is estimated with one object, so differences of
    estimates are paired.

    Args:
      videos: Name of the video of each clip. Of a single one that counts there is no interval.
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
        """Of a number per clip, `[N]`, NaN where the clip does not count: the mean over clips."""
        values = np.asarray(values, "float64")
        count = ~np.isnan(values)
        return self._unless_of_one_video(self.ratio(np.where(count, values, 0.0), count), count)

    def ratio(self, top: np.ndarray, bottom: np.ndarray) -> Estimate:
        """Of two numbers per clip, `[N]` each: the ratio of their means."""
        top, bottom = np.asarray(top, "float64"), np.asarray(bottom, "float64")
        clips = int(np.count_nonzero(bottom))
        if not np.isfinite(top).all() or not bottom.sum():
            return Estimate(None, None, np.array([]), clips)
        by_video = [np.bincount(self._video_of, x, self.videos) for x in (top, bottom)]
        tops, bottoms = (self._times @ sums for sums in by_video)
        draws = np.divide(tops, bottoms, out=np.full_like(tops, np.nan), where=bottoms != 0)
        return Estimate.of(top.sum() / bottom.sum(), draws, clips)

    def median(self, values: np.ndarray, spread: tuple[float, float] | None = None) -> Estimate:
        """Of a number per clip, `[N]`, NaN where the clip does not count: the median over clips.

        Args:
          values: Of the clips.
          spread: Percentiles to give beside it.
        """
        values = np.asarray(values, "float64")
        count = ~np.isnan(values)
        if not count.any():
            return Estimate(None, None, np.array([]), 0)
        order = np.argsort(values[count])
        ranked, video_of = values[count][order], self._video_of[count][order]
        draws = [
            _weighted_medians(ranked, self._times[first : first + _BLOCK][:, video_of])
            for first in range(0, len(self._times), _BLOCK)
        ]
        estimate = Estimate.of(
            np.median(ranked), np.concatenate(draws) if draws else np.array([]), len(ranked)
        )
        estimate = self._unless_of_one_video(estimate, count)
        if spread is None or not np.isfinite(ranked).all():
            return estimate
        low, high = np.percentile(ranked, spread)
        return dataclasses.replace(estimate, spread=(float(low), float(high)))

    def _unless_of_one_video(self, estimate: Estimate, count: np.ndarray) -> Estimate:
        """The estimate, without its interval where all clips that count are of one video."""
        if len(np.unique(self._video_of[count])) > 1:
            return estimate
        nothing = np.full_like(estimate.draws, np.nan)
        return dataclasses.replace(estimate, interval=None, draws=nothing)


def _weighted_medians(ranked: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Of numbers `[N]`, rising, each of which occurs so many times `[D, N]`: `[D]`."""
    upto = np.cumsum(times, axis=1)
    total = upto[:, -1]
    with np.errstate(invalid="ignore"):  # a resample without clips that count has none
        middle = [
            np.append(ranked, np.nan)[(upto <= place[:, None]).sum(axis=1)]
            for place in ((total - 1) // 2, total // 2)
        ]
        return np.where(total > 0, (middle[0] + middle[1]) / 2, np.nan)
