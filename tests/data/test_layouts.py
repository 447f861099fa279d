from __future__ import annotations

import dataclasses
import datetime
import doctest
import io
import os
import pickle
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageCms

from ssagan_tf import video
from ssagan_tf.data import layouts
from ssagan_tf.data.dataset_info import Skipped
from ssagan_tf.data.layouts import folders
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, OptionError, PrepareOptions
from ssagan_tf.options.shared import Layout
from tests import colours


def options(source: Path, **settings: object) -> PrepareOptions:
    return PrepareOptions(source=str(source), **{"resolution": 64, **settings})


def names(listing: layouts.Listing) -> list[str]:
    return sorted(item.name for item in listing.items)


def clip_names(given: PrepareOptions) -> list[str]:
    """The clips of all items."""
    items = layouts.list_items(given).items
    return sorted(clip.name for item in items for clip in make_clips(item, given))


def make_clips(item: layouts.Item, given: PrepareOptions) -> list[layouts.Clip]:
    return [one for one in item.clips(given) if isinstance(one, layouts.Clip)]


def passed_over(item: layouts.Item, given: PrepareOptions) -> dict[str, str]:
    return {one.item: one.reason for one in item.clips(given) if isinstance(one, Skipped)}


def reasons(listing: layouts.Listing) -> dict[str, str]:
    return {item.item: item.reason for item in listing.skipped}


def pixels(jpeg: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(jpeg)))


def test_listing_and_reading_do_not_import_tensorflow() -> None:
    check = "import sys, ssagan_tf.data.writer; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_the_examples_of_shortest_unique() -> None:
    results = doctest.testmod(folders)
    assert results.attempted
    assert not results.failed


def test_names_that_are_not_utf8_are_skipped(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "A", range(32))
    for path in (tmp_path, tmp_path / "A"):
        try:
            (path / os.fsdecode(b"caf\xe9.jpg")).touch()
        except OSError:
            pytest.skip("this file system has no such names")
    listing = layouts.list_items(options(tmp_path, layout="frames"))
    assert names(listing) == ["A/0"]
    why = "name is not UTF-8"
    assert reasons(listing) == {r"./caf\xe9.jpg": why, r"A/caf\xe9.jpg": why}


# frames


def test_frames_of_both_depths_in_a_split_source(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "sky_train" / "A" / "A_1", range(5, 75))
    write_pictures(tmp_path / "sky_train" / "B", range(32))
    write_pictures(tmp_path / "sky_test" / "C" / "1", range(1, 33))
    write_pictures(tmp_path / "other", range(32))
    (tmp_path / "notes.txt").touch()
    listing = layouts.list_items(options(tmp_path))
    assert listing.layout == "frames"
    assert clip_names(options(tmp_path)) == ["A/A_1/37", "A/A_1/5", "B/0", "C/1/1"]
    found = {item.name: (item.video, item.split) for item in listing.items}
    assert found["A/A_1/5"] == ("A", "train")
    assert found["C/1/1"] == ("C", "test")
    outside = "outside the *_train and *_test folders"
    assert reasons(listing) == {"other": outside, "notes.txt": outside}
    assert pickle.loads(pickle.dumps(listing)) == listing


