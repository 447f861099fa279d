"""Paths as users type them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from ssagan_tf import user_paths

NFC, NFD = (unicodedata.normalize(form, "Wolken über Zürich é") for form in ("NFC", "NFD"))
NAMES = (
    *(
        "plain.jpg",
        "a,b.jpg",
        "a, b.jpg",
        ",",
        "a[1].jpg",
        "*.jpg",
        "-a.jpg",
        "--image",
        "~",
        "x=y",
    ),
    *(
        NFC,
        NFD,
        "two  spaces .jpg",
        " first.jpg",
        "line\nbreak.jpg",
        'a"b".jpg',
        "'",
        "\\",
        "%d.jpg",
    ),
    *("x" * 251 + ".jpg", os.fsdecode(b"caf\xe9,a.jpg"), "2024-05-01 12:11:05.jpg", "http:a.jpg"),
)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("folder", ["", "o,rt", "[ab]", NFD])
def test_existing_names_take_precedence(
    tmp_path: Path, monkeypatch, name: str, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    there = Path(folder, name)
    there.parent.mkdir(exist_ok=True)
    there.touch()
    Path("other.jpg").touch()
    for path in (str(there), str(tmp_path / there)):
        if path == "~":
            continue  # home: nothing but a path in front makes it a name
        assert user_paths.resolve(path) == path
        assert user_paths.expand_pattern(path) == [path]
        assert user_paths.split_paths(f"{path},other.jpg,none.jpg") == [
            path,
            "other.jpg",
            "none.jpg",
        ]
        assert user_paths.split_paths(f"other.jpg,{path}") == ["other.jpg", path]
        assert user_paths.split_paths(f"A={path},B=none") == [f"A={path}", "B=none"]


@pytest.mark.parametrize(("there", "typed"), [(NFC, NFD), (NFD, NFC)])
def test_names_in_another_unicode_form(tmp_path: Path, there: str, typed: str) -> None:
    (tmp_path / there / there).mkdir(parents=True)
    found = str(tmp_path / there / there)
    assert user_paths.resolve(str(tmp_path / typed / typed)) == found
    assert user_paths.resolve(f"{tmp_path / typed / typed}/") == f"{found}/"
    assert user_paths.resolve(str(tmp_path / typed / "é")) == str(
        tmp_path / there / "é"
    )  # a new file
    assert user_paths.split_paths(f"A={tmp_path / typed}") == [f"A={tmp_path / there}"]
    (tmp_path / typed).mkdir()
    # Now the typed form exists as well.
    assert user_paths.resolve(str(tmp_path / typed)) == str(tmp_path / typed)


def test_home(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a,b").touch()
    assert user_paths.resolve("~/set") == str(tmp_path / "set")
    assert user_paths.split_paths("~/a,b,~/c,X=~/a,b") == [
        *(f"{tmp_path}/a,b", f"{tmp_path}/c", f"X={tmp_path}/a,b")
    ]
    for text in ("a~", "./~", "s3://~/set", "gs://bucket/é", "~nobody-of-this-name/x", ""):
        assert user_paths.resolve(text) == text


def test_patterns_with_commas(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a,1.jpg", "a,2.jpg", "b.png"):
        Path(name).touch()
    assert user_paths.split_paths("a,*.jpg,*.png") == ["a,*.jpg", "*.png"]
    assert user_paths.expand_pattern("a,*.jpg") == ["a,1.jpg", "a,2.jpg"]
    assert user_paths.split_paths("b.png,,none , b.png,") == ["b.png", "none", "b.png"]


def test_long_lists_take_no_time() -> None:
    names = [f"photos/{number:06}.jpg" for number in range(2000)]
    assert user_paths.split_paths(",".join(names)) == names
