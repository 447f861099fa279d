"""Untrusted sets, lists and leftovers: nothing is read or written outside, and no code runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from ssagan_tf import limits
from ssagan_tf.data import (
    layouts,
    pipeline,
    record_index,
    salvage,
    schema,
    spool,
    tfrecord_format,
    writer,
)
from ssagan_tf.data.dataset_info import FILE_NAME, open_set
from ssagan_tf.data.evaluation_clips import open_footage
from ssagan_tf.data.verification import verify_set
from ssagan_tf.errors import DataError
from ssagan_tf.options import PrepareOptions
from tests import bombs, programs
from tests.data.altered_sets import TEST, TRAIN, contents, described, redescribe, rewrite

pytestmark = pytest.mark.slow


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder that must not change in the test, except in `mine`."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("as it was")
    return tmp_path


def others(room: Path) -> dict[str, bytes | str]:
    """Everything but `mine`: contents of files, and targets of links."""
    found = (path for path in sorted(room.rglob("*")) if room / "mine" not in path.parents)
    return {
        str(path): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in found
    }


@pytest.fixture
def altered(synthetic_set: Path, room: Path) -> Path:
    """A set to alter."""
    return Path(shutil.copytree(synthetic_set, room / "set"))


def rename_shard(folder: Path, name: object) -> None:
    def change(values: dict) -> None:
        values["splits"]["train"]["shards"][0]["name"] = name

    redescribe(folder, change)


def rename_clip(folder: Path, name: bytes, key: str = schema.NAME) -> None:
    """The first clip for testing."""
    first, *rest = contents(folder, TEST)
    example = tf.train.SequenceExample.FromString(first)
    example.context.feature[key].bytes_list.value[0] = name
    rewrite(folder, TEST, [example.SerializeToString(), *rest])
    described(folder, TEST)


def name_frame(folder: Path, frame: bytes) -> None:
    """Replaces the second frame of the first clip."""
    first, *rest = contents(folder, TEST)
    example = tf.train.SequenceExample.FromString(first)
    example.feature_lists.feature_list[schema.ENCODED].feature[1].bytes_list.value[0] = frame
    rewrite(folder, TEST, [example.SerializeToString(), *rest])
    described(folder, TEST)


# Shard names.


@pytest.mark.parametrize(
    "name",
    [
        *("../out", "/tmp/out", "C:out", "..\\out", "a\0b", "a\nb", "CON", "", ".", "x."),
        *("x" * 300, None, 3, ["a"], "\ud800", "out/a"),
    ],
    ids=ascii,
)
def test_shard_names(altered: Path, room: Path, name: object) -> None:
    (altered / "out").symlink_to(room / "precious")
    rename_shard(altered, name)
    before = others(room)
    train = ("--network=vgan", "--resolution=64", f"--run_dir={room / 'mine' / 'run'}")
    for program, *arguments in (
        ("train", *train, "--dry_run", f"--cache={room / 'mine' / 'near'}"),
        ("train", *train, "--skip_corrupt"),
        ("verify",),
        (
            *("evaluate", f"--output={room / 'mine' / 'report'}"),
            f"--generated=a={room / 'precious'}",
        ),
    ):
        line = programs.complaint(programs.run(program, f"--data={altered}", *arguments), 1)
        assert line.isprintable()
        assert FILE_NAME in line
    assert others(room) == before
    assert not list((room / "mine").iterdir())


def test_links_within_the_set(altered: Path, room: Path) -> None:
    """Shards may be links, and in subfolders of the set."""
    (altered / TRAIN).rename(room / "precious" / TRAIN)
    (altered / TRAIN).symlink_to(room / "precious" / TRAIN)
    (altered / "more").mkdir()
    (altered / TEST).rename(altered / "more" / "test")
    redescribe(
        altered, lambda values: values["splits"]["test"]["shards"][0].update(name="more/test")
    )
    assert verify_set(altered).problems == ()


def test_a_shard_that_is_a_pipe(altered: Path) -> None:
    (altered / TEST).unlink()
    os.mkfifo(altered / TEST)
    redescribe(altered, lambda values: values["splits"]["test"]["shards"][0].update(bytes=0))
    with pytest.raises(DataError, match=f"{TEST} is not a regular file"):
        open_set(altered)
    assert f"{altered / TEST} is not a regular file" in verify_set(altered).problems


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"format": 1, "splits": ' + "[" * 5000 + "]" * 5000 + "}",
        "[" + "[]," * 100_000 + "[]]",
        "\xff",
    ],
    ids=["open", "deep", "within", "many", "latin"],
)
def test_descriptions(altered: Path, text: str, monkeypatch) -> None:
    monkeypatch.setattr(limits, "DESCRIPTION_VALUES", 150_000)
    (altered / FILE_NAME).write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=f"cannot use .*{FILE_NAME}: .*; prepare the set again"):
        open_set(altered)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("resolution", value) for value in (0, -64, 2048, 10**6, 10**30)),
        *(("fit", "\x1b[2J"), ("layout", "../a")),
        *(("clips", -1), ("bytes", 2**63), ("sha256", "../../a"), ("sha256", "\ud800")),
        *(("drifts", value) for value in (3, [0.1] * 99, [2], [None], [10**400], [True])),
    ],
    ids=str,
)
def test_values(altered: Path, name: str, value: object) -> None:
    def change(values: dict) -> None:
        of = values if name in values else values["splits"]["test"]["shards"][0]
        of[name] = value

    redescribe(altered, change)
    with pytest.raises(DataError, match="cannot use") as raised:
        open_set(altered)
    assert str(raised.value).isprintable()


def test_too_long_a_description(altered: Path, monkeypatch) -> None:
    monkeypatch.setattr(limits, "DESCRIPTION_BYTES", 100)
    with pytest.raises(DataError, match="has more than 100 bytes"):
        open_set(altered)


def test_copies_of_a_run(altered: Path, tmp_path: Path) -> None:
    negative = f'{{"{TEST}": {{"of": "", "clips": -1, "damaged": []}}}}'
    others = ("[" * 9999, "[]", f'{{"{TEST}": {{"clips": 1}}}}', f'{{"{TEST}": 1}}')
    for text in (negative, *others):
        (tmp_path / salvage.COPIES_FILE).write_text(text)
        with pytest.raises(DataError, match=r"cannot read .*copies.json: .*; remove it"):
            salvage.open_salvaged(open_set(altered), tmp_path)


# Clip names.


@pytest.mark.parametrize(
    "name",
    [
        *(b"../../../out", b"/tmp/out", b"C:\\out", b"a\\b", b"a\0b", b"a\nb", b"nul/0", b""),
        *(b"a//b", b"a/.", b"b ./0", b"x" * 300, b"\xff", b"\x1b[31m"),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("key", [schema.NAME, schema.VIDEO])
def test_clip_names(altered: Path, room: Path, name: bytes, key: str) -> None:
    rename_clip(altered, name, key)
    before = others(room)
    done = programs.run(
        *("evaluate", f"--data={altered}", f"--output={room / 'mine' / 'report'}"),
        *("--save_clips=frames", f"--generated=a={room / 'precious'}"),
    )
    line = programs.complaint(done, 1)
    assert f"{TEST}: record 0: not a clip: " in line
    assert line.isprintable()
    assert others(room) == before
    assert not list((room / "mine").iterdir())
    [problem, *_] = verify_set(altered).problems
    assert f"{TEST}: record 0 is not a clip: " in problem


def test_names_of_footage_round_trip(tmp_path: Path, write_pictures) -> None:
    """Evaluation reads all names that prepare accepts; the others are reported and skipped."""
    good = ["Wolken über Köln", "雲 1", "12:30 (a)", "it's; $(x)", "a..b"]
    bad = ["con", "a\\b", "a\nb", "dot.", "space ", "C:"]
    for name in (*good, *bad):
        write_pictures(tmp_path / "in" / name, range(32))
    given = PrepareOptions(
        source=str(tmp_path / "in"), output=str(tmp_path / "set"), resolution=64, workers=1
    )
    info = writer.prepare(given)
    footage = open_footage(PrepareOptions(source=str(tmp_path / "set")), "all")
    assert {clip.video for clip in footage.clips} == set(good)
    assert {item.item.removeprefix("./") for item in info.skipped} == {
        *("con", "a\\b", "a\\nb", "dot.", "space ", "C:")
    }
    assert all(item.kind.startswith("name ") for item in info.skipped)


def test_videos_whose_stem_is_not_a_valid_name(tmp_path: Path) -> None:
    for name in ("What a sky....mp4", "a .mp4", "b.mp4"):
        (tmp_path / name).touch()
    listing = layouts.list_items(PrepareOptions(source=str(tmp_path)))
    assert [item.name for item in listing.items] == ["What a sky....mp4", "a .mp4", "b"]


# Claimed sizes.


@pytest.mark.parametrize("length", [2**60, 2**63, 2**64 - 1, limits.RECORD_BYTES + 1])
def test_records_that_claim_a_huge_size(altered: Path, length: int, tmp_path: Path) -> None:
    """TensorFlow would abort."""
    content = (altered / TEST).read_bytes()
    at = 16 + len(contents(altered, TEST)[0])
    (altered / TEST).write_bytes(content[:at] + bombs.record(length))
    described(altered, TEST)
    why = f"{TEST}: record 1 claims {length:,} bytes"
    prepared = open_set(altered)
    with pytest.raises(DataError, match=why), pipeline.reading_errors(prepared):
        list(pipeline.clips_in_order(prepared, "test", batch=1))
    with pytest.raises(DataError, match=f"{why}; prepare the set again"):
        record_index.find_records(prepared, "test")
    assert f"{altered / TEST}: record 1 claims {length:,} bytes" in verify_set(altered).problems
    found = list(tfrecord_format.read_records(altered / TEST))
    assert [record.intact for record in found] == [True, False]

    (altered / TRAIN).write_bytes(bombs.record(length))
    described(altered, TRAIN, clips=4)
    prepared = open_set(altered)
    with (
        pytest.raises(DataError, match=f"record . claims {length:,}"),
        pipeline.reading_errors(prepared),
    ):
        next(iter(pipeline.training_batches(prepared, batch=2, seed=0)))


@pytest.mark.parametrize(
    "frame", [bombs.jpeg(60_000, 60_000), bombs.png(60_000, 60_000), bombs.jpeg(8_000, 8_000)]
)
def test_frames_that_claim_a_huge_size(altered: Path, frame: bytes) -> None:
    name_frame(altered, frame)
    prepared = open_set(altered)
    why = f"{TEST}: record 0 of 2 is corrupt"
    with pytest.raises(DataError, match=why), pipeline.reading_errors(prepared):
        list(pipeline.clips_in_order(prepared, "test", batch=1))
    [problem, *_] = verify_set(altered).problems
    assert "frame 2 is " in problem
    footage = open_footage(PrepareOptions(source=str(altered)), "test")
    with pytest.raises(DataError, match=f"{TEST}: record 0: frame 2 is .*; prepare the set again"):
        next(footage.stream([0]))


# Lists.


@pytest.mark.parametrize(
    "entry",
    ["../a.png", "a/../a.png", "/etc/passwd", "C:\\a.png", "a\\b.png", "a\0.png", "nul.png"],
)
def test_lists(tmp_path: Path, entry: str) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (8, 8 * 32)).save(tmp_path / "in" / "a.png")
    (tmp_path / "list.txt").write_text(f"./a.png\n{entry}\n")
    line = programs.complaint(
        programs.run(
            *("prepare", f"--source={tmp_path / 'in'}", f"--output={tmp_path / 'set'}"),
            *(f"--list={tmp_path / 'list.txt'}", "--resolution=64", "--workers=1"),
        ),
        1,
    )
    assert f"cannot use {tmp_path / 'list.txt'}: the picture '" in line
    assert line.isprintable()
    assert not (tmp_path / "set").exists()


# Leftovers that an interrupted prepare might have written.


class _Planted:
    """Creates a folder when unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("unpickled",)


