from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from ssagan_tf.evaluation.metrics.stability import contrast, pumping, seam, sharpness
from ssagan_tf.motion.field import Field, prior_mean
from ssagan_tf.motion.loop import MAX_DRIFT, count_phases, loop_frames
from tests.drifting_clips import clouds

WIND = prior_mean(0.9)


def hill(height: int, width: int) -> np.ndarray:
    x = np.arange(width) / width
    y = (np.arange(height)[:, None] + 0.5) / height
    return np.clip(20 * (0.7 + 0.1 * np.sin(7 * x) - y) + 0.5, 0, 1).astype(np.float32)


def test_it_has_no_seam_and_does_not_pump() -> None:
    mask = np.ones((120, 200), np.float32)
    frames = np.stack(list(loop_frames(clouds(120, 200), WIND, mask, 48, 0.3)))
    assert frames.shape == (48, 120, 200, 3)
    assert frames.dtype == np.uint8
    grey = frames[..., 0].astype(np.float32)
    assert 0.8 < seam(grey) < 1.2
    assert pumping(contrast(grey)) > 0.95
    assert pumping(sharpness(grey)) > 0.9
    assert 0.9 < contrast(grey).mean() / grey[0].std() < 1.1


@pytest.mark.parametrize("grain", [0, 6])
def test_all_frames_are_as_sharp_as_the_photo(grain: int) -> None:
    """Grain and sharp edges suffer most where the copies blend."""
    photo = clouds(120, 200).astype(np.float32)
    photo += np.random.default_rng(1).normal(0, grain, photo.shape)
    photo = np.clip(photo, 0, 255).astype(np.uint8)
    frames = np.stack(list(loop_frames(photo, WIND, np.ones((120, 200), np.float32), 24, 0.3)))
    grey = frames[..., 0].astype(np.float32)
    assert pumping(sharpness(grey)) > 0.96
    assert sharpness(grey).mean() / sharpness(photo[None, ..., 0].astype(np.float32))[0] > 0.88


def test_static_parts_are_the_photo_and_are_not_dragged() -> None:
    photo, mask = clouds(90, 120), hill(90, 120)
    photo[mask < 0.5] //= 8
    frames = np.stack(list(loop_frames(photo, WIND, mask, 12, 1.0)))
    np.testing.assert_array_equal(
        frames[:, mask == 0], np.broadcast_to(photo[mask == 0], (12, (mask == 0).sum(), 3))
    )
    assert frames[:, mask == 1].min() > 40  # nothing of the dark hill
    assert (frames[3] != frames[9]).any()


def test_phases_are_short_enough_and_repeat() -> None:
    mask = np.ones((60, 100), np.float32)
    for number, advance, strength in ((200, 0.08, 1.0), (200, 0.08, 0.5), (60, 0.4, 1.0)):
        cycles = count_phases(number, advance, WIND, mask, strength)
        assert number % cycles == 0
        fastest = np.percentile(np.linalg.norm(WIND.velocities(60, 100), axis=-1) / 100, 98)
        assert number * advance * fastest / cycles <= MAX_DRIFT * strength * 1.01
    assert count_phases(10, 0.0, WIND, mask, 1.0) == 1
    frames = list(loop_frames(clouds(60, 100), WIND, mask, 60, 0.4))
    cycles = count_phases(60, 0.4, WIND, mask, 1.0)
    assert cycles > 1
    period = 60 // cycles
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, frames[index % period])


def test_prime_numbers_of_frames_close_the_loop() -> None:
    mask = np.ones((60, 100), np.float32)
    assert count_phases(47, 0.5, WIND, mask, 1.0) > 1
    frames = np.stack(list(loop_frames(clouds(60, 100), WIND, mask, 47, 0.5)))
    assert 0.7 < seam(frames[..., 0].astype(np.float32)) < 1.3


def test_it_drifts_by_the_field() -> None:
    """Measured where only one of the two copies is visible."""
    photo, mask = clouds(80, 160), np.ones((80, 160), np.float32)
    steady = Field(1.0, np.array([[0.01, 0.0], [0, 0], [0, 0]]))
    frames = np.stack(list(loop_frames(photo, steady, mask, 40, 0.25)))[..., 0]
    flow = np.median(
        [
            cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 11, 3, 5, 1.2, 0)
            for a, b in itertools.pairwise(frames[::2])
        ],
        axis=0,
    )
    assert np.median(flow[..., 0]) == pytest.approx(0.01 * 160 * 0.25 * 2, rel=0.15)
    assert abs(np.median(flow[..., 1])) < 0.1


def test_frames_are_copies_and_reproducible() -> None:
    photo, mask = clouds(30, 40), np.ones((30, 40), np.float32)
    first = list(loop_frames(photo, WIND, mask, 20, 1.0))
    again = []
    for frame in loop_frames(photo, WIND, mask, 20, 1.0):
        again.append(frame.copy())
        frame[:] = 0
    np.testing.assert_array_equal(first, again)


def test_frames_are_made_one_at_a_time() -> None:
    mask = np.ones((16, 16), np.float32)
    frames = loop_frames(clouds(16, 16), WIND, mask, 10**7, 0.08)
    assert next(frames).shape == (16, 16, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (7, 5)])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_smallest_pictures(shape: tuple[int, int], share: float) -> None:
    mask = np.full(shape, share, np.float32)
    frames = list(loop_frames(np.full((*shape, 3), 90, np.uint8), WIND, mask, 4, 1.0))
    np.testing.assert_array_equal(frames, np.full((4, *shape, 3), 90))
