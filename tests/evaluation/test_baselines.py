"""The baselines that move a photo."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ssagan_tf import skies
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation import baselines
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.motion.sky_segmentation import find_sky
from ssagan_tf.motion.warping import warp
from ssagan_tf.options import OptionError
from ssagan_tf.pixels import to_uint8

SIDE, FRAMES = 48, 32


def drifting(speed: float, seed: int = 0) -> np.ndarray:
    """A clip of clouds that drift to the right, above still, dark land."""
    rng = np.random.default_rng(seed)
    waves, phases = rng.normal(0, 0.3, (10, 2)), rng.uniform(0, 6.3, 10)
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    ground = y >= 34

    def frame(time: float) -> np.ndarray:
        u = x - speed * time
        light = sum(np.sin(k[0] * u + k[1] * y + p) for k, p in zip(waves, phases, strict=True))
        sky = np.clip([150 + 12 * light, 170 + 10 * light, 215 + 6 * light], 0, 255)
        shown = np.where(ground, np.reshape([30, 40, 20], (3, 1, 1)), sky)
        return np.moveaxis(shown, 0, -1)

    return np.stack([frame(time) for time in range(FRAMES)]).astype(np.uint8)


class Drawn:
    """Footage of drawn clips."""

    fit = ""

    def __init__(self, clips: list[np.ndarray], synthetic_settings: dict | None):
        self._clips, self.synthetic_settings = clips, synthetic_settings
        self.clips = [
            SimpleNamespace(name=f"clouds{i:05d}/0", video=str(i), size=(SIDE, SIDE))
            for i in range(len(clips))
        ]

    def stream(self, indices):
        return (self._clips[index] for index in indices)


def real(*speeds: float, synthetic_settings: dict | None = None) -> RealClips:
    clips = [drifting(speed, seed) for seed, speed in enumerate(speeds)]
    return RealClips(Drawn(clips, synthetic_settings), range(len(clips)), (SIDE, SIDE), "stretch")


def made(name: str, clips: RealClips) -> np.ndarray:
    _, row = baselines.baseline_systems([name], clips)
    assert row.name == name
    positions, frames = next(clips.batches(len(clips)))
    generated = row.clips(positions, frames)
    assert (generated.shape, generated.dtype) == (frames.shape, np.float32)
    return to_uint8(generated)


def test_constant_wind_moves_only_the_sky() -> None:
    clips = real(0.6, 0.0)
    found = made("constant_wind", clips)
    for position in range(2):
        photo = clips.clip(position)[0]
        np.testing.assert_array_equal(found[position, 0], photo)
        np.testing.assert_array_equal(found[position, :, 38:], np.stack([photo[38:]] * FRAMES))
        field = np.full((SIDE, SIDE, 2), (baselines.WIND * SIDE, 0))
        [at_20] = warp(photo, field, [20])
        np.testing.assert_allclose(found[position, 20, 4:30], at_20[4:30], atol=1)  # rounded
        assert np.abs(found[position, 20, :30].astype(int) - photo[:30]).mean() > 2


def test_constant_wind_scales_with_the_width() -> None:
    """At twice the size it is the same clip."""
    photo = drifting(0)[0]
    large = np.repeat(np.repeat(photo, 2, axis=0), 2, axis=1)
    small = baselines.constant_wind(np.stack([photo] * 21))[-1]
    twice = baselines.constant_wind(np.stack([large] * 21))[-1]
    halved = twice.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
    moved = np.abs(small.astype(float) - photo)[4:30, 12:-4].mean()
    assert np.abs(halved - small)[4:30, 12:-4].mean() < 0.1 * moved


def test_real_motion_follows_the_real_clip() -> None:
    clips = real(0.5)
    [found] = made("real_motion", clips)
    clip = clips.clip(0).astype(float)
    np.testing.assert_array_equal(found[0], clip[0])
    sky = (slice(6, 26), slice(20, -4))  # what has come in from the left isn't known
    copied = np.square(clip[:1] - clip)[1:, *sky].mean()
    assert np.square(found - clip)[1:, *sky].mean() < 0.1 * copied
    np.testing.assert_allclose(found[:, 42:], np.stack([clip[0, 42:]] * FRAMES), atol=1)


def test_real_motion_of_a_still_clip_is_still() -> None:
    [found] = made("real_motion", real(0.0))
    np.testing.assert_array_equal(found, drifting(0.0))


@pytest.fixture
def truths(monkeypatch) -> list[tuple[str, int]]:
    """Replaces the truth of procedural skies. Returns a list of the requests for it."""
    asked = []

    def truth(name: str, settings: dict, resolution: int):
        asked.append((name, resolution))
        velocity = np.zeros((FRAMES, SIDE, SIDE, 2), np.float32)
        velocity[..., 0] = settings["speeds"][int(name[6:11])]
        velocity[3] = 99  # the median doesn't mind
        moving = (np.mgrid[:SIDE, :SIDE][0] < 34).astype(np.float32)
        return skies.Truth(velocity, velocity[..., 0], moving)

    monkeypatch.setattr(skies, "stored_clip_truth", truth)
    return asked


def test_true_motion_moves_by_the_true_velocity(truths) -> None:
    speeds = 0.5, -0.75
    clips = real(*speeds, synthetic_settings={"speeds": speeds})
    found = made("true_motion", clips)
    for position in range(2):
        clip = clips.clip(position).astype(float)
        np.testing.assert_array_equal(found[position, :, 34:], clip[:, 34:])
        columns = slice(18, -2) if speeds[position] > 0 else slice(2, -26)
        inside = found[position][:, 4:30, columns]
        assert np.abs(inside - clip[:, 4:30, columns]).mean() < 1
    assert set(truths) == {("clouds00000/0", SIDE), ("clouds00001/0", SIDE)}


def test_unknown_motion_is_the_median_of_the_others(truths) -> None:
    speeds = 0.5, -0.75, 0.5, 0.5
    clips = real(*speeds, synthetic_settings={"speeds": speeds})
    found, moved = made("unknown_motion", clips), made("true_motion", clips)
    np.testing.assert_array_equal(found[0], moved[0])  # two of three others move as it does
    np.testing.assert_array_equal(found[1, :, 34:], moved[1, :, 34:])  # below its sky
    assert np.abs(found[1].astype(int) - moved[1])[8:, :34].mean() > 5  # no other moves as it does


def test_unknown_motion_takes_some_of_the_others(truths, monkeypatch) -> None:
    monkeypatch.setattr(baselines, "OTHERS", 2)
    speeds = (0.5,) * 6
    clips = real(*speeds, synthetic_settings={"speeds": speeds})
    baselines.unknown_motion(clips.clip(0), 0, clips)
    assert [name for name, _ in truths] == ["clouds00000/0", "clouds00001/0", "clouds00003/0"]


def test_unknown_motion_of_a_single_video_is_its_photo(truths) -> None:
    clips = real(0.5, synthetic_settings={"speeds": (0.5,)})
    [found] = made("unknown_motion", clips)
    np.testing.assert_array_equal(found, np.broadcast_to(clips.clip(0)[0], found.shape))


def test_the_truth_is_drawn_once(truths) -> None:
    clips = real(0.5, 0.5, synthetic_settings={"speeds": (0.5, 0.5)})
    assert clips.truth(1) is clips.truth(1)
    assert len(truths) == 1


def test_true_motion_needs_procedural_skies(truths) -> None:
    clips = real(0.5)
    assert clips.truth(0) is None
    for name in ("true_motion", "unknown_motion"):
        with pytest.raises(OptionError, match=rf"baselines={name}: needs .*--layout=synthetic"):
            baselines.baseline_systems(["pan", name], clips)


def test_a_set_whose_settings_are_damaged(truths) -> None:
    clips = real(0.5, synthetic_settings={})
    with pytest.raises(DataError, match=r"clouds00000/0 was drawn.*prepare it again"):
        clips.truth(0)


def test_the_sky_of_these_clips_is_found() -> None:
    sky = find_sky(drifting(0)[0]) > 0.5
    assert (sky == (np.mgrid[:SIDE, :SIDE][0] < 34)).mean() > 0.97
