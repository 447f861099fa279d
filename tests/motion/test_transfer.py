from __future__ import annotations

import cv2
import numpy as np
import pytest

from ssagan_tf import skies
from ssagan_tf.motion import optical_flow
from ssagan_tf.motion.transfer import NothingMovesError, estimate_motion, render_frames
from tests.drifting_clips import clouds, drifting


def land(photo: np.ndarray) -> np.ndarray:
    photo = 110 + photo // 2
    photo[int(0.75 * len(photo)) :] = 25, 35, 20
    return photo


def still(photo: np.ndarray, number: int = 8) -> np.ndarray:
    return np.repeat(cv2.resize(photo, (64, 64))[None], number, axis=0)


def test_the_motion_of_a_clip_is_found() -> None:
    clip = drifting((0.8, 0.3))
    photo = cv2.resize(clip[0], (300, 200), interpolation=cv2.INTER_CUBIC)
    motion = estimate_motion(clip, photo, np.ones((10, 10)))
    assert motion.confidence > 0.7
    assert motion.drift_direction == "right"
    field = motion.field.velocities(64, 64)[8:-8, 8:-8]
    assert np.abs(np.median(field, axis=(0, 1)) - (0.8, 0.3)).max() < 0.15
    np.testing.assert_array_equal(motion.mask, np.ones((200, 300)))
    mirrored = motion.mirrored()
    assert mirrored.drift_direction == "left"
    assert mirrored.field.velocities(9, 9)[4, 4, 0] == -motion.field.velocities(9, 9)[4, 4, 0]


def test_velocities_of_procedural_skies() -> None:
    ratios, angles = [], []
    for index in range(5):
        clip = skies.procedural_clip(64, index, 64, wind="canonical")
        truth = skies.clip_truth(64, index, 64, wind="canonical")
        seen = (np.median(truth.opacity, axis=0) > 0.3) & (truth.moving > 0.99)
        true = np.median(truth.velocity, axis=0)[seen]
        found = estimate_motion(clip, clip[0]).field.velocities(64, 64)[seen]
        ratios.append(np.median(np.hypot(*found.T) / np.hypot(*true.T)))
        turned = np.arctan2(found[:, 1], found[:, 0]) - np.arctan2(true[:, 1], true[:, 0])
        angles.append(np.degrees(np.median(np.abs(turned))))
    assert 0.9 < np.median(ratios) < 1.1
    assert 0.6 < min(ratios) < max(ratios) < 1.4
    assert np.median(angles) < 5


def test_the_sky_of_a_still_clip_drifts_by_the_prior() -> None:
    photo = land(clouds(120, 160))
    motion = estimate_motion(still(photo), photo)
    assert motion.confidence == 0
    assert motion.drift_direction == "right"
    assert motion.mask[:80].min() == 1
    assert motion.mask[96:].max() == 0


def test_without_a_loop_frames_follow_the_clip() -> None:
    photo = land(clouds(120, 160))
    motion = estimate_motion(still(photo), photo)
    made = list(render_frames(photo, motion, 5, loop=False))
    np.testing.assert_array_equal(made[0], photo)
    drift = optical_flow.dense_flow(*(cv2.cvtColor(made[i], cv2.COLOR_RGB2GRAY) for i in (1, 2)))
    expected = motion.field.velocities(120, 160)
    inside = np.s_[10:80, 10:-10]
    assert np.median(drift[inside][..., 0] / expected[inside][..., 0]) == pytest.approx(1, abs=0.1)
    for frame in made:
        np.testing.assert_array_equal(frame[motion.mask == 0], photo[motion.mask == 0])
    twice = list(render_frames(photo, motion, 3, loop=False, speed=2))
    assert np.abs(twice[1].astype(int) - made[2]).max() <= 2


def test_direction_and_light() -> None:
    photo = land(clouds(60, 80))
    motion = estimate_motion(still(photo), photo)
    as_it_is, right, left = (
        list(render_frames(photo, motion, 3, loop=False, direction=way))
        for way in (None, "right", "left")
    )
    np.testing.assert_array_equal(as_it_is, right)
    assert (left[2] != right[2]).any()
    clip = (still(photo) * np.linspace(1, 0.5, 8)[:, None, None, None]).astype(np.uint8)
    dimmer = estimate_motion(clip, photo)
    plain, lit = (list(render_frames(photo, dimmer, 8, light=light)) for light in (0.0, 1.0))
    np.testing.assert_array_equal(plain[0], lit[0])
    darker = [float(a.mean()) - float(b.mean()) for a, b in zip(plain, lit, strict=True)]
    assert np.argmax(darker) == 4
    assert darker[4] > 10
    assert darker[1] == pytest.approx(darker[7], abs=2)


