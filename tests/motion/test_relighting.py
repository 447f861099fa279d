from __future__ import annotations

import numpy as np

from ssagan_tf.motion.relighting import estimate_relighting

FADE = np.linspace(1, 0.6, 32)[:, None, None, None] ** [1.0, 1.0, 0.0]
MASK = np.where(np.arange(64)[:, None] < 40, np.ones((64, 64)), 0)


def dimming() -> np.ndarray:
    """A sky that dims in red and green, over land that is lit up."""
    clip = np.broadcast_to(150.0 * FADE, (32, 64, 64, 3)).copy()
    clip[:, 40:] = np.linspace(50, 250, 32)[:, None, None, None]
    return np.rint(clip).astype(np.uint8)


def test_only_the_sky_is_measured_and_relit() -> None:
    light = estimate_relighting(dimming(), MASK)
    photo = np.full((50, 70, 3), 120, np.uint8)
    mask = np.ones((50, 70), np.float32)
    mask[:, 35:] = 0
    frame = light.apply(photo, mask, 1.0, 1.0)
    np.testing.assert_array_equal(frame[:, 35:], 120)
    assert 120 * 0.6 - 5 < frame[:, :35, :2].mean() < 120 * 0.6 + 8
    assert np.abs(frame[:, :35, 2].astype(int) - 120).max() <= 2


def test_it_starts_from_the_photo_and_scales_with_strength() -> None:
    light = estimate_relighting(dimming(), MASK)
    photo = np.full((50, 70, 3), 120, np.uint8)
    mask = np.ones((50, 70), np.float32)
    np.testing.assert_array_equal(light.apply(photo, mask, 0.0, 1.0), photo)
    np.testing.assert_array_equal(light.apply(photo, mask, 1.0, 0.0), photo)
    means = [light.apply(photo, mask, time, 1.0)[..., 0].mean() for time in (0, 0.3, 0.6, 1)]
    assert (np.diff(means) < -5).all()
    assert light.apply(photo, mask, 1.0, 0.5)[..., 0].mean() > means[-1] + 10


def test_details_are_not_light() -> None:
    clip = np.random.default_rng(0).integers(80, 120, (32, 64, 64, 3)).astype(np.uint8)
    assert np.abs(estimate_relighting(clip, np.ones((64, 64))).gains).max() < 0.06
    assert np.isfinite(estimate_relighting(0 * clip, np.zeros((64, 64))).gains).all()
