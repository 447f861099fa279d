from __future__ import annotations

import contextlib
import csv
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from ssagan_tf import video
from ssagan_tf.data import layouts, reading, schema, sharding, spool, writer
from ssagan_tf.data.dataset_info import FILE_NAME, SPLITS, DatasetInfo, Skipped, open_set
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions


def options(source: Path, output: Path, **settings: object) -> PrepareOptions:
    common = {"layout": "frames", "resolution": 64, "workers": 1, "test_fraction": 0.3}
    return PrepareOptions(source=str(source), output=str(output), **{**common, **settings})


def stored(folder: Path, split: str) -> list[tuple[str, str]]:
    """Names and videos of the clips, in order."""
    result = []
    for record in tf.data.TFRecordDataset(open_set(folder).paths(split)).as_numpy_iterator():
        context = tf.train.SequenceExample.FromString(record).context.feature
        name, video_name = (context[key].bytes_list.value[0] for key in (schema.NAME, schema.VIDEO))
        result.append((name.decode(), video_name.decode()))
    return result


@pytest.fixture
def pictures(tmp_path: Path, write_pictures) -> Path:
    """Seven videos of one to three clips."""
    source = tmp_path / "pictures"
    for index in range(7):
        write_pictures(source / f"V{index}" / "1", range(10, 42 + 32 * (index % 3)))
    return source


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_same_bytes_with_any_number_of_workers(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = pictures / "V3" / "1" / "1_frames_00000012.jpg"
    broken.write_bytes(broken.read_bytes()[:100])
    monkeypatch.setattr(sharding, "SHARD_CLIPS", 3)
    for workers in (1, 2, 4):
        writer.prepare(options(pictures, tmp_path / f"by{workers}", workers=workers))
    assert contents(tmp_path / "by1") == contents(tmp_path / "by2") == contents(tmp_path / "by4")
    info = open_set(tmp_path / "by1").info
    assert len(info.splits["train"].shards) > 1
    [skipped, rest] = info.skipped
    assert skipped.item == "V3/1/10"
    assert (rest.item, rest.kind) == ("V3/1/13", "too short")
    assert skipped.reason.startswith(f"broken picture: {broken}: ")


def test_every_clip_once_and_no_video_in_both_splits(tmp_path: Path, pictures: Path) -> None:
    info = writer.prepare(options(pictures, tmp_path / "set"))
    train, test = (stored(tmp_path / "set", split) for split in SPLITS)
    assert len(train) == info.splits["train"].clips
    assert len({name for name, _ in train + test}) == len(train + test) == 13
    assert {v for _, v in train}.isdisjoint({v for _, v in test})
    assert len({v for _, v in test}) == info.splits["test"].videos == 2
    assert train != sorted(train)  # shuffled
    other = writer.prepare(options(pictures, tmp_path / "other", seed=1))
    assert other.fingerprint != info.fingerprint
    assert info == open_set(tmp_path / "set").info


def test_split_of_the_source_is_kept(tmp_path: Path, write_pictures) -> None:
    for split, video_name in (("train", "A"), ("train", "B"), ("test", "C")):
        write_pictures(tmp_path / f"sky_{split}" / video_name / "1", range(32))
    writer.prepare(options(tmp_path, tmp_path / "set", test_fraction=0.9))
    assert {video_name for _, video_name in stored(tmp_path / "set", "train")} == {"A", "B"}
    assert stored(tmp_path / "set", "test") == [("C/1/0", "C")]


def test_half_a_split_is_split_at_random(tmp_path: Path, write_pictures) -> None:
    for video_name in "ABCD":
        write_pictures(tmp_path / "pictures" / "sky_train" / video_name / "1", range(32))
    info = writer.prepare(options(tmp_path / "pictures", tmp_path / "set", test_fraction=0.5))
    assert (info.splits["train"].videos, info.splits["test"].videos) == (2, 2)


@pytest.mark.parametrize(("fraction", "videos"), [(0.0, 0), (0.01, 1), (0.99, 6), (1.0, 7)])
def test_test_fraction(tmp_path: Path, pictures: Path, fraction: float, videos: int) -> None:
    info = writer.prepare(options(pictures, tmp_path / "set", test_fraction=fraction))
    assert info.splits["test"].videos == videos
    assert info.splits["train"].videos == 7 - videos
    assert all(shard.clips for split in info.splits.values() for shard in split.shards)


def test_the_split_of_the_beach_clips(tmp_path: Path) -> None:
    """Stacked pictures of a list: a tenth for training, nine tenths for evaluation (Sec. 5.1)."""
    paths = [f"{folder}/{number}.jpg" for folder in "abcdefghij" for number in range(2)]
    for path in (*paths, "a/unlisted.jpg"):
        (tmp_path / "beach" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8 * 20)).save(tmp_path / "beach" / path)
    (tmp_path / "beach.txt").write_text("\n".join(paths))
    info = writer.prepare(
        options(
            tmp_path / "beach",
            tmp_path / "set",
            layout="stacked",
            list=str(tmp_path / "beach.txt"),
            test_fraction=0.9,
            static_threshold=0.0,
        )
    )
    assert (info.splits["train"].clips, info.splits["test"].clips) == (2, 18)
    names = [name for split in SPLITS for name, _ in stored(tmp_path / "set", split)]
    assert sorted(names) == [path.removesuffix(".jpg") for path in paths]