def test_speed_is_the_same_share_of_any_picture() -> None:
    small = land(clouds(90, 120))
    large = cv2.resize(small, (480, 360), interpolation=cv2.INTER_CUBIC)
    first, second = (estimate_motion(still(small), photo) for photo in (small, large))
    np.testing.assert_allclose(
        first.field.coefficients, second.field.coefficients, rtol=0.05, atol=1e-4
    )
    made = list(render_frames(small, first, 6))
    again = [cv2.resize(x, (120, 90), interpolation=3) for x in render_frames(large, second, 6)]
    assert np.abs(made[3].astype(int) - again[3]).mean() < 3


@pytest.mark.parametrize(
    ("photo", "word"),
    [
        (np.full((60, 80, 3), (30, 60, 20), np.uint8), "sky"),
        (np.full((60, 80, 3), (90, 140, 220), np.uint8), "smooth"),
        (np.full((1, 1, 3), 200, np.uint8), "small"),
    ],
)
def test_nothing_would_move(photo: np.ndarray, word: str) -> None:
    with pytest.raises(NothingMovesError, match=word):
        estimate_motion(still(photo), photo)


def face(side: int = 256) -> np.ndarray:
    """A drawn face in front of a wall."""
    wall = np.full((side, side, 3), (150, 140, 120), np.uint8)
    wall[:, :: side // 8] = wall[:: side // 6] = 110, 100, 85
    scale = side / 256

    def ellipse(x: float, y: float, a: float, b: float, colour: tuple[int, int, int]) -> None:
        place = tuple(round(v * scale) for v in (x, y, a, b))
        cv2.ellipse(wall, place[:2], place[2:], 0, 0, 360, colour, -1)

    ellipse(128, 260, 110, 70, (40, 40, 55))
    ellipse(128, 105, 62, 80, (50, 32, 22))
    ellipse(128, 120, 50, 68, (196, 144, 116))
    for x in (108, 148):
        ellipse(x, 108, 10, 5, (235, 230, 225))
        ellipse(x, 108, 4, 4, (40, 25, 15))
        ellipse(x, 96, 13, 3, (60, 40, 28))
    ellipse(128, 132, 5, 14, (170, 115, 90))
    ellipse(128, 160, 20, 6, (150, 60, 60))
    return wall


@pytest.mark.parametrize("side", [120, 256, 600])
def test_a_face_does_not_drift(side: int) -> None:
    photo = face(side)
    with pytest.raises(NothingMovesError, match=r"does not look like a sky|no sky"):
        estimate_motion(still(photo), photo)
    given = estimate_motion(still(photo), photo, np.ones((side, side), np.uint8) * 255)
    assert given.mask.min() == 1  # a given mask is used without checks


@pytest.mark.parametrize("size", [(120, 160), (400, 600)])
def test_walls_do_not_drift(size: tuple[int, int]) -> None:
    height, width = size
    bricks = np.full((height, width, 3), (150, 90, 70), np.uint8)
    high, long, mortar = height // 12, width // 8, max(2, height // 60)
    for course in range(12):
        bricks[course * high : course * high + mortar] = 200, 195, 185
        shift = long // 2 * (course % 2)
        for joint in range(shift, width, long):
            bricks[course * high : (course + 1) * high, joint : joint + mortar] = 200, 195, 185
    with pytest.raises(NothingMovesError):
        estimate_motion(still(bricks), bricks)


def test_noise_is_not_a_cloud() -> None:
    noise = np.random.default_rng(0).normal(0, 5, (300, 400, 3))
    fog = np.clip(190 + noise + np.linspace(0, 10, 300)[:, None, None], 0, 255).astype(np.uint8)
    with pytest.raises(NothingMovesError, match="smooth"):
        estimate_motion(still(fog), fog)
    faint = 130 + clouds(300, 400) // 4 + noise
    cloudy = np.clip(faint, 0, 255).astype(np.uint8)
    assert estimate_motion(still(cloudy), cloudy).mask.mean() > 0.9


def test_a_given_mask() -> None:
    photo = land(clouds(60, 80))
    with pytest.raises(NothingMovesError, match="white marks what moves"):
        estimate_motion(still(photo), photo, np.zeros((60, 80), np.uint8))
    given = np.zeros((60, 80), np.uint8)
    given[:, 40:] = 255
    motion = estimate_motion(still(photo), photo, given)
    np.testing.assert_array_equal(motion.mask, given / 255)
    for frame in render_frames(photo, motion, 4):
        np.testing.assert_array_equal(frame[:, :40], photo[:, :40])
    assert estimate_motion(still(photo), photo, given[::2, ::2]).mask.shape == (60, 80)


def test_a_photo_of_another_size_is_refused() -> None:
    photo = land(clouds(60, 80))
    motion = estimate_motion(still(photo), photo)
    with pytest.raises(ValueError, match="mask"):
        next(render_frames(photo[:-1], motion, 4))
