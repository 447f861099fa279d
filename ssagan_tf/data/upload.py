"""A set for a store: it is made in a folder of this machine, then sent.

A store has no locks. Who sends leaves a mark there first, and looks for it before each file: of two
who send to one address, the one that came later goes on and the other stops. What was on its way at
that moment may still arrive, and then the checksums, which `verify` looks at, tell.
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
    KEPT,
    OWNER,
    holds_a_set,
    holds_something,
    is_ours,
    keep_or_clear,
)
from ssagan_tf.errors import DataError
from ssagan_tf.files import errors_of_writing, locked_folder
from ssagan_tf.progress import Report
from ssagan_tf.remote import RemotePath

_SET = "set"
_PLAN = "plan"  # of which settings and files the set is
_USER = os.getuid() if hasattr(os, "getuid") else 0  # Windows: every file's owner is 0


def check(output: RemotePath, settings: Mapping[str, Any]) -> None:
    """Checks that a set may be sent to an address.

    Raises:
      DataError: It holds something that is not the rest of an interrupted `prepare`.
    """
    there = {path.name: path for path in output.iterdir()}
    if FILE_NAME in there:
        made = folder_of(output) / _SET
        if not _is_sent(made, there) or read_info(made).settings != settings:
            raise _holds_another(output)
    if not all(map(is_ours, there)):
        raise holds_something(output)


def is_begun(output: RemotePath) -> bool:
    """Whether something for this address was made on this machine, and not sent yet."""
    return (folder_of(output) / _SET).exists()


def clear(output: RemotePath) -> None:
    """Removes what an interrupted `prepare`, perhaps of another machine, sent to an address.

    Raises:
      DataError: A set is there by now, or something cannot be removed.
    """
    with errors_of_writing(output):
        there = {path.name: path for path in output.iterdir()} if output.is_dir() else {}
        if FILE_NAME in there:
            raise holds_a_set(output)
        for name, path in there.items():
            if is_ours(name):
                path.unlink()


@contextlib.contextmanager
def workplace(output: RemotePath, plan: str) -> Iterator[Path]:
    """A folder of this machine to make the set in, removed if all goes well.

    After an interruption it holds what was made before, if that was of the same plan.

    Args:
      output: Where the set will be sent.
      plan: Digest of settings and files.

    Raises:
      DataError: Another process makes a set for this address, or the folder cannot be written.
    """
    place = folder_of(output)
    with errors_of_writing(place.parent):
        place.parent.mkdir(mode=0o700, exist_ok=True)
        about = place.parent.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != _USER:
            raise DataError(f"{place.parent} is no folder of this user; remove it, or set TMPDIR")
    with locked_folder(place, str(output)):

        def clear() -> None:
            (place / OWNER).unlink(missing_ok=True)  # what was sent is of another plan, too
            shutil.rmtree(place / _SET, ignore_errors=True)

        keep_or_clear(place / _PLAN, plan, clear)
        try:
            yield place / _SET
        except BaseException:
            if not (place / _SET).exists():
                shutil.rmtree(place, ignore_errors=True)
            raise
        shutil.rmtree(place, ignore_errors=True)


def send(made: Path, output: RemotePath, report: Report) -> None:
    """Sends a set; `dataset_info.json` comes last, as on a disk.

    Args:
      made: The set, in a `workplace`.
      output: Where to.
      report: Called as the work goes on.

    Raises:
      DataError: Something else lies there, somebody else sends to it, or it cannot be written.
    """
    try:
        _send(made, output, report)
    except OSError as error:
        raise DataError(f"cannot write {output}: {error.strerror or error}; {KEPT}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(KEPT) from None


def _send(made: Path, output: RemotePath, report: Report) -> None:
    what = f"sending to {output}"
    there = {path.name: path for path in output.iterdir()} if output.is_dir() else {}
    if _is_sent(made, there):  # killed when only the mark was left to be removed
        _remove_mark(output)
        return
    if FILE_NAME in there:
        raise _holds_another(output)
    if not all(map(is_ours, there)):
        raise holds_something(output)

    mark = made.parent / OWNER
    ours = OWNER in there and mark.exists() and _reads(there[OWNER]) == mark.read_bytes()
    sizes = _sizes(made)
    sent = {name for name in there if ours and _size(there[name]) == sizes.get(name)}
    for name, path in there.items():
        if name not in sent and not (ours and name == OWNER):
            path.unlink()
    if not ours:
        mark.write_text(uuid.uuid4().hex)
        (output / OWNER).upload(mark)

    names = sorted(sizes, key=lambda name: (name == FILE_NAME, name))
    for number, name in enumerate(names):
        report(what, number, len(names))
        if name in sent:
            continue
        _check_mark(mark, output)
        if name == FILE_NAME and not _all_there(made, output):
            raise _somebody_else(output)
        (output / name).upload(made / name)
    _check_mark(mark, output)
    _remove_mark(output)
    report(what, len(names), len(names))


def folder_of(output: RemotePath) -> Path:
    """Where the set for an address is made: named by it, so that the same command finds it."""
    name = hashlib.sha256(str(output).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ssagan_tf-{_USER}" / name


def _is_sent(made: Path, there: Mapping[str, RemotePath]) -> bool:
    """Whether the set that lies there is the one that was made here."""
    here = made / FILE_NAME
    return FILE_NAME in there and here.exists() and _reads(there[FILE_NAME]) == here.read_bytes()


def _all_there(made: Path, output: RemotePath) -> bool:
    """Whether all but the description arrived, and nothing beside it."""
    there = {path.name: _size(path) for path in output.iterdir() if path.name != OWNER}
    return there == {name: size for name, size in _sizes(made).items() if name != FILE_NAME}


def _sizes(made: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in made.iterdir()}


def _size(path: RemotePath) -> int:
    return path.stat().st_size


def _reads(path: RemotePath) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remove_mark(output: RemotePath) -> None:
    with contextlib.suppress(FileNotFoundError):
        (output / OWNER).unlink()


def _check_mark(mark: Path, output: RemotePath) -> None:
    if _reads(output / OWNER) != mark.read_bytes():
        raise _somebody_else(output)


def _holds_another(output: RemotePath) -> DataError:
    error = holds_a_set(output)
    if is_begun(output):
        return DataError(f"{error}. What was made for it here is in {folder_of(output)}")
    return error


def _somebody_else(output: RemotePath) -> DataError:
    return DataError(
        f"somebody else writes to {output} as well, and this prepare has stopped; name another "
        f"--output, or wait for their end: {KEPT}"
    )
