from __future__ import annotations

import pytest

from ssagan_tf import timelapse
from ssagan_tf.options import PhotosToVideos


def photos(*names: object) -> list[str]:
    options = PhotosToVideos(image=tuple(map(str, names)), output="videos")
    return [job.photo for job in timelapse.plan(options)]


@pytest.mark.parametrize("folder", ["plain", "a [folder] 50% #1", "[ab]", "wh*t?"])
@pytest.mark.parametrize("whole", [True, False])
def test_patterns_in_folders_of_any_name(tmp_path, monkeypatch, folder, whole) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / folder if whole else folder
    (tmp_path / folder).mkdir()
    (tmp_path / "a").mkdir()  # which [ab] would stand for
    for name in ("1.jpg", "2.jpg", "[1].jpg", "note.txt"):
        (tmp_path / folder / name).touch()
    (tmp_path / "a" / "9.jpg").touch()
    assert photos(f"{place}/?.jpg") == [f"{place}/1.jpg", f"{place}/2.jpg"]
    assert photos(f"{place}/[1].jpg") == [f"{place}/[1].jpg"]  # is there
    assert photos(f"{place}/[2].jpg") == [f"{place}/2.jpg"]
    assert photos(f"{place}/[3].jpg", "x.jpg") == [f"{place}/[3].jpg", "x.jpg"]  # for the message


def test_patterns_of_folders(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("day [1]", "day [2]"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder[-2]}.jpg").touch()
    assert photos("*/*.jpg") == ["day [1]/1.jpg", "day [2]/2.jpg"]
    assert photos(f"{tmp_path}/*/*.jpg") == [f"{tmp_path}/day [{n}]/{n}.jpg" for n in (1, 2)]
