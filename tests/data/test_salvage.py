"""Damaged sets: damage is reported or left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.data import pipeline
from ssagan_tf.data.dataset_info import PreparedSet, open_set
from ssagan_tf.data.salvage import open_salvaged, write_salvaged
from ssagan_tf.errors import DataError


@pytest.fixture
def damaged(synthetic_set: Path, tmp_path: Path) -> Path:
    """A copy of a set to damage."""
    return Path(shutil.copytree(synthetic_set, tmp_path / "set"))


def names(prepared: PreparedSet, split: str = "train") -> list[bytes]:
    batches = pipeline.clips_in_order(prepared, split, batch=1)
    return [name for _, some in batches for name in some.numpy()]


def test_nothing_to_do(synthetic_set: Path, tmp_path: Path) -> None:
    prepared = open_set(synthetic_set)
    assert write_salvaged(prepared, tmp_path) == []
    assert open_salvaged(prepared, tmp_path) == prepared
    assert not list(tmp_path.iterdir())


def test_flipped_bytes(damaged: Path, tmp_path: Path, pytestconfig) -> None:
    """Training reports shard and record; the other records are salvaged."""
    prepared = open_set(damaged)
    before = names(prepared)
    path = Path(prepared.paths("train")[0])
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(content), pytestconfig.getoption("trials")):
        bad = bytearray(content)
        bad[position] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(bad))
        with pytest.raises(DataError) as error, pipeline.reading_errors(prepared):
            list(pipeline.clips_in_order(prepared, "train", batch=1))
        copies = tmp_path / f"copies{position}"
        [line] = write_salvaged(prepared, copies)
        index = int(line.rpartition(" ")[2])
        assert f"{path}: record {index} of 10 is corrupt" in str(error.value)
        kept = names(open_salvaged(prepared, copies))
        assert kept in (before[:index] + before[index + 1 :], before[:index])
        assert line.startswith(f"{10 - len(kept)} of the 10 records of {path}")


def test_truncated(damaged: Path, tmp_path: Path) -> None:
    path = damaged / "train-00000-of-00001.tfrecord"
    before = names(open_set(damaged))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"train-00000-of-00001.tfrecord has \d+ bytes, expected"):
        open_set(damaged)
    prepared = open_set(damaged, truncated=True)
    copies = tmp_path / "copies"
    [line] = write_salvaged(prepared, copies)
    assert line == f"1 of the 10 records of {path}, the first of them record 9"
    assert names(open_salvaged(prepared, copies)) == before[:9]
    # A second call uses the copies, and a repaired set needs none.
    [copy] = copies.glob("*.tfrecord")
    stamp = copy.stat().st_mtime_ns
    assert write_salvaged(prepared, copies) == [line]
    assert copy.stat().st_mtime_ns == stamp


def test_an_empty_shard(damaged: Path, tmp_path: Path) -> None:
    (damaged / "train-00000-of-00001.tfrecord").write_bytes(b"")
    prepared = open_set(damaged, truncated=True)
    assert write_salvaged(prepared, tmp_path / "copies")[0].startswith("10 of the 10 records")
    whole = open_salvaged(prepared, tmp_path / "copies")
    assert whole.info.splits["train"].clips == 0
    with pytest.raises(DataError, match="no clips to train on"):
        pipeline.training_batches(whole, batch=1, seed=0)


def test_training_order_with_copies(damaged: Path, tmp_path: Path) -> None:
    path = damaged / "train-00000-of-00001.tfrecord"
    path.write_bytes(path.read_bytes()[:-1000])
    prepared = open_set(damaged, truncated=True)
    write_salvaged(prepared, tmp_path / "copies")
    whole = open_salvaged(prepared, tmp_path / "copies")
    batches = [
        next(iter(pipeline.training_batches(whole, batch=3, seed=1, start=start)))
        for start in (0, 9)
    ]
    assert batches[0].shape == (3, 32, 64, 64, 3)
    assert not tf.reduce_all(batches[0] == batches[1])