def test_a_single_video_is_for_training(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "A", range(64))
    info = writer.prepare(options(tmp_path, tmp_path / "set", test_fraction=0.9))
    assert (info.splits["train"].clips, info.splits["test"].clips) == (2, 0)


def test_no_clip_of_a_broken_video_is_used(tmp_path: Path, noise) -> None:
    for name in ("a", "b", "c"):
        video.write_mp4(tmp_path / f"{name}.mp4", noise(80, 64, 64, 3), 24)
    cut = tmp_path / "b.mp4"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 3 // 4])
    info = writer.prepare(options(tmp_path, tmp_path / "set", layout="videos"))
    names = [name for split in SPLITS for name, _ in stored(tmp_path / "set", split)]
    assert sorted(names) == ["a/0", "a/32", "c/0", "c/32"]
    [skipped] = info.skipped
    assert (skipped.item, skipped.kind) == ("b", "broken video")


def test_refuses_an_output_with_a_set(tmp_path: Path, pictures: Path) -> None:
    given = options(pictures, tmp_path / "set")
    writer.prepare(given)
    before = contents(tmp_path / "set")
    with pytest.raises(DataError, match="already contains a prepared set; choose another --output"):
        writer.prepare(given)
    assert contents(tmp_path / "set") == before


def test_its_leftovers_are_removed(tmp_path: Path, pictures: Path) -> None:
    output = tmp_path / "set"
    (output / ".spool").mkdir(parents=True)
    for name in (
        "train-00000-of-00099.tfrecord",
        ".tmp-1-test-00000-of-00099.tfrecord",
        f".tmp-1-{FILE_NAME}",
        "mine",
    ):
        (output / name).touch()
    writer.prepare(options(pictures, output))
    assert sorted(contents(output)) == [
        FILE_NAME,
        "mine",
        "test-00000-of-00001.tfrecord",
        "train-00000-of-00001.tfrecord",
    ]


@pytest.mark.parametrize("name", ["train-00000-of-00004.tfrecord", "mine"])
def test_refuses_an_output_with_other_files(tmp_path: Path, pictures: Path, name: str) -> None:
    output = tmp_path / "set"
    output.mkdir()
    (output / name).write_text("mine")
    with pytest.raises(DataError, match="set is not empty; choose another folder, or"):
        writer.prepare(options(pictures, output))
    assert contents(output) == {name: b"mine"}


