"""Runs that start with the weights of another one. Uses the networks of `tiny.py`."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import models
from ssagan_tf.errors import DataError
from ssagan_tf.models.loading import load_generator
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.training import loop
from ssagan_tf.training.run_folder import open_run
from tests.training import tiny

pytestmark = pytest.mark.slow

MODEL = ModelOptions(network="mdgan_stage1", resolution=64)
SECOND = dataclasses.replace(MODEL, network="ssagan_stage2")


@pytest.fixture(scope="module", autouse=True)
def _tiny_networks():
    with pytest.MonkeyPatch.context() as patch:
        tiny.install(patch.setattr)
        # Tracing a step takes longer than making it.
        patch.setattr(tf, "function", lambda call=None, **_: call or (lambda call: call))
        yield


def train(run: Path, data: Path, model: ModelOptions = MODEL, steps: int = 1, **others) -> None:
    small = {
        "batch_size": 2,
        "discriminator_updates": 1,
        "samples": 1,
        "test_clips": 1,
        "sample_every": 100,
        "learning_rate": 1e-12,
    }
    options = TrainOptions(data=str(data), run_dir=str(run), steps=steps, **{**small, **others})
    loop.train(model, ComputeOptions(), options)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, synthetic_set: Path) -> Path:
    """A run whose weights differ from any initial ones."""
    folder = tmp_path_factory.mktemp("initial") / "first"
    train(folder, synthetic_set, seed=9, learning_rate=0.1)
    return folder


def weights(path: Path) -> np.ndarray:
    """The trained weights, concatenated."""
    network = load_generator(path / "generator.keras")
    return np.concatenate([weight.numpy().ravel() for weight in network.trainable_weights])


@pytest.mark.parametrize("name", ["first", "first/generator.keras"])
def test_weights_are_loaded(first: Path, name: str, synthetic_set: Path, tmp_path: Path) -> None:
    source = first.parent / name
    train(tmp_path / "run", synthetic_set, init_from=str(source), ema_decay=0.9)
    np.testing.assert_allclose(weights(tmp_path / "run"), weights(first), atol=1e-6)
    assert open_run(tmp_path / "run").train.init_from == str(source)


@pytest.mark.long
def test_a_resumed_run_does_not_need_them(
    first: Path, synthetic_set: Path, tmp_path: Path, capsys
) -> None:
    file, run = tmp_path / "file.keras", tmp_path / "run"
    shutil.copy(first / "generator.keras", file)
    train(run, synthetic_set, init_from=str(file))
    assert f"initial weights: {file}" in capsys.readouterr().out
    file.unlink()
    with pytest.raises(
        OptionError, match=r"nowhere: .* was started with --init_from=.*file\.keras"
    ):
        train(run, synthetic_set, steps=2, init_from="nowhere")
    for step, given in enumerate(("", str(file)), 2):
        train(run, synthetic_set, steps=step, init_from=given)
        said = capsys.readouterr().out
        assert f"resuming at step {step - 1} of {step}" in said
        assert "begins with" not in said
        assert open_run(run).train.init_from == str(file)
    np.testing.assert_allclose(weights(run), weights(first), atol=1e-6)
    # Killed before its first checkpoint, it begins again with them.
    shutil.copy(first / "generator.keras", file)
    shutil.rmtree(run / "checkpoints")
    train(run, synthetic_set)
    assert f"initial weights: {file}" in capsys.readouterr().out
    # One with weights of its own takes no others.
    with pytest.raises(OptionError, match="first was started with --init_from=; use that"):
        train(first, synthetic_set, seed=9, learning_rate=0.1, init_from=str(file))


@pytest.mark.parametrize(
    ("model", "source", "kind", "message"),
    [
        (SECOND, "first", OptionError, "^init_from=.*first: ssagan_stage2, a second stage, starts"),
        (MODEL, "nowhere", DataError, "nowhere: generator not found; give a run or a FILE"),
        (MODEL, ".", DataError, "is not a training run"),
        (MODEL, "photo.jpg", DataError, r"photo\.jpg is not a \.keras file"),
        (MODEL, "damaged.keras", DataError, r"cannot load .*damaged\.keras"),
        (MODEL, "second.keras", DataError, "has no generator that takes photos"),
        (MODEL, "both.keras", OptionError, r"^init_from=.*both\.keras: has two stages; give"),
        (
            dataclasses.replace(MODEL, base_filters=8, bn_gamma_stddev=0.5),
            "first",
            OptionError,
            "^base_filters=8: the generator of --init_from=.*first has --base_filters=32; use",
        ),
        (
            dataclasses.replace(MODEL, network="vgan"),
            "first",
            OptionError,
            "^network=vgan: the generator of .* has --network=mdgan_stage1",
        ),
    ],
)
def test_invalid_sources(
    first: Path, model, source, kind, message, synthetic_set: Path, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "damaged.keras").write_bytes(b"damaged")
    one, second = models.build_generator(MODEL), models.build_generator(SECOND)
    second.save(tmp_path / "second.keras")
    both = models.TwoStage(one, second, name="generator")
    both.build_variables()
    both.save(tmp_path / "both.keras")
    path = first if source == "first" else tmp_path / source
    stage1 = str(first) if model is SECOND else ""
    with pytest.raises(kind, match=message):
        train(tmp_path / "run", synthetic_set, model, init_from=str(path), stage1=stage1)
    assert not (tmp_path / "run").exists()
