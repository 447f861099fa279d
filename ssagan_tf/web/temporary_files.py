"""A temporary folder that keeps neither files for long nor many of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ssagan_tf.errors import DataError
from ssagan_tf.files import LOCK_FILE, locked_folder

_YOUNG = 60.0  # seconds in which a folder may not have its lock yet


class TemporaryFiles:
    """The folder.

    Args:
      folder: Path.
      seconds: How long what lies in it is kept.
      most: Bytes kept at most; the oldest go first.
    """

    def __init__(self, folder: Path, seconds: float, most: int):
        self.folder, self._seconds, self._most = folder, seconds, most

    def sweep(self, room: int = 0) -> None:
        """Removes what is too old, then the oldest until `room` more bytes fit."""
        found = []
        for path in self.folder.iterdir():
            if path.name != LOCK_FILE:
                with contextlib.suppress(OSError):  # it went meanwhile
                    found.append((path.stat().st_mtime, _size(path), path))
        total = sum(size for _, size, _ in found)
        for made, size, path in sorted(found):
            if total + room > self._most or time.time() - made > self._seconds:
                _remove(path)
                total -= size

    def keep_sweeping(self, stop: threading.Event) -> None:
        """Sweeps again and again until `stop` is set."""
        while not stop.wait(min(60.0, self._seconds / 4)):
            with contextlib.suppress(OSError):
                self.sweep()


@contextlib.contextmanager
def temporary_files(prefix: str, seconds: float, most: int) -> Iterator[TemporaryFiles]:
    """Makes such a folder, readable by this user only, and removes it at the end.

    Those that killed processes left are removed at the beginning.

    Args:
      prefix: Of its name.
      seconds: As in `TemporaryFiles`.
      most: As in `TemporaryFiles`.
    """
    _remove_leftovers(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    made, stop = TemporaryFiles(folder, seconds, most), threading.Event()
    sweeper = threading.Thread(target=made.keep_sweeping, args=[stop], daemon=True)
    try:
        with locked_folder(folder):
            sweeper.start()
            yield made
    finally:
        stop.set()
        for _ in range(10):  # a thread may still be writing
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)


def _remove_leftovers(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError, DataError):
            about = folder.lstat()
            if folder.is_symlink() or not folder.is_dir() or about.st_uid != os.getuid():
                continue
            if not (folder / LOCK_FILE).exists() and time.time() - about.st_mtime < _YOUNG:
                continue
            with locked_folder(folder):  # raises where a process uses it
                shutil.rmtree(folder, ignore_errors=True)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