@pytest.mark.slow
def test_resumes_wherever_it_was_killed(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the output before each change of it is what SIGKILL would leave."""
    output, left = tmp_path / "set", tmp_path / "left"
    states: dict[tuple[str, ...], Path] = {}

    def recording(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*arguments: object, **named: object) -> object:
            with monkeypatch.context() as patch:
                for name, original in originals.items():
                    patch.setattr(os, name, original)
                files = tuple(sorted(str(p.relative_to(output)) for p in output.rglob("*")))
                if output.exists() and files not in states:
                    states[files] = Path(shutil.copytree(output, left / str(len(states))))
            return change(*arguments, **named)

        return changed

    originals = {name: getattr(os, name) for name in ("mkdir", "replace", "unlink", "rmdir")}
    with monkeypatch.context() as patch:
        for name, original in originals.items():
            patch.setattr(os, name, recording(original))
        writer.prepare(options(pictures, output))
    whole = contents(output)
    kinds = {(FILE_NAME in files, ".spool" in files) for files in states}
    assert kinds == {(False, False), (False, True), (True, True)}
    assert len(states) > 15
    for folder in states.values():
        writer.prepare(options(pictures, folder))
        assert contents(folder) == whole
    half = Path(shutil.copytree(output, tmp_path / "half"))
    (half / ".spool").mkdir()
    with pytest.raises(DataError, match="already contains a prepared set"):  # of other settings
        writer.prepare(options(pictures, half, seed=1))


def _running(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    output = tmp_path / "set"
    command = [sys.executable, "-m", "ssagan_tf.prepare", "--layout=synthetic", "--workers=2"]
    command += [f"--output={output}", "--synthetic_clips=5000", "--resolution=64"]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(list(output.glob(".spool/*/*"))) < 4:  # both work
            assert parent.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        assert len(children) >= 2
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 10
    while any(_running(int(child)) for child in children):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.05)
    given = PrepareOptions(
        layout="synthetic", output=str(output), synthetic_clips=3, resolution=64, workers=1
    )
    writer.prepare(given)
    assert sum(split.clips for split in open_set(output).info.splits.values()) == 3


def test_one_bad_item_does_not_end_the_work(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = video.decode_image
    calls = iter(range(1000))

    def fail_once(data: bytes) -> object:
        if next(calls) == 40:
            raise KeyError("unforeseen")
        return read(data)

    monkeypatch.setattr(video, "decode_image", fail_once)
    info = writer.prepare(options(pictures, tmp_path / "set"))
    [skipped] = info.skipped
    assert skipped == Skipped("V1/1/10", "unreadable: KeyError('unforeseen')")
    assert sum(split.clips for split in info.splits.values()) == 11  # of 13, without those of V1


def test_a_full_disk_is_not_a_bad_item(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(spool.Writer, "finish", full)
    with pytest.raises(DataError, match=r"cannot write .*set: No space left on device$"):
        writer.prepare(options(pictures, tmp_path / "set"))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("during", ["reading frames", "writing shards"])
def test_resumes_after_an_interruption(
    tmp_path: Path, pictures: Path, workers: int, during: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if what == during and done >= 2:
            raise KeyboardInterrupt

    whole, output = tmp_path / "whole", tmp_path / "set"
    writer.prepare(options(pictures, whole))
    with pytest.raises(KeyboardInterrupt, match="finished work is kept; run the same command"):
        writer.prepare(options(pictures, output, workers=workers), interrupt)
    assert not (output / FILE_NAME).exists()
    shards = {path.name: path.stat().st_ino for path in output.glob("*.tfrecord")}
    assert bool(shards) == (during == "writing shards")

    read: list[str] = []
    original = reading.read_item
    monkeypatch.setattr(
        reading, "read_item", lambda item, given: (read.append(item.name), original(item, given))[1]
    )
    writer.prepare(options(pictures, output, workers=1))
    assert len(read) <= 5 if during == "reading frames" else not read
    assert contents(output) == contents(whole)
    for name, inode in shards.items():  # not written again
        assert (output / name).stat().st_ino == inode


@pytest.mark.parametrize("change", ["settings", "source", "reader"])
def test_work_for_other_input_is_not_used(
    tmp_path: Path, pictures: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if what == "writing shards":
            raise KeyboardInterrupt

    output, given = tmp_path / "set", {}
    decode = video.decode_image
    with monkeypatch.context() as older:
        if change == "reader":  # an older version read other colours
            older.setattr(writer, "READER_VERSION", writer.READER_VERSION - 1)
            older.setattr(video, "decode_image", lambda data: 255 - decode(data))
        with pytest.raises(KeyboardInterrupt):
            writer.prepare(options(pictures, output), interrupt)
    if change == "settings":
        given = {"seed": 3}
    elif change == "source":
        picture = next((pictures / "V0" / "1").iterdir())
        shutil.copy(next((pictures / "V1" / "1").iterdir()), picture)
    writer.prepare(options(pictures, output, **given))
    writer.prepare(options(pictures, tmp_path / "whole", **given))
    assert contents(output) == contents(tmp_path / "whole")


@pytest.mark.long
def test_killed_at_random_moments(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After SIGKILL to prepare and its workers at random, the next one writes the same bytes."""
    monkeypatch.setattr(sharding, "SHARD_CLIPS", 8)
    arguments = {"synthetic_clips": 24, "resolution": 64, "layout": "synthetic", "seed": 1}
    given = PrepareOptions(output=str(tmp_path / "whole"), workers=1, **arguments)
    writer.prepare(given)
    whole = contents(tmp_path / "whole")

    def start(output: Path) -> subprocess.Popen:
        code = (
            "from ssagan_tf.data import sharding, writer\n"
            "from ssagan_tf.options import PrepareOptions\n"
            "if __name__ == '__main__':\n"
            "    sharding.SHARD_CLIPS = 8\n"
            f"    writer.prepare(PrepareOptions(output={str(output)!r}, workers=2, **{arguments}))"
        )
        (tmp_path / "program.py").write_text(code)
        command = [sys.executable, str(tmp_path / "program.py")]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        process = subprocess.Popen(command, env=env, start_new_session=True)
        while not (output / ".spool" / "plan").exists():
            assert process.poll() is None
            time.sleep(0.01)
        return process

    process = start(tmp_path / "timed")
    begun = time.monotonic()
    assert process.wait() == 0
    length = time.monotonic() - begun
    assert contents(tmp_path / "timed") == whole
    draw = random.Random(0)
    stages = []
    for trial in range(request.config.getoption("--trials")):
        output = tmp_path / f"trial{trial}"
        process = start(output)
        time.sleep(draw.uniform(0, length))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        read = len([p for p in output.glob(".spool/*/*") if p.suffix != ".part"])
        stages.append((read, len(list(output.glob("*.tfrecord")))))
        if not (output / FILE_NAME).exists() or (output / ".spool").exists():
            writer.prepare(dataclasses.replace(given, output=str(output)))
        assert contents(output) == whole, stages
    print("read and written when killed:", stages)


@pytest.mark.parametrize("setting", ["output", "source"])
def test_missing_settings(tmp_path: Path, setting: str) -> None:
    given = dataclasses.replace(options(tmp_path, tmp_path / "set"), **{setting: ""})
    with pytest.raises(OptionError, match=f"{setting}=: is required"):
        writer.prepare(given)


def test_checks_come_before_the_work(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for module, name in ((layouts, "check_source"), (writer, "check_output")):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *given, n=name, call=original: (calls.append(n), call(*given))
        )
    work = writer.plan(options(pictures, tmp_path / "set"))
    assert calls == ["check_source", "check_output"]
    assert not (tmp_path / "set").exists()
    work(lambda *_: None)
    assert len(calls) == 2
    assert open_set(tmp_path / "set")


def test_no_usable_clips(tmp_path: Path, write_pictures) -> None:
    source = tmp_path / "pictures"
    write_pictures(source / "A", range(20))
    with pytest.raises(DataError, match=r"pictures has no usable clip .*A: too short: 20 of 32"):
        writer.prepare(options(source, tmp_path / "set"))
    assert not (tmp_path / "set").exists()


def test_unwritable_output(tmp_path: Path, pictures: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot write .*set: Not a directory$"):
        writer.prepare(options(pictures, tmp_path / "file" / "set"))


def test_info_round_trips_through_json(tmp_path: Path, synthetic_set: Path) -> None:
    info = open_set(synthetic_set).info
    info = dataclasses.replace(info, skipped=(Skipped("a", "broken picture: b"),))
    assert DatasetInfo.from_json(info.to_json()) == info
    assert info.settings["layout"] == "synthetic"
    assert "workers" not in info.settings


def test_real_footage(tmp_path: Path, footage: Path) -> None:
    info = writer.prepare(options(footage / "sky48", tmp_path / "sky", resolution=128))
    assert (info.splits["train"].clips, info.splits["test"].clips) == (30, 6)
    assert not info.skipped
    [clip] = tf.data.TFRecordDataset(open_set(tmp_path / "sky").paths("test")).take(1)
    example = tf.train.SequenceExample.FromString(clip.numpy())
    name = example.context.feature[schema.NAME].bytes_list.value[0].decode()
    folder = footage / "sky48" / "sky_test" / name.rpartition("/")[0]
    frames = example.feature_lists.feature_list[schema.ENCODED].feature
    assert [frame.bytes_list.value[0] for frame in frames] == [
        path.read_bytes() for path in sorted(folder.iterdir())
    ]

    listed = str(footage / "stacked" / "list.txt")
    given = options(footage / "stacked", tmp_path / "beach", layout="auto", list=listed)
    info = writer.prepare(given)
    assert sum(split.clips for split in info.splits.values()) == 3


def test_real_videos(tmp_path: Path, footage: Path) -> None:
    with (footage / "videos" / "manifest.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (int(row["frames"]), row["file"]))
    source = tmp_path / "videos"
    clips = {}
    for split, number in (("train", 2), ("test", 1)):
        chosen = [r for r in rows if r["split"] == split and int(r["frames"]) >= 128][:number]
        for name in (row["file"] for row in chosen):
            (source / f"sky_{split}").mkdir(parents=True, exist_ok=True)
            (source / f"sky_{split}" / name).symlink_to(footage / "videos" / f"sky_{split}" / name)
        clips[split] = sum(-(-int(row["frames"]) // 2) // FRAMES for row in chosen)
    given = options(source, tmp_path / "set", layout="auto", frame_stride=2)
    info = writer.prepare(given)
    assert info.layout == "videos"
    assert not info.skipped
    assert {split: info.splits[split].clips for split in SPLITS} == clips
    assert (info.splits["train"].videos, info.splits["test"].videos) == (2, 1)
