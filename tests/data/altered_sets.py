"""Alters prepared sets and their descriptions consistently, as an attacker could."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from ssagan_tf.data.dataset_info import FILE_NAME
from ssagan_tf.data.tfrecord_format import read_records

TRAIN, TEST = "train-00000-of-00001.tfrecord", "test-00000-of-00001.tfrecord"


def described(folder: Path, shard: str, clips: int | None = None) -> None:
    """Updates the description for a shard that was rewritten."""

    def change(values: dict[str, Any]) -> None:
        content = (folder / shard).read_bytes()
        split = values["splits"][shard.partition("-")[0]]
        [described_shard] = split["shards"]
        described_shard |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        if clips:
            described_shard["clips"] = split["clips"] = clips

    redescribe(folder, change)


def redescribe(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the description."""
    values = json.loads((folder / FILE_NAME).read_text())
    change(values)
    (folder / FILE_NAME).write_text(json.dumps(values))


def rewrite(folder: Path, shard: str, records: list[bytes]) -> None:
    with tf.io.TFRecordWriter(str(folder / shard)) as file:
        for record in records:
            file.write(record)


def contents(folder: Path, shard: str) -> list[bytes]:
    return [record.framed[12:-4] for record in read_records(folder / shard)]
