from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.motion.field import Field, fit, prior_mean

TRUE = Field(0.8, np.array([[0.009, 0.001], [0.002, 0.003], [0.008, -0.002]]))
ONES = np.ones((64, 64), np.float32)


def test_units_are_widths_and_heights() -> None:
    field = Field(0.5, np.array([[0.01, 0.02], [0.1, 0], [0, 0]])).velocities(50, 200)
    assert field.shape == (50, 200, 2)
    np.testing.assert_allclose(field[:25, :, 1], 0.02 * 50, rtol=1e-6)
    np.testing.assert_allclose(field[0, 99:101, 0].mean(), 0.01 * 200, rtol=1e-6)
    np.testing.assert_allclose(np.diff(field[..., 0]), 0.1, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (30, 70), (640, 360)])
def test_it_is_the_same_at_any_size(size: tuple[int, int]) -> None:
    height, width = size
    small, large = TRUE.velocities(height, width), TRUE.velocities(3 * height, 3 * width)
    np.testing.assert_allclose(large[1::3, 1::3], 3 * small, rtol=1e-4, atol=1e-4)


def test_water_reflects_the_motion() -> None:
    field = Field(0.5, TRUE.coefficients).velocities(40, 30)
    np.testing.assert_allclose(field[20:], field[:20][::-1] * [1, -1], rtol=1e-4, atol=1e-6)


def test_mirrored_and_scaled() -> None:
    field = TRUE.velocities(20, 30)
    np.testing.assert_allclose(
        TRUE.mirrored().velocities(20, 30), field[:, ::-1] * [-1, 1], atol=1e-5
    )
    np.testing.assert_allclose(TRUE.scaled(-2).velocities(20, 30), -2 * field, rtol=1e-5)


def test_the_fit_is_robust_to_outliers() -> None:
    rng = np.random.default_rng(0)
    measured = TRUE.velocities(64, 64) + rng.normal(0, 0.02, (64, 64, 2)).astype(np.float32)
    wrong = rng.uniform(size=(64, 64)) < 0.2
    measured[wrong] = rng.normal(0, 2, (wrong.sum(), 2))
    measured[:4] = measured[-4:] = measured[:, :4] = measured[:, -4:] = -5
    found = fit(measured, ONES, TRUE.horizon, confidence=1.0)
    assert np.abs(found.velocities(64, 64) - TRUE.velocities(64, 64)).max() < 0.1  # of 0.6 to 1


def test_velocities_without_weight_are_ignored() -> None:
    measured = TRUE.velocities(64, 64)
    measured[32:] = 9
    weights = np.where(np.arange(64)[:, None] < 32, ONES, 0)
    found = fit(measured, weights, TRUE.horizon, confidence=1.0)
    assert np.abs(found.velocities(64, 64) - TRUE.velocities(64, 64))[:32].max() < 0.08


def test_without_confidence_the_fit_is_the_prior() -> None:
    expected = prior_mean(0.7).velocities(64, 64)
    for measured, weights, confidence in (
        (TRUE.velocities(64, 64), ONES, 0.0),
        (TRUE.velocities(64, 64), 0 * ONES, 1.0),
        (np.zeros((64, 64, 2)), ONES, 0.9),
    ):
        np.testing.assert_array_equal(
            fit(measured, weights, 0.7, confidence).velocities(64, 64), expected
        )
    speeds = np.hypot(*np.moveaxis(expected[:40], -1, 0)) / 64
    assert 0.008 < np.median(speeds) < 0.013
    assert (expected[..., 0] > 0).all()


def test_the_speed_of_a_slow_clip_counts_by_its_confidence() -> None:
    slow = prior_mean(1.0).scaled(0.1).velocities(64, 64)
    speeds = [
        np.median(fit(slow, ONES, 1.0, confidence).velocities(64, 64)[..., 0])
        for confidence in (0.01, 0.5, 1.0)
    ]
    assert speeds[0] > 5 * speeds[2]
    assert speeds[0] > speeds[1] > speeds[2]
