from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssagan_tf.evaluation.baselines import BASELINES, BaselineSystem, pan
from ssagan_tf.evaluation.better_direction import BetterDirection, Mirrored
from ssagan_tf.evaluation.protocols import PAPER, STANDARD
from ssagan_tf.evaluation.systems import clip_of
from ssagan_tf.pixels import to_float, to_uint8


class Made:
    """A system with precomputed clips."""

    def __init__(self, clips: np.ndarray, name: str = "made"):
        self.name, self.description, self._clips = name, f"about {name}", clips

    def clips(self, positions: Sequence[int], real: np.ndarray) -> np.ndarray:
        return self._clips[list(positions)]


def better(name: str, protocol=PAPER) -> BetterDirection:
    system = BaselineSystem(BASELINES[name], real=None)
    return BetterDirection(system, Mirrored(system), protocol)


def test_the_direction_with_the_smaller_error_is_taken(noise) -> None:
    photo = noise(1, 24, 24, 3)
    to_the_right = pan(np.repeat(photo, 32, axis=0))
    to_the_left = pan(np.repeat(photo[:, :, ::-1], 32, axis=0))[:, :, ::-1]
    real = np.stack([to_the_right, to_the_left, to_the_left])
    system = better("pan")
    np.testing.assert_array_equal(to_uint8(system.clips([0, 1], real[:2])), real[:2])
    np.testing.assert_array_equal(to_uint8(system.clips([2], real[2:])), real[2:])
    assert system.mirrored == {0: False, 1: True, 2: True}
    assert system.description == (
        "the input, sliding by one pixel per frame; 2 of 3 clips from the other direction "
        "(the photo mirrored, its clip mirrored back)"
    )
    for position, clip in enumerate(real):
        reals = type("Reals", (), {"clip": lambda self, p: real[p], "__len__": lambda self: 3})()
        np.testing.assert_array_equal(to_uint8(clip_of(system, reals, position, 2)), clip)


def test_a_still_picture_is_the_same_both_ways(noise) -> None:
    real = noise(2, 32, 16, 16, 3)
    system = better("copy_first_frame")
    np.testing.assert_array_equal(to_uint8(system.clips([0, 1], real)[:, 9]), real[:, 0])
    assert system.mirrored == {0: False, 1: False}


def test_a_system_with_one_direction_is_left_as_it_is(noise) -> None:
    clips = to_float(noise(2, 32, 16, 16, 3))
    system = BetterDirection(Made(clips), None, PAPER)
    np.testing.assert_array_equal(system.clips([0, 1], noise(2, 32, 16, 16, 3, seed=1)), clips)
    assert system.mirrored == {0: False, 1: False}
    assert system.description == "about made; in this direction only"


def test_only_the_frames_and_values_of_the_protocol_count(noise) -> None:
    real = noise(1, 32, 16, 16, 3)
    first, beyond = to_float(real), to_float(real)
    first[:, 0] += 1  # the input itself, which `standard` leaves out
    beyond[real == 255] = 1.5  # clipped there
    slightly = to_float(real) + np.float32(1e-3)
    for given in (first, beyond):
        for protocol, taken in ((PAPER, True), (STANDARD, False)):
            system = BetterDirection(Made(given), Made(slightly, "other"), protocol)
            system.clips([0], real)
            assert system.mirrored == {0: taken}


def test_nan_does_not_go_unnoticed(noise) -> None:
    real = noise(1, 32, 16, 16, 3)
    good, bad = to_float(real), to_float(real) * np.float32(np.nan)
    for given, other in ((good, bad), (bad, good), (bad, bad)):
        system = BetterDirection(Made(given), Made(other), PAPER)
        assert np.isnan(system.clips([0], real)).all()


def test_a_choice_is_kept(noise) -> None:
    real = noise(1, 32, 16, 16, 3)
    good, bad = to_float(real), to_float(real) * 0
    system = BetterDirection(Made(bad), Made(good), PAPER)
    np.testing.assert_array_equal(system.clips([0], real), good)
    np.testing.assert_array_equal(system.clips([0], real * 0 + np.uint8(127)), good)
