"""Prepared sets for remote storage: written to a local staging folder, then uploaded.

Object stores have no locks. An uploader first leaves a marker there, and checks it before each
file: of two that upload to one address, the later one continues and the earlier one stops. A file
that was being sent at that moment may still arrive; `verify` then finds it by its checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ssagan_tf.data.dataset_info import FILE_NAME, read_info
from ssagan_tf.data.output_folder import (
    OWNER,
    RESUME,
    already_prepared,
    clear_if_changed,
    is_output_file,
)
from ssagan_tf.errors import DataError
from ssagan_tf.files import errors_of_writing, locked_folder, not_empty_error
from ssagan_tf.progress import ProgressCallback
from ssagan_tf.remote import RemotePath

_SET = "set"
_DIGEST_FILE = "plan"  # of the settings and source files that the set is made from
_USER = os.getuid() if hasattr(os, "getuid") else 0  # Windows: every file's owner is 0


def check_output(output: RemotePath, settings: Mapping[str, Any]) -> None:
    """Checks that a set may be uploaded to an address.

    Raises:
      DataError: Something is there that was not left by an interrupted `prepare`.
    """
    files = _list(output)
    if FILE_NAME in files:
        local_set = staging_path(output) / _SET
        if not _is_uploaded(local_set, files) or read_info(local_set).settings != settings:
            raise _other_set(output)
    if not all(map(is_output_file, files)):
        raise not_empty_error(output)


def is_interrupted(output: RemotePath) -> bool:
    """Returns whether this machine has a set for the address that is not uploaded completely."""
    return (staging_path(output) / _SET).exists()


def clear(output: RemotePath) -> None:
    """Removes what interrupted uploads, also from other machines, left at an address.

    Raises:
      DataError: There is a complete set by now, or a file cannot be removed.
    """
    with errors_of_writing(output):
        files = _list(output)
        if FILE_NAME in files:
            raise already_prepared(output)
        for name, path in files.items():
            if is_output_file(name):
                path.unlink()


@contextlib.contextmanager
def staging_folder(output: RemotePath, digest: str) -> Iterator[Path]:
    """Yields a local folder to write a set to; it is removed on success.

    After an interruption it still contains earlier work, if that was for the same digest.

    Args:
      output: Where the set will be uploaded.
      digest: Digest of settings and source files.

    Raises:
      DataError: Another process prepares a set for this address, or the folder cannot be written.
    """
    staging = staging_path(output)
    with errors_of_writing(staging.parent):
        staging.parent.mkdir(mode=0o700, exist_ok=True)
        status = staging.parent.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != _USER:
            raise DataError(
                f"{staging.parent} is not a directory of this user; remove it, or set TMPDIR"
            )
    with locked_folder(staging, str(output)):

        def clear_staging() -> None:
            (staging / OWNER).unlink(missing_ok=True)  # what was uploaded is outdated, too
            shutil.rmtree(staging / _SET, ignore_errors=True)

        clear_if_changed(staging / _DIGEST_FILE, digest, clear_staging)
        try:
            yield staging / _SET
        except BaseException:
            if not (staging / _SET).exists():
                shutil.rmtree(staging, ignore_errors=True)
            raise
        shutil.rmtree(staging, ignore_errors=True)


def upload_set(local_set: Path, output: RemotePath, report: ProgressCallback) -> None:
    """Uploads a set; `dataset_info.json` comes last, as on a local disk.

    Args:
      local_set: The set, in a `staging_folder`.
      output: Where to upload it.
      report: Called with the progress.

    Raises:
      DataError: Other files are there, another process uploads to it, or it cannot be written.
    """
    try:
        _upload(local_set, output, report)
    except OSError as error:
        raise DataError(f"cannot write {output}: {error.strerror or error}; {RESUME}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(RESUME) from None


def _upload(local_set: Path, output: RemotePath, report: ProgressCallback) -> None:
    what = f"uploading to {output}"
    files = _list(output)
    if _is_uploaded(local_set, files):  # killed when only the marker was left to be removed
        _remove_marker(output)
        return
    if FILE_NAME in files:
        raise _other_set(output)
    if not all(map(is_output_file, files)):
        raise not_empty_error(output)

    marker = local_set.parent / OWNER
    is_owner = OWNER in files and marker.exists() and _read(files[OWNER]) == marker.read_bytes()
    sizes = _local_sizes(local_set)
    uploaded = {name for name in files if is_owner and _size(files[name]) == sizes.get(name)}
    for name, path in files.items():
        if name not in uploaded and not (is_owner and name == OWNER):
            path.unlink()
    if not is_owner:
        marker.write_text(uuid.uuid4().hex)
        (output / OWNER).upload(marker)

    names = sorted(sizes, key=lambda name: (name == FILE_NAME, name))
    for number, name in enumerate(names):
        report(what, number, len(names))
        if name in uploaded:
            continue
        _check_marker(marker, output)
        if name == FILE_NAME and not _is_complete(local_set, output):
            raise _another_uploader(output)
        (output / name).upload(local_set / name)
    _check_marker(marker, output)
    _remove_marker(output)
    report(what, len(names), len(names))


def staging_path(output: RemotePath) -> Path:
    """Returns where the set for an address is staged, the same for every run of the command."""
    name = hashlib.sha256(str(output).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ssagan_tf-{_USER}" / name


def _list(output: RemotePath) -> dict[str, RemotePath]:
    return {path.name: path for path in output.iterdir()} if output.is_dir() else {}


def _is_uploaded(local_set: Path, files: Mapping[str, RemotePath]) -> bool:
    """Whether the complete set at the address is the local one."""
    info = local_set / FILE_NAME
    return FILE_NAME in files and info.exists() and _read(files[FILE_NAME]) == info.read_bytes()


def _is_complete(local_set: Path, output: RemotePath) -> bool:
    """Whether all but the description is uploaded, and nothing else is there."""
    sizes = {name: _size(path) for name, path in _list(output).items() if name != OWNER}
    return sizes == {n: size for n, size in _local_sizes(local_set).items() if n != FILE_NAME}


def _local_sizes(local_set: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in local_set.iterdir()}


def _size(path: RemotePath) -> int:
    return path.stat().st_size


def _read(path: RemotePath) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remove_marker(output: RemotePath) -> None:
    with contextlib.suppress(FileNotFoundError):
        (output / OWNER).unlink()


def _check_marker(marker: Path, output: RemotePath) -> None:
    if _read(output / OWNER) != marker.read_bytes():
        raise _another_uploader(output)


def _other_set(output: RemotePath) -> DataError:
    error = already_prepared(output)
    if is_interrupted(output):
        return DataError(f"{error}. The local set for it is in {staging_path(output)}")
    return error


def _another_uploader(output: RemotePath) -> DataError:
    return DataError(
        f"another process is uploading to {output}, so this one has stopped; choose another "
        f"--output, or wait until it has finished: {RESUME}"
    )
