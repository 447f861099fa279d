from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ssagan_tf import video
from ssagan_tf.errors import DataError
from ssagan_tf.evaluation.clip_folders import (
    ClipFolder,
    clips_in_all,
    match,
    named_paths,
    open_folders,
)
from ssagan_tf.options import OptionError


def test_named_paths(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    named = named_paths(
        "generated", ["ours=x/y", "x/mdgan", f"{tmp_path}/a=b", "runs/r/generator.keras"]
    )
    assert named == {
        "ours": "x/y",
        "mdgan": "x/mdgan",
        "a=b": f"{tmp_path}/a=b",
        "r": "runs/r/generator.keras",
    }
    with pytest.raises(OptionError, match="duplicate name mdgan"):
        named_paths("generated", ["x/mdgan", "mdgan=y"])
    with pytest.raises(OptionError, match="must be NAME=PATH"):
        named_paths("generated", ["=x"])


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (["a/1", "a/33"], ["a/33", "a/1"], {"a/1": "a/1", "a/33": "a/33"}),
        (["v/v_1/86", "v/v_2/1"], ["v/v_1", "v/v_2"], {"v/v_1/86": "v/v_1", "v/v_2/1": "v/v_2"}),
        (["v/v_1/86"], ["v_1"], {"v/v_1/86": "v_1"}),
        (["v/v_1/86"], ["v/v_1/0"], {"v/v_1/86": "v/v_1/0"}),  # numbered from 0
        (["v/1/86"], ["v_1_86"], {"v/1/86": "v_1_86"}),
        # macOS has é as two characters.
        (["caf\u00e9/1", "b"], ["cafe\u0301", "b"], {"caf\u00e9/1": "cafe\u0301", "b": "b"}),
        (["e\u0301"], ["\u00e9", "e\u0301"], {"e\u0301": "e\u0301"}),
        # Ambiguous names match nothing.
        (["x/\u00e9"], ["e\u0301/\u00e9", "\u00e9/e\u0301"], {}),
        (["v/1", "v/33"], ["v"], {}),
        (["v/1/1", "w/1/1"], ["1"], {}),
        (["v/1"], ["w/1"], {}),
    ],
)
def test_match(wanted, found, expected) -> None:
    assert match(wanted, found) == expected


@pytest.fixture
def folder(tmp_path: Path, noise, write_pictures) -> Path:
    video.write_mp4(tmp_path / "a.mp4", noise(32, 16, 16, 3), 12)
    video.write_mp4(tmp_path / "long.mp4", noise(33, 16, 16, 3), 12)
    video.write_mp4(tmp_path / "short.mp4", noise(31, 16, 16, 3), 12)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    return tmp_path


def test_only_complete_clips_are_read(folder: Path) -> None:
    clips = ClipFolder("x", str(folder))
    assert sorted(clips.names) == ["a", "cut", "long", "short"]
    assert clips.read("a").shape == (32, 16, 16, 3)
    for name, why in (
        ("long", "33 frames, expected 32"),
        ("short", "31 frames"),
        ("cut", "cut.mp4"),
    ):
        with pytest.raises(DataError, match=why):
            clips.read(name)


def test_folders_of_pictures(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "v" / "whole", range(1, 65))
    write_pictures(tmp_path / "v" / "long", range(1, 34))
    write_pictures(tmp_path / "v" / "short", range(1, 21))
    clips = ClipFolder("x", str(tmp_path))
    assert sorted(clips.names) == ["v/long/1", "v/whole/1", "v/whole/33"]
    first, second = clips.read("v/whole/1"), clips.read("v/whole/33")
    assert not np.array_equal(first, second)
    with pytest.raises(DataError, match=r"long has 33 frames, expected 32"):
        clips.read("v/long/1")
    assert "too short: 20 of 32" in clips.why_missing("v/short/1")
    broken = sorted((tmp_path / "v" / "whole").iterdir())[9]
    broken.write_bytes(b"no picture")
    with pytest.raises(DataError, match=f"broken picture: .*{broken.name}"):
        clips.read("v/whole/1")
    assert np.array_equal(clips.read("v/whole/33"), second)


def test_a_folder_that_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: folder not found"):
        ClipFolder("x", str(tmp_path / "nowhere"))


def test_clips_in_all(tmp_path: Path, write_pictures) -> None:
    write_pictures(tmp_path / "real" / "v" / "v_1", range(5, 37))
    write_pictures(tmp_path / "real" / "w" / "w_1", range(1, 33))
    for name in ("v_1", "u_1"):
        write_pictures(tmp_path / "a" / name, range(32))
    folders = open_folders("systems", [f"{name}={tmp_path / name}" for name in ("a", "real")])
    assert clips_in_all(folders) == {"v/v_1/5": {"a": "v_1/0", "real": "v/v_1/5"}}
    with pytest.raises(OptionError, match="two or more"):
        open_folders("systems", [f"a={tmp_path}/a"])
