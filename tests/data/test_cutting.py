"""Clips of a video: within scenes, not static, at a suitable stride."""

from __future__ import annotations

import csv
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.data import layouts
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts import motion
from ssagan_tf.data.layouts.clip import PIXELS, Clip, Picture
from ssagan_tf.data.layouts.cutting import Frame, cut
from ssagan_tf.options import FRAMES, PrepareOptions
from ssagan_tf.skies.any_wind import synthetic_clip
from tests.sample_videos import record

PLAIN = PrepareOptions(resolution=64)


def cut_up(
    frames: Sequence[np.ndarray | None], times: Sequence[float | None] = (), **settings: object
) -> tuple[list[int], dict[str, str]]:
    """Numbers of the clips' first frames, and what was skipped."""
    given = dataclasses.replace(PLAIN, **settings)
    numbered = [
        Frame(number, None, "broken") if frame is None else Frame(number, Picture(frame), time=time)
        for number, (frame, time) in enumerate(
            zip(frames, times or [None] * len(frames), strict=True)
        )
    ]
    starts, skipped = [], {}
    for one in cut(numbered, "a", "a.mp4", given, PIXELS):
        if isinstance(one, Skipped):
            skipped[one.item] = one.reason
            continue
        assert one.name == f"a/{one.start}"
        expected = frames[one.start : one.start + FRAMES]
        np.testing.assert_array_equal(one.frames, np.stack(expected))
        starts.append(one.start)
    return starts, skipped


@pytest.fixture(scope="module")
def scenes() -> list[np.ndarray]:
    """Two skies of 80 frames."""
    return [synthetic_clip(3, number, 64, 80) for number in (0, 1)]


@pytest.mark.parametrize(
    ("apart", "starts", "skipped"),
    [
        ([1.0] * 79, [0, 32], {}),
        # A missing frame; a pause.
        ([1.0] * 39 + [2.0] + [1.0] * 39, [0, 40], {}),
        ([1.0] * 19 + [25.0] + [1.0] * 59, [20], {"a/0": "20 of 32 frames before"}),
        # Phones record fewer frames per second in dim light.
        ([1.0] * 39 + [2.0] * 40, [0, 40], {}),
        ([2.0] * 39 + [1.0] * 40, [0, 41], {}),
        ([1.0] * 69 + [3.0] + [1.0] * 9, [0, 32], {"a/70": "10 of 32 frames after"}),
        ([1.0] * 10 + [9.0] + [1.0] * 10 + [9.0] + [1.0] * 57, [22], {
            "a/0": "11 of 32 frames before", "a/11": "11 of 32 frames before"
        }),
        # Two recordings, joined.
        ([1.0] * 39 + [-39.0] + [1.0] * 39, [0, 40], {}),
        # Not jumps: a late frame, pulldown, rounded times, jitter, a slowly changing rate.
        ([1.0] * 39 + [1.6, 0.4] + [1.0] * 38, [0, 32], {}),
        ([1.0, 1.5] * 39 + [1.0], [0, 32], {}),
        ([0.033, 0.034, 0.033] * 26 + [0.033], [0, 32], {}),
        ([0.03, 0.05] * 39 + [0.03], [0, 32], {}),
        ([1.0, 1.2, 1.4, 1.6, 1.8, 2.0] + [2.0] * 73, [0, 32], {}),
        # Invalid times.
        ([0.0] * 79, [0, 32], {}),
        ([1.0, -1.0] * 39 + [1.0], [0, 32], {}),
    ],
)  # fmt: skip
def test_no_clip_crosses_a_jump_in_time(scenes, apart, starts, skipped) -> None:
    times = [0.0, *itertools.accumulate(apart)]
    found, reasons = cut_up(list(scenes[0]), times)
    assert found == starts
    assert reasons == {
        item: f"too short: {reason} a jump in time" for item, reason in skipped.items()
    }
    assert cut_up(list(scenes[0]), [None] * 80) == ([0, 32], {})


def test_videos_are_cut_by_their_times(tmp_path: Path, scenes: list[np.ndarray]) -> None:
    times = [*range(40), *range(45, 85)]
    record(tmp_path / "a.mkv", scenes[0], times=times)
    for stride, starts in ((1, [0, 40]), (2, [])):
        given = dataclasses.replace(PLAIN, source=str(tmp_path), frame_stride=stride)
        (item,) = layouts.list_items(given).items
        clips = [one for one in item.clips(given) if isinstance(one, Clip)]
        assert [clip.start for clip in clips] == starts


def test_no_clip_crosses_a_scene_cut(scenes: list[np.ndarray]) -> None:
    first, second = scenes
    starts, skipped = cut_up([*first[:50], *second])
    assert starts == [0, 50, 82]
    assert skipped == {}  # the rest of a scene with a clip is not reported
    starts, skipped = cut_up([*first[:20], *second[:30], *first])
    assert starts == [50, 82]
    assert skipped == {
        "a/0": "too short: 20 of 32 frames before a scene cut",
        "a/20": "too short: 30 of 32 frames before a scene cut",
    }
    starts, skipped = cut_up([*first[:40], *second[:9]])
    assert (starts, skipped) == ([0], {"a/40": "too short: 9 of 32 frames after a scene cut"})
    starts, _ = cut_up([*first[:50], *second], scene_cut=0.0)
    assert starts == [0, 32, 64, 96]


