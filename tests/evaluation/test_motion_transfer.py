"""Photos moved by the clips of a stand-in for a generator, which drift at a given velocity."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ssagan_tf import skies, video
from ssagan_tf.evaluation.better_direction import BetterDirection, Mirrored
from ssagan_tf.evaluation.metrics import METRICS
from ssagan_tf.evaluation.metrics.metric import Clip, Pair
from ssagan_tf.evaluation.motion_transfer import Transfer
from ssagan_tf.evaluation.protocols import PAPER, STANDARD
from ssagan_tf.evaluation.systems import Generator, System
from ssagan_tf.motion import transfer
from ssagan_tf.motion.warping import warp
from ssagan_tf.options import FRAMES
from ssagan_tf.pixels import to_float, to_uint8
from tests.drifting_clips import clouds

SIDE = 64
RIGHT = (0.6, 0.2)  # pixels a frame at that side


class Drift:
    """A network whose clips show the photo drifting steadily."""

    options = SimpleNamespace(resolution=SIDE)
    non_trainable_variables = ()

    def __init__(self, velocity: tuple[float, float] = RIGHT):
        self._velocity, self.calls = velocity, 0

    def __call__(self, photos: np.ndarray, training: bool) -> np.ndarray:
        self.calls += 1
        return to_float(np.stack([drifted(photo, self._velocity) for photo in to_uint8(photos)]))


def drifted(photo: np.ndarray, velocity: tuple[float, float]) -> np.ndarray:
    """32 frames, mirrored at the border."""
    return warp(photo, np.broadcast_to(np.float32(velocity), (*photo.shape[:2], 2)), range(32))


def generator(network: Drift, **settings: bool) -> Generator:
    return Generator("g", "path", network, "running", 4, **settings)


def sky(side: int, shift: int = 0) -> np.ndarray:
    """Clouds above dark ground, as a clip that stands still, `[32, side, side, 3]`."""
    white = np.roll(clouds(side, side), shift, axis=1)[..., :1] / 255
    photo = np.uint8(white * (235, 238, 240) + (1 - white) * (70, 120, 200))
    photo[side * 3 // 4 :] = np.random.default_rng(1).integers(30, 42, (side - side * 3 // 4, 1, 1))
    return np.repeat(photo[None], FRAMES, axis=0)


def fog(side: int) -> np.ndarray:
    """A uniform clip, in which no motion is visible."""
    return np.full((FRAMES, side, side, 3), 180, np.uint8)


def velocity_metrics(
    system: System, real: np.ndarray, velocity: tuple[float, float]
) -> dict[str, float]:
    """Velocity metrics of a system's clip, given the true velocity of the sky."""
    side = real.shape[1]
    moving = np.zeros((side, side), "f4")
    moving[: side * 5 // 8] = 1
    truth = skies.Truth(
        velocity=np.broadcast_to(np.float32(velocity), (1, side, side, 2)),
        opacity=np.ones((1, side, side), "f4"),
        moving=moving,
    )
    [fake] = system.clips([0], real[None])
    pair = Pair(Clip(real, STANDARD, lambda: truth), Clip(fake, STANDARD))
    return {
        m.name: float(m.compute(pair)) for m in METRICS if m.name in ("angle_error", "speed_ratio")
    }


@pytest.mark.parametrize("side", [SIDE, 96])
@pytest.mark.parametrize("loop", [False, True])
def test_clips_are_made_as_by_animate(side: int, loop: bool) -> None:
    real = np.stack([sky(side), sky(side, 20)])
    row = Transfer(generator(Drift()), loop=loop)
    made = row.clips([0, 1], real)
    assert (made.shape, made.dtype) == (real.shape, np.dtype("f4"))
    for photo, clip in zip(real[:, 0], to_uint8(made), strict=True):
        small = video.fit(photo, SIDE, "stretch")
        motion = transfer.estimate_motion(drifted(small, RIGHT), photo)
        # A loop as animate shows it takes 8 seconds.
        frames = transfer.render_frames(photo, motion, FRAMES, loop=loop, fps=4)
        np.testing.assert_array_equal(clip, np.stack(list(frames)))
        assert (clip[:, side * 7 // 8 :] == photo[side * 7 // 8 :]).all()
        if not loop:
            np.testing.assert_array_equal(clip[0], photo)
    assert row.name == ("g_loop" if loop else "g_transfer")
    assert not row.description.startswith("generator ")
    assert row.still == {}


@pytest.mark.parametrize("side", [SIDE, 128])
def test_velocities_match_the_clips(side: int) -> None:
    """Velocities scale with the size of the photo."""
    scale = side / SIDE
    for velocity in (RIGHT, (0.5, -0.1), (1.0, 0.0)):
        found = velocity_metrics(
            Transfer(generator(Drift(velocity))),
            sky(side),
            (scale * velocity[0], scale * velocity[1]),
        )
        assert found["angle_error"] < 3
        assert found["speed_ratio"] == pytest.approx(1, abs=0.12)
    # Compared with another truth, they are as wrong as they should be.
    turned = velocity_metrics(Transfer(generator(Drift((0.6, 0.0)))), sky(side), (0.0, scale * 1.2))
    assert turned["angle_error"] == pytest.approx(90, abs=3)
    assert turned["speed_ratio"] == pytest.approx(0.5, abs=0.06)


def test_where_nothing_moves_the_photo_stands_still() -> None:
    real = np.stack([fog(SIDE), sky(SIDE)])
    row = Transfer(generator(Drift()))
    still, clip = to_uint8(row.clips([5, 6], real))
    np.testing.assert_array_equal(still, real[0])
    assert np.abs(np.diff(clip.astype(int), axis=0)).mean() > 1
    assert list(row.still) == [5]
    assert "would be invisible" in row.still[5]


def test_the_better_of_two_directions() -> None:
    photo = sky(96)[0]
    right = warp(photo, np.full((96, 96, 2), (0.9, 0), "f4"), range(32), ground(96))
    left = warp(photo[:, ::-1], np.full((96, 96, 2), (0.9, 0), "f4"), range(32), ground(96))
    real = np.stack([right, left[:, :, ::-1], fog(96)])
    network = Drift((0.6, 0.0))
    row = BetterDirection(
        Transfer(generator(network)), Mirrored(Transfer(generator(network))), PAPER
    )
    clips = row.clips([0, 1, 2], real)
    assert row.mirrored == {0: False, 1: True, 2: False}
    assert list(row.still) == [2]
    # The direction makes the difference: the other clip is further from the real one.
    for clip, other, truth in zip(clips[:2], clips[1::-1], to_float(real[:2]), strict=True):
        assert np.square(clip - truth).mean() < 0.3 * np.square(other - truth).mean()


def ground(side: int) -> np.ndarray:
    """A mask of what moves: the sky."""
    mask = np.ones((side, side), "f4")
    mask[side * 3 // 4 :] = 0
    return mask


def test_the_clips_of_a_batch_are_made_once() -> None:
    network = Drift()
    made = generator(network, keep=True)
    rows = [made, Transfer(made), Transfer(made, loop=True)]
    first, second = np.stack([sky(SIDE), sky(SIDE, 9)]), sky(SIDE, 30)[None]
    for row in rows:
        row.clips([0, 1], first)
    assert network.calls == 1
    other = [row.clips([2], second) for row in rows]
    assert network.calls == 2
    np.testing.assert_array_equal(other[1], Transfer(generator(Drift())).clips([2], second))
    # Without another row that needs them, they are not kept.
    made = generator(network)
    for _ in range(2):
        made.clips([0, 1], first)
    assert network.calls == 4


@pytest.mark.parametrize("side", [32, 128])
def test_a_generator_of_another_size(side: int) -> None:
    """The network sees the photo at its own size, and its clips are resized to the photo's."""
    real = sky(side)[None]
    row = generator(Drift())
    own = row.clips_at_own_size([0], real)
    np.testing.assert_array_equal(
        to_uint8(own[0]), drifted(video.fit(real[0, 0], SIDE, "stretch"), RIGHT)
    )
    clips = row.clips([0], real)
    assert (clips.shape, clips.dtype) == (real.shape, np.dtype("f4"))
    for frame, small in zip(clips[0], own[0], strict=True):
        back = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        assert np.abs(back - small)[2:-2, 2:-2].mean() < 0.03


def test_a_transfer_needs_whole_batches_if_its_generator_does() -> None:
    whole = Generator("g", "path", Drift(), "batch", 4)
    assert Transfer(whole).needs_whole_batches
    assert not Transfer(generator(Drift())).needs_whole_batches
