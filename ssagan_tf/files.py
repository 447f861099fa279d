"""Writing so that a file or folder is there as a whole or not at all, and what goes wrong."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ssagan_tf.errors import DataError
from ssagan_tf.remote import RemotePath, as_path, is_remote

LOCK_FILE = ".lock"
_WILDCARDS = set("*?[]\\")
_SHORT = 100  # bytes of a name that every file system has room for more of


@contextlib.contextmanager
def errors_of_writing(
    path: str | os.PathLike[str], temporary: Path | None = None
) -> Iterator[None]:
    """Makes errors of writing one line about `path`.

    Args:
      path: What is to be written, as it is called in the message.
      temporary: Where it is written for now. Errors about other files are then raised as they are.

    Raises:
      DataError: There was an OSError.
    """
    try:
        yield
    except OSError as error:
        if temporary is not None and not _about(temporary, error):
            raise
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def replacing_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path to write to, which becomes `path` if all goes well.

    It lies beside the target and has its suffix; what is for another machine is written here
    first, and sent. Whatever is raised in between, the temporary file is removed and an older file
    at `path` stays as it was. Parent folders are made.

    Raises:
      DataError: The file cannot be written: no permission, disk full, a folder is in its place.
        Errors of the caller's that are about other files are raised as they are.
    """
    there = as_path(path)
    if isinstance(there, RemotePath):
        with tempfile.TemporaryDirectory(prefix="ssagan_tf-") as folder:
            yield Path(folder) / there.name
            with errors_of_writing(path):
                there.upload(Path(folder) / there.name)
        return
    check_new_file(path)
    with errors_of_writing(path):
        temporary = _beside(target := Path(path).resolve())
    try:
        with errors_of_writing(path):
            temporary.touch()  # an unwritable place shows before the work, not after it
        with errors_of_writing(path, temporary):
            yield temporary
        with errors_of_writing(path):
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())  # what has its name is whole after a power cut, too
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_new_file(path: str | os.PathLike[str]) -> None:
    """Refuses what can be no file's path, and that of a folder, before there is anything to write.

    Raises:
      DataError: A folder has it, or its last part is longer than the file system's may be.
    """
    with errors_of_writing(path):
        target = Path(path).resolve()
        if target.is_dir():
            raise DataError(f"cannot write {path}: it is a folder")
        there = next(filter(Path.is_dir, target.parents))
        with contextlib.suppress(FileNotFoundError):
            (there / target.name).lstat()


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary folder to fill, which becomes `path` if all goes well.

    Whatever is raised in between, the temporary folder is removed. Parent folders are made.

    Raises:
      DataError: `path` holds something already, is a file or on another machine, or the folder
        cannot be written.
    """
    check_new_folder(path)
    with errors_of_writing(path):
        target = Path(path).resolve()
        temporary = _beside(target)
    try:
        with errors_of_writing(path):
            temporary.mkdir()
        with errors_of_writing(path, temporary), _named(path, temporary):
            yield temporary
        with errors_of_writing(path):
            if target.is_dir():
                target.rmdir()  # refuses if something came in meanwhile
            os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _named(path: str | os.PathLike[str], temporary: Path) -> Iterator[None]:
    """Calls what is in a temporary folder as it is called in the end, in messages."""
    try:
        yield
    except DataError as error:
        error.args = tuple(str(each).replace(str(temporary), str(path)) for each in error.args)
        raise


def check_new_folder(path: str | os.PathLike[str]) -> None:
    """Refuses a folder that is not to be written to: one must be new or empty.

    Raises:
      DataError: It holds something, is a file or on another machine, or cannot be looked at.
    """
    _refuse_remote(path)
    with errors_of_writing(path):
        target = Path(path)
        if target.is_dir() and any(target.iterdir()):
            raise DataError(
                f"the folder {path} holds something already; name another or empty it first"
            )
        if target.exists() and not target.is_dir():
            raise DataError(f"cannot write the folder {path}: a file has this name")


def _refuse_remote(path: str | os.PathLike[str]) -> None:
    if is_remote(path):
        raise DataError(f"{path} is on another machine; this is written to a folder of this one")


def is_writable(path: str | os.PathLike[str]) -> bool:
    """Whether a file or folder that is there may be written, as far as permissions tell."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def refuse_links(paths: Iterable[Path], advice: str) -> None:
    """Refuses links: what is written or removed there would lie elsewhere.

    Args:
      paths: Files and folders, which need not be there. All that is in the folders counts.
      advice: How the message ends that begins with `PATH is a link`.

    Raises:
      DataError: One is a link, or holds one.
    """
    for path in paths:
        inside = (
            Path(folder, name)
            for folder, folders, files in os.walk(path)
            for name in (*folders, *files)
        )
        for each in itertools.chain([path], inside):  # in this order: the walk enters a first link
            if each.is_symlink():
                raise DataError(f"{each} is a link{advice}")


def _beside(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(_temporary_name(target.name))
    # What a killed process of the same number may have left.
    if temporary.is_dir():
        shutil.rmtree(temporary)
    else:
        temporary.unlink(missing_ok=True)
    return temporary


def _temporary_name(name: str) -> str:
    """Ends as the name does, and is no longer than a long one: that may have all that there is."""
    prefix = f".tmp-{os.getpid()}-"
    most = max(_SHORT, len(os.fsencode(name)) - len(prefix))
    while len(os.fsencode(name)) > most:
        name = name[1:]
    return prefix + name


@contextlib.contextmanager
def without_wildcards(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a path to a folder that TensorFlow takes as it is, for as long as it reads there.

    In those of checkpoints it looks for wildcards: the weights in a folder `[a]` are not found.
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
def locked_folder(folder: str | os.PathLike[str], called: str = "") -> Iterator[None]:
    """Keeps other processes from working in a folder at the same time.

    The system lets go of the lock when its process ends, however it ends. The folder is made.

    Args:
      folder: Its path.
      called: What it is in messages, if not its path.

    Raises:
      DataError: Another process works in it, it is on another machine, or it cannot be written.
    """
    _refuse_remote(folder)
    path = Path(folder) / LOCK_FILE
    with errors_of_writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not through a link: the file is cut off.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        file = os.fdopen(os.open(path, flags, 0o666), "a+")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise DataError(
                f"process {file.read().strip() or 'unknown'} is at work in {called or folder}; "
                "wait for its end, or stop it"
            ) from error
        except OSError:
            pass  # a file system without locks
        with errors_of_writing(path):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Removes the temporary files of processes that were killed while they wrote into `folder`."""
    for path in Path(folder).glob(".tmp-*"):
        match = re.match(r"\.tmp-(\d+)-", path.name)
        if match and path.is_file() and not _is_alive(int(match[1])):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _about(temporary: Path, error: OSError) -> bool:
    """Whether an error is about what is written.

    A full disk names no file, or in a copy the one that is read and then the one that is written.
    """
    if error.filename is None:
        return True
    names = (error.filename, error.filename2)
    paths = [Path(os.fsdecode(n)) for n in names if isinstance(n, str | bytes | os.PathLike)]
    return any(temporary in (path, *path.parents) for path in paths)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    checksum = hashlib.sha256()
    with as_path(path).open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest()