def test_one_name_in_both_splits_is_two_videos(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "sky_train" / "A" / "1", range(32))
    write_pictures(tmp_path / "sky_test" / "A" / "1", range(32))
    listing = layouts.list_items(options(tmp_path))
    assert sorted(item.video for item in listing.items) == ["sky_test/A", "sky_train/A"]
    assert names(listing) == ["sky_test/A/1/0", "sky_train/A/1/0"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_half_a_split(tmp_path: Path, write_pictures, split: str) -> None:
    for name in ("A", "B"):
        write_pictures(tmp_path / f"sky_{split}" / name / "1", range(32))
    (tmp_path / ".cache").mkdir()
    (tmp_path / "notes.txt").touch()
    listing = layouts.list_items(options(tmp_path))
    assert names(listing) == ["A/1/0", "B/1/0"]
    assert {(item.video, item.split) for item in listing.items} == {("A", None), ("B", None)}
    assert reasons(listing) == {"./.cache": "hidden", "notes.txt": "not a picture"}

    write_pictures(tmp_path / f"sea_{split}" / "A", range(32))
    listing = layouts.list_items(options(tmp_path))
    assert sorted(item.video for item in listing.items) == [
        f"sea_{split}/A",
        f"sky_{split}/A",
        f"sky_{split}/B",
    ]


def test_a_video_with_the_name_of_half_a_split(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "fast_train", range(32))
    assert [item.video for item in layouts.list_items(options(tmp_path)).items] == ["fast_train"]
    write_pictures(tmp_path / "station" / "1", range(32))
    write_pictures(tmp_path / "fast_train" / "1", range(32))
    listing = layouts.list_items(options(tmp_path))
    assert names(listing) == ["fast_train/0", "fast_train/1/0", "station/1/0"]
    assert {item.video for item in listing.items} == {"fast_train", "station"}


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(1, 33):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / f"f{number}.png")
    [item] = layouts.list_items(options(tmp_path)).items
    assert item.files == tuple(f"f{number}.png" for number in range(1, 33))
    assert item.video == tmp_path.name


def test_a_gap_breaks_a_run(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "A", [*range(20), *range(21, 60), *range(100, 164)])
    listing = layouts.list_items(options(tmp_path))
    assert clip_names(options(tmp_path)) == ["A/100", "A/132", "A/21"]
    short = "too short: 20 of 32 frames without a gap"
    assert reasons(listing) == {"A/A_frames_00000000.jpg": short}
    assert clip_names(options(tmp_path, clip_rule="first")) == ["A/21"]


def test_a_change_of_names_breaks_a_run(tmp_path: Path) -> None:
    for number in range(64):
        letter = "a" if number < 40 else "b"
        Image.new("RGB", (8, 8)).save(tmp_path / f"{letter}_{number}.png")
    listing = layouts.list_items(options(tmp_path))
    assert names(listing) == [f"{tmp_path.name}/0"]
    assert reasons(listing) == {"b_40.png": "too short: 24 of 32 frames without a gap"}


def test_frame_stride(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "A", range(64))
    given = options(tmp_path, frame_stride=2)
    [item] = layouts.list_items(given).items
    [clip] = item.clips(given, layouts.PIXELS)
    files = [tmp_path / "A" / f"A_frames_{number:08d}.jpg" for number in range(0, 64, 2)]
    np.testing.assert_array_equal(clip.frames, [video.read_image(file) for file in files])
    listing = layouts.list_items(options(tmp_path, frame_stride=3))
    assert not listing.items
    assert reasons(listing) == {"A": "too short: 22 of 32 frames without a gap"}


def test_what_is_skipped_and_why(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "A", range(32))
    write_pictures(tmp_path / "short", range(31))
    (tmp_path / "empty").mkdir()
    (tmp_path / "A" / "Thumbs.db").touch()
    (tmp_path / "A" / "._A_frames_00000001.jpg").touch()
    (tmp_path / "A" / "cover.jpg").touch()
    (tmp_path / "A" / "other_3.jpg").touch()
    (tmp_path / "A" / "A_frames_3.png").touch()
    for hidden in ("@eaDir", "__MACOSX"):  # previews and metadata of each picture
        write_pictures(tmp_path / "A" / hidden, range(40))
    listing = layouts.list_items(options(tmp_path, layout="frames"))
    assert names(listing) == ["A/0"]
    assert reasons(listing) == {
        "short": "too short: 31 of 32 frames without a gap",
        "empty": "empty folder",
        "A/@eaDir": "hidden",
        "A/__MACOSX": "hidden",
        "A/Thumbs.db": "not a picture",
        "A/._A_frames_00000001.jpg": "not a picture",
        "A/cover.jpg": "no number in its name",
        "A/other_3.jpg": "too short: 1 of 32 frames without a gap",
        "A/A_frames_3.png": "duplicate number: the same as A_frames_00000003.jpg",
    }


