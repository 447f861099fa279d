"""Flag files as people and their editors write them, and settings that come from them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from absl import flags as absl_flags

from ssagan_tf import flags, options
from ssagan_tf.options import OptionError

LINES = ("# a comment", "", "  // another", "--data=~/a set", "--steps=7", "--run_dir=läufe")


def read(*arguments: str) -> options.TrainOptions:
    values = absl_flags.FlagValues()
    flags.define(values)
    values(["", *flags.with_files(arguments)])
    return flags.read(options.TrainOptions, values)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " \n", "\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_all_editors(tmp_path: Path, monkeypatch, end: str, encoding: str) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    path = tmp_path / "train.cfg"
    path.write_bytes(end.join(LINES).encode(encoding))  # without an end of the last line
    expected = options.TrainOptions(data="/home/someone/a set", steps=7, run_dir="läufe")
    assert read(f"--flagfile={path}") == expected
    assert flags.read(options.TrainOptions, flags.from_file(str(path), alone=True)) == expected
    assert read(f"--flagfile={path}", "--steps=9").steps == 9
    assert read("--steps=9", "--flagfile", str(path)).steps == 7


def test_files_in_files(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "inner.cfg").write_text("--steps=7\n--seed=3\n")
    (tmp_path / "outer.cfg").write_text("--flagfile=~/inner.cfg\r\n--seed=4")
    told = read("-flagfile=~/outer.cfg")
    assert (told.steps, told.seed) == (7, 4)
    with pytest.raises(ValueError, match="names another flag file"):
        flags.from_file(str(tmp_path / "outer.cfg"), alone=True)
    (tmp_path / "inner.cfg").write_text("--flagfile=~/outer.cfg")
    with pytest.raises(absl_flags.Error, match=r"outer\.cfg names itself, by way of .*inner\.cfg"):
        read("--flagfile=~/outer.cfg")


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=["--steps=7\n"])
    writer.start()
    assert read(f"--flagfile={path}").steps == 7
    writer.join()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"\x89PNG\r\n\x1a\n\xff", "is no text"),
        (b"\xff\xfe\x00", "is no text"),
        (b"#" * (2 << 20), "more than 1,048,576"),
    ],
)
def test_what_is_no_flag_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.cfg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(absl_flags.Error, match=rf"--flagfile.*{message}|{message}.*a\.cfg"):
        read(f"--flagfile={path}")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", " a", "a "])
def test_what_a_file_cannot_keep_is_refused(value: str) -> None:
    with pytest.raises(OptionError, match=r"(?s)run_dir=.*which a flag file cannot keep"):
        flags.to_lines(options.TrainOptions(run_dir=value))


def test_a_list_of_paths_takes_more_when_it_is_given_again(tmp_path: Path) -> None:
    (tmp_path / "a,b.jpg").touch()
    there = f"{tmp_path}/a,b.jpg"

    def images(*arguments: str) -> tuple[str, ...]:
        values = absl_flags.FlagValues()
        flags.define(values)
        values(["", *flags.with_files(arguments)])
        return flags.read(options.GenerateOptions, values).image

    assert images() == ()
    assert images(f"--image={there}", "--image", "c.jpg,d.jpg") == (there, "c.jpg", "d.jpg")
    assert images("--image=-c.jpg", "--image", "-d.jpg") == ("-c.jpg", "-d.jpg")
    assert images("--image=c.jpg", "--image=", "--image=d.jpg") == ("d.jpg",)
    (tmp_path / "f.cfg").write_text(f"--image={there},c.jpg\n")
    again = (there, "c.jpg", "d.jpg")
    assert images(f"--flagfile={tmp_path / 'f.cfg'}", "--image=d.jpg") == again
