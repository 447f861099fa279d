from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.motion.flow import velocities


@pytest.mark.parametrize("velocity", [(0.8, 0.0), (-0.5, 0.4), (0.0, 1.2)])
def test_velocities_of_a_drifting_texture(velocity):
    rng = np.random.default_rng(0)
    waves = rng.normal(0, 1, (12, 2)) * 0.25
    phases = rng.uniform(0, 2 * np.pi, 12)
    y, x = np.mgrid[:64, :64].astype(float)

    def frame(t: float) -> np.ndarray:
        u, v = x - velocity[0] * t, y - velocity[1] * t
        total = sum(np.sin(k[0] * u + k[1] * v + p) for k, p in zip(waves, phases, strict=True))
        grey = np.clip(128 + 25 * total, 0, 255)
        return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)

    found = velocities(np.stack([frame(t) for t in range(8)]))
    assert found.shape == (64, 64, 2)
    inside = found[8:-8, 8:-8]
    assert np.abs(np.median(inside, axis=(0, 1)) - velocity).max() < 0.1


def test_a_still_clip_has_none():
    still = np.broadcast_to(np.random.default_rng(0).integers(0, 255, (16, 16, 3)), (4, 16, 16, 3))
    assert not velocities(still.astype(np.uint8)).any()
