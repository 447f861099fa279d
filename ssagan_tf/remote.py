"""Paths of other machines, such as s3://bucket/set: what is used of `pathlib`, by `tf.io.gfile`.

TensorFlow itself knows gs://; tensorflow-io, the extra `io`, adds s3://, hdfs://, az:// and others.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import errno
import functools
import io
import multiprocessing
import os
import posixpath
import shutil
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ssagan_tf.errors import DataError
from ssagan_tf.options import ADDRESS
from ssagan_tf.startup import load_tensorflow


class StoreError(OSError):
    """A store fails, or there is no room for a copy of what lies there: no fault of the file."""


def as_path(path: str | os.PathLike[str]) -> AnyPath:
    """A path of this machine, or of another."""
    if isinstance(path, RemotePath):
        return path
    match = ADDRESS.match(str(path))
    if not match:
        return Path(path)
    return RemotePath(match[1].lower(), posixpath.normpath(str(path)[match.end() :]))


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is an address, as s3://bucket/set is."""
    return isinstance(as_path(path), RemotePath)


def resolve(path: str | os.PathLike[str]) -> str:
    """The path as it can be kept for another working directory."""
    there = as_path(path)
    return str(there if isinstance(there, RemotePath) else there.resolve())


@contextlib.contextmanager
def local_copy(path: str | os.PathLike[str]) -> Iterator[str]:
    """A file on this machine: itself, or for the moment a copy of it.

    Raises:
      FileNotFoundError: There is none.
      StoreError: It cannot be copied.
    """
    there = as_path(path)
    if isinstance(there, Path):
        yield str(path)
        return
    with contextlib.ExitStack() as stack:
        with _no_room(there):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssagan_tf-"))
        copy = os.path.join(folder, there.name)
        with there.open("rb") as file, _no_room(there), open(copy, "wb") as target:
            shutil.copyfileobj(file, target, 1 << 24)
        yield copy


@contextlib.contextmanager
def _no_room(path: RemotePath) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        why = f"there is no room for a copy in {os.environ.get('TMPDIR', '/tmp')}"
        raise StoreError(error.errno, f"{why}: {error.strerror}", str(path)) from error


@dataclasses.dataclass(frozen=True)
class RemotePath(os.PathLike):
    """A path of another machine.

    Its methods do what those of `pathlib.Path` do, and raise FileNotFoundError as they do; whatever
    else goes wrong is a StoreError. Folders need not be made: they are there where a file lies
    below them.

    Attributes:
      scheme: Such as s3.
      key: What follows the slashes; its first part is a bucket, or a host.

    Raises:
      DataError: On first use: no file system of this scheme is installed.
    """

    scheme: str
    key: str

    def __str__(self) -> str:
        bucket = "" if "/" in self.key else "/"  # TensorFlow wants it
        return f"{self.scheme}://{self.key}{bucket}"

    def __fspath__(self) -> str:
        return str(self)

    def __truediv__(self, name: str) -> AnyPath:
        if name.startswith("/"):
            return Path(name)
        return as_path(f"{self}/{name}")

    @property
    def name(self) -> str:
        return posixpath.basename(self.key)

    def resolve(self) -> RemotePath:
        return self

    def exists(self) -> bool:
        return self._is_dir() is not None

    def is_file(self) -> bool:
        return self._is_dir() is False

    def is_dir(self) -> bool:
        return self._is_dir() is True

    def _is_dir(self) -> bool | None:
        """None where there is nothing. Unlike `gfile.isdir`, tells this from failure."""
        with self._errors():
            try:
                return self._gfile.stat(str(self)).is_directory
            except self._tf.errors.NotFoundError:
                if self.name in (self._listed_beside() or ()):
                    raise
                return None

    def stat(self) -> types.SimpleNamespace:
        """Its `st_size` in bytes and `st_mtime_ns`, where the store tells, and nothing else."""
        with self._errors():
            stat = self._gfile.stat(str(self))
        return types.SimpleNamespace(st_size=stat.length, st_mtime_ns=stat.mtime_nsec)

    def iterdir(self) -> Iterator[RemotePath]:
        with self._errors():
            names = {name.rstrip("/") for name in self._gfile.listdir(str(self))} - {""}
        return (dataclasses.replace(self, key=f"{self.key}/{name}") for name in sorted(names))

    def open(self, mode: Literal["rb"] = "rb") -> BinaryIO:
        return _Reader(self)

    def read_bytes(self) -> bytes:
        with self.open("rb") as file:
            return file.read()

    def unlink(self) -> None:
        with self._errors():
            self._gfile.remove(str(self))

    def upload(self, file: Path) -> None:
        """Puts the content of a file of this machine here; stores show it once it is whole."""
        with self._errors():
            self._gfile.makedirs(str(self._parent))  # HDFS wants it
            self._gfile.copy(str(file), str(self), overwrite=True)

    @property
    def _tf(self) -> Any:
        return _tensorflow(self.scheme)

    @property
    def _gfile(self) -> Any:
        return self._tf.io.gfile

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """TensorFlow's errors as those of the system, with this path."""
        errors = self._tf.errors
        try:
            yield
        except errors.OpError as error:
            why = " ".join(error.message.split()).strip(": ") or type(error).__name__
            if not isinstance(error, errors.NotFoundError):
                raise StoreError(errno.EIO, why, str(self)) from error
            if not self._is_missing():
                why = f"{why}, or the store does not answer"
                raise StoreError(errno.EIO, why, str(self)) from error
            raise FileNotFoundError(errno.ENOENT, why, str(self)) from error

    def _is_missing(self) -> bool:
        """Whether what was not found is not there. S3 that does not answer looks so, too."""
        names = self._listed_beside()
        return names is not None and self.name not in names

    def _listed_beside(self) -> set[str] | None:
        try:
            return {name.rstrip("/") for name in self._gfile.listdir(str(self._parent))}
        except self._tf.errors.OpError:
            return None

    @property
    def _parent(self) -> RemotePath:
        return dataclasses.replace(self, key=posixpath.dirname(self.key))


