"""Remote paths such as s3://bucket/set: the part of `pathlib` that is used, on `tf.io.gfile`.

TensorFlow itself supports gs://; tensorflow-io, the extra `io`, adds s3://, hdfs://, az:// and
others. The shards are read by TensorFlow in any case, so everything goes through its clients: one
set of credentials and endpoints, and one view of what is there.
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


class RemoteStorageError(OSError):
    """Remote storage fails, or there is no disk space for a copy; the file may be fine."""


def as_path(path: str | os.PathLike[str]) -> AnyPath:
    """Returns a `pathlib.Path`, or a `RemotePath` for an address such as s3://bucket/set."""
    if isinstance(path, RemotePath):
        return path
    match = ADDRESS.match(str(path))
    if not match:
        return Path(path)
    return RemotePath(match[1].lower(), posixpath.normpath(str(path)[match.end() :]))


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is an address such as s3://bucket/set."""
    return isinstance(as_path(path), RemotePath)


def resolve(path: str | os.PathLike[str]) -> str:
    """Returns the path in a form that does not depend on the working directory."""
    return str(as_path(path).resolve())


@contextlib.contextmanager
def local_copy(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields the path of a local file: of a remote one, that of a temporary copy.

    Raises:
      FileNotFoundError: It does not exist.
      RemoteStorageError: It cannot be copied.
    """
    source = as_path(path)
    if isinstance(source, Path):
        yield str(path)
        return
    with contextlib.ExitStack() as stack:
        with _no_space_for(source):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssagan_tf-"))
        copy = os.path.join(folder, source.name)
        with source.open("rb") as file, _no_space_for(source), open(copy, "wb") as target:
            shutil.copyfileobj(file, target, 1 << 24)
        yield copy


@contextlib.contextmanager
def _no_space_for(path: RemotePath) -> Iterator[None]:
    try:
        yield
    except RemoteStorageError:
        raise
    except OSError as error:
        why = f"no space for a copy in {os.environ.get('TMPDIR', '/tmp')}"
        raise RemoteStorageError(error.errno, f"{why}: {error.strerror}", str(path)) from error


@dataclasses.dataclass(frozen=True)
class RemotePath(os.PathLike):
    """A path in remote storage.

    Its methods work like those of `pathlib.Path` and raise FileNotFoundError as they do; any other
    failure is a RemoteStorageError. Folders need not be created: they exist where a file does.

    Attributes:
      scheme: For example, s3.
      key: What follows the two slashes, beginning with a bucket or host.

    Raises:
      DataError: On first use, if no file system for the scheme is installed.
    """

    scheme: str
    key: str

    def __str__(self) -> str:
        slash = "" if "/" in self.key else "/"  # TensorFlow needs it after a bucket's name
        return f"{self.scheme}://{self.key}{slash}"

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
        """None if it does not exist. Unlike `gfile.isdir`, raises if the storage fails."""
        with self._errors():
            try:
                return self._gfile.stat(str(self)).is_directory
            except self._tf.errors.NotFoundError:
                if self.name in (self._names_in_parent() or ()):
                    raise
                return None

    def stat(self) -> types.SimpleNamespace:
        """Has `st_size` in bytes and `st_mtime_ns`, where the storage gives it; nothing else."""
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
        """Copies a local file here; object stores show it once it is complete."""
        with self._errors():
            self._gfile.makedirs(str(self._parent))  # HDFS needs it
            self._gfile.copy(str(file), str(self), overwrite=True)

    @property
    def _tf(self) -> Any:
        return _tensorflow(self.scheme)

    @property
    def _gfile(self) -> Any:
        return self._tf.io.gfile

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turns TensorFlow's errors into OSErrors about this path."""
        errors = self._tf.errors
        try:
            yield
        except errors.OpError as error:
            why = " ".join(error.message.split()).strip(": ") or type(error).__name__
            if not isinstance(error, errors.NotFoundError):
                raise RemoteStorageError(errno.EIO, why, str(self)) from error
            if not self._is_missing():
                why = f"{why}, or the server does not respond"
                raise RemoteStorageError(errno.EIO, why, str(self)) from error
            raise FileNotFoundError(errno.ENOENT, why, str(self)) from error

    def _is_missing(self) -> bool:
        """Whether it does not exist; TensorFlow's S3 also says so where no server responds."""
        names = self._names_in_parent()
        return names is not None and self.name not in names

    def _names_in_parent(self) -> set[str] | None:
        try:
            return {name.rstrip("/") for name in self._gfile.listdir(str(self._parent))}
        except self._tf.errors.OpError:
            return None

    @property
    def _parent(self) -> RemotePath:
        return dataclasses.replace(self, key=posixpath.dirname(self.key))


class _Reader(io.RawIOBase):
    """A remote file, open for reading: a `GFile` with the interface and errors of `io`."""

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
    """Returns the size of an open file in bytes, without seeking: remote storage reads then."""
    return file.length if isinstance(file, _Reader) else os.fstat(file.fileno()).st_size


@functools.cache
def _tensorflow(scheme: str) -> Any:
    """Returns TensorFlow, with a file system for the scheme.

    Raises:
      DataError: There is none.
    """
    load_tensorflow()
    import tensorflow as tf

    schemes = tf.io.gfile.get_registered_schemes
    if scheme in schemes():
        return tf
    # As few attempts as Amazon's other tools make: by default the library retries for minutes.
    os.environ.setdefault("AWS_RETRY_MODE", "standard")
    try:
        import tensorflow_io  # noqa: F401  registers its file systems
    except Exception as error:  # also if its libraries do not fit this TensorFlow
        raise DataError(
            f"{scheme}:// needs tensorflow-io: pip install 'ssagan_tf[io]' in an environment of "
            "its own, as it needs TensorFlow 2.16"
        ) from error
    if multiprocessing.parent_process() is not None:  # see `cli.py`
        atexit.register(os._exit, 0)
    if scheme not in schemes():
        raise DataError(
            f"{scheme}:// is unknown; expected one of " + ", ".join(sorted(filter(None, schemes())))
        )
    return tf


def no_such_folder(path: AnyPath) -> str:
    """Returns what to report about a folder that was not found."""
    if isinstance(path, RemotePath):  # some storage that does not respond reports the same
        return "no such folder, or access is denied, or the server does not respond"
    return "no such folder"


def why_unreachable(path: str | os.PathLike[str]) -> str | None:
    """Returns why it is unknown whether a path exists; None if it is known."""
    try:
        as_path(path).exists()
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    return None
