"""What `prepare` writes into a folder, and what it says of one that holds something already."""

from __future__ import annotations

import re

from ssagan_tf.data import inspection
from ssagan_tf.data.info import FILE_NAME, SHARD_PATTERN
from ssagan_tf.errors import DataError
from ssagan_tf.remote import AnyPath

SPOOL = ".spool"  # on this machine: the clips that were read; the mark of unfinished work
OWNER = ".owner"  # in a store: the mark of who sends
KEPT = "what is finished is kept, and the same command goes on"
_OTHER_FILES = (FILE_NAME, OWNER, inspection.SHEET, inspection.HISTOGRAM)  # than shards


def is_ours(name: str) -> bool:
    """Whether a file of this name may be the rest of an interrupted `prepare`."""
    name = re.sub(r"^\.tmp-\d+-", "", name)  # temporary names end in the final one
    return name in _OTHER_FILES or SHARD_PATTERN.fullmatch(name) is not None


def holds_a_set(output: AnyPath) -> DataError:
    """The error of a folder with a prepared set."""
    return DataError(f"{output} holds a prepared set already; choose another --output or remove it")


def holds_something(output: AnyPath) -> DataError:
    """The error of a folder with files that are not ours."""
    return DataError(f"the folder {output} holds something already; name another or empty it")
