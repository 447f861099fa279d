"""Runs of second stages: the first stage is found, copied and frozen. Uses `tiny.py`."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import flags
from ssagan_tf.errors import DataError
from ssagan_tf.models import TwoStage
from ssagan_tf.models.loading import fingerprint, load_generator
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.training import checkpoint, loop
from ssagan_tf.training.first_stage import FirstStage
from ssagan_tf.training.run_folder import open_run
from tests.exactness import EPSILON, rms
from tests.training import tiny

pytestmark = pytest.mark.slow

FIRST = ModelOptions(network="mdgan_stage1", resolution=64)
SECOND = dataclasses.replace(FIRST, network="ssagan_stage2")


@pytest.fixture(scope="module", autouse=True)
def _tiny_networks():
    with pytest.MonkeyPatch.context() as patch:
        tiny.install(patch.setattr)
        yield


def train(model: ModelOptions, run: Path, data: Path, stage1: object = "", **others) -> None:
    small = {
        "batch_size": 2,
        "discriminator_updates": 1,
        "samples": 1,
        "test_clips": 1,
        "sample_every": 100,
        "checkpoint_every": 1,
    }
    options = TrainOptions(
        data=str(data), run_dir=str(run), stage1=str(stage1), **{**small, **others}
    )
    loop.train(model, ComputeOptions(), options)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, synthetic_set: Path) -> Path:
    """`first`, a run of a first stage; `second`, a run of two steps that refines it."""
    folder = tmp_path_factory.mktemp("stages")
    train(FIRST, folder / "first", synthetic_set, steps=1)
    train(SECOND, folder / "second", synthetic_set, folder / "first", steps=2, ema_decay=0.5)
    return folder


def contents(run: Path, step: int) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"step-{step}"))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    return {name: reader.get_tensor(name) for name in names}


def test_the_generator_of_a_run_has_both_stages(runs: Path) -> None:
    first = load_generator(runs / "first" / "generator.keras")
    whole = load_generator(runs / "second" / "generator.keras")
    assert isinstance(whole, TwoStage)
    assert fingerprint(whole.first) == fingerprint(first)
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype("float32")
    np.testing.assert_array_equal(whole(photo), whole.second(first(photo)))
    assert np.abs(whole(photo) - first(photo)).max() > 0.01
    # The checkpoint gives the same clips as the file, averages included.
    again = checkpoint.load_generator(open_run(runs / "second"), which="newest")
    np.testing.assert_array_equal(again(photo), whole(photo))


def test_copy_and_record(runs: Path) -> None:
    """A copy, its origin, and none of its weights in checkpoints."""
    folder = runs / "second"
    record = json.loads((folder / "stage1.json").read_text())
    copy = load_generator(folder / "stage1.keras")
    assert record["fingerprint"] == fingerprint(copy)
    assert record["from"] == str(runs / "first")
    assert record["model"]["network"] == "mdgan_stage1"
    values = flags.from_file(str(folder / "flags.cfg"))
    assert flags.read(TrainOptions, values).stage1 == str(folder / "stage1.keras")
    # As many numbers as a run of one stage has, and the averages that this one keeps.
    one = sum(value.size for value in contents(runs / "first", 1).values())
    second = load_generator(folder / "generator.keras").second
    averaged = [*second.trainable_weights, second.mix.batch_norm.moving_mean]
    averaged += [second.mix.batch_norm.moving_variance]
    averages = sum(weight.numpy().size for weight in averaged)
    assert sum(value.size for value in contents(folder, 2).values()) == one + averages


def test_a_lost_copy_is_restored(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "flags.cfg").touch()
    network = load_generator(runs / "first" / "generator.keras")
    FirstStage(network, fingerprint(network), "first").save(tmp_path)
    assert fingerprint(load_generator(tmp_path / "stage1.keras")) == fingerprint(network)


def test_resumes_without_the_first_run(runs: Path, synthetic_set: Path, tmp_path: Path) -> None:
    """With the result of an uninterrupted run."""
    stage1 = tmp_path / "stage1.keras"
    shutil.copy(runs / "first" / "generator.keras", stage1)
    train(SECOND, tmp_path / "parts", synthetic_set, stage1, steps=1, ema_decay=0.5)
    stage1.unlink()
    train(SECOND, tmp_path / "parts", synthetic_set, steps=2, ema_decay=0.5)
    whole, parts = contents(runs / "second", 2), contents(tmp_path / "parts", 2)
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        # Without --deterministic the last bits may differ, by some roundings of float32.
        assert rms(parts[name] - value) <= 100 * EPSILON * (rms(value) + 1), name


def test_another_first_stage_is_refused(runs: Path, synthetic_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    shutil.copytree(runs / "second", folder)
    train(FIRST, tmp_path / "other", synthetic_set, steps=1, seed=1)
    with pytest.raises(OptionError, match=r"^stage1=.*other: is not the first stage that the run"):
        train(SECOND, folder, synthetic_set, tmp_path / "other", steps=3, ema_decay=0.5)
    shutil.copy(tmp_path / "other" / "generator.keras", folder / "stage1.keras")
    with pytest.raises(DataError, match=r"stage1\.keras was changed"):
        train(SECOND, folder, synthetic_set, steps=3, ema_decay=0.5)
    with pytest.raises(DataError, match=r"nowhere: first stage not found; leave it out, or add an"):
        train(SECOND, folder, synthetic_set, "nowhere", steps=3, ema_decay=0.5)
    (folder / "stage1.json").write_text("{")
    with pytest.raises(DataError, match=r"cannot read .*stage1\.json"):
        train(SECOND, folder, synthetic_set, steps=3, ema_decay=0.5)
    assert contents(folder, 2).keys() == contents(runs / "second", 2).keys()


@pytest.mark.parametrize(
    ("model", "stage1", "kind", "message"),
    [
        (SECOND, "", OptionError, "^stage1=: is required: ssagan_stage2 refines the clips"),
        (FIRST, "first", OptionError, "^stage1=.*first: mdgan_stage1 has a single stage; leave it"),
        (SECOND, "nowhere", DataError, "nowhere: first stage not found; give a run or a FILE"),
        (SECOND, ".", DataError, "is not a training run"),
        (SECOND, "photo.jpg", DataError, r"photo\.jpg is not a \.keras file"),
        (SECOND, "second.keras", DataError, "has no generator that takes photos"),
        (SECOND, "second", OptionError, "^stage1=.*second: has two stages: ssagan_stage2 and its"),
        (
            dataclasses.replace(SECOND, resolution=128),
            "first",
            OptionError,
            "^stage1=.*first: generates clips of 64×64, but --resolution is 128",
        ),
    ],
)
def test_invalid_first_stages(
    model, stage1, kind, message, runs: Path, synthetic_set: Path, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").touch()
    load_generator(runs / "second" / "generator.keras").second.save(tmp_path / "second.keras")
    folder = runs if stage1 in ("first", "second") else tmp_path
    path = stage1 and folder / stage1
    with pytest.raises(kind, match=message):
        train(model, tmp_path / "run", synthetic_set, path, steps=1)
    assert not (tmp_path / "run").exists()
