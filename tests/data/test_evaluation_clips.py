from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.data import pipeline
from ssagan_tf.data.dataset_info import open_set
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.real_clips import RealClips
from ssagan_tf.options import PrepareOptions


def of(source: Path, **more) -> PrepareOptions:
    return PrepareOptions(source=str(source), **more)


def test_a_prepared_set_has_the_pixels_of_training(synthetic_set: Path) -> None:
    footage = open_footage(of(synthetic_set), "train")
    stored = pipeline.clips_in_order(open_set(synthetic_set), "train", batch=10)
    [(clips, names)] = [(clips.numpy(), names.numpy()) for clips, names in stored]
    assert [clip.name for clip in footage.clips] == [name.decode() for name in names]
    np.testing.assert_array_equal(np.stack(list(footage.stream(range(10)))), clips)
    np.testing.assert_array_equal(next(footage.stream([7])), clips[7])
    assert footage.clips[0].video == footage.clips[0].name.split("/")[0]
    every = open_footage(of(synthetic_set), "all")
    assert len(every.clips) == 12
    others = set(footage.other_names())
    assert others == {clip.name for clip in every.clips} - {clip.name for clip in footage.clips}
    assert every.other_names() == []


def test_a_shard_that_has_changed_is_named(synthetic_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(synthetic_set, folder)
    [shard] = folder.glob("test-*")
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"test-00000-of-00001.tfrecord is corrupt"):
        open_footage(of(folder), "test")
    assert open_footage(of(folder), "train").clips


def test_pictures_keep_their_size(tmp_path: Path, write_pictures) -> None:
    for split in ("train", "test"):
        write_pictures(
            tmp_path / f"sky_{split}" / split / f"{split}_1", range(3, 70), size=(24, 18)
        )
    write_pictures(tmp_path / "sky_test" / "short", range(1, 20))
    footage = open_footage(of(tmp_path), "test")
    assert [clip.name for clip in footage.clips] == ["test/test_1/3", "test/test_1/35"]
    assert {clip.size for clip in footage.clips} == {(18, 24)}
    folder = tmp_path / "sky_test" / "test" / "test_1"
    expected = [video.read_image(folder / f"test_1_frames_{n:08d}.jpg") for n in range(35, 67)]
    np.testing.assert_array_equal(next(footage.stream([1])), expected)
    assert footage.other_names()[0] == "train/train_1/3"
    assert [item.kind for item in footage.skipped] == ["too short"]
    assert (
        open_footage(of(tmp_path / "sky_test"), "train").about["split"]
        == "all clips, as the folder is not split"
    )


def test_clips_of_a_video_together_or_singly(tmp_path: Path, noise) -> None:
    video.write_mp4(tmp_path / "a.mp4", noise(100, 16, 16, 3), 12)
    video.write_mp4(tmp_path / "b.mp4", noise(20, 16, 16, 3), 12)
    footage = open_footage(of(tmp_path), "test")
    assert [clip.name for clip in footage.clips] == ["a/0", "a/32", "a/64"]
    frames = np.stack(list(video.read_video(tmp_path / "a.mp4")))
    np.testing.assert_array_equal(
        np.stack(list(footage.stream([0, 1, 2]))).reshape(-1, 16, 16, 3), frames[:96]
    )
    np.testing.assert_array_equal(next(footage.stream([2])), frames[64:96])
    assert [item.item for item in footage.skipped] == ["b"]
    assert footage.problems == []
    broken = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "c.mp4").write_bytes(broken[: len(broken) // 2])
    [problem] = open_footage(of(tmp_path), "test").problems
    assert problem.startswith("c: broken video")


def test_resized_to_the_generated_clips(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "v", range(32), size=(24, 18))
    footage = open_footage(of(tmp_path), "all")
    for fit in ("stretch", "crop", "letterbox"):
        real = RealClips(footage, [0], (16, 16), fit)
        expected = [video.fit(frame, 16, fit) for frame in next(footage.stream([0]))]
        np.testing.assert_array_equal(real.clip(0), expected)
        assert "24×18 → 16×16" in real.fitting
    assert RealClips(footage, [0], (18, 24), "crop").fitting == "24×18 as stored"


def test_missing_or_empty_source(tmp_path: Path, synthetic_set: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_footage(of(tmp_path / "x"), "test")
    with pytest.raises(DataError, match="has no footage; expected"):
        open_footage(of(tmp_path), "test")
