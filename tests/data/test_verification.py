from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from ssagan_tf.data import cache, schema, verification
from ssagan_tf.data.dataset_info import FILE_NAME, open_set
from ssagan_tf.data.tfrecord_format import read_records
from ssagan_tf.data.verification import verify_set
from ssagan_tf.errors import DataError
from ssagan_tf.options import VerifyOptions
from ssagan_tf.verify import verify
from tests.data.altered_sets import TEST, TRAIN, contents, described, rewrite


@pytest.fixture
def copy(tmp_path: Path, synthetic_set: Path) -> Path:
    return Path(shutil.copytree(synthetic_set, tmp_path / "set"))


def problems(folder: Path) -> list[str]:
    return [line.replace(f"{folder}/", "") for line in verify_set(folder, 2).problems]


def test_a_failing_disk(synthetic_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(verification, "sha256_of", fail)
    why = "Input/output error"
    assert problems(synthetic_set) == [f"cannot read {name}: {why}" for name in (TRAIN, TEST)]


def test_an_intact_set(synthetic_set: Path, capsys: pytest.CaptureFixture) -> None:
    calls: list[tuple] = []
    found = verify_set(synthetic_set, 2, lambda *given: calls.append(given))
    assert (found.clips, found.shards, found.problems) == (12, 2, ())
    assert calls[-1] == ("checking records", 12, 12)
    verify(VerifyOptions(data=str(synthetic_set)))
    assert "12 clips in 2 shards: no problems" in capsys.readouterr().out


def test_all_damage_is_reported(copy: Path) -> None:
    """Several kinds of damage at once are all reported."""
    content = bytearray((copy / TRAIN).read_bytes())
    ends, at = [], 0
    for record in read_records(copy / TRAIN):
        at += len(record.framed)
        ends.append(at)
    for number in (2, 7):
        content[ends[number] - 1000] ^= 1
    (copy / TRAIN).write_bytes(content)
    (copy / TEST).unlink()
    (copy / "train-00001-of-00002.tfrecord").touch()
    assert problems(copy) == [
        "train-00001-of-00002.tfrecord does not belong to the set",
        f"{TRAIN} is corrupt: its checksum does not match",
        f"{TRAIN}: record 2 is damaged",
        f"{TRAIN}: record 7 is damaged",
        f"{TEST} not found",
    ]
    (copy / TRAIN).write_bytes(content[: ends[8] - 10])
    first, *records, last = problems(copy)[1:-1]
    assert first.startswith(f"{TRAIN} has {ends[8] - 10} bytes, expected {ends[9]}")
    assert records == [f"{TRAIN}: record {number} is damaged" for number in (2, 7, 8)]
    assert last == f"{TRAIN} has 9 records, expected 10"
    with pytest.raises(DataError, match=r"set: 7 problems, the first: .* does not belong to"):
        verify(VerifyOptions(data=str(copy)))


def test_intact_but_invalid_records(copy: Path) -> None:
    """Their checksums match, but they are not valid clips."""
    frames = schema.parse_clip(contents(copy, TEST)[0])[2]
    large = tf.io.encode_jpeg(tf.zeros([128, 128, 3], tf.uint8)).numpy()

    def clip(name: str, changed: list[bytes], video: str = "v") -> bytes:
        return schema.encode_clip(changed, name=name, video=video, start=0, resolution=64)

    png = tf.io.encode_png(tf.zeros([64, 64, 3], tf.uint8)).numpy()
    of_train = schema.parse_clip(contents(copy, TRAIN)[0])[1]
    short = tf.train.SequenceExample.FromString(clip("short", frames))
    del short.feature_lists.feature_list[schema.ENCODED].feature[31]
    rewrite(
        copy,
        TEST,
        [
            clip("good", frames),
            clip("good", frames),
            clip("broken", [*frames[:3], frames[3][:200], *frames[4:]]),
            clip("large", [*frames[:31], large]),
            clip("lossless", [png, *frames[1:]]),
            short.SerializeToString(),
            b"no record",
            clip("other", frames, video=of_train),
        ],
    )
    described(copy, TEST, clips=9)
    found = problems(copy)
    assert found[0].startswith(f"{TEST}: record 2, broken: frame 4 is broken: ")
    assert found[1] == f"{TEST}: record 3, large: frame 32 is 128×128, expected 64×64"
    assert found[2] == f"{TEST}: record 4, lossless: frame 1 is broken: it is not a JPEG"
    assert found[3] == f"{TEST}: record 5, short: 31 frames, expected 32"
    assert found[4].startswith(f"{TEST}: record 6 is not a clip")
    assert found[5] == f"{TEST} has 8 records, expected 9"
    assert found[6] == f"{TEST}: record 1: duplicate of good, which is also {TEST}: record 0"
    assert found[7] == f"clips of {of_train} are in both test and train"
    assert len(found) == 8


def test_counts(copy: Path) -> None:
    values = json.loads((copy / FILE_NAME).read_text())
    values["splits"]["train"]["clips"] = 11
    values["splits"]["test"]["videos"] = 1
    (copy / FILE_NAME).write_text(json.dumps(values))
    assert problems(copy) == [
        "split train: 10 clips in its shards, expected 11",
        "split test: clips from 2 videos, expected 1",
    ]


def test_not_a_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a prepared set"):
        verify(VerifyOptions(data=str(tmp_path)))


def test_a_cached_copy_is_the_set(synthetic_set: Path, copy: Path, tmp_path: Path) -> None:
    prepared = open_set(copy)
    near = cache.copy_to_cache(prepared, tmp_path / "near")
    assert near.folder.parent == tmp_path / "near"
    for split in ("train", "test"):
        for ours, theirs in zip(near.paths(split), prepared.paths(split), strict=True):
            assert Path(ours).read_bytes() == Path(theirs).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in near.folder.iterdir()}
    shutil.rmtree(copy)  # not read again
    assert cache.copy_to_cache(prepared, tmp_path / "near") == near
    assert {path: path.stat().st_mtime_ns for path in near.folder.iterdir()} == before

    shutil.copytree(synthetic_set, copy)
    content = bytearray((copy / TEST).read_bytes())
    content[-100] ^= 1
    (copy / TEST).write_bytes(content)
    with pytest.raises(DataError, match=f"{TEST} is corrupt: its checksum does not match"):
        cache.copy_to_cache(prepared, tmp_path / "other")
    assert not (tmp_path / "other" / near.folder.name / TEST).exists()