def clouds(output: Path) -> PrepareOptions:
    return PrepareOptions(
        layout="synthetic", output=str(output), synthetic_clips=4, resolution=64, workers=1
    )


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Leftovers of an interrupted prepare, and what it would have written."""

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "writing shards":
            raise KeyboardInterrupt

    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(KeyboardInterrupt):
        writer.prepare(clouds(folder / "half"), interrupt)
    shutil.copytree(folder / "half", folder / "whole")
    writer.prepare(clouds(folder / "whole"))
    return folder / "half", folder / "whole"


@pytest.fixture
def begun(room: Path, interrupted: tuple[Path, Path]) -> tuple[PrepareOptions, dict[str, bytes]]:
    """The same in `mine`."""
    half, whole = interrupted
    shutil.copytree(half, room / "mine", dirs_exist_ok=True)
    return clouds(room / "mine"), bytes_of(whole)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def as_planted(content: bytes) -> bytes:
    """A spool file as an older version wrote it, which unpickled the data before the tail."""
    planted = pickle.dumps(_Planted())
    return planted + bytes(8)


@pytest.mark.parametrize(
    "change",
    [
        as_planted,
        lambda content: pickle.dumps(_Planted()),
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: content[:-60] + bytes([content[-60] ^ 1]) + content[-59:],
        lambda content: content[:-40] + b"\xff" * 8 + content[-32:],
        lambda content: as_planted(content) + content[-48:],
    ],
    ids=["pickle", "bare", "empty", "cut", "half", "frame", "index", "offset", "tail"],
)
def test_a_changed_spool(
    begun: tuple, room: Path, change, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(room)
    given, expected = begun
    path = room / "mine" / ".spool" / "00000" / "002"
    path.write_bytes(change(path.read_bytes()))
    before = others(room)
    capsys.readouterr()
    writer.prepare(given)
    assert bytes_of(room / "mine") == expected
    assert others(room) == before
    said = capsys.readouterr().out
    assert f"{path} cannot be used: " in said
    assert "reading the footage again" in said


def forged(path: Path, **values: object) -> None:
    """An intact spool file with other metadata."""
    [clip] = spool.load(str(path))
    said = {**spool._to_json(clip), **values}
    with spool.writing(str(path)) as file:
        for frame in clip.load():
            file._write(frame)
        file.results = [clip]
        original, spool._to_json = spool._to_json, lambda _: said
        try:
            file.finish()
        finally:
            spool._to_json = original
        file.finish = lambda: None


@pytest.mark.parametrize(
    "values",
    [
        *({"name": "../../out"}, {"name": 3}, {"video": "/out"}, {"split": "../x"}),
        *({"offset": -1}, {"lengths": [2**60]}, {"lengths": [[]]}, {"hashes": "zz"}),
        *(
            {"drift": 2},
            {"drift": "x"},
            {"drift": float("nan")},
            {"motion": None},
            {"start": float("inf")},
            {"start": 2**63},
            {"start": -1},
        ),
    ],
    ids=str,
)
def test_a_forged_spool(begun: tuple, room: Path, values: dict, capsys) -> None:
    given, expected = begun
    path = room / "mine" / ".spool" / "00000" / "002"
    forged(path, **values)
    writer.prepare(given)
    assert f"{path} cannot be used: " in capsys.readouterr().out
    assert bytes_of(room / "mine") == expected


@pytest.mark.parametrize(
    "link", [".spool", ".spool/00000", ".spool/00000/001", ".spool/.lock", ".spool/plan", TRAIN]
)
def test_a_spool_with_links(begun: tuple, room: Path, link: str) -> None:
    """Their targets would be written, truncated or removed."""
    given, _ = begun
    path = room / "mine" / link
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(room / "precious" / ("" if link in (".spool", ".spool/00000") else "file"))
    before = others(room)
    with pytest.raises(DataError, match="is a symbolic link, which no interrupted prepare leaves"):
        writer.prepare(given)
    assert others(room) == before


def test_a_photo_named_like_the_parent_folder(tmp_path: Path, monkeypatch) -> None:
    """Its stem is two dots."""
    from ssagan_tf import photo_jobs
    from ssagan_tf.options import GenerateOptions

    given = GenerateOptions(image=("...jpg", "b.jpg"), output=str(tmp_path / "out"))
    assert [job.path for job in photo_jobs.plan_jobs(given)] == [
        tmp_path / "out" / "...jpg",
        tmp_path / "out" / "b",
    ]


def test_stored_frames_must_be_jpegs(altered: Path) -> None:
    """Only JPEGs are decoded, by the JPEG decoder."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    name_frame(altered, buffer.getvalue())
    prepared = open_set(altered)
    why = f"{TEST}: record 0 of 2 is corrupt"
    with pytest.raises(DataError, match=why), pipeline.reading_errors(prepared):
        list(pipeline.clips_in_order(prepared, "test", batch=1))


def test_the_digest_of_a_spool(begun: tuple, room: Path) -> None:
    given, expected = begun
    (room / "mine" / ".spool" / "plan").write_bytes(b"\xff" * 3 * limits.NOTE_BYTES)
    writer.prepare(given)
    assert bytes_of(room / "mine") == expected
    assert json.loads(expected[FILE_NAME])["counts"]["clips"] == 4


def test_data_after_a_picture(tmp_path: Path, write_pictures) -> None:
    """It is not stored in the record; and numbers fit in a record."""
    write_pictures(tmp_path / "a", range(32), size=(64, 64))
    for path in (tmp_path / "a").iterdir():
        os.truncate(path, limits.FRAME_BYTES + 1)  # sparse
    write_pictures(tmp_path / "b", range(1 << 63, (1 << 63) + 32))
    given = PrepareOptions(
        source=str(tmp_path), output=str(tmp_path / "set"), resolution=64, workers=1
    )
    info = writer.prepare(given)
    assert info.splits["train"].shards[0].bytes < 1 << 20
    assert {item.reason for item in info.skipped} == {"its number is too large"}
    assert verify_set(tmp_path / "set").problems == ()
