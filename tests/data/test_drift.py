"""The drift of clips: measured by prepare, stored in the set, and used in training."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssagan_tf import video
from ssagan_tf.data import pipeline, writer
from ssagan_tf.data.augmentation import Augmentation
from ssagan_tf.data.dataset_info import FILE_NAME, DatasetInfo, PreparedSet, open_set
from ssagan_tf.data.layouts import motion
from ssagan_tf.data.layouts.clip import Picture
from ssagan_tf.data.salvage import open_salvaged, write_salvaged
from ssagan_tf.errors import DataError
from ssagan_tf.options import FRAMES, ModelOptions, OptionError, PrepareOptions, TrainOptions
from ssagan_tf.training import training_data
from tests.data.altered_sets import TRAIN

# Assigned to the ten training clips of `synthetic_set`.
DRIFTS = (0.01, -0.01, 0.0001, -0.0001, 0.002, -0.002, 0.0, 0.0003, -0.0003, -0.00029)


def drifting(side: int, speed: float, number: int = 0) -> np.ndarray:
    """A clip of noise that moves by `speed` times its width per frame: uint8 `[32, S, S, 3]`."""
    room = round(abs(speed) * side * (FRAMES - 1))
    grid = np.random.default_rng(number).integers(0, 256, (12, 12 + 12 * room // side, 3), np.uint8)
    wide = Image.fromarray(grid).resize((side + room, side), Image.Resampling.BICUBIC)
    starts = [round(-speed * side * time) + (room if speed > 0 else 0) for time in range(FRAMES)]
    return np.stack([np.asarray(wide)[:, start : start + side] for start in starts])


@pytest.mark.parametrize("speed", [1 / 64, -1 / 64, 1 / 128, 0.0])
def test_drift_at_any_size(speed: float) -> None:
    for side in (64, 256):
        frames = drifting(side, speed)
        smalls = [motion.thumbnail(Picture(frame), PrepareOptions()) for frame in frames]
        assert motion.drift(smalls) == pytest.approx(speed, rel=0.15, abs=1e-4)


def test_footage_that_has_each_frame_twice() -> None:
    frames = drifting(128, 1 / 64)[:16].repeat(2, axis=0)
    assert motion.drift(frames) == pytest.approx(1 / 128, rel=0.15)


def test_prepare_stores_drifts(tmp_path: Path) -> None:
    speeds = {"left": -1 / 64, "right": 1 / 64, "slow": 1 / 128, "still": 0.0}
    for number, (name, speed) in enumerate(speeds.items()):
        video.write_frames(tmp_path / "footage" / name, drifting(64, speed, number))
    options = PrepareOptions(
        source=str(tmp_path / "footage"),
        output=str(tmp_path / "set"),
        layout="frames",
        resolution=64,
        static_threshold=0.0,
        workers=1,
        test_fraction=0.3,
    )
    writer.prepare(options)
    prepared = open_set(tmp_path / "set")
    drifts: dict[str, float] = {}
    for split in ("train", "test"):
        names = [name for _, some in pipeline.clips_in_order(prepared, split, 1) for name in some]
        names = [name.numpy().decode().partition("/")[0] for name in names]
        drifts |= dict(zip(names, prepared.drifts(split), strict=True))
    assert drifts == pytest.approx(speeds, rel=0.15, abs=1e-4)
    assert sorted(prepared.info.drifts) == sorted(drifts.values())
    assert DatasetInfo.from_json(prepared.info.to_json()) == prepared.info
    # Drifts are not part of the fingerprint.
    plain = without_drifts(prepared.info)
    assert plain.drifts is None
    assert plain.fingerprint == prepared.info.fingerprint


def test_drift_of_synthetic_clips_is_not_measured(synthetic_set: Path) -> None:
    assert "drift" not in (synthetic_set / FILE_NAME).read_text()
    assert open_set(synthetic_set).info.drifts is None


def with_drifts(info: DatasetInfo, drifts: Sequence[float] = DRIFTS) -> DatasetInfo:
    """Sets the drifts of the training clips, as if measured; test clips drift to the left."""
    of = {"train": tuple(drifts), "test": (-0.01,) * info.splits["test"].clips}
    splits = {}
    for name, split in info.splits.items():
        [shard] = split.shards
        shards = (dataclasses.replace(shard, drifts=of[name]),)
        splits[name] = dataclasses.replace(split, shards=shards)
    return dataclasses.replace(info, layout="frames", splits=splits)


def without_drifts(info: DatasetInfo) -> DatasetInfo:
    values = json.loads(info.to_json())
    for split in values["splits"].values():
        for shard in split["shards"]:
            del shard["drifts"]
    return DatasetInfo.from_json(json.dumps(values))


@pytest.fixture(scope="module")
def prepared(synthetic_set: Path) -> PreparedSet:
    opened = open_set(synthetic_set)
    return dataclasses.replace(opened, info=with_drifts(opened.info))


@pytest.fixture(scope="module")
def stored(prepared: PreparedSet) -> dict[bytes, tuple[int, bool]]:
    """Number of each training clip, and whether it is mirrored, by its pixels."""
    found = {}
    for number, (clip, _) in enumerate(pipeline.clips_in_order(prepared, "train", 1)):
        found[clip.numpy()[0].tobytes()] = (number, False)
        found[clip.numpy()[0][:, :, ::-1].tobytes()] = (number, True)
    return found


def order(
    prepared: PreparedSet,
    stored: dict[bytes, tuple[int, bool]],
    count: int,
    canonical: str,
    **settings: object,
) -> list[tuple[int, bool]]:
    """The training clips, as in `stored`."""
    given = {"batch": 1, "seed": 5, "shuffle_window": 4, **settings}
    batches = pipeline.training_batches(
        prepared, augmentation=Augmentation(canonical_motion=canonical), **given
    )
    flat = itertools.chain.from_iterable(batches.as_numpy_iterator())
    return [stored[clip.tobytes()] for clip in itertools.islice(flat, count)]


LEFT, UNDECIDED = {1, 5, 8}, {2, 3, 6, 9}  # numbers of DRIFTS


def test_both(prepared: PreparedSet, stored) -> None:
    seen = order(prepared, stored, 80, "both")
    for epoch in range(8):
        assert {number for number, _ in seen[10 * epoch :][:10]} == set(range(10))
    for number in range(10):
        ways = {mirrored for each, mirrored in seen if each == number}
        assert ways == ({True, False} if number in UNDECIDED else {number in LEFT})
    assert seen[13:] == order(prepared, stored, 67, "both", start=13)
    assert [each for each, _ in seen] == [each for each, _ in order(prepared, stored, 80, "off")]


@pytest.mark.parametrize("window", [4, pytest.param(512, marks=pytest.mark.long)])
def test_drop(prepared: PreparedSet, stored, window: int) -> None:
    kept = set(range(10)) - UNDECIDED
    seen = order(prepared, stored, 24, "drop", shuffle_window=window)
    for epoch in range(4):
        assert {number for number, _ in seen[6 * epoch :][:6]} == kept
    assert {number for number, mirrored in seen if mirrored} == LEFT
    for start in (5, 13):
        settings = {"start": start, "shuffle_window": window}
        assert order(prepared, stored, 24 - start, "drop", **settings) == seen[start:]
    # Two hosts have halves of the same batches.
    hosts = [
        order(prepared, stored, 12, "drop", shuffle_window=window, batch=2, replicas=2, **of_host)
        for of_host in ({"pipelines": 2, "pipeline": 0}, {"pipelines": 2, "pipeline": 1})
    ]
    assert [clip for pair in zip(*hosts, strict=True) for clip in pair] == seen


@pytest.mark.parametrize(("canonical", "mirrored"), [("off", False), ("both", True)])
def test_samples_drift_like_training_clips(prepared: PreparedSet, canonical, mirrored) -> None:
    options = TrainOptions(canonical_motion=canonical, test_clips=2, samples=1)
    split, shown = training_data.sample_clips(prepared, options)
    expected = np.concatenate([c for c, _ in pipeline.clips_in_order(prepared, "test", 1)])
    assert split == "test"
    np.testing.assert_array_equal(shown, expected[:, :, :, ::-1] if mirrored else expected)


def test_no_samples_of_dropped_clips(prepared: PreparedSet) -> None:
    options = TrainOptions(
        canonical_motion="drop", canonical_threshold=0.01, test_clips=3, samples=1
    )
    info = with_drifts(prepared.info)
    [shard] = info.splits["test"].shards
    still = (dataclasses.replace(shard, drifts=(0.0, 0.0)),)
    info.splits["test"] = dataclasses.replace(info.splits["test"], shards=still)
    split, shown = training_data.sample_clips(dataclasses.replace(prepared, info=info), options)
    assert (split, len(shown)) == ("train", 2)  # those of 0.01 and -0.01


def test_damaged_records_take_their_drifts_with_them(synthetic_set: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(synthetic_set, tmp_path / "set"))
    with_drifts(open_set(folder).info).write(folder)
    names = [name.numpy()[0] for _, name in pipeline.clips_in_order(open_set(folder), "train", 1)]
    before = dict(zip(names, DRIFTS, strict=True))
    content = bytearray((folder / TRAIN).read_bytes())
    content[len(content) * 45 // 100] ^= 1
    (folder / TRAIN).write_bytes(bytes(content))
    damaged = open_set(folder)
    write_salvaged(damaged, tmp_path / "copies")
    whole = open_salvaged(damaged, tmp_path / "copies")
    names = [name.numpy()[0] for _, name in pipeline.clips_in_order(whole, "train", 1)]
    assert len(names) == 9
    assert whole.drifts("train") == [before[name] for name in names]
    # An inconsistent description of copies is one line.
    path = tmp_path / "copies" / "copies.json"
    path.write_text(path.read_text().replace('"clips": 9', '"clips": 10'))
    with pytest.raises(DataError, match=r"cannot read .*copies\.json: .*; remove it"):
        open_salvaged(damaged, tmp_path / "copies")


@pytest.mark.parametrize(
    ("change", "settings", "error", "message"),
    [
        (
            without_drifts,
            {},
            DataError,
            "has no measured drifts, .*prepare the set again",
        ),
        (
            lambda info: dataclasses.replace(info, layout="synthetic"),
            {},
            OptionError,
            "^canonical_motion=drop: the skies in .* are synthetic",
        ),
        (
            lambda info: info,
            {"canonical_threshold": 0.5},
            OptionError,
            "^canonical_threshold=0.5: no training clip in .* drifts that fast; lower it",
        ),
        (
            lambda info: info,
            {"batch_size": 7},
            OptionError,
            "^batch_size=7: there are only 6 clips",
        ),
    ],
)
def test_unsuitable_sets(prepared: PreparedSet, change, settings, error, message) -> None:
    options = TrainOptions(**{"canonical_motion": "drop", "batch_size": 6, **settings})
    changed = dataclasses.replace(prepared, info=change(prepared.info))
    with pytest.raises(error, match=message):
        training_data.check_clips(changed, ModelOptions(resolution=64), options)


def test_contradictory_settings() -> None:
    for settings, message in (
        ({"flip": True}, "^flip=True: cannot be combined with --canonical_motion, which al"),
        ({"data": "synthetic"}, "^data=synthetic: cannot be combined with --canonical"),
        ({"canonical_threshold": -1.0}, "^canonical_threshold=-1.0: must be between"),
    ):
        with pytest.raises(OptionError, match=message):
            TrainOptions(**{"canonical_motion": "both", **settings})
