from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from ssagan_tf.skies.any_wind import synthetic_clip


def test_shape_and_type():
    clip = synthetic_clip(0, 0, 64)
    assert clip.shape == (32, 64, 64, 3)
    assert clip.dtype == np.uint8
    assert synthetic_clip(0, 0, 32, frames=2).shape == (2, 32, 32, 3)


def test_same_in_another_process():
    program = (
        "import hashlib; from ssagan_tf.skies.any_wind import synthetic_clip\n"
        "synthetic_clip(1, 2, 32)\n"  # earlier clips must not matter
        "print(hashlib.sha256(synthetic_clip(5, 7, 64).tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert there == hashlib.sha256(synthetic_clip(5, 7, 64).tobytes()).hexdigest()


def test_first_frames_do_not_depend_on_the_number_of_frames():
    np.testing.assert_array_equal(synthetic_clip(3, 1, 64, 4), synthetic_clip(3, 1, 64)[:4])


def test_seeds_and_indices_differ():
    first = [synthetic_clip(*key, 64, 1).astype(float) for key in [(0, 1), (1, 0), (0, 2), (2, 1)]]
    for i, one in enumerate(first):
        for other in first[:i]:
            assert np.abs(one - other).mean() > 8


@pytest.mark.parametrize("resolution", [64, pytest.param(128, marks=pytest.mark.long)])
@pytest.mark.slow
def test_motion_is_visible_and_smooth(resolution):
    for index in range(10):
        clip = synthetic_clip(0, index, resolution).astype(np.float32) / 255
        steps = np.abs(np.diff(clip, axis=0)).mean((1, 2, 3))
        assert 0.004 < steps.mean() < 0.02
        assert steps.max() < 2 * steps.mean()
        # The sky moves on and does not just flicker.
        assert np.abs(clip[-1] - clip[0]).mean() > 2.5 * steps.mean()


def test_skies_have_contrast_and_are_not_burnt_out():
    for index in range(10):
        frame = synthetic_clip(1, index, 64, 1)
        assert 8 < frame.std() < 110
        assert (frame == 255).mean() < 0.2


@pytest.mark.slow
def test_same_sky_at_every_resolution():
    for index in range(8):
        small = synthetic_clip(0, index, 64).astype(float)
        large = synthetic_clip(0, index, 128).astype(float)
        halved = large.reshape(32, 64, 2, 64, 2, 3).mean((2, 4))
        assert np.abs(small - halved).mean() < 3
        assert np.corrcoef(small.ravel(), halved.ravel())[0, 1] > 0.98
