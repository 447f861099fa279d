"""Footage and sets at addresses: here those of TensorFlow's file system in memory, ram://."""

from __future__ import annotations

import dataclasses
import importlib.util
import uuid
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import video
from ssagan_tf.data import arrangement, cache, checking, footage, layouts, pipeline, whole, writer
from ssagan_tf.data.info import FILE_NAME, open_set
from ssagan_tf.errors import DataError
from ssagan_tf.files import locked_folder, replacing_file, replacing_folder, sha256_of
from ssagan_tf.options import OptionError, PrepareOptions
from ssagan_tf.remote import RemotePath, place, resolve

without_io = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_io") is not None, reason="the extra 'io' is installed"
)


@pytest.fixture
def there() -> RemotePath:
    """A folder of its own."""
    return place(f"ram://{uuid.uuid4().hex}/folder")


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def copy(source: Path, target: RemotePath) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            (target / str(path.relative_to(source))).upload(path)


@pytest.fixture
def pictures(tmp_path: Path, write_pictures) -> Path:
    """Footage with a gap, a broken picture, a stray file, and folders of two depths."""
    source = tmp_path / "pictures"
    write_pictures(source / "A" / "1", range(70))
    write_pictures(source / "B", [*range(20), *range(30, 65)])
    write_pictures(source / "C" / "1", range(40))
    (source / "C" / "1" / "1_frames_00000003.jpg").write_bytes(b"no picture")
    write_pictures(source / "D" / "x" / "1", range(31))
    (source / "A" / "notes.txt").write_text("fog")
    return source


def options(source: object, output: object, **settings: object) -> PrepareOptions:
    given = {"resolution": 64, "workers": 1, "test_fraction": 0.3, "inspect": False, **settings}
    return PrepareOptions(source=str(source), output=str(output), **given)


@pytest.mark.parametrize(
    ("address", "text", "name"),
    [
        ("s3://bucket/a/b", "s3://bucket/a/b", "b"),
        ("s3:/bucket/a", "s3://bucket/a", "a"),  # as `Path` leaves it
        ("s3://bucket", "s3://bucket/", "bucket"),
        ("s3://bucket/./a//b/../c/", "s3://bucket/a/c", "c"),
    ],
)
def test_addresses(address: str, text: str, name: str) -> None:
    path = place(address)
    assert (str(path), path.name) == (text, name)
    assert resolve(address) == text
    assert str(path / "x.jpg") == f"{text.rstrip('/')}/x.jpg"
    assert path / "/local" == Path("/local")


@pytest.mark.parametrize("path", ["a/b", "/a:/b", "./s3://x", "C:/x"])
def test_paths_of_this_machine(path: str) -> None:
    assert place(path) == Path(path)
    assert resolve(path) == str(Path(path).resolve())


def test_what_lies_there(tmp_path: Path, there: RemotePath) -> None:
    (tmp_path / "file").write_bytes(bytes(range(100)))
    assert not there.exists()
    (there / "file").upload(tmp_path / "file")
    file = there / "file"
    assert there.is_dir()
    assert not there.is_file()
    assert [*there.iterdir()] == [file]
    assert file.is_file()
    assert not file.is_dir()
    assert file.stat().st_size == 100
    with file.open("rb") as opened:
        assert opened.read(3) == bytes(range(3))
        assert opened.seek(-2, 2) == 98
        assert opened.read() == bytes((98, 99))
        assert opened.seek(10) == opened.tell() == 10
        assert opened.seek(5, 1) == 15
        assert opened.read() == bytes(range(15, 100))
    assert sha256_of(file) == sha256_of(tmp_path / "file")
    file.unlink()
    with pytest.raises(FileNotFoundError) as error:
        file.read_bytes()
    assert error.value.filename == str(file)


def test_a_file_is_there_as_a_whole_or_not_at_all(there: RemotePath) -> None:

    def half() -> None:
        with replacing_file(there / "file.txt") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert not there.exists()
    with replacing_file(there / "file.txt") as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("whole")
    assert (there / "file.txt").read_text() == "whole"
    for folder in (replacing_folder, locked_folder):
        with pytest.raises(DataError, match=r"ram://.* is on another machine"), folder(there):
            pass


def test_a_set_made_there_is_the_one_made_here(
    tmp_path: Path, pictures: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrangement, "SHARD_CLIPS", 1)
    copy(pictures, there / "pictures")
    here = writer.prepare(options(pictures, tmp_path / "set"))
    info = writer.prepare(options(there / "pictures", there / "set"))
    assert len(info.splits["train"].shards) > 1
    said = [dataclasses.replace(i, settings={}, skipped=()) for i in (here, info)]
    assert said[0] == said[1]
    assert {(s.item, s.kind) for s in info.skipped} == {(s.item, s.kind) for s in here.skipped}
    assert {path.name for path in (there / "set").iterdir()} == {
        path.name for path in (tmp_path / "set").iterdir()
    }
    assert not list((tmp_path / "temporary").iterdir())

    # And it is read as one of this machine.
    assert checking.check_set(str(there / "set")).problems == ()
    sets = open_set(tmp_path / "set"), open_set(str(there / "set"))
    for batch, other in zip(
        *(pipeline.training_batches(one, batch=2, seed=1).take(3) for one in sets), strict=True
    ):
        np.testing.assert_array_equal(batch, other)
    near = cache.copy_near(sets[1], tmp_path / "near")
    assert near.folder.parent == tmp_path / "near"
    clips = footage.open_footage(options(there / "set", ""), "all")
    frames = footage.open_footage(options(there / "pictures", ""), "all")
    assert len(clips.clips) == len(frames.clips) == len(list(clips.stream([0, 1, 2]))) + 1 == 4
    with pytest.raises(DataError, match="holds a prepared set already"):
        writer.prepare(options(pictures, there / "set"))


