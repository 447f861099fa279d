"""Remote footage and sets, in TensorFlow's file system in memory, ram://."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import os
import uuid
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import remote, video
from ssagan_tf.data import (
    cache,
    evaluation_clips,
    layouts,
    pipeline,
    salvage,
    sharding,
    upload,
    verification,
    writer,
)
from ssagan_tf.data.dataset_info import FILE_NAME, open_set
from ssagan_tf.errors import DataError
from ssagan_tf.files import locked_folder, replacing_file, replacing_folder, sha256_of
from ssagan_tf.options import OptionError, PrepareOptions
from ssagan_tf.remote import RemotePath, RemoteStorageError, as_path, resolve

without_io = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_io") is not None, reason="the extra 'io' is installed"
)


@pytest.fixture
def there() -> RemotePath:
    """A new remote folder."""
    return as_path(f"ram://{uuid.uuid4().hex}/folder")


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
    """Footage with a gap, a broken picture, another file, and folders of two depths."""
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
        ("S3://Bucket/a", "s3://Bucket/a", "a"),
        ("hdfs:///folder/a", "hdfs:///folder/a", "a"),
        ("s3://bucket", "s3://bucket/", "bucket"),
        ("s3://bucket/./a//b/../c/", "s3://bucket/a/c", "c"),
    ],
)
def test_addresses(address: str, text: str, name: str) -> None:
    path = as_path(address)
    assert (str(path), path.name) == (text, name)
    assert resolve(address) == text
    assert str(path / "x.jpg") == f"{text.rstrip('/')}/x.jpg"
    assert path / "/local" == Path("/local")


@pytest.mark.parametrize("path", ["a/b", "/a:/b", "./s3://x", "C:/x", "ab:/c", "C://x"])
def test_local_paths(path: str) -> None:
    assert as_path(path) == Path(path)
    assert resolve(path) == str(Path(path).resolve())


def test_methods_of_remote_paths(tmp_path: Path, there: RemotePath) -> None:
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
    # Storage that does not respond has no files and no folders.
    with pytest.raises(RemoteStorageError, match="or the server does not respond"):
        as_path("ram://nowhere/folder/file").read_bytes()


def test_files_are_written_atomically(there: RemotePath) -> None:

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
    assert (there / "file.txt").read_bytes() == b"whole"
    for folder in (replacing_folder, locked_folder):
        with pytest.raises(DataError, match=r"ram://.* is a remote address"), folder(there):
            pass


def test_a_remote_set_equals_a_local_one(
    tmp_path: Path, pictures: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "SHARD_CLIPS", 1)
    copy(pictures, there / "pictures")
    here = writer.prepare(options(pictures, tmp_path / "set"))
    info = writer.prepare(options(there / "pictures", there / "set"))
    assert len(info.splits["train"].shards) > 1
    infos = [dataclasses.replace(i, settings={}, skipped=()) for i in (here, info)]
    assert infos[0] == infos[1]
    assert {(s.item, s.kind) for s in info.skipped} == {(s.item, s.kind) for s in here.skipped}
    assert {path.name for path in (there / "set").iterdir()} == {
        path.name for path in (tmp_path / "set").iterdir()
    }
    assert not list((tmp_path / "temporary").glob("*/*"))

    # It is read like a local one.
    assert verification.verify_set(str(there / "set")).problems == ()
    sets = open_set(tmp_path / "set"), open_set(str(there / "set"))
    for batch, other in zip(
        *(pipeline.training_batches(one, batch=2, seed=1).take(3) for one in sets), strict=True
    ):
        np.testing.assert_array_equal(batch, other)
    cached = cache.copy_to_cache(sets[1], tmp_path / "cached")
    assert cached.folder.parent == tmp_path / "cached"
    clips = evaluation_clips.open_footage(options(there / "set", ""), "all")
    frames = evaluation_clips.open_footage(options(there / "pictures", ""), "all")
    assert len(clips.clips) == len(frames.clips) == len(list(clips.stream([0, 1, 2]))) + 1 == 4
    with pytest.raises(DataError, match="already contains a prepared set"):
        writer.prepare(options(pictures, there / "set"))


def test_a_damaged_remote_set(tmp_path: Path, there: RemotePath) -> None:
    made = options("", there / "set", layout="synthetic", synthetic_clips=4)
    [shard, *_] = writer.prepare(made).splits["train"].shards
    content = bytearray((there / "set" / shard.name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    (there / "set" / shard.name).unlink()  # TensorFlow would append to it
    (there / "set" / shard.name).upload(tmp_path / "damaged")
    problems = verification.verify_set(str(there / "set")).problems
    assert any(f"{there}/set/{shard.name}: record" in line for line in problems)
    prepared = open_set(there / "set")
    (tmp_path / "copies").mkdir()
    [line] = salvage.write_salvaged(prepared, tmp_path / "copies")
    assert line.startswith(f"1 of the {shard.clips} records of {there}/set/{shard.name}")
    salvaged = salvage.open_salvaged(prepared, tmp_path / "copies")
    assert len(list(tf.data.TFRecordDataset(salvaged.paths("train")))) == shard.clips - 1
    (there / "set" / shard.name).unlink()
    with pytest.raises(DataError, match="not found; prepare the set again"):
        open_set(there / "set")


class Line:
    """The connection to remote storage: records uploads, and can be cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.sent: list[str] = []
        self.cut_after: int | None = None
        self._upload = RemotePath.upload
        monkeypatch.setattr(RemotePath, "upload", lambda path, file: self.send(path, file))

    def send(self, path: RemotePath, file: Path) -> None:
        if self.cut_after == len(self.sent):
            raise RemoteStorageError(5, "the line is cut", str(path))
        self.sent.append(path.name)
        self._upload(path, file)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


