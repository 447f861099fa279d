from __future__ import annotations

import collections
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ssagan_tf.data import pipeline
from ssagan_tf.data.augmentation import Augmentation
from ssagan_tf.data.dataset_info import FILE_NAME, DatasetInfo, open_set
from ssagan_tf.errors import DataError

TRAIN = 10  # clips of synthetic_set
CHANGES = {"flip": True, "zoom": 0.2, "slow_motion": 0.3, "colour": 0.1}


def digest(clip: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(clip).tobytes()).hexdigest()[:16]


def stream(folder: Path, clips: int, **settings: object) -> list[str]:
    """Digests of the first clips of training."""
    given = {"batch": 1, "seed": 5, "shuffle_window": 4, **settings}
    changes = {name: given.pop(name) for name in CHANGES if name in given}
    batches = pipeline.training_batches(
        open_set(folder), augmentation=Augmentation(**changes), **given
    )
    flat: Iterator[np.ndarray] = itertools.chain.from_iterable(batches.as_numpy_iterator())
    return [digest(clip) for clip in itertools.islice(flat, clips)]


@pytest.fixture(scope="module")
def clips(synthetic_set: Path) -> dict[str, np.ndarray]:
    """The training clips by digest."""
    batches = pipeline.clips_in_order(open_set(synthetic_set), "train", 4)
    return {digest(clip): clip for batch, _ in batches.as_numpy_iterator() for clip in batch}


@pytest.fixture
def copy(tmp_path: Path, synthetic_set: Path) -> Path:
    return Path(shutil.copytree(synthetic_set, tmp_path / "copy"))


def test_clips_in_order(synthetic_set: Path) -> None:
    prepared = open_set(synthetic_set)
    for split, sizes in (("train", [4, 4, 2]), ("test", [2])):
        batches = list(pipeline.clips_in_order(prepared, split, 4).as_numpy_iterator())
        assert [len(names) for _, names in batches] == sizes
        assert [clips.shape[1:] for clips, _ in batches] == [(32, 64, 64, 3)] * len(sizes)
        assert batches[0][0].dtype == np.uint8
        names = [name for _, names in batches for name in names]
        assert len(set(names)) == sum(sizes)


def test_static_shapes(synthetic_set: Path) -> None:
    batches = pipeline.training_batches(open_set(synthetic_set), batch=3, seed=0)
    assert batches.element_spec.shape == (3, 32, 64, 64, 3)


@pytest.mark.parametrize("window", [1, 4, 10, 512])
def test_every_clip_once_per_epoch(synthetic_set: Path, clips, window: int) -> None:
    order = stream(synthetic_set, 3 * TRAIN, shuffle_window=window)
    for epoch in range(3):
        assert set(order[epoch * TRAIN : (epoch + 1) * TRAIN]) == set(clips)
    if window > 1:
        assert order[:TRAIN] != order[TRAIN : 2 * TRAIN]


def test_order_depends_on_the_seed_only(synthetic_set: Path) -> None:
    order = stream(synthetic_set, TRAIN)
    assert order == stream(synthetic_set, TRAIN)
    assert order == stream(synthetic_set, TRAIN, batch=5)
    assert order != stream(synthetic_set, TRAIN, seed=6)


