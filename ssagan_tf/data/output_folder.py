"""What `prepare` writes into a folder, and what it says of one that holds something already."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ssagan_tf import limits
from ssagan_tf.data import inspection
from ssagan_tf.data.dataset_info import FILE_NAME, SHARD_PATTERN
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file
from ssagan_tf.remote import AnyPath

SPOOL = ".spool"  # on this machine: the clips that were read; the mark of unfinished work
OWNER = ".owner"  # in a store: the mark of who sends
KEPT = "what is finished is kept, and the same command goes on"
_OTHER_FILES = (FILE_NAME, OWNER, inspection.SHEET, inspection.HISTOGRAM)  # than shards


def is_ours(name: str) -> bool:
    """Whether a file of this name may be the rest of an interrupted `prepare`."""
    name = re.sub(r"^\.tmp-\d+-", "", name)  # temporary names end in the final one
    return name in _OTHER_FILES or SHARD_PATTERN.fullmatch(name) is not None


def keep_or_clear(mark: Path, plan: str, clear: Callable[[], None]) -> None:
    """Leaves what was made by the same plan, and clears away what was made by another.

    Args:
      mark: File that says which plan it was.
      plan: Digest of settings and files.
      clear: Removes what was made.
    """
    try:
        same = limits.read_text(mark, limits.NOTE_BYTES) == plan
    except (OSError, ValueError):
        same = False
    if not same:
        clear()
        with replacing_file(mark) as temporary:
            temporary.write_text(plan)


def holds_a_set(output: AnyPath) -> DataError:
    """The error of a folder with a prepared set."""
    return DataError(f"{output} holds a prepared set already; choose another --output or remove it")


def holds_something(output: AnyPath) -> DataError:
    """The error of a folder with files that are not ours."""
    return DataError(f"the folder {output} holds something already; name another or empty it")
