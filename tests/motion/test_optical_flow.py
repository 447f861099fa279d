from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.motion.optical_flow import velocities
from tests.drifting_clips import drifting


@pytest.mark.parametrize("velocity", [(0.8, 0.0), (-0.5, 0.4), (0.0, 1.2)])
def test_velocities_of_a_drifting_texture(velocity):
    found = velocities(drifting(velocity))
    assert found.shape == (64, 64, 2)
    inside = found[8:-8, 8:-8]
    assert np.abs(np.median(inside, axis=(0, 1)) - velocity).max() < 0.1


def test_a_still_clip_has_none():
    still = np.broadcast_to(np.random.default_rng(0).integers(0, 255, (16, 16, 3)), (4, 16, 16, 3))
    assert not velocities(still.astype(np.uint8)).any()
