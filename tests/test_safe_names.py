from __future__ import annotations

from pathlib import Path

import pytest

from ssagan_tf import safe_names

REFUSED = {
    "..": "leads out of its folder",
    "a/../b": "leads out of its folder",
    "../a": "leads out of its folder",
    "/etc/passwd": "absolute",
    "//server/share": "absolute",
    "C:": "drive",
    "c:a": "drive",
    "C:/a": "drive",
    "a\\b": "backslash",
    "..\\a": "backslash",
    "": "empty",
    ".": "empty part",
    "a//b": "empty part",
    "a/": "empty part",
    "./a": "empty part",
    "a\0b": "unprintable character",
    "a\nb": "unprintable character",
    "\x1b[2J": "unprintable character",
    "a\x7f": "unprintable character",
    "a\u2028b": "unprintable character",
    "\ud800": "unprintable character",
    "CON": "device",
    "nul.txt": "device",
    "a/Com1/b": "device",
    "LPT9.tar.gz": "device",
    "com¹": "device",
    "aux .b": "device",
    "conout$": "device",
    "a.": "dot or a space",
    "a /b": "dot or a space",
    "...": "dot or a space",
    "a" * 256: "longer than 255",
    "ä" * 128: "longer than 255",
    "a/" * 2500 + "a": "longer than 4096",
}


@pytest.mark.parametrize("name", REFUSED, ids=[ascii(name)[:20] for name in REFUSED])
def test_refused(name: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[name]) as raised:
        safe_names.checked(name, "shard name")
    message = str(raised.value)
    assert message.startswith("the shard name '")
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("name", [None, 3, b"a", ["a"]])
def test_not_a_string(name: object) -> None:
    with pytest.raises(ValueError, match="is not a string"):
        safe_names.checked(name)


@pytest.mark.parametrize(
    "name",
    [
        "train-00000-of-00001.tfrecord",
        "Wolken über Köln 1/0",
        "空/雲 の 流れ.mp4/32",
        "clouds00001/0",
        "vid05/vid05_1/1",
        ".hidden",
        "a..b",
        "..a",
        "12:30 sunset/0",
        "console",
        "com10",
        "con-rain/nullarbor",
        "a'b\"c;d|e<f>?*&$(g)`h`",
        "family 👨\u200d👩\u200d👧/1",
        "a" * 255,
    ],
)
def test_allowed(name: str) -> None:
    assert safe_names.checked(name) == name


def test_links(tmp_path: Path) -> None:
    """Files may be links to elsewhere; folders must not lead out."""
    (tmp_path / "set" / "inside").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set" / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "again").symlink_to("inside")
    (tmp_path / "set" / "shard").symlink_to(tmp_path / "elsewhere" / "shard")
    for name in ("shard", "inside/shard", "again/shard"):
        safe_names.check_folders(tmp_path / "set", name)
    with pytest.raises(ValueError, match=r"'out/shard' leads out of .* through a link"):
        safe_names.check_folders(tmp_path / "set", "out/shard")
