from __future__ import annotations

import numpy as np
import pytest

from ssagan_tf.evaluation.metrics import motion


def test_motion() -> None:
    clip = np.zeros((3, 4, 4, 3))
    clip[1] = 0.5
    clip[2, 0] = 0.5  # a quarter of the frame stays
    np.testing.assert_allclose(motion.motion(clip), [0.5, 0.375])


@pytest.mark.parametrize("speed", [0, 1, 2])
def test_flow_of_a_sliding_picture(speed: int) -> None:
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0, 255, (24, 40, 3))
    texture = np.array(
        [np.interp(np.arange(0, 39, 0.25), np.arange(40), row) for row in coarse[..., 0]]
    )
    texture = np.array([np.interp(np.arange(0, 23, 0.25), np.arange(24), c) for c in texture.T]).T
    texture = np.repeat(texture[..., None], 3, axis=2).astype(np.uint8)
    clip = np.stack([texture[10:74, 20 - speed * t : 84 - speed * t] for t in range(4)])
    flow = motion.optical_flow(clip)
    assert flow.shape == (3,)
    np.testing.assert_allclose(flow, speed, atol=0.12)