def test_flashes_noise_and_flicker_are_not_scene_cuts(scenes: list[np.ndarray], noise) -> None:
    sky = scenes[0].copy()
    assert cut_up(sky)[0] == [0, 32]
    sky[20] = 255 - (255 - sky[20]) // 3  # lightning
    assert cut_up(sky)[0] == [0, 32]
    assert cut_up(noise(70, 64, 64, 3))[0] == [0, 32]  # every frame jumps
    flicker = (scenes[0] * np.tile([1.0, 0.7], 40)[:, None, None, None]).astype(np.uint8)
    assert cut_up(flicker)[0] == [0, 32]


def test_static_clips_are_dropped(scenes: list[np.ndarray]) -> None:
    still = np.repeat(scenes[0][:1], 40, 0)
    starts, skipped = cut_up([*still, *scenes[0]])
    assert starts == [32, 64]
    assert skipped == {"a/0": "static: frames differ by 0.00000 on average"}
    assert cut_up([*still, *scenes[0]], static_threshold=0.0)[0] == [0, 32, 64]
    # One of eight values changes by one level, as at the default threshold.
    almost = still[:32].copy()
    almost[::2, :, ::8] ^= 1
    change = np.abs(np.diff(almost.astype(int), axis=0)).mean() / 255
    assert change == pytest.approx(1 / 8 / 255)
    for threshold, kept in ((change * 0.9, [0]), (change * 1.1, [])):
        # At 128×128, where it is measured, nothing is resized.
        large = almost.repeat(2, 1).repeat(2, 2)
        assert cut_up(large, static_threshold=threshold)[0] == kept


@pytest.mark.parametrize(
    ("clip_stride", "starts"), [(32, [0, 32]), (16, [0, 16, 32, 48]), (40, [0, 40]), (80, [0])]
)
def test_clip_stride(scenes: list[np.ndarray], clip_stride: int, starts: list[int]) -> None:
    assert cut_up(scenes[0], clip_stride=clip_stride) == (starts, {})
    assert cut_up(scenes[0], clip_stride=clip_stride, clip_rule="first") == ([0], {})


def test_a_broken_frame_is_a_gap(scenes: list[np.ndarray]) -> None:
    frames: list[np.ndarray | None] = list(scenes[0])
    frames[40] = None
    assert cut_up(frames) == ([0, 41], {"a/32": "broken"})
    assert cut_up([None] * 3) == ([], {"a/0": "broken", "a/1": "broken", "a/2": "broken"})


def test_too_short(scenes: list[np.ndarray]) -> None:
    assert cut_up(scenes[0][:31]) == ([], {"a": "too short: 31 of 32 frames"})
    assert cut_up([]) == ([], {"a": "too short: 0 of 32 frames"})


def _sliding(frames: int, pixels: int) -> np.ndarray:
    """A triangle wave that moves by `pixels` per frame, so that changes are proportional."""
    ramp = np.abs(np.arange(1024) % 256 - 128)
    columns = np.arange(128)[None] + pixels * np.arange(frames)[:, None]
    rows = ramp[columns % 256].astype(np.uint8)
    return np.broadcast_to(rows[:, None, :, None], (frames, 128, 128, 3))


@pytest.mark.slow
def test_choose_stride() -> None:
    frames = _sliding(200, 1)
    one = np.abs(np.diff(frames.astype(int), axis=0)).mean() / 255
    for wanted, stride in ((1, 1), (2, 2), (3.9, 4), (2.4, 2), (2.5, 3), (0.1, 1)):
        given = dataclasses.replace(PLAIN, motion_target=one * wanted)
        assert motion.choose_stride(map(Picture, frames), given) == stride
    # 6 is closest, but leaves 25 of 150 frames.
    given = dataclasses.replace(PLAIN, motion_target=one * 6)
    assert motion.choose_stride(map(Picture, frames), given) == 6
    assert motion.choose_stride(map(Picture, frames[:150]), given) == 4
    assert motion.choose_stride(map(Picture, frames[:20]), given) == 1


def test_frame_stride_auto_of_folders_and_videos(tmp_path: Path, write_pictures) -> None:
    from ssagan_tf.data import layouts

    (tmp_path / "videos").mkdir()
    video.write_mp4(tmp_path / "videos" / "a.mp4", _sliding(140, 1), 24)
    write_pictures(tmp_path / "pictures" / "A", range(140))
    target = {"videos": 4 * 0.97 / 255, "pictures": 2 * 8 / 3 / 255}
    for kind, stride in (("videos", 4), ("pictures", 2)):
        given = PrepareOptions(
            source=str(tmp_path / kind), frame_stride="auto", motion_target=target[kind]
        )
        [item] = layouts.list_items(given).items
        strided = dataclasses.replace(given, frame_stride=stride)
        clips = [one for one in item.clips(given) if isinstance(one, Clip)]
        assert clips == list(item.clips(strided))
        assert clips


def test_stride_of_real_videos(footage: Path, request: pytest.FixtureRequest) -> None:
    """They resemble those of the manifest, chosen by the mean change instead of the median."""
    with (footage / "videos" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    some = rows if request.config.getoption("--trials") > 2 else rows[::23]
    for row in some:
        path = footage / "videos" / f"sky_{row['split']}" / row["file"]
        images = [video.fit(image, 128, "stretch") for image in video.read_video(path)]
        smalls = [Picture(image) for image in images]
        stride = motion.choose_stride(smalls, PLAIN)
        change = float(row.get(f"mad_s{stride}") or 0)
        hinted = float(row[f"mad_s{row['stride_hint']}"])
        if change:
            assert change == pytest.approx(hinted, rel=0.75), row["file"]