class _Reader(io.RawIOBase):
    """A file that is read where it is; `io` knows nothing of GFile."""

    def __init__(self, path: RemotePath):
        self._path = path
        with path._errors():
            self._file = path._gfile.GFile(str(path), "rb")
            self.length = self._file.size()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._path._errors():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        with self._path._errors():
            return self._file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.length}[whence]
        with self._path._errors():
            self._file.seek(base + offset)
        return self.tell()

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


AnyPath = Path | RemotePath


def length_of(file: BinaryIO) -> int:
    """Bytes of an open file, without a step to its end, which a store takes as a reading."""
    return file.length if isinstance(file, _Reader) else os.fstat(file.fileno()).st_size


@functools.cache
def _tensorflow(scheme: str) -> Any:
    """TensorFlow, when it has a file system for the scheme."""
    load_tensorflow()
    import tensorflow as tf

    schemes = tf.io.gfile.get_registered_schemes
    if scheme in schemes():
        return tf
    # Few attempts, like Amazon's other tools: by itself the library asks for minutes.
    os.environ.setdefault("AWS_RETRY_MODE", "standard")
    try:
        import tensorflow_io  # noqa: F401  adds its file systems
    except Exception as error:  # of libraries that fit another TensorFlow, too
        raise DataError(
            f"{scheme}:// needs tensorflow-io: pip install 'ssagan_tf[io]' in an environment of "
            "its own, as it comes with TensorFlow 2.16"
        ) from error
    if multiprocessing.parent_process() is not None:  # see `program`
        atexit.register(os._exit, 0)
    if scheme not in schemes():
        raise DataError(
            f"{scheme}:// is unknown; there are {', '.join(sorted(filter(None, schemes())))}"
        )
    return tf


def no_such_folder(path: AnyPath) -> str:
    """What is said of a folder that is not there. Some stores that do not answer look so, too."""
    if isinstance(path, RemotePath):
        return "no such folder, or the store does not let us in or does not answer"
    return "no such folder"


def why_unreachable(path: str | os.PathLike[str]) -> str | None:
    """Why it cannot even be told whether something is there; None if it can."""
    try:
        as_path(path).exists()
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    return None
