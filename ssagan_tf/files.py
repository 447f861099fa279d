"""Atomic writes (a file or folder appears complete or not at all), locks, and their errors.

On Windows, locks are those of `msvcrt`, and temporary files of killed processes are not removed:
whether their process is still running cannot be checked there safely. Where Python has neither
`fcntl` nor `msvcrt`, there are no locks, and two processes may write to one folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ssagan_tf.errors import DataError
from ssagan_tf.remote import RemotePath, as_path, is_remote

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    try:
        import msvcrt
    except ImportError:
        msvcrt = None

LOCK_FILE = ".lock"
_LOCKED_BYTE = 1 << 30  # Windows: far behind the process ID, as a locked byte cannot be read
_WILDCARDS = set("*?[]\\")
_MIN_NAME_BYTES = 100  # names are not cut below this; every file system allows longer ones


@contextlib.contextmanager
def errors_of_writing(
    path: str | os.PathLike[str], temporary: Path | None = None
) -> Iterator[None]:
    """Turns an OSError into a one-line error about `path`.

    Args:
      path: What is being written, as named in the message.
      temporary: Where it is being written. If given, errors about other files pass unchanged.

    Raises:
      DataError: There was an OSError.
    """
    try:
        yield
    except OSError as error:
        if temporary is not None and not _concerns(temporary, error):
            raise
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def replacing_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path to write to, which becomes `path` on success.

    The temporary file is next to the target and has its suffix; for a remote path it is local, and
    uploaded at the end. On any exception it is removed, and an older file at `path` stays as it
    was. Parent folders are created.

    Raises:
      DataError: The file cannot be written: permission denied, disk full, `path` is a directory.
        The caller's errors about other files pass unchanged.
    """
    remote_or_local = as_path(path)
    if isinstance(remote_or_local, RemotePath):
        with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
            local = Path(folder) / remote_or_local.name
            yield local
            with errors_of_writing(path):
                remote_or_local.upload(local)
        return
    check_new_file(path)
    with errors_of_writing(path):
        temporary = _temporary_next_to(target := Path(path).resolve())
    try:
        with errors_of_writing(path):
            temporary.touch()  # an unwritable folder fails before the work, not after it
        with errors_of_writing(path, temporary):
            yield temporary
        with errors_of_writing(path):
            with open(temporary, "r+b") as written:  # Windows syncs only what is open for writing
                os.fsync(written.fileno())  # complete under its final name even after a power cut
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_new_file(path: str | os.PathLike[str]) -> None:
    """Checks that a file could be written to a path, before the work that makes its content.

    Raises:
      DataError: It is a directory, or its name is too long for the file system.
    """
    with errors_of_writing(path):
        target = Path(path).resolve()
        if target.is_dir():
            raise DataError(f"cannot write {path}: it is a directory")
        existing = next(filter(Path.is_dir, target.parents))
        with contextlib.suppress(FileNotFoundError):
            (existing / target.name).lstat()


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary folder to fill, which becomes `path` on success.

    On any exception the temporary folder is removed. Parent folders are created.

    Raises:
      DataError: `path` is not empty, a file or a remote address, or cannot be written.
    """
    check_new_folder(path)
    with errors_of_writing(path):
        target = Path(path).resolve()
        temporary = _temporary_next_to(target)
    try:
        with errors_of_writing(path):
            temporary.mkdir()
        with errors_of_writing(path, temporary), _final_names(path, temporary):
            yield temporary
        with errors_of_writing(path):
            if target.is_dir():
                target.rmdir()  # fails if something was put there meanwhile
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _final_names(path: str | os.PathLike[str], temporary: Path) -> Iterator[None]:
    """Replaces paths in a temporary folder by their final ones, in messages."""
    try:
        yield
    except DataError as error:
        error.args = tuple(str(each).replace(str(temporary), str(path)) for each in error.args)
        raise


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """Checks that a folder is new or empty.

    Raises:
      DataError: It is not, is a file or a remote address, or cannot be read.
    """
    _refuse_remote(path)
    with errors_of_writing(path):
        target = Path(path)
        if target.is_dir() and any(target.iterdir()):
            raise not_empty_error(path)
        if target.exists() and not target.is_dir():
            raise DataError(f"cannot write to {path}: it is not a directory")


def not_empty_error(folder: str | os.PathLike[str]) -> DataError:
    """Returns the error about an output folder that has files in it."""
    return DataError(f"{folder} is not empty; choose another folder, or empty it first")


def _refuse_remote(path: str | os.PathLike[str]) -> None:
    if is_remote(path):
        raise DataError(f"{path} is a remote address; expected a local folder")


def is_writable(path: str | os.PathLike[str]) -> bool:
    """Returns whether permissions allow writing to an existing file or folder."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def refuse_links(paths: Iterable[Path], advice: str) -> None:
    """Refuses symbolic links: writing or removing there would change files elsewhere.

    Args:
      paths: Files and folders, existing or not. Folders are searched recursively.
      advice: What the message says after `PATH is a symbolic link`.

    Raises:
      DataError: One is a symbolic link, or contains one.
    """
    for path in paths:
        contents = (
            Path(folder, name)
            for folder, folders, files in os.walk(path)
            for name in (*folders, *files)
        )
        for each in itertools.chain([path], contents):  # path first: os.walk would enter it
            if each.is_symlink():
                raise DataError(f"{each} is a symbolic link{advice}")


