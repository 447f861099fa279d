from __future__ import annotations

import dataclasses
import os
from typing import get_args, get_type_hints

import av
import numpy as np
import pytest
from PIL import Image

from ssagan_tf import photo_jobs, video
from ssagan_tf.errors import DataError
from ssagan_tf.options import OptionError, PhotosToVideos


def photos(*names: object) -> list[str]:
    options = PhotosToVideos(image=tuple(map(str, names)), output="videos")
    return [job.photo for job in photo_jobs.plan_jobs(options)]


@pytest.mark.parametrize("folder", ["plain", "a [folder] 50% #1", "[ab]", "wh*t?"])
@pytest.mark.parametrize("whole", [True, False])
def test_patterns_in_folders_of_any_name(tmp_path, monkeypatch, folder, whole) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / folder if whole else folder
    (tmp_path / folder).mkdir()
    (tmp_path / "a").mkdir()  # which the pattern [ab] matches
    for name in ("1.jpg", "2.jpg", "[1].jpg", "note.txt"):
        (tmp_path / folder / name).touch()
    (tmp_path / "a" / "9.jpg").touch()
    assert photos(f"{place}/?.jpg") == [f"{place}/1.jpg", f"{place}/2.jpg"]
    assert photos(f"{place}/[1].jpg") == [f"{place}/[1].jpg"]  # exists
    assert photos(f"{place}/[2].jpg") == [f"{place}/2.jpg"]
    assert photos(f"{place}/[3].jpg", "x.jpg") == [f"{place}/[3].jpg", "x.jpg"]  # for the message


def test_patterns_of_folders(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("day [1]", "day [2]"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder[-2]}.jpg").touch()
    assert photos("*/*.jpg") == ["day [1]/1.jpg", "day [2]/2.jpg"]
    assert photos(f"{tmp_path}/*/*.jpg") == [f"{tmp_path}/day [{n}]/{n}.jpg" for n in (1, 2)]


ODD = (
    *(
        "a,b",
        "-a",
        "--output=x",
        "a[1]",
        "*",
        "line\nbreak",
        "two  spaces ",
        "\x1b[2J",
        "..",
        "con",
    ),
    *(
        "Zu\u0308rich",
        "x" * 251,
        os.fsdecode(b"caf\xe9"),
        "http:a",
        "%d",
        "a\\b",
        'a"b"',
        "日" * 80,
    ),
)


@pytest.mark.parametrize("kind", ["mp4", "webp", "frames"])
def test_photos_with_unusual_names(tmp_path, capsys, kind) -> None:
    photo = np.zeros((8, 12, 3), np.uint8)
    inputs = [tmp_path / f"{name}.png" for name in ODD]
    for path in inputs:
        path.write_bytes(video.encode_png(photo))
    # One name is too long for its video: reported before the work.
    longest = [path for path in inputs if len(os.fsencode(path.name)) == 255]
    assert len(longest) == 1
    output = tmp_path / "videos"
    options = PhotosToVideos(image=tuple(map(str, inputs)), output=str(output), format=kind)
    jobs = photo_jobs.plan_jobs(options)
    if kind == "webp":
        for job in [job for job in jobs if job.photo == str(longest[0])]:
            with pytest.raises(DataError, match="File name too long"):
                job.check()
            jobs.remove(job)
    for job in jobs:
        job.check()
    clip = np.zeros((1, 2, 64, 64, 3), np.uint8)
    photo_jobs.run_jobs(jobs, lambda photos: clip.repeat(len(photos), 0), 64, "stretch", 12)
    suffix = "" if kind == "frames" else f".{kind}"
    written = {path.name.removesuffix(suffix) for path in output.iterdir()}
    expected = {name if name != ".." else "...png" for name in ODD}
    assert written == expected - ({"x" * 251} if kind == "webp" else set())
    said = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in said)


@pytest.mark.parametrize("ending", [*video.SUFFIXES, ""])
def test_the_suffix_decides_the_format(tmp_path, ending) -> None:
    video.write_image(tmp_path / "a.png", np.zeros((8, 12, 3), np.uint8))
    output = str(tmp_path / f"b{ending}")
    options = PhotosToVideos(image=(str(tmp_path / "a.png"),), output=output)
    [job] = photo_jobs.plan_jobs(options)
    job.check()
    clip = np.arange(96, dtype=np.uint8).reshape(32, 1, 1, 3).repeat(8, 1).repeat(8, 2)
    job.write_clip(clip, (8, 12), "stretch", 12)
    if ending:
        with Image.open(output) if ending != ".mp4" else av.open(output) as written:
            frames = written.streams.video[0].frames if ending == ".mp4" else written.n_frames
            assert frames == 32
    else:
        assert len(list((tmp_path / "b").iterdir())) == 32
        with pytest.raises(DataError, match="is not empty"):
            job.check()


def test_every_format_can_be_chosen() -> None:
    choices = get_args(get_type_hints(PhotosToVideos)["format"])
    assert set(choices) == {"auto", "frames", *(suffix[1:] for suffix in video.SUFFIXES)}
    [output] = [each for each in dataclasses.fields(PhotosToVideos) if each.name == "output"]
    assert all(f"FILE{suffix}" in output.metadata["help"] for suffix in video.SUFFIXES)


def test_other_suffixes_are_refused(tmp_path) -> None:
    with pytest.raises(OptionError, match=r"must end in \.mp4, \.gif, \.webp, or be a directory"):
        photo_jobs.plan_jobs(PhotosToVideos(image=("a.jpg",), output=str(tmp_path / "a.avi")))


@pytest.mark.parametrize(
    ("output", "extra"), [("a.webp", {}), ("./x/../a.webp", {}), (".", {"format": "webp"})]
)
def test_photos_are_not_overwritten(tmp_path, monkeypatch, output, extra) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    with pytest.raises(OptionError, match=r"a\.webp: is also an input and would be overwritten"):
        photo_jobs.plan_jobs(PhotosToVideos(image=("a.webp",), output=output, **extra))
