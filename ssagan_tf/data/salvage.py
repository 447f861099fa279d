"""Salvages damaged sets: copies damaged shards without their damaged records."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssagan_tf import limits
from ssagan_tf.data.dataset_info import SPLITS, PreparedSet, Shard
from ssagan_tf.data.tfrecord_format import read_records
from ssagan_tf.errors import DataError
from ssagan_tf.files import replacing_file, sha256_of
from ssagan_tf.progress import ProgressCallback
from ssagan_tf.remote import AnyPath

COPIES_FILE = "copies.json"  # for each copied shard, which records are left out


def write_salvaged(
    prepared: PreparedSet, folder: Path, report: ProgressCallback = lambda *_: None
) -> list[str]:
    """Copies the intact records of damaged shards.

    Args:
      prepared: The set; its shards are not changed.
      folder: Where to write the copies. Those of an earlier call are used again.
      report: Called with the progress after each shard.

    Returns:
      A line for each damaged shard: which records are left out.

    Raises:
      DataError: A shard cannot be read, or a copy cannot be written.
    """
    known, copies, lines = _copies(folder), {}, []
    shards = [shard for split in SPLITS for shard in prepared.shards(split)]
    for number, shard in enumerate(shards):
        path = prepared.path(shard)
        try:
            checksum = sha256_of(path)
            if checksum != shard.sha256:
                copy = known.get(shard.name)
                if copy is None or copy["of"] != checksum or not (folder / shard.name).is_file():
                    copy = {"of": checksum, **_copy(path, folder / shard.name)}
                copies[shard.name] = copy
                lines.append(_line(path, shard, copy))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        report("checking records", number + 1, len(shards))
    if copies or known:
        with replacing_file(folder / COPIES_FILE) as temporary:
            temporary.write_text(json.dumps(copies, indent=1) + "\n")
    return lines


def open_salvaged(prepared: PreparedSet, folder: Path) -> PreparedSet:
    """Returns the set with the copies by `write_salvaged` in place of the damaged shards."""
    copies = _copies(folder)

    def salvaged(shard: Shard) -> Shard:
        if shard.name not in copies:
            return shard
        clips, damaged = (copies[shard.name][key] for key in ("clips", "damaged"))
        # After a damaged length, all records are lost.
        kept = [drift for index, drift in enumerate(shard.drifts) if index not in damaged][:clips]
        try:
            return dataclasses.replace(shard, clips=clips, drifts=tuple(kept))
        except ValueError as error:
            raise _unusable(folder, error) from error

    splits = {}
    for name, split in prepared.info.splits.items():
        shards = tuple(shard for shard in map(salvaged, split.shards) if shard.clips)
        clips = sum(shard.clips for shard in shards)
        splits[name] = dataclasses.replace(split, shards=shards, clips=clips)
    return dataclasses.replace(
        prepared,
        info=dataclasses.replace(prepared.info, splits=splits),
        copies={name: (folder / name).resolve() for name in copies},
    )


def _copy(path: AnyPath, target: Path) -> dict[str, Any]:
    damaged, clips = [], 0
    with replacing_file(target) as temporary, temporary.open("wb") as file:
        for index, record in enumerate(read_records(path)):
            if record.intact:
                file.write(record.framed)
                clips += 1
            else:
                damaged.append(index)
    return {"clips": clips, "damaged": damaged}


def _line(path: AnyPath, shard: Shard, copy: dict[str, Any]) -> str:
    lost = shard.clips - copy["clips"]
    first = f", the first of them record {copy['damaged'][0]}" if copy["damaged"] else ""
    return f"{lost} of the {shard.clips} records of {path}{first}"


def _copies(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        text = limits.read_text(folder / COPIES_FILE, limits.DESCRIPTION_BYTES)
        copies = limits.parse_json(text, limits.DESCRIPTION_VALUES)
        if not (isinstance(copies, dict) and all(map(_is_copy, copies.values()))):
            raise ValueError("train did not write it")
        return copies
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, why: Exception) -> DataError:
    return DataError(f"cannot read {folder / COPIES_FILE}: {why}; remove it")


def _is_copy(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("of"), str)
        and isinstance(value.get("clips"), int)
        and value["clips"] >= 0
        and isinstance(value.get("damaged"), list)
    )
