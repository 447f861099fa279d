"""The files that `prepare` writes into its output folder, and errors about a folder with others."""

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

SPOOL = ".spool"  # local: the clips read so far; marks unfinished work
OWNER = ".owner"  # remote: identifies who is uploading
RESUME = "finished work is kept; run the same command to resume"
_OTHER_FILES = (FILE_NAME, OWNER, inspection.SHEET, inspection.HISTOGRAM)  # in addition to shards


def is_output_file(name: str) -> bool:
    """Returns whether `prepare` writes files of this name, complete or temporary."""
    name = re.sub(r"^\.tmp-\d+-", "", name)  # temporary names end with the final one
    return name in _OTHER_FILES or SHARD_PATTERN.fullmatch(name) is not None


def clear_if_changed(digest_file: Path, digest: str, clear: Callable[[], None]) -> None:
    """Keeps earlier work if settings and source files are still the same, else clears it.

    Args:
      digest_file: Holds the digest that the earlier work was for.
      digest: Digest of settings and source files.
      clear: Removes the earlier work.
    """
    try:
        same = limits.read_text(digest_file, limits.NOTE_BYTES) == digest
    except (OSError, ValueError):
        same = False
    if not same:
        clear()
        with replacing_file(digest_file) as temporary:
            temporary.write_text(digest)


def already_prepared(output: AnyPath) -> DataError:
    """Returns the error about an output folder that contains a prepared set."""
    return DataError(
        f"{output} already contains a prepared set; choose another --output, or remove it"
    )
