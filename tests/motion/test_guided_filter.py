from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.motion.guided_filter import guided_filter


def test_the_mask_follows_the_edge_of_the_picture() -> None:
    guide = np.zeros((40, 60), np.float32)
    guide[:, 30:] = 0.8
    rough = np.zeros_like(guide)
    rough[:, 27:] = 1  # three pixels off
    found = guided_filter(rough, guide, 6, 1e-3)
    assert found[:, 31:].min() > 0.9
    assert found[:, 29].max() < 0.6 < 0.9 < found[:, 30].min()
    assert found[:, :14].max() == 0


def test_without_edges_it_is_a_blur() -> None:
    mask = np.zeros((20, 20), np.float32)
    mask[:, 10:] = 1
    found = guided_filter(mask, np.full_like(mask, 0.5), 2, 1e-3)
    assert (np.diff(found[10]) >= -1e-6).all()
    assert 0.3 < found[10, 9] < 0.5 < found[10, 10] < 0.7


def test_a_small_mask_follows_the_edges_of_the_large_picture() -> None:
    y, x = np.indices((160, 240))
    full = np.where(y > 80 + 20 * np.sin(x / 17), 0.1, 0.9).astype(np.float32)
    guide = full.reshape(40, 4, 60, 4).mean(axis=(1, 3))
    found = guided_filter((guide > 0.5).astype(np.float32), guide, 2, 1e-3, full)
    assert found.shape == full.shape
    assert ((found > 0.5) == (full > 0.5)).mean() > 0.999


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_mask_is_unchanged(value: float) -> None:
    guide = np.random.default_rng(0).uniform(0, 1, (9, 12)).astype(np.float32)
    found = guided_filter(np.full_like(guide, value), guide, 3, 1e-3)
    np.testing.assert_allclose(found, value, atol=1e-5)
