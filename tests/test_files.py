from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import tempfile

import pytest

from ssagan_tf import files
from ssagan_tf.errors import DataError
from ssagan_tf.files import (
    check_new_file,
    locked_folder,
    remove_leftovers,
    replacing_file,
    replacing_folder,
    without_wildcards,
)


def everything_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_file_appears_complete_with_parents(tmp_path):
    target = tmp_path / "a" / "b" / "clip.mp4"
    with replacing_file(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".mp4"
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert everything_in(tmp_path) == ["a", "b", "clip.mp4"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interrupted_file_keeps_the_old_one(tmp_path, error):
    target = tmp_path / "clip.mp4"
    target.write_text("old")

    def interrupted():
        with replacing_file(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert target.read_text() == "old"
    assert everything_in(tmp_path) == ["clip.mp4"]


def test_file_through_a_link_keeps_the_link(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with replacing_file(tmp_path / "link.txt") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_lock_is_not_taken_through_a_link(tmp_path):
    """The lock file is truncated and written."""
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / ".lock").symlink_to("precious")
    with pytest.raises(DataError, match=r"cannot write .*\.lock"), locked_folder(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "as it was"


def test_import_without_the_modules_of_posix():
    """As on Windows."""
    missing = "fcntl grp pwd resource termios tty pty syslog crypt"
    program = f"""
import sys
sys.modules.update(dict.fromkeys({missing.split()}))
import ssagan_tf.files, ssagan_tf.verify, ssagan_tf.data.writer
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


class FakeMsvcrt:
    """Imitates Windows' locks with those of POSIX. On Windows, a locked byte cannot be read."""

    LK_NBLCK = 2

    @staticmethod
    def locking(number, mode, count):
        assert (mode, count) == (FakeMsvcrt.LK_NBLCK, 1)
        assert os.lseek(number, 0, os.SEEK_CUR) > 1 << 20  # the process ID can be read
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


@pytest.mark.parametrize("kind", ["fcntl", "msvcrt", "neither"])
def test_a_locked_folder_is_refused(tmp_path, monkeypatch, kind):
    if kind != "fcntl":
        monkeypatch.setattr(files, "fcntl", None)
        module = FakeMsvcrt if kind == "msvcrt" else None
        monkeypatch.setattr(files, "msvcrt", module, raising=False)
    in_use = f"the set is in use by process {os.getpid()}; wait for it to finish, or stop it"
    for _ in range(2):  # the end of the first releases the lock
        with locked_folder(tmp_path / "set"):
            if kind == "neither":
                with locked_folder(tmp_path / "set"):
                    pass
                continue
            with pytest.raises(DataError, match=in_use), locked_folder(tmp_path / "set", "the set"):
                pass


@pytest.mark.parametrize("name", ["[a] b", "back\\slash", "wh*t?", "plain"])
def test_a_path_without_wildcards(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_text("here")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with without_wildcards(folder) as same:
        assert (same / "file").read_text() == "here"
        assert not set("*?[]\\") & set(str(same))
    assert same == folder or not same.exists()
    assert everything_in(folder) == ["file"]


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
@pytest.mark.parametrize("name", ["x" * 251 + ".mp4", "é" * 127, "ü\n" * 60, "日" * 85])
def test_longest_names(tmp_path, replacing, name):
    with replacing(tmp_path / name) as temporary:
        assert temporary.suffix == (tmp_path / name).suffix
        assert temporary.name != name
        if replacing is replacing_file:
            temporary.write_text("new")
    assert everything_in(tmp_path) == [name]


def test_too_long_names_are_reported_before_the_work(tmp_path):
    check_new_file(tmp_path / "new" / ("x" * 255))
    for folder in (tmp_path, tmp_path / "new" / "folder"):
        with pytest.raises(DataError, match=r"cannot write .*: File name too long"):
            check_new_file(folder / ("x" * 256))
    with pytest.raises(DataError, match="it is a directory"):
        check_new_file(tmp_path)


def test_impossible_paths_are_data_errors(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "clip.mp4", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match="cannot write"), replacing_file(place):
            pass
    for place in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(DataError, match="cannot write"), replacing_folder(place):
            pass


def test_full_disk_is_one_line(tmp_path):
    def full():
        with replacing_file(tmp_path / "clip.mp4"):
            raise OSError(28, os.strerror(28))

    with pytest.raises(DataError, match=r"cannot write .*clip\.mp4: No space left on device"):
        full()
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_errors_about_other_files_pass_through(tmp_path, replacing):
    with pytest.raises(FileNotFoundError, match="elsewhere"), replacing(tmp_path / "clips.bin"):
        (tmp_path / "elsewhere").read_bytes()
    with pytest.raises(OSError, match="number"), replacing(tmp_path / "clips.bin"):
        raise OSError(5, "number", 7)
    assert everything_in(tmp_path) == []


def test_errors_about_the_written_file_are_one_line(tmp_path):
    def vanished():
        with replacing_file(tmp_path / "clips") as temporary:
            temporary.unlink()
            temporary.read_bytes()

    def too_long():
        with replacing_folder(tmp_path / "clips") as temporary:
            (temporary / ("x" * 300)).touch()

    for fail, why in ((vanished, "No such file"), (too_long, "File name too long")):
        with pytest.raises(DataError, match=f"cannot write .*clips: {why}"):
            fail()
    assert everything_in(tmp_path) == []


def test_folder_appears_complete(tmp_path):
    target = tmp_path / "a" / "frames"
    with replacing_folder(target) as temporary:
        (temporary / "1.png").write_text("1")
        assert not target.exists()
    assert everything_in(tmp_path) == ["1.png", "a", "frames"]


def test_disk_full_while_copying(tmp_path):
    def copy():
        with replacing_file(tmp_path / "b") as temporary:
            # Like shutil.
            raise OSError(errno.ENOSPC, "No space left", "a", None, str(temporary))

    with pytest.raises(DataError, match=r"cannot write .*/b: No space left"):
        copy()


def test_disk_full_in_a_folder_names_the_file(tmp_path):
    def fill():
        with replacing_folder(tmp_path / "report") as folder, replacing_file(folder / "a" / "b"):
            raise OSError(errno.ENOSPC, "No space left")

    with pytest.raises(DataError) as error:
        fill()
    assert str(error.value) == f"cannot write {tmp_path}/report/a/b: No space left"
    assert everything_in(tmp_path) == []


def test_empty_folder_is_replaced_and_a_full_one_refused(tmp_path):
    target = tmp_path / "frames"
    target.mkdir()
    with replacing_folder(target) as temporary:
        (temporary / "1.png").write_text("1")
    with pytest.raises(DataError, match="frames is not empty"), replacing_folder(target):
        pass
    assert everything_in(tmp_path) == ["1.png", "frames"]


def test_interrupted_folder_leaves_nothing(tmp_path):
    def interrupted():
        with replacing_folder(tmp_path / "frames") as temporary:
            (temporary / "1.png").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert everything_in(tmp_path) == []


def test_leftovers_of_a_killed_process_are_no_obstacle(tmp_path):
    leftover = tmp_path / f".tmp-{os.getpid()}-frames"
    leftover.mkdir()
    (leftover / "old.png").write_text("")
    with replacing_folder(tmp_path / "frames") as temporary:
        (temporary / "1.png").write_text("1")
    assert everything_in(tmp_path) == ["1.png", "frames"]


def test_leftovers_of_dead_processes_are_removed(tmp_path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for name in (f".tmp-{dead}-a.mp4", f".tmp-{os.getpid()}-b.mp4", ".tmp-notes", "c.mp4"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {f".tmp-{os.getpid()}-b.mp4", ".tmp-notes", "c.mp4"}
    remove_leftovers(tmp_path / "nowhere")
