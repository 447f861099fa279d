"""Means and medians with intervals, when clips of one video are not independent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000
LEVEL = 95  # per cent
_BLOCK = 100  # resamples at once: with thousands of clips, all of them would not fit in memory


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; None if undefined.

    Attributes:
      resampled: Its values in the resamples.
      clips: How many clips count; None for differences.
      spread: Percentiles over these clips, if requested.
    """

    value: float | None
    interval: tuple[float, float] | None
    resampled: np.ndarray = dataclasses.field(repr=False, compare=False)
    clips: int | None = None
    spread: tuple[float, float] | None = None

    @classmethod
    def from_resamples(
        cls, value: float, resampled: np.ndarray, clips: int | None = None
    ) -> Estimate:
        """Makes an estimate from the value and those of the resamples (empty: no interval)."""
        if not np.isfinite(value):
            return cls(None, None, resampled, clips)
        # NaN: no clip of the resample counts, or all its real clips stand still.
        usable = resampled[~np.isnan(resampled)]
        if not usable.size:
            return cls(float(value), None, resampled, clips)
        tail = (100 - LEVEL) / 2
        with np.errstate(invalid="ignore"):  # interpolating between infinite values
            interval = np.percentile(usable, [tail, 100 - tail])
        if not np.isfinite(interval).all():
            return cls(float(value), None, resampled, clips)
        return cls(float(value), (float(interval[0]), float(interval[1])), resampled, clips)

    def minus(self, other: Estimate) -> Estimate:
        """Paired difference: both must be estimates on the same resamples."""
        if self.value is None or other.value is None:
            return Estimate(None, None, np.array([]))
        with np.errstate(invalid="ignore"):  # infinite minus infinite
            resampled = self.resampled - other.resampled
        return Estimate.from_resamples(self.value - other.value, resampled)


class Bootstrap:
    """Resamples videos with all their clips (percentile intervals of a cluster bootstrap).

    One object uses the same resamples for everything it estimates, so differences are paired.

    Args:
      videos: Name of the video of each clip. With a single video there is no interval.
      seed: Seed of the resampling.
      resamples: Number of resamples.
    """

    def __init__(self, videos: Sequence[str], seed: int, resamples: int = RESAMPLES):
        names, self._video_of = np.unique(np.array(videos, dtype=object), return_inverse=True)
        self.videos = len(names)
        self._counts = np.zeros((0, self.videos))
        if self.videos > 1:
            rng = np.random.default_rng(seed)
            shares = np.full(self.videos, 1 / self.videos)
            self._counts = rng.multinomial(self.videos, shares, size=resamples).astype("float64")

    def mean(self, values: np.ndarray) -> Estimate:
        """Mean over clips of a value per clip, `[N]`; NaN: the clip does not count."""
        values = np.asarray(values, "float64")
        valid = ~np.isnan(values)
        return self._unless_one_video(self.ratio(np.where(valid, values, 0.0), valid), valid)

    def ratio(self, numerator: np.ndarray, denominator: np.ndarray) -> Estimate:
        """Ratio of the means over clips of two values per clip, `[N]` each."""
        numerator = np.asarray(numerator, "float64")
        denominator = np.asarray(denominator, "float64")
        clips = int(np.count_nonzero(denominator))
        if not np.isfinite(numerator).all() or not denominator.sum():
            return Estimate(None, None, np.array([]), clips)
        tops, bottoms = (
            self._counts @ np.bincount(self._video_of, values, self.videos)
            for values in (numerator, denominator)
        )
        resampled = np.divide(tops, bottoms, out=np.full_like(tops, np.nan), where=bottoms != 0)
        return Estimate.from_resamples(numerator.sum() / denominator.sum(), resampled, clips)

    def median(self, values: np.ndarray, spread: tuple[float, float] | None = None) -> Estimate:
        """Median over clips of a value per clip.

        Args:
          values: `[N]`; NaN: the clip does not count.
          spread: Percentiles over clips to return as well.
        """
        values = np.asarray(values, "float64")
        valid = ~np.isnan(values)
        if not valid.any():
            return Estimate(None, None, np.array([]), 0)
        order = np.argsort(values[valid])
        ranked, video_of = values[valid][order], self._video_of[valid][order]
        resampled = [
            _weighted_medians(ranked, self._counts[first : first + _BLOCK][:, video_of])
            for first in range(0, len(self._counts), _BLOCK)
        ]
        estimate = Estimate.from_resamples(
            np.median(ranked), np.concatenate(resampled) if resampled else np.array([]), len(ranked)
        )
        estimate = self._unless_one_video(estimate, valid)
        if spread is None or not np.isfinite(ranked).all():
            return estimate
        low, high = np.percentile(ranked, spread)
        return dataclasses.replace(estimate, spread=(float(low), float(high)))

    def _unless_one_video(self, estimate: Estimate, valid: np.ndarray) -> Estimate:
        """Drops the interval if all clips that count are of one video."""
        if len(np.unique(self._video_of[valid])) > 1:
            return estimate
        nan = np.full_like(estimate.resampled, np.nan)
        return dataclasses.replace(estimate, interval=None, resampled=nan)


def _weighted_medians(ranked: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Medians `[R]` of ascending values `[N]` that occur `counts` times, `[R, N]`."""
    up_to = np.cumsum(counts, axis=1)
    total = up_to[:, -1]
    with np.errstate(invalid="ignore"):  # no clip of the resample counts
        middle = [
            np.append(ranked, np.nan)[(up_to <= rank[:, None]).sum(axis=1)]
            for rank in ((total - 1) // 2, total // 2)
        ]
        return np.where(total > 0, (middle[0] + middle[1]) / 2, np.nan)
