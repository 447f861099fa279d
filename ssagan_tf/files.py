"""Writing so that a file or folder is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ssagan_tf.errors import DataError


@contextlib.contextmanager
def replacing_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path to write to, which becomes `path` if all goes well.

    It lies beside the target and has its suffix. Whatever is raised in between, the temporary
    file is removed and an older file at `path` stays as it was. Parent folders are made.

    Raises:
      DataError: The file cannot be written: no permission, disk full, a folder is in its place.
    """
    target = Path(path).resolve()
    with _reporting(path):
        if target.is_dir():
            raise DataError(f"cannot write {path}: it is a folder")
        temporary = _beside(target)
        try:
            temporary.touch()  # an unwritable place shows before the work, not after it
            yield temporary
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary folder to fill, which becomes `path` if all goes well.

    Whatever is raised in between, the temporary folder is removed. Parent folders are made.

    Raises:
      DataError: `path` holds something already or is a file, or the folder cannot be written.
    """
    target = Path(path).resolve()
    with _reporting(path):
        if target.is_dir() and any(target.iterdir()):
            raise DataError(
                f"the folder {path} holds something already; name another or empty it first"
            )
        if target.exists() and not target.is_dir():
            raise DataError(f"cannot write the folder {path}: a file has this name")
        temporary = _beside(target)
        try:
            temporary.mkdir()
            yield temporary
            if target.is_dir():
                target.rmdir()  # refuses if something came in meanwhile
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _beside(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".tmp-{os.getpid()}-{target.name}")
    # What a killed process of the same number may have left.
    if temporary.is_dir():
        shutil.rmtree(temporary)
    else:
        temporary.unlink(missing_ok=True)
    return temporary


@contextlib.contextmanager
def _reporting(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error
