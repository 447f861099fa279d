from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.evaluation.bootstrap import Bootstrap

NORMAL = np.random.default_rng(0).normal(5.0, 2.0, 400)


def names(count: int, clips: int = 1) -> list[str]:
    return [f"v{i // clips}" for i in range(count * clips)]


def width(estimate) -> float:
    return estimate.interval[1] - estimate.interval[0]


def test_the_interval_for_independent_clips_is_the_textbook_one() -> None:
    estimate = Bootstrap(names(400), seed=1).mean(NORMAL)
    half = 1.96 * NORMAL.std() / 20
    assert estimate.value == pytest.approx(NORMAL.mean())
    np.testing.assert_allclose(
        estimate.interval, [NORMAL.mean() - half, NORMAL.mean() + half], atol=0.1 * half
    )


def test_clips_of_one_video_are_not_independent() -> None:
    """Ten copies of every clip do not narrow the interval, unless they are of different videos."""
    once = Bootstrap(names(400), 1).mean(NORMAL)
    copied = np.repeat(NORMAL, 10)
    together = Bootstrap(names(400, clips=10), 1).mean(copied)
    apart = Bootstrap(names(4000), 1).mean(copied)
    assert width(together) == pytest.approx(width(once), rel=0.1)
    assert width(apart) == pytest.approx(width(once) / np.sqrt(10), rel=0.1)


def test_coverage() -> None:
    """About 95 % of the intervals of 300 samples (40 videos of 1 to 5 clips) contain the mean."""
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(300):
        sizes = rng.integers(1, 6, 40)
        of = [f"v{i}" for i, size in enumerate(sizes) for _ in range(size)]
        level = np.repeat(rng.normal(0, 1, 40), sizes)
        low, high = (
            Bootstrap(of, 0, resamples=400).mean(level + rng.normal(0, 0.3, len(of))).interval
        )
        held += low <= 0 <= high
    assert 0.88 <= held / 300 <= 0.98


def test_paired_differences_are_sharper() -> None:
    bootstrap = Bootstrap(names(400), 1)
    other = NORMAL + np.random.default_rng(5).normal(0.1, 0.2, 400)
    a, b = bootstrap.mean(other), bootstrap.mean(NORMAL)
    difference = a.minus(b)
    assert difference.value == pytest.approx(a.value - b.value)
    assert difference.interval[0] > 0  # though the intervals of a and b overlap
    assert a.interval[0] < b.interval[1]
    assert width(difference) == pytest.approx(2 * 1.96 * 0.2 / 20, rel=0.15)


def test_ratio_of_means() -> None:
    bootstrap = Bootstrap(names(400), 1)
    ratio = bootstrap.ratio(3 * NORMAL, NORMAL)
    assert ratio.value == pytest.approx(3)
    np.testing.assert_allclose(ratio.interval, 3)
    assert bootstrap.ratio(NORMAL, np.zeros(400)).value is None


def test_median() -> None:
    bootstrap = Bootstrap(names(400), 1)
    estimate = bootstrap.median(NORMAL, spread=(10, 90))
    assert estimate.value == np.median(NORMAL)
    np.testing.assert_allclose(estimate.spread, np.percentile(NORMAL, [10, 90]))
    # 1.2533: the error of a normal sample's median is that much larger than its mean's.
    assert width(estimate) == pytest.approx(1.2533 * width(bootstrap.mean(NORMAL)), rel=0.25)
    assert estimate.clips == 400


def test_a_resampled_median_is_that_of_the_resampled_clips() -> None:
    of = ["a", "a", "b", "c", "c", "c"]
    values = np.array([3.0, 1.0, 4.0, np.nan, 1.5, 9.0])
    bootstrap = Bootstrap(of, 7, resamples=250)
    resampled = bootstrap.median(values).resampled
    for median, counts in zip(resampled, bootstrap._counts.astype(int), strict=True):
        clips = np.repeat(values, counts[np.unique(of, return_inverse=True)[1]])
        assert median == np.nanmedian(clips)


def test_clips_that_do_not_count() -> None:
    values = np.where(np.arange(400) % 4, np.nan, NORMAL)
    bootstrap = Bootstrap(names(400), 1)
    for estimate, expected in (
        (bootstrap.mean(values), np.nanmean(values)),
        (bootstrap.median(values), np.nanmedian(values)),
    ):
        assert estimate.value == pytest.approx(expected)
        assert estimate.clips == 100
        assert estimate.interval[0] < expected < estimate.interval[1]
    for estimate in (bootstrap.mean(values * np.nan), bootstrap.median(values * np.nan)):
        assert (estimate.value, estimate.interval, estimate.clips) == (None, None, 0)


def test_a_median_may_ignore_infinite_values() -> None:
    values = np.array([1.0, 2.0, np.inf])
    estimate = Bootstrap(names(3), 1).median(values, spread=(10, 90))
    assert (estimate.value, estimate.spread) == (2.0, None)
    assert Bootstrap(names(3), 1).median(np.array([1.0, np.inf, np.inf])).value is None


def test_an_interval_may_not_ignore_infinite_values() -> None:
    values = np.array([1.0] * 20 + [np.inf] * 9)
    assert Bootstrap(names(29), 1).median(values).interval == (1.0, 1.0)
    some = Bootstrap(names(3), 1)
    several = some.median(np.array([1.0, 2.0, np.inf]))
    assert (several.value, several.interval) == (2.0, None)
    assert several.minus(several).value == 0
    # A ratio is undefined in resamples whose real clips all stand still, which are left out.
    assert some.ratio(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0])).interval


def test_no_interval_if_the_clips_that_count_are_of_one_video() -> None:
    of = ["a", "a", "b", "c"]
    one, two = np.array([1.0, 3.0, np.nan, np.nan]), np.array([1.0, 3.0, 5.0, np.nan])
    bootstrap = Bootstrap(of, 1)
    for over in (bootstrap.mean, bootstrap.median):
        estimate = over(one)
        assert (estimate.value, estimate.interval, estimate.clips) == (2.0, None, 2)
        assert over(two).interval
        assert (over(two).minus(estimate).value, over(two).minus(estimate).interval) == (1.0, None)
    # That differs from clips with equal values.
    assert bootstrap.mean(np.full(4, 0.5)).interval == (0.5, 0.5)


def test_estimates_without_an_interval() -> None:
    alone = Bootstrap(["v"] * 5, 1).mean(NORMAL[:5])
    assert alone.value == pytest.approx(NORMAL[:5].mean())
    assert alone.interval is None
    infinite = Bootstrap(names(3), 1).mean(np.array([1.0, np.inf, 2.0]))
    assert (infinite.value, infinite.interval) == (None, None)
    assert infinite.minus(alone).value is None


def test_the_seed_fixes_the_resamples() -> None:
    first, again, other = (Bootstrap(names(400), s).mean(NORMAL).interval for s in (1, 1, 2))
    assert first == again != other