def test_times_in_names(tmp_path: Path) -> None:
    """A picture about every ten seconds, in several formats; one and a night are missing."""
    began = datetime.datetime(2024, 5, 1, 23, 58, 5)
    times = [began + datetime.timedelta(seconds=10 * n + n % 3) for n in range(140) if n != 40]
    for number, time in enumerate(times):
        time += datetime.timedelta(hours=8 * (number > 100))
        ending = ("jpg", "JPEG", "png")[number % 3]
        shade = abs(3 * number % 510 - 255)
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(
            tmp_path / f"{time:%Y-%m-%d_%H-%M-%S}.{ending}"
        )
    given = options(tmp_path)
    items = layouts.list_items(given).items
    assert [item.name for item in items] == [
        f"{tmp_path.name}/20240501235805",
        f"{tmp_path.name}/20240502000457",
        f"{tmp_path.name}/20240502081505",
    ]
    assert [len(item.files) for item in items] == [40, 61, 38]
    assert {clip.start for item in items for clip in make_clips(item, given)} == {
        *(20240501235805, 20240502000457, 20240502081505)
    }
    [half, *_] = (one for item in items for one in item.by_clips())
    assert half.numbers[-1] == 20240502000316


def test_two_cameras_in_a_folder_are_two_sequences(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    for number in range(64):
        image = Image.new("RGB", (8, 8), (3 * number, 0, 0))
        image.save(tmp_path / "A" / f"{('left', 'right')[number % 2]}_{number // 2}.png")
    listing = layouts.list_items(options(tmp_path))
    assert names(listing) == ["A/left/0", "A/right/0"]
    assert {item.video for item in listing.items} == {"A"}
    first = layouts.list_items(options(tmp_path, clip_rule="first"))
    assert names(first) == ["A/0"]
    (tmp_path / "A" / "left").mkdir()
    for path in (tmp_path / "A").glob("left_*"):
        shutil.copy(path, tmp_path / "A" / "left")
    listing = layouts.list_items(options(tmp_path))
    assert names(listing) == ["A/left/0", "A/left_0.png/0", "A/right/0"]


def test_a_change_of_size_is_a_gap(tmp_path: Path, write_pictures) -> None:
    """For both training and evaluation."""
    write_pictures(tmp_path / "A", range(35))
    write_pictures(tmp_path / "A", range(35, 80), size=(16, 24))
    write_pictures(tmp_path / "A", [70])
    given = options(tmp_path)
    [item] = layouts.list_items(given).items
    assert [clip.name for clip in make_clips(item, given)] == ["A/0", "A/35"]
    assert passed_over(item, given) == {
        "A/32": "frames of different sizes: 16×24 after 16×16",
        "A/67": "frames of different sizes: 16×16 after 16×24",
        "A/70": "frames of different sizes: 16×24 after 16×16",
        "A/71": "too short: 9 of 32 frames after a change of size",
    }


def test_a_broken_picture_is_reported_and_a_gap(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "A", range(80))
    broken = tmp_path / "A" / "A_frames_00000040.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    given = options(tmp_path, layout="frames")
    [item] = layouts.list_items(given).items
    assert [clip.name for clip in make_clips(item, given)] == ["A/0", "A/41"]
    [(name, reason)] = passed_over(item, given).items()
    assert name == "A/32"
    assert reason.startswith(f"broken picture: {broken}: ")
    assert reason.count(broken.name) == 1


def _saved(image: Image.Image, format: str = "JPEG", **how: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()


_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("kept", "make"),
    [
        (True, lambda image: _saved(image, quality=70)),
        (True, lambda image: _saved(image, progressive=True, subsampling="4:4:4")),
        (True, lambda image: _saved(image, progressive=True, subsampling="4:2:0", quality=40)),
        (False, lambda image: _saved(image.convert("L"))),
        (False, lambda image: _saved(image.resize((32, 32)))),
        (False, lambda image: _saved(image, "PNG")),
        (False, lambda image: _saved(image, exif=_turned())),
        (True, lambda image: _saved(image) + b"more"),
        (True, lambda image: _saved(image, icc_profile=_SRGB)),
        (False, lambda image: _saved(image, icc_profile=colours.rgb_profile(colours.P3))),
    ],
    ids=[
        "plain",
        "progressive",
        "progressive 4:2:0",
        "grey",
        "small",
        "png",
        "turned",
        "longer",
        "sRGB",
        "P3",
    ],
)
def test_jpegs_are_kept_when_they_fit(
    tmp_path: Path, noise, kept: bool, make: Callable[[Image.Image], bytes]
) -> None:
    import tensorflow as tf

    data = make(Image.fromarray(noise(64, 64, 3)))
    for number in range(FRAMES):
        (tmp_path / f"{number}.jpg").write_bytes(data)
    given = options(tmp_path, layout="frames", static_threshold=0.0)
    [item] = layouts.list_items(given).items
    [clip] = item.clips(given)
    assert set(clip.frames) == {clip.frames[0]}
    assert (clip.frames[0] == data) is kept
    decoded = tf.io.decode_jpeg(clip.frames[0], channels=3, dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(decoded, pixels(clip.frames[0]))
    near = video.fit(video.decode_image(data), 64, "stretch").astype(int)
    assert np.abs(decoded.numpy() - near).mean() < 3


def test_fit(tmp_path: Path) -> None:
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 20:60] = 255
    for number in range(FRAMES):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    means = {}
    for fit in ("auto", "stretch", "crop", "letterbox"):
        given = options(tmp_path, layout="frames", fit=fit, static_threshold=0.0)
        [item] = layouts.list_items(given).items
        [clip] = item.clips(given)
        means[fit] = pixels(clip.frames[0]).mean() / 255
    assert means["auto"] == means["stretch"] == pytest.approx(0.5, abs=0.02)
    assert means["crop"] == pytest.approx(1, abs=0.02)
    assert means["letterbox"] == pytest.approx(0.25, abs=0.02)


# videos


def test_videos_are_cut_into_consecutive_clips(tmp_path: Path, noise) -> None:
    frames = noise(70, 36, 64, 3)
    video.write_mp4(tmp_path / "a.mp4", frames, 24)
    (tmp_path / "manifest.csv").touch()
    given = options(tmp_path)
    listing = layouts.list_items(given)
    assert listing.layout == "videos"
    assert reasons(listing) == {"manifest.csv": "not a video"}
    [item] = listing.items
    clips = list(item.clips(given))
    assert [(clip.name, clip.video, clip.start) for clip in clips] == [
        ("a/0", "a.mp4", 0),
        ("a/32", "a.mp4", 32),
    ]
    stored = list(video.read_video(tmp_path / "a.mp4"))
    expected = video.fit(stored[33], 64, "stretch").astype(int)
    assert np.abs(pixels(clips[1].frames[1]) - expected).mean() < 3

    strided = options(tmp_path, frame_stride=2, clip_rule="first")
    [clip] = item.clips(strided)
    expected = video.fit(stored[62], 64, "stretch").astype(int)
    assert np.abs(pixels(clip.frames[31]) - expected).mean() < 3
    short = passed_over(item, options(tmp_path, frame_stride=3))
    assert short == {"a": "too short: 24 of 32 frames, at stride 3"}


def test_videos_with_the_same_stem_keep_their_suffixes(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.MOV", "b.mkv"):
        (tmp_path / name).touch()
    listing = layouts.list_items(options(tmp_path))
    assert names(listing) == ["a.MOV", "a.mp4", "b.mkv"]


def test_a_truncated_video_is_broken(tmp_path: Path, noise) -> None:
    path = tmp_path / "a.mp4"
    video.write_mp4(path, noise(80, 64, 64, 3), 24)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    given = options(tmp_path)
    [item] = layouts.list_items(given).items
    with pytest.raises(DataError) as raised:
        list(item.clips(given))
    assert str(raised.value).startswith(f"broken video: {path}: it is damaged after ")
    assert str(raised.value).count("a.mp4") == 1


# stacked


def _stack(path: Path, frames: int, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shades = np.arange(frames, dtype=np.uint8).repeat(side)[:, None, None] * 7
    Image.fromarray(np.broadcast_to(shades, (frames * side, side, 3)).copy()).save(path)


def test_stacked_frames_repeat_the_last_one(tmp_path: Path) -> None:
    for name, count in (("a", 34), ("b", 20)):
        _stack(tmp_path / "clips" / f"{name}.png", count)
    given = options(tmp_path)
    listing = layouts.list_items(given)
    assert listing.layout == "stacked"
    assert [item.video for item in listing.items] == ["clips/a.png", "clips/b.png"]
    long, short = (next(item.clips(given)).frames for item in listing.items)
    assert [round(pixels(frame).mean() / 7) for frame in long] == list(range(32))
    assert [round(pixels(frame).mean() / 7) for frame in short] == [*range(20), *[19] * 12]


def test_stacked_list(tmp_path: Path) -> None:
    source = tmp_path / "beach"
    for name in ("v/1.png", "v/2.png", "w/1.png", "w/unlisted.png"):
        _stack(source / name, 16)
    listed = tmp_path / "list.txt"
    listed.write_text("v/1.png\nv/2.png\n\nw/1.png\nw/1.png\nw/gone.png\n")
    listing = layouts.list_items(options(source, list=str(listed)))
    assert names(listing) == ["v/1", "v/2", "w/1"]
    assert [item.video for item in listing.items] == ["v", "v", "w"]
    assert reasons(listing) == {"w/1.png": "duplicate in the list", "w/gone.png": "not found"}


@pytest.mark.parametrize(("listed", "stored"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFD", "NFD")])
def test_a_stacked_list_from_another_system(tmp_path: Path, listed: str, stored: str) -> None:
    """With a byte order mark, and accents in another Unicode form than the names of the files."""
    name = "plage_d'été.png"
    _stack(tmp_path / "beach" / unicodedata.normalize(stored, name), 16)
    _stack(tmp_path / "beach" / "other.png", 16)
    line = unicodedata.normalize(listed, name)
    (tmp_path / "list.txt").write_text(f"{line}\r\n./{line}\r\n", encoding="utf-8-sig")
    listing = layouts.list_items(options(tmp_path / "beach", list=str(tmp_path / "list.txt")))
    assert names(listing) == [unicodedata.normalize(stored, "plage_d'été")]
    assert reasons(listing) == {f"./{line}": "duplicate in the list"}


def test_stacked_refuses_other_shapes(tmp_path: Path) -> None:
    Image.new("RGB", (16, 100)).save(tmp_path / "a.png")
    given = options(tmp_path)
    [item] = layouts.list_items(given).items
    with pytest.raises(DataError, match=r"not stacked square frames: .*: 16×100"):
        list(item.clips(given))


def test_a_broken_stack_is_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    given = options(Path("."), layout="stacked")
    [item] = layouts.list_items(given).items
    with pytest.raises(DataError) as raised:
        list(item.clips(given))
    assert (
        str(raised.value) == "broken picture: a.png: it is not a picture, or in an unknown format"
    )


# synthetic, auto


def test_every_layout_is_an_option_and_explained() -> None:
    [setting] = [f for f in dataclasses.fields(PrepareOptions) if f.name == "layout"]
    assert set(get_args(Layout)) == {"auto", *layouts.LAYOUTS}
    for name in layouts.LAYOUTS:
        assert name in setting.metadata["help"]


def test_each_synthetic_clip_is_a_video() -> None:
    given = PrepareOptions(layout="synthetic", synthetic_clips=3, resolution=64)
    listing = layouts.list_items(given)
    assert len({item.video for item in listing.items}) == 3
    [clip] = listing.items[0].clips(given)
    assert pixels(clip.frames[0]).shape == (64, 64, 3)


def test_auto_refuses_ambiguous_sources(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    with pytest.raises(OptionError, match=r"auto: .* files for .*frames.* and videos; choose"):
        layouts.list_items(options(tmp_path))


def test_auto_without_footage(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected .*folders of numbered pictures.* video files"):
        layouts.list_items(options(tmp_path))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"source": ""}, "source=: is required; see --help"),
        ({"source": "x" * 300}, "source=x+: cannot be reached: File name too long"),
        ({"source": "a", "layout": "synthetic"}, "source=a: is not used with --layout=synthetic"),
        ({"source": "nowhere"}, "source=nowhere: no such folder"),
        ({"list": "a.txt", "layout": "frames"}, "list=a.txt: is for --layout=stacked only"),
    ],
)
def test_impossible_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict, complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=complaint):
        layouts.check_source(dataclasses.replace(options(tmp_path), **settings))


def test_list_not_found(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"list=nowhere.txt: No such file"):
        layouts.list_items(options(tmp_path, list="nowhere.txt"))