def test_a_damaged_set_there(tmp_path: Path, there: RemotePath) -> None:
    made = options("", there / "set", layout="synthetic", synthetic_clips=4)
    [shard, *_] = writer.prepare(made).splits["train"].shards
    content = bytearray((there / "set" / shard.name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    (there / "set" / shard.name).unlink()  # TensorFlow would append to it
    (there / "set" / shard.name).upload(tmp_path / "damaged")
    problems = checking.check_set(str(there / "set")).problems
    assert any(f"{there}/set/{shard.name}: record" in line for line in problems)
    prepared = open_set(there / "set")
    (tmp_path / "copies").mkdir()
    [line] = whole.write_whole(prepared, tmp_path / "copies")
    assert line.startswith(f"1 of the {shard.clips} records of {there}/set/{shard.name}")
    mended = whole.open_whole(prepared, tmp_path / "copies")
    assert len(list(tf.data.TFRecordDataset(mended.paths("train")))) == shard.clips - 1
    (there / "set" / shard.name).unlink()
    with pytest.raises(DataError, match="is missing; prepare the set again"):
        open_set(there / "set")


def test_an_interrupted_one_goes_on(
    tmp_path: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent is not sent again, and what is made is not made again."""
    monkeypatch.setattr(arrangement, "SHARD_CLIPS", 1)
    made = options("", there, layout="synthetic", synthetic_clips=4)
    upload, sent = RemotePath.upload, []

    def upload_two(self: RemotePath, file: Path) -> None:
        if len(sent) == 2:
            raise OSError(5, "the line is cut", str(self))
        sent.append(self.name)
        upload(self, file)

    monkeypatch.setattr(RemotePath, "upload", upload_two)
    with pytest.raises(DataError, match="the line is cut; what is finished is kept"):
        writer.prepare(made)
    assert len([*there.iterdir()]) == 2
    with pytest.raises(DataError, match="is no prepared set"):
        open_set(there)

    monkeypatch.setattr(layouts.clouds, "synthetic_clip", None)
    monkeypatch.setattr(
        RemotePath, "upload", lambda self, file: (sent.append(self.name), upload(self, file))
    )
    writer.prepare(made)
    assert len(sent) == len(set(sent)) == 5
    assert sent[-1] == FILE_NAME
    assert checking.check_set(there).problems == ()
    assert not list((tmp_path / "temporary").iterdir())


def test_rests_of_others_are_replaced(
    tmp_path: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rest").write_bytes(b"rest")
    (there / "train-00000-of-00009.tfrecord").upload(tmp_path / "rest")
    writer.prepare(options("", there, layout="synthetic", synthetic_clips=4))
    assert checking.check_set(there).problems == ()
    (there / "holiday.jpg").upload(tmp_path / "rest")
    (there / FILE_NAME).unlink()
    with pytest.raises(DataError, match="holds something already"):
        writer.prepare(options("", there, layout="synthetic", synthetic_clips=4))
    assert (there / "holiday.jpg").exists()


def test_videos_and_pictures_of_both_kinds(tmp_path: Path, there: RemotePath, noise) -> None:
    source = tmp_path / "films"
    source.mkdir()
    still = noise(1, 64, 64, 3)
    clip = np.concatenate([still + np.uint8(n) for n in range(40)])
    video.write_mp4(source / "film.mp4", clip, 24)
    (source / "cut.mp4").write_bytes((source / "film.mp4").read_bytes()[:300])
    copy(source, there / "films")
    # `auto` looks through the video twice.
    given = {"frame_stride": "auto", "test_fraction": 0.0, "still": 0.0, "scene_cut": 0.0}
    here = writer.prepare(options(source, tmp_path / "set", **given))
    info = writer.prepare(options(there / "films", tmp_path / "from_there", **given))
    assert info.fingerprint == here.fingerprint
    [broken] = info.skipped
    assert broken.reason.startswith(f"broken video: {there}/films/cut.mp4: ")
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize(
    ("setting", "address", "message"),
    [
        pytest.param(
            "source",
            "s3://bucket/in",
            r"install 'ssagan_tf\[io\]' in an environment",
            marks=without_io,
        ),
        pytest.param(
            "output", "s3://bucket/out", "s3:// needs tensorflow-io: pip install", marks=without_io
        ),
        ("source", "ram://nowhere/at/all", "no such folder"),
    ],
)
def test_addresses_that_lead_nowhere(
    tmp_path: Path, pictures: Path, setting: str, address: str, message: str
) -> None:
    given = dataclasses.replace(options(pictures, tmp_path / "set"), **{setting: address})
    with pytest.raises(OptionError, match=message):
        writer.prepare(given)


@without_io
def test_a_set_that_cannot_be_reached() -> None:
    with pytest.raises(DataError, match="s3:// needs tensorflow-io"):
        open_set("s3://bucket/set")