def _temporary_next_to(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(_temporary_name(target.name))
    # A killed process with the same ID may have left one.
    if temporary.is_dir():
        shutil.rmtree(temporary)
    else:
        temporary.unlink(missing_ok=True)
    return temporary


def _temporary_name(name: str) -> str:
    """Returns a name that ends as `name` does, and is not longer if that is at its limit."""
    prefix = f".tmp-{os.getpid()}-"
    max_bytes = max(_MIN_NAME_BYTES, len(os.fsencode(name)) - len(prefix))
    while len(os.fsencode(name)) > max_bytes:
        name = name[1:]
    return prefix + name


@contextlib.contextmanager
def without_wildcards(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a path to a folder without wildcard characters, a temporary link if necessary.

    TensorFlow expands wildcards in checkpoint paths: it would not find weights in a folder `[a]`.
    """
    if not _WILDCARDS & set(str(folder)):
        yield Path(folder)
        return
    elsewhere = "/tmp" if _WILDCARDS & set(tempfile.gettempdir()) else None
    with tempfile.TemporaryDirectory(prefix="ssagan_tf-", dir=elsewhere) as temporary:
        link = Path(temporary) / "folder"
        link.symlink_to(Path(folder).resolve(), target_is_directory=True)
        yield link


@contextlib.contextmanager
def locked_folder(folder: str | os.PathLike[str], label: str = "") -> Iterator[None]:
    """Locks a folder against other processes that lock it, and creates it if necessary.

    The operating system releases the lock when the process ends, however it ends.

    Args:
      folder: Its path.
      label: What messages call it; its path if empty.

    Raises:
      DataError: Another process holds the lock, or the folder is remote or cannot be written.
    """
    _refuse_remote(folder)
    path = Path(folder) / LOCK_FILE
    with errors_of_writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file is truncated, so links are not followed where that can be asked for.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        file = os.fdopen(os.open(path, flags, 0o666), "a+")
    with file:
        if not _lock(file):
            file.seek(0)
            raise DataError(
                f"{label or folder} is in use by process {file.read().strip() or 'unknown'}; "
                "wait for it to finish, or stop it"
            )
        with errors_of_writing(path):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _lock(file: IO[str]) -> bool:
    """Locks an open file until it is closed. False if another process has locked it."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks
    elif msvcrt is not None:
        os.lseek(file.fileno(), _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    return True


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Removes temporary files left in `folder` by killed processes."""
    for path in Path(folder).glob(".tmp-*"):
        match = re.match(r"\.tmp-(\d+)-", path.name)
        if match and path.is_file() and not _is_alive(int(match[1])):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # owned by another user
    return True


def _concerns(temporary: Path, error: OSError) -> bool:
    """Returns whether an error is about the temporary file, or a file in the temporary folder.

    Where the disk is full, no file is named, or for a copy first the source and then the target.
    """
    if error.filename is None:
        return True
    names = (error.filename, error.filename2)
    paths = [Path(os.fsdecode(n)) for n in names if isinstance(n, str | bytes | os.PathLike)]
    return any(temporary in (path, *path.parents) for path in paths)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Returns the SHA-256 of a file's content, in hexadecimal."""
    checksum = hashlib.sha256()
    with as_path(path).open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest()
