"""Flag files as people and their editors write them, and the settings read from them."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from absl import flags as absl_flags

from export.options import ServingAnimateOptions
from ssagan_tf import flags, options
from ssagan_tf.flag_files import read_command_line
from ssagan_tf.flags import SectionT
from ssagan_tf.options import OptionError

LINES = ("# a comment", "", "  // another", "--data=~/a set", "--steps=7", "--run_dir=läufe")


def read(*arguments: str) -> options.TrainOptions:
    return read_section(options.TrainOptions, *arguments)


def read_section(section: type[SectionT], *arguments: str) -> SectionT:
    values = absl_flags.FlagValues()
    flags.define(values)
    values(["", *read_command_line(arguments).texts])
    return flags.read(section, values)


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
    found = read("-flagfile=~/outer.cfg")
    assert (found.steps, found.seed) == (7, 4)
    with pytest.raises(ValueError, match="includes another flag file"):
        flags.from_file(str(tmp_path / "outer.cfg"), alone=True)
    (tmp_path / "inner.cfg").write_text("--flagfile=~/outer.cfg")
    with pytest.raises(
        absl_flags.Error, match=r"outer\.cfg includes itself, by way of .*inner\.cfg"
    ):
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
        (None, "not found"),
        (b"\x89PNG\r\n\x1a\n\xff", "is not a text file"),
        (b"\xff\xfe\x00", "is not a text file"),
        (b"#" * (2 << 20), "more than 1,048,576"),
    ],
)
def test_files_that_are_not_flag_files(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.cfg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(absl_flags.Error, match=rf"--flagfile.*{message}|{message}.*a\.cfg"):
        read(f"--flagfile={path}")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", " a", "a "])
def test_values_that_a_file_cannot_hold_are_refused(value: str) -> None:
    with pytest.raises(OptionError, match=r"(?s)run_dir=.*which flag files cannot hold"):
        flags.to_lines(options.TrainOptions(run_dir=value))


def test_a_list_of_paths_is_extended_when_it_is_given_again(tmp_path: Path) -> None:
    (tmp_path / "a,b.jpg").touch()
    there = f"{tmp_path}/a,b.jpg"

    def images(*arguments: str) -> tuple[str, ...]:
        return read_section(options.GenerateOptions, *arguments).image

    assert images() == ()
    assert images(f"--image={there}", "--image", "c.jpg,d.jpg") == (there, "c.jpg", "d.jpg")
    assert images("--image=-c.jpg", "--image", "-d.jpg") == ("-c.jpg", "-d.jpg")
    assert images("--image=c.jpg", "--image=", "--image=d.jpg") == ("d.jpg",)
    (tmp_path / "f.cfg").write_text(f"--image={there},c.jpg\n")
    again = (there, "c.jpg", "d.jpg")
    assert images(f"--flagfile={tmp_path / 'f.cfg'}", "--image=d.jpg") == again


def test_files_next_to_the_one_that_names_them(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "inner.cfg").write_text("--steps=7")
    (tmp_path / "configs" / "outer.cfg").write_text("--flagfile=inner.cfg")
    (tmp_path / "inner.cfg").write_text("--steps=8")
    monkeypatch.chdir(tmp_path)
    assert read("--flagfile=configs/outer.cfg").steps == 7
    assert read("--flagfile=inner.cfg").steps == 8
    (tmp_path / "configs" / "outer.cfg").write_text("--flagfile=configs/inner.cfg")
    assert read("--flagfile=configs/outer.cfg").steps == 7  # from the working directory
    (tmp_path / "inner.cfg").write_text("--flagfile=configs/../inner.cfg")
    with pytest.raises(absl_flags.Error, match="includes itself"):
        read("--flagfile=inner.cfg")


def test_what_a_file_sets_for_one_network_does_not_reach_another(tmp_path: Path) -> None:
    def file(name: str, *lines: str) -> str:
        (tmp_path / name).write_text("\n".join(lines))
        return f"--flagfile={tmp_path / name}"

    any_network = file("any.cfg", "--beta_1=0.3", "--steps=5")
    ssagan = file("ssagan.cfg", any_network, "--lambda_con", "2", "--network=ssagan", "--steps=7")
    gan = options.TrainOptions.for_network
    assert read(ssagan) == gan("ssagan", lambda_con=2.0, beta_1=0.3, steps=7)
    assert read(any_network, "--network=vgan") == gan("vgan", beta_1=0.3, steps=5)
    assert read(ssagan, "--network", "vgan") == gan("vgan", steps=7)
    assert read(ssagan, any_network, "--network=vgan") == gan("vgan", beta_1=0.3, steps=5)
    typed = ("--lambda_con=3", ssagan, "--network=vgan", "--beta_2", "0.5")
    assert read(*typed) == gan("vgan", lambda_con=3.0, beta_2=0.5, steps=7)
    # The same holds where a file includes one for another network.
    vgan = file("vgan.cfg", ssagan, "--network=vgan", "--lambda_first_frame=4")
    assert read(vgan) == gan("vgan", lambda_first_frame=4.0, steps=7)
    assert read(vgan, "--network=rnngan") == gan("rnngan", steps=7)
    with pytest.raises(absl_flags.Error, match=r"--network=vgan comes before --flagfile=.*\.cfg,"):
        read("--network=vgan", ssagan)


OLD_NAMES = {
    "--still=0.25": ("static_threshold", 0.25, options.PrepareOptions),
    "--learning_rate_drops=3,9": ("learning_rate_milestones", ("3", "9"), options.TrainOptions),
    "--scale_stddev=0.5": ("bn_gamma_stddev", 0.5, options.ModelOptions),
    "--loop_measures": ("loop_metrics", True, options.EvaluateOptions),
    "--noloop_measures": ("loop_metrics", False, options.EvaluateOptions),
    "--no-loop_measures": ("loop_metrics", False, options.EvaluateOptions),
    "--loop_measures=true": ("loop_metrics", True, options.EvaluateOptions),
}


def test_every_old_name_is_tested() -> None:
    tried = {re.sub("--(no-?)?|=.*", "", flag) for flag in OLD_NAMES}
    assert tried == set(options.RENAMED)


@pytest.mark.parametrize("flag", OLD_NAMES)
def test_old_names(tmp_path: Path, flag: str) -> None:
    name, value, section = OLD_NAMES[flag]
    old = re.sub("--(no-?)?|=.*", "", flag)
    path = tmp_path / "old.cfg"
    path.write_text(flag)
    for given in (flag, flag.removeprefix("-"), f"--flagfile={path}"):
        assert getattr(read_section(section, given), name) == value
    typed = read_command_line([flag])
    assert typed.warnings == [f"--{old} is now called --{name}"]
    assert not read_command_line([f"--flagfile={path}"]).warnings
    # A file may have the old name where the command line has the current one, but not one place.
    current = typed.texts[0]
    assert getattr(read_section(section, f"--flagfile={path}", current), name) == value
    for both in ((flag, current), (current, flag)):
        with pytest.raises(absl_flags.Error, match=f"--{old} is the old name of --{name}; give"):
            read_command_line(both)


def test_old_names_of_one_program() -> None:
    assert read_command_line(["--checkpoint=best", "--protocol=paper"]).warnings == []
    renamed = options.renamed_settings([options.ImportOptions])
    line = read_command_line(["--checkpoint=a.pth", "--model=vgan"], renamed)
    assert line.texts == ["--state_dict=a.pth", "--network=vgan"]
    assert len(line.warnings) == 2
    client = options.renamed_settings([ServingAnimateOptions])
    assert read_command_line(["--protocol", "rest"], client).texts == ["--api", "rest"]
