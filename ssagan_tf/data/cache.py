"""Copies a prepared set to a local disk."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from ssagan_tf.data.dataset_info import SPLITS, PreparedSet, shard_problem
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file, sha256_of
from ssagan_tf.progress import ProgressCallback


def copy_to_cache(
    prepared: PreparedSet, folder: Path, report: ProgressCallback = lambda *_: None
) -> PreparedSet:
    """Copies the shards of a set, except those that have been copied before.

    Sets may share the folder: each has a subfolder, named after its fingerprint.

    Args:
      prepared: The set.
      folder: Where to put the copies.
      report: Called with the progress after each shard.

    Returns:
      The set, read from the copies.

    Raises:
      DataError: The disk is full, or a shard cannot be read or its checksum does not match.
    """
    target = folder / prepared.info.fingerprint[:16]
    if target.is_symlink():
        raise DataError(f"{target} is a symbolic link; remove it, or choose another --cache")
    shards = [shard for split in SPLITS for shard in prepared.shards(split)]
    for number, shard in enumerate(shards, 1):
        if shard_problem(target, shard):
            source = prepared.path(shard)
            try:
                with replacing_file(target / shard.name) as temporary:
                    with source.open("rb") as file, temporary.open("wb") as copy:
                        shutil.copyfileobj(file, copy, 1 << 24)
                    if sha256_of(temporary) != shard.sha256:
                        raise DataError(
                            f"{source} is corrupt: its checksum does not match; prepare the set "
                            "again"
                        )
            except OSError as error:
                raise DataError(f"cannot read {source}: {error.strerror or error}") from error
        report("copying the set", number, len(shards))
    return dataclasses.replace(prepared, folder=target, copies={})