def interrupt(line: Line, made: PrepareOptions, after: int) -> None:
    """Makes a set and uploads its first files only, the marker first."""
    line.cut_after = after
    with pytest.raises(DataError, match="the line is cut; finished work is kept"):
        writer.prepare(made)
    line.cut_after, line.sent = None, []
    assert writer.is_interrupted(as_path(made.output))
    with pytest.raises(DataError, match="is not a prepared set"):
        open_set(made.output)


def assert_whole(there: RemotePath, tmp_path: Path) -> None:
    assert verification.verify_set(there).problems == ()
    info = open_set(there).info
    shards = {shard.name for split in info.splits.values() for shard in split.shards}
    names = {path.name for path in there.iterdir()} - {"contact_sheet.png", "motion.png"}
    assert names == {FILE_NAME, *shards}
    assert not list((tmp_path / "temporary").glob("*/*"))


@pytest.fixture
def clouds(there: RemotePath, monkeypatch: pytest.MonkeyPatch) -> PrepareOptions:
    """Settings of a set of four shards."""
    monkeypatch.setattr(sharding, "SHARD_CLIPS", 1)
    return options("", there, layout="synthetic", synthetic_clips=4)


def test_resumes_after_an_interruption(
    tmp_path: Path,
    there: RemotePath,
    clouds: PrepareOptions,
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is uploaded twice or made twice."""
    pytest.importorskip("matplotlib")
    clouds = dataclasses.replace(clouds, inspect=True)
    interrupt(line, clouds, after=3)
    assert len([*there.iterdir()]) == 3
    monkeypatch.setattr(layouts.synthetic.skies, "procedural_clip", None)
    writer.prepare(clouds)
    assert len(line.sent) == len(set(line.sent)) == 4 + 2 + 1 - 2
    assert line.sent[-1] == FILE_NAME
    assert_whole(there, tmp_path)
    assert (there / "contact_sheet.png").is_file()
    assert (there / "motion.png").is_file()


def test_bucket_emptied_meanwhile(
    tmp_path: Path, there: RemotePath, clouds: PrepareOptions, line: Line
) -> None:
    interrupt(line, clouds, after=3)
    for path in there.iterdir():
        path.unlink()
    writer.prepare(clouds)
    assert_whole(there, tmp_path)


def test_other_settings_after_an_interruption(
    tmp_path: Path, there: RemotePath, clouds: PrepareOptions, line: Line
) -> None:
    interrupt(line, clouds, after=3)
    info = writer.prepare(dataclasses.replace(clouds, seed=1))
    assert info.settings["seed"] == 1
    assert_whole(there, tmp_path)


def test_other_footage_after_an_interruption(
    tmp_path: Path, pictures: Path, there: RemotePath, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards of the same size with clips in another order are uploaded again."""
    monkeypatch.setattr(sharding, "SHARD_CLIPS", 1)
    made = options(pictures, there, layout="frames")
    interrupt(line, made, after=3)
    for old, new in ("AZ", "BY", "CX"):
        (pictures / old).rename(pictures / new)
    writer.prepare(made)
    assert_whole(there, tmp_path)


def test_another_machine_took_over(
    tmp_path: Path,
    there: RemotePath,
    clouds: PrepareOptions,
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its set is not changed, complete or not."""
    interrupt(line, clouds, after=3)
    here = tmp_path / "temporary"
    there_too = tmp_path / "other"
    there_too.mkdir()
    with monkeypatch.context() as other:
        other.setattr("tempfile.tempdir", str(there_too))
        interrupt(line, dataclasses.replace(clouds, seed=1), after=3)
    reads = upload._read

    def taken_over(path: RemotePath) -> bytes | None:
        if path.name == ".owner" and len(line.sent) == 2:  # the marker and a shard
            (tmp_path / "mark").write_text("another")
            path.unlink()
            line._upload(path, tmp_path / "mark")
        return reads(path)

    with monkeypatch.context() as other:
        other.setattr(upload, "_read", taken_over)
        with pytest.raises(DataError, match="another process is uploading to ram://"):
            writer.prepare(clouds)
    line.sent = []
    assert FILE_NAME not in {path.name for path in there.iterdir()}
    with monkeypatch.context() as other:
        other.setattr("tempfile.tempdir", str(there_too))
        writer.prepare(dataclasses.replace(clouds, seed=1))
    assert_whole(there, there_too)
    assert open_set(there).info.settings["seed"] == 1
    assert list(here.glob("*/*"))
    with pytest.raises(DataError, match="already contains a prepared set"):
        writer.prepare(clouds)


@pytest.mark.parametrize("moment", ["before the description", "after it"])
def test_another_machine_emptied_it(
    tmp_path: Path,
    there: RemotePath,
    clouds: PrepareOptions,
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """An incomplete set is never marked as complete."""
    send = line.send

    def emptied(path: RemotePath, file: Path) -> None:
        if path.name == FILE_NAME and moment == "after it":
            for other in there.iterdir():
                other.unlink()
        send(path, file)
        if len(line.sent) == 3 and moment == "before the description":
            path.unlink()

    monkeypatch.setattr(RemotePath, "upload", emptied)
    with pytest.raises(DataError, match="another process is uploading to ram://"):
        writer.prepare(clouds)
    if moment == "before the description":
        assert not (there / FILE_NAME).exists()
        monkeypatch.setattr(RemotePath, "upload", lambda path, file: send(path, file))
        writer.prepare(clouds)
        assert_whole(there, tmp_path)


def test_another_machine_finished_first(
    tmp_path: Path, there: RemotePath, clouds: PrepareOptions, line: Line
) -> None:
    """Its set is not changed, and the local one is mentioned."""
    interrupt(line, clouds, after=3)
    (tmp_path / "info").write_text("theirs")
    work = writer.plan(clouds)
    (there / FILE_NAME).upload(tmp_path / "info")
    before = {path.name: path.read_bytes() for path in there.iterdir()}
    with pytest.raises(DataError, match=r"already contains a prepared set.*is in .*/ssagan_tf-"):
        work(lambda *_: None)
    with pytest.raises(DataError, match="already contains a prepared set"):
        upload.clear(there)
    assert {path.name: path.read_bytes() for path in there.iterdir()} == before


def test_temporary_folder_was_cleaned_up(
    tmp_path: Path, there: RemotePath, clouds: PrepareOptions, line: Line
) -> None:
    """Missing shards are made again."""
    interrupt(line, clouds, after=3)
    [shard, *_] = (tmp_path / "temporary").rglob("*.tfrecord")
    shard.unlink()
    writer.prepare(clouds)
    assert_whole(there, tmp_path)


def test_killed_after_the_upload(
    tmp_path: Path, there: RemotePath, clouds: PrepareOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The description is uploaded, but the marker is not removed."""
    with monkeypatch.context() as killed:
        killed.setattr(upload, "_remove_marker", _killed)
        with pytest.raises(SystemExit):
            writer.prepare(clouds)
    assert (there / ".owner").exists()
    before = open_set(there).info
    assert writer.prepare(clouds) == before
    assert_whole(there, tmp_path)


def _killed(_: object) -> None:
    raise SystemExit


def test_temporary_folder_of_another_user(tmp_path: Path, clouds: PrepareOptions) -> None:
    mine = tmp_path / "temporary" / f"ssagan_tf-{os.getuid()}"
    mine.symlink_to(tmp_path)
    with pytest.raises(DataError, match="is not a directory of this user"):
        writer.prepare(clouds)


def test_failing_storage_is_not_broken_footage(
    tmp_path: Path, pictures: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops the work, which resumes once the storage responds again."""
    copy(pictures, there / "pictures")
    made = options(there / "pictures", tmp_path / "set", layout="frames")
    failing = ["/B/"]
    read = remote._Reader.read

    def answer(reader: remote._Reader, size: int = -1) -> bytes:
        if any(part in str(reader._path) for part in failing):
            raise RemoteStorageError(5, "SlowDown", str(reader._path))
        return read(reader, size)

    monkeypatch.setattr(remote._Reader, "read", answer)
    with pytest.raises(DataError, match=rf"cannot read {there}/pictures/B/.*: SlowDown; finished"):
        writer.prepare(made)
    failing[:] = ["/A/"]  # what was read is kept
    info = writer.prepare(made)
    here = writer.prepare(options(pictures, tmp_path / "from_here", layout="frames"))
    assert info.fingerprint == here.fingerprint


def test_a_video_that_cannot_be_copied(
    tmp_path: Path, there: RemotePath, noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = noise(1, 64, 64, 3)
    moving = np.concatenate([still + np.uint8(n) for n in range(40)])
    video.write_mp4(tmp_path / "film.mp4", moving, 24)
    (there / "film.mp4").upload(tmp_path / "film.mp4")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for what in ("shutil.copyfileobj", "tempfile.mkdtemp"):
        with monkeypatch.context() as disk:
            disk.setattr(what, full)
            with pytest.raises(DataError, match=r"cannot read ram://.*: no space for a copy"):
                writer.prepare(options(there, tmp_path / "set", test_fraction=0.0))
        assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("name", ["A", "sky_test"])
def test_a_folder_that_is_listed_but_not_found(
    tmp_path: Path, pictures: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is an error, not a source without this folder."""
    (pictures / "B").rename(pictures / "sky_test")
    copy(pictures, there)
    look = RemotePath._is_dir
    monkeypatch.setattr(
        RemotePath, "_is_dir", lambda path: None if path.name == name else look(path)
    )
    with pytest.raises(DataError, match=f"cannot read {there}/{name}: is listed, but not found"):
        layouts.list_items(options(there, ""))


def test_training_from_failing_storage(there: RemotePath, clouds: PrepareOptions) -> None:
    """No record is called corrupt, and there is no advice to prepare the set again."""
    [shard, *_] = writer.prepare(clouds).splits["train"].shards
    prepared = open_set(there)
    batches = pipeline.training_batches(prepared, batch=2, seed=1)
    (there / shard.name).unlink()
    with (
        pytest.raises(DataError, match=rf"^cannot read {there}/{shard.name}: (?!.*node)"),
        pipeline.reading_errors(prepared),
    ):
        list(batches.take(3))
    error = tf.errors.UnknownError(None, None, "{{function_node __x}} curlCode: 7 [Op:Next]")
    with (
        pytest.raises(DataError, match=rf"^cannot read {there}: curlCode: 7$"),
        pipeline.reading_errors(prepared),
    ):
        raise error


def test_a_folder_named_like_a_video(tmp_path: Path, pictures: Path, there: RemotePath) -> None:
    (pictures / "A").rename(pictures / "A.mov")
    copy(pictures, there)
    found = layouts.list_items(options(there, "")).items
    assert {item.video for item in found} == {"A.mov", "B", "C"}


def test_leftovers_of_others_are_replaced(
    tmp_path: Path, there: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rest").write_bytes(b"rest")
    (there / "train-00000-of-00009.tfrecord").upload(tmp_path / "rest")
    writer.prepare(options("", there, layout="synthetic", synthetic_clips=4))
    assert verification.verify_set(there).problems == ()
    (there / "holiday.jpg").upload(tmp_path / "rest")
    (there / FILE_NAME).unlink()
    with pytest.raises(DataError, match="is not empty"):
        writer.prepare(options("", there, layout="synthetic", synthetic_clips=4))
    assert (there / "holiday.jpg").exists()


def test_remote_videos(tmp_path: Path, there: RemotePath, noise) -> None:
    source = tmp_path / "films"
    source.mkdir()
    still = noise(1, 64, 64, 3)
    clip = np.concatenate([still + np.uint8(n) for n in range(40)])
    video.write_mp4(source / "film.mp4", clip, 24)
    (source / "cut.mp4").write_bytes((source / "film.mp4").read_bytes()[:300])
    copy(source, there / "films")
    # `auto` reads the video twice.
    given = {
        "frame_stride": "auto",
        "test_fraction": 0.0,
        "static_threshold": 0.0,
        "scene_cut": 0.0,
    }
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
def test_invalid_addresses(
    tmp_path: Path, pictures: Path, setting: str, address: str, message: str
) -> None:
    given = dataclasses.replace(options(pictures, tmp_path / "set"), **{setting: address})
    with pytest.raises(OptionError, match=message):
        writer.prepare(given)


@without_io
def test_unreachable_set() -> None:
    with pytest.raises(DataError, match="s3:// needs tensorflow-io"):
        open_set("s3://bucket/set")