@pytest.mark.slow
@pytest.mark.long
def test_order_is_the_same_in_another_process(synthetic_set: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import tensorflow as tf
tf.random.set_seed(99)
import test_pipeline
print("\\n".join(test_pipeline.stream({str(synthetic_set)!r}, 15, **test_pipeline.CHANGES)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert run.stdout.split() == stream(synthetic_set, 15, **CHANGES)


@pytest.mark.parametrize(
    "start", [1, 9, *(pytest.param(start, marks=pytest.mark.long) for start in (5, 10, 27))]
)
@pytest.mark.slow
def test_resuming_gives_the_same_batches(synthetic_set: Path, start: int) -> None:
    whole = stream(synthetic_set, 35, **CHANGES)
    assert stream(synthetic_set, 35 - start, start=start, **CHANGES) == whole[start:]


@pytest.mark.slow
def test_batches_span_epochs(synthetic_set: Path) -> None:
    order = stream(synthetic_set, 48)
    assert stream(synthetic_set, 48, batch=24) == order  # larger than the set
    assert stream(synthetic_set, 48, batch=4) == order


def test_flips_mirror_all_frames_of_a_clip_or_none(synthetic_set: Path, clips) -> None:
    mirrored = {digest(clip[:, :, ::-1]): key for key, clip in clips.items()}
    plain = stream(synthetic_set, 60)
    flipped = stream(synthetic_set, 60, flip=True)
    assert [mirrored.get(key, key) for key in flipped] == plain
    assert 15 < sum(key in mirrored for key in flipped) < 45
    # Flips differ between epochs.
    count = collections.Counter(flipped)
    assert any(0 < count[key] < 6 for key in mirrored)


def test_needs_training_clips(copy: Path) -> None:
    described = json.loads((copy / FILE_NAME).read_text())
    described["splits"]["train"] = {"clips": 0, "videos": 0, "shards": []}
    (copy / FILE_NAME).write_text(json.dumps(described))
    with pytest.raises(DataError, match="no clips to train on"):
        pipeline.training_batches(open_set(copy), batch=1, seed=0)


def test_open_set_refuses(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_set(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"is not a prepared set .* python -m ssagan_tf.prepare"):
        open_set(tmp_path)
    shard = copy / "train-00000-of-00001.tfrecord"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(DataError, match=f"{shard.name} has {len(data) - 1} bytes, expected"):
        open_set(copy)
    shard.unlink()
    with pytest.raises(DataError, match=f"{shard.name} not found"):
        open_set(copy)
    described = json.loads((copy / FILE_NAME).read_text())
    settings = {**described["settings"], "still": 0.25}
    del settings["static_threshold"]  # its name in older versions
    renamed = DatasetInfo.from_json(json.dumps({**described, "settings": settings}))
    assert renamed.settings == {**described["settings"], "static_threshold": 0.25}
    for text, complaint in (
        (json.dumps({**described, "format": 99}), "its format is 99, expected 1"),
        ("{}", "prepare did not write it"),
        ("[]", "prepare did not write it"),
        (json.dumps({**described, "resolution": "64"}), "resolution is '64'"),
        (json.dumps({**described, "skipped": [{"item": 1, "reason": ""}]}), "item is 1"),
        (json.dumps({**described, "splits": {"train": [], "test": 3}}), "prepare did not write it"),
        ((copy / FILE_NAME).read_text().replace('"bytes": ', '"bytes": -0.'), "bytes is -0."),
        ("no json", "cannot use"),
    ):
        (copy / FILE_NAME).write_text(text)
        with pytest.raises(DataError, match=complaint):
            open_set(copy)


def test_a_corrupt_record_is_reported(copy: Path) -> None:
    prepared = open_set(copy)
    [path] = prepared.paths("train")
    data = bytearray(Path(path).read_bytes())
    data[len(data) * 45 // 100] ^= 1  # in the fifth of ten records of similar sizes
    Path(path).write_bytes(data)
    with (
        pytest.raises(DataError, match=rf"{re.escape(path)}: record [345] of 10 is corrupt"),
        pipeline.reading_errors(prepared),
    ):
        list(pipeline.clips_in_order(prepared, "train", 4))
    with (
        pytest.raises(DataError, match="is corrupt"),
        pipeline.reading_errors(prepared),
    ):
        next(iter(pipeline.training_batches(prepared, batch=10, seed=0)))


def test_other_errors_pass_unchanged(synthetic_set: Path) -> None:
    import tensorflow as tf

    prepared = open_set(synthetic_set)
    with (
        pytest.raises(tf.errors.InvalidArgumentError),
        pipeline.reading_errors(prepared),
    ):
        tf.ensure_shape(tf.zeros([2]), [3])
