"""Temporary files are deleted when they are old, or too large in total."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ssagan_tf.web.temporary_files import TemporaryFiles, temporary_files

ROOT = Path(__file__).parents[2]
PREFIX = "ssagan-test-"


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """The folder in which temporary folders are made."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def put(folder: Path, name: str, size: int, age: float) -> Path:
    path = folder / name
    path.mkdir()
    (path / "sky.mp4").write_bytes(bytes(size))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_old_files_are_deleted(place: Path) -> None:
    with temporary_files(PREFIX, max_age=100.0, max_bytes=2**20) as room:
        assert room.folder.stat().st_mode & 0o077 == 0
        old, new = put(room.folder, "old", 10, 101.0), put(room.folder, "new", 10, 0.0)
        loose = room.folder / "loose"  # of an upload that was broken off
        loose.write_bytes(b".")
        os.utime(loose, (0, 0))
        room.sweep()
        assert (old.exists(), new.exists(), loose.exists()) == (False, True, False)
    assert list(place.iterdir()) == []


def test_the_oldest_files_are_deleted_first(tmp_path: Path) -> None:
    room = TemporaryFiles(tmp_path, max_age=1000.0, max_bytes=100)
    for name, age in (("a", 30.0), ("b", 20.0), ("c", 10.0)):
        put(tmp_path, name, 40, age)
    room.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]
    room.sweep(reserve=60)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_it_sweeps_regularly(tmp_path: Path) -> None:
    stop = threading.Event()
    old = put(tmp_path, "old", 10, 1.0)
    thread = threading.Thread(target=TemporaryFiles(tmp_path, 0.2, 100).keep_sweeping, args=[stop])
    thread.start()
    deadline = time.monotonic() + 10
    while old.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop.set()
    thread.join(10)


def test_the_folder_is_removed_after_an_error(place: Path) -> None:
    with contextlib.suppress(RuntimeError), temporary_files(PREFIX, 100.0, 100) as room:
        put(room.folder, "a", 10, 0.0)
        raise RuntimeError
    assert list(place.iterdir()) == []


def test_leftovers_of_a_killed_process_are_removed(place: Path, tmp_path_factory) -> None:
    code = f"""
import os, signal
from ssagan_tf.web.temporary_files import temporary_files
with temporary_files({PREFIX!r}, 100.0, 100) as room:
    (room.folder / "sky.jpg").write_bytes(b".")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    [left] = place.iterdir()
    assert (left / "sky.jpg").exists()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").touch()
    (place / f"{PREFIX}link").symlink_to(elsewhere)  # made by another user
    with temporary_files(PREFIX, 100.0, 100) as room:
        assert not left.exists()
        with temporary_files(PREFIX, 100.0, 100) as other:  # one that runs is left alone
            assert room.folder.exists()
            assert other.folder != room.folder
        assert room.folder.exists()
    assert (elsewhere / "kept").exists()
