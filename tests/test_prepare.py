from __future__ import annotations

import json
from pathlib import Path

import pytest

from ssagan_tf import video
from ssagan_tf.data.dataset_info import FILE_NAME, DatasetInfo, Skipped, Split, open_set
from ssagan_tf.prepare import summary
from tests.programs import Result, run_apart
from tests.programs import run as run_here


def complaint(run: Result) -> str:
    """The one line of an error."""
    [line] = run.stderr.splitlines()
    assert line.startswith("prepare: ")
    return line.removeprefix("prepare: ")


@pytest.fixture
def clouds(tmp_path: Path, write_pictures) -> Path:
    for name in "ABC":
        write_pictures(tmp_path / "clouds" / name / "1", range(32))
    return tmp_path / "clouds"


@pytest.mark.slow
def test_prepares_with_workers(tmp_path: Path, clouds: Path, noise) -> None:
    (clouds / "stray.txt").touch()
    settings = ("--source=clouds", "--output=set", "--resolution=64")
    run = run_apart("prepare", *settings, "--workers=2", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "preparing clouds at 64×64 into set"
    assert "train: clips 2, videos 2, shards 1" in lines
    assert "test: clips 1, videos 1, shards 1" in lines
    assert "skipped: 1 (1 not a picture)" in lines
    info = open_set(tmp_path / "set").info
    assert (info.layout, info.fit, info.resolution) == ("frames", "stretch", 64)
    assert json.loads((tmp_path / "set" / FILE_NAME).read_text())["counts"]["clips"] == 3

    run = run_apart("prepare", *settings, cwd=tmp_path)
    assert run.returncode == 1
    assert complaint(run).startswith("set already contains a prepared set")


def test_a_truncated_video(tmp_path: Path, noise) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        video.write_mp4(tmp_path / name / f"{name}.mp4", noise(40, 64, 64, 3), 24)
    cut = tmp_path / "bad" / "bad.mp4"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 3 // 4])
    settings = ("--output=set", "--resolution=64", "--workers=1")

    run = run_here("prepare", "--source=bad", *settings, cwd=tmp_path)
    assert run.returncode == 1
    assert "bad has no usable clip" in complaint(run)
    assert "bad.mp4" in complaint(run)

    run = run_here("prepare", "--source=.", *settings, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "skipped: 1 (1 broken video)" in run.stdout


def info_of(train: int, test: int, fraction: float = 0.1, skipped: int = 0) -> DatasetInfo:
    splits = {"train": Split(train, train, ()), "test": Split(test, test, ())}
    items = (Skipped("a", "not a video"),) * skipped
    settings = {"test_fraction": fraction}
    return DatasetInfo(64, 32, "videos", "stretch", settings, splits, items)


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (info_of(1, 0), "no test clips: the source is a single video"),
        (info_of(1, 0, skipped=1), "no test clips: only one video is usable"),
        (info_of(2, 0, skipped=1), "no test clips: the test split of the source has no"),
        (info_of(2, 0, fraction=0.0), None),
        (info_of(2, 1), None),
    ],
)
def test_summary_says_why_there_are_no_test_clips(info: DatasetInfo, why: str | None) -> None:
    lines = summary(info)
    assert sum("no test clips" in line for line in lines) == (why is not None)
    assert why is None or any(line.startswith(why) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ([], 2, "--source=: is required; see --help"),
        (["--output=set"], 2, "--source=: is required; see --help"),
        (["--source=empty"], 2, "--output=: is required; see --help"),
        (["--layout=synthetic"], 2, "--output=: is required; see --help"),
        (["--source=empty", "--layout=synthetic", "--output=set"], 2, "omit one of them"),
        (["--output=full", "--source=broken"], 1, "full is not empty"),
        (["--output=set", "--source=nowhere"], 2, "--source=nowhere: no such folder"),
        (["--output=set", "--source=empty"], 1, "empty has no footage; expected"),
        (["--output=set", "--source=empty", "--layout=videos"], 1, "empty has no usable clip"),
        (["--output=set", "--source=broken"], 1, "broken has no usable clip to train on (V/0: "),
        (["--output=set", "--source=./broken/"], 1, "(V/0: broken picture: broken/V/0.jpg: "),
        (["--output=set", "--source=broken"], 1, "; or set --layout"),
        (["--output=set", "--resolution=100"], 2, "--resolution=100: must be 64·2^k"),
        (["--output=set", "--sauce=clouds"], 2, "Unknown command line flag 'sauce'"),
        (["--output=set", "--source=ftps://host/in"], 2, "--source=ftps://host/in: ftps:// "),
        (["--output=ftps://host/set", "--source=empty"], 2, "--output=ftps://host/set: ftps:// "),
        (["--output=set", "--source=empty", "--frame_stride=slow"], 2, "a whole number, or auto"),
        (["--output=set", "--source=empty", "--frame_stride=0"], 2, "must be at least 1, or auto"),
        (["--output=a_file", "--source=empty"], 2, "--output=a_file: is not a directory"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: list[str], code: int, expected: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken" / "V").mkdir(parents=True)
    for number in range(32):
        (tmp_path / "broken" / "V" / f"{number}.jpg").write_bytes(b"\xff\xd8 no picture")
    (tmp_path / "a_file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "train-00000-of-00004.tfrecord").touch()
    run = run_here("prepare", *arguments, cwd=tmp_path)
    assert run.returncode == code
    assert expected in complaint(run)
    assert code == 1 or not run.stdout  # no progress before a usage error
    assert (tmp_path / "full" / "train-00000-of-00004.tfrecord").exists()
    assert not (tmp_path / "set" / FILE_NAME).exists()
