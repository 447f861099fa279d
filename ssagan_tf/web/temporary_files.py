"""A temporary folder with limits on the age and the total size of its files."""

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

_GRACE_SECONDS = 60.0  # in which a new folder may not be locked yet


class TemporaryFiles:
    """A folder of files that are deleted after a while.

    Args:
      folder: Path of the folder.
      max_age: Seconds for which files are kept.
      max_bytes: Total size; the oldest files are deleted first.
    """

    def __init__(self, folder: Path, max_age: float, max_bytes: int):
        self.folder, self._max_age, self._max_bytes = folder, max_age, max_bytes

    def sweep(self, reserve: int = 0) -> None:
        """Deletes what is too old, then the oldest until `reserve` more bytes fit."""
        found = []
        for path in self.folder.iterdir():
            if path.name != LOCK_FILE:
                with contextlib.suppress(OSError):  # deleted meanwhile
                    found.append((path.stat().st_mtime, _size(path), path))
        total = sum(size for _, size, _ in found)
        for modified, size, path in sorted(found):
            if total + reserve > self._max_bytes or time.time() - modified > self._max_age:
                _remove(path)
                total -= size

    def keep_sweeping(self, stop: threading.Event) -> None:
        """Sweeps regularly until `stop` is set."""
        while not stop.wait(min(60.0, self._max_age / 4)):
            with contextlib.suppress(OSError):
                self.sweep()


@contextlib.contextmanager
def temporary_files(prefix: str, max_age: float, max_bytes: int) -> Iterator[TemporaryFiles]:
    """Makes such a folder, readable by this user only, and removes it at the end.

    Folders left by killed processes are removed first.

    Args:
      prefix: Prefix of the folder's name.
      max_age: As in `TemporaryFiles`.
      max_bytes: As in `TemporaryFiles`.
    """
    _remove_leftovers(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    files, stop = TemporaryFiles(folder, max_age, max_bytes), threading.Event()
    sweeper = threading.Thread(target=files.keep_sweeping, args=[stop], daemon=True)
    try:
        with locked_folder(folder):
            sweeper.start()
            yield files
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
            stat = folder.lstat()
            if folder.is_symlink() or not folder.is_dir() or stat.st_uid != os.getuid():
                continue
            if not (folder / LOCK_FILE).exists() and time.time() - stat.st_mtime < _GRACE_SECONDS:
                continue
            with locked_folder(folder):  # fails if a process still uses it
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
