"""Faults that a run survives. `--trials=50` injects them fifty times instead of once."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import losses, models
from ssagan_tf.errors import DataError, Stopped
from ssagan_tf.options import ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training import callbacks, loop
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.gan import GAN
from tests.training import tiny

pytestmark = pytest.mark.slow

MODEL = ModelOptions(resolution=64)
FLAGS = (
    "--resolution=64",
    "--batch_size=2",
    "--discriminator_updates=2",
    "--adversarial=wasserstein",
    "--lambda_penalty=10",
    "--ema_decay=0.9",
    "--flip",
    "--samples=1",
    "--test_clips=1",
    "--sample_every=5",
    "--checkpoint_every=1",
    "--log_every=1",
    "--deterministic",
)


@pytest.fixture(autouse=True)
def _tiny_networks(monkeypatch) -> None:
    tiny.install(monkeypatch.setattr)


def options(data: Path, run: Path, **others) -> TrainOptions:
    small = {
        "batch_size": 1,
        "discriminator_updates": 1,
        "samples": 1,
        "test_clips": 1,
        "sample_every": 100,
        "checkpoint_every": 2,
        "log_every": 1,
    }
    return TrainOptions(data=str(data), run_dir=str(run), **{**small, **others})


def train(data: Path, run: Path, **others) -> None:
    loop.train(MODEL, ComputeOptions(), options(data, run, **others))


def contents(run: Path, step: int) -> dict[str, np.ndarray]:
    """The complete state at a step."""
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"step-{step}"))
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    return {name: reader.get_tensor(name) for name in names}


@pytest.mark.long
def test_killed_at_random_moments(
    tmp_path: Path, synthetic_set: Path, train_apart, pytestconfig
) -> None:
    """A third of the kills hit a save. The result equals that of an uninterrupted run."""
    trials = pytestconfig.getoption("trials")
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    def go_on(run: Path, steps: int, *may: int, **faults: object) -> int:
        data = (f"--data={synthetic_set}", f"--run_dir={run}", f"--steps={steps}")
        result = train_apart(tmp_path, *FLAGS, *data, **faults)
        assert result.returncode in (0, *may), result.stderr
        return result.returncode

    draw = random.Random(0)
    began = time.monotonic()
    go_on(whole, 6)
    took = time.monotonic() - began
    kills = 0
    # The run is extended as long as there are kills left, so that it does not end before.
    steps = 2
    while kills < trials:
        fault = (
            {"kill_in_save": [draw.randint(1, 2), draw.random()]}
            if kills % 3 == 0
            else {"kill_after": draw.uniform(0.0, took)}
        )
        began = time.monotonic()
        if go_on(killed, steps, -signal.SIGKILL, **fault):
            kills += 1
        else:  # it was faster than the kill
            steps += 1
            took = min(took, time.monotonic() - began)
    if steps > 6:
        go_on(whole, steps)
    steps = max(steps, 6)
    go_on(killed, steps)
    ours, theirs = contents(killed, steps), contents(whole, steps)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    generators = [keras.models.load_model(run / "generator.keras") for run in (killed, whole)]
    for a, b in zip(*(generator.get_weights() for generator in generators), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not [path for path in killed.rglob("*") if path.name.startswith(".tmp-")]
    assert not list(killed.glob("checkpoints/*_temp"))


def state(gan: GAN) -> list[np.ndarray]:
    networks = [*gan.generator.weights, *gan.discriminator.weights]
    optimizers = [*gan.generator_optimizer.variables, *gan.discriminator_optimizer.variables]
    return [np.array(variable) for variable in (*networks, *optimizers)]


def test_damaged_checkpoints(tmp_path: Path, pytestconfig, capsys) -> None:
    """With flipped bits and truncated files, the newest or the previous state is restored."""
    gan = GAN(models.build_generator(MODEL), models.build_discriminator(MODEL), TrainOptions())
    saved = Checkpoints(gan, tmp_path, keep=2)
    states = {}
    for step in (1, 2):
        gan.generator_optimizer.iterations.assign(step)
        gan.generator.weights[0].assign_add(1.0)
        saved.save()
        states[step] = state(gan)
    newest = sorted(tmp_path.glob("step-2.*"))
    assert len(newest) == 2
    rng = np.random.default_rng(0)
    passed_over = 0
    for trial in range(10 * pytestconfig.getoption("trials")):
        path = newest[trial % 2]
        content = path.read_bytes()
        position = int(rng.integers(len(content)))
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.integers(8)
        path.write_bytes(bytes(damaged) if trial % 4 < 2 else content[:position])
        capsys.readouterr()
        assert saved.restore_latest()
        said = capsys.readouterr().out
        passed_over += gan.step == 1
        assert ("step-2" in said) == (gan.step == 1)
        for value, expected in zip(state(gan), states[gan.step], strict=True):
            np.testing.assert_array_equal(value, expected)
        path.write_bytes(content)
    assert passed_over


def inject_nan(monkeypatch, name: str, step: int, where: str) -> None:
    """Makes a loss, or its gradient, NaN in one step."""
    clean = getattr(losses, name)
    calls = tf.Variable(0, dtype=tf.int64)

    @tf.custom_gradient
    def bad_gradient(x):
        return x, lambda upstream: upstream * poison()

    def poison() -> tf.Tensor:
        return tf.where(calls.assign_add(1) == step, np.nan, 1.0)

    def planted(*arguments):
        loss = clean(*arguments)
        return bad_gradient(loss) if where == "gradient" else loss * poison()

    monkeypatch.setattr(losses, name, planted)


@pytest.mark.parametrize(
    ("name", "where", "message"),
    [
        ("discriminator_fake_loss", "loss", "the discriminator_loss became nan"),
        ("discriminator_real_loss", "gradient", "the discriminator_gradient became nan"),
        ("content_loss", "loss", "the content_loss became nan"),
        ("generator_adversarial_loss", "loss", "the adversarial_loss became nan"),
        ("content_loss", "gradient", "the generator_gradient became nan"),
    ],
)
def test_nan_stops_the_run(
    name, where, message, tmp_path: Path, synthetic_set: Path, monkeypatch
) -> None:
    inject_nan(monkeypatch, name, 3, where)
    # Step 0 computes the content loss of samples, without the NaN.
    monkeypatch.setattr(callbacks.WriteSamples, "on_step", lambda self, step: None)
    monkeypatch.setattr(callbacks.WriteSamples, "on_train_begin", lambda self, logs=None: None)
    with pytest.raises(DataError) as error:
        train(synthetic_set, tmp_path / "run", steps=5)
    assert f"{message}" in str(error.value)
    assert "at step 3; the last good checkpoint is that of step 2" in str(error.value)
    assert not (tmp_path / "run" / "generator.keras").exists()
    names = {path.stem for path in (tmp_path / "run" / "checkpoints").glob("*.index")}
    assert names == {"step-2"}


def test_a_run_rolls_back(tmp_path: Path, synthetic_set: Path, monkeypatch, capsys) -> None:
    inject_nan(monkeypatch, "discriminator_real_loss", 4, "loss")
    train(synthetic_set, tmp_path / "run", steps=5, rollbacks=1)
    assert "rolled back to step 2, with other random numbers" in capsys.readouterr().out
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    steps = [entry["step"] for entry in logged if "generator_loss" in entry]
    assert steps == [1, 2, 3, 4, 5]
    assert int(contents(tmp_path / "run", 5)["rollbacks/.ATTRIBUTES/VARIABLE_VALUE"]) == 1
    assert int(contents(tmp_path / "run", 2)["rollbacks/.ATTRIBUTES/VARIABLE_VALUE"]) == 0


@pytest.mark.long
def test_a_full_disk(tmp_path: Path, synthetic_set: Path, train_apart) -> None:
    """One line; the previous checkpoint is intact, and the run resumes when there is space."""
    run = tmp_path / "run"
    arguments = (*FLAGS, f"--data={synthetic_set}", f"--run_dir={run}")
    assert train_apart(tmp_path, *arguments, "--steps=1").returncode == 0
    [checkpoint] = (run / "checkpoints").glob("step-1.data*")
    before = contents(run, 1)
    less = checkpoint.stat().st_size // 4
    # Step 3: samples, which are larger, are written after the last step only.
    result = train_apart(tmp_path, *arguments, "--steps=3", largest_file=less)
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert "cannot save a checkpoint in" in line
    assert sorted(path.name for path in (run / "checkpoints").glob("step*")) == [
        "step-1.data-00000-of-00001",
        "step-1.index",
    ]
    for name, value in contents(run, 1).items():
        np.testing.assert_array_equal(before[name], value)
    result = train_apart(tmp_path, *arguments, "--steps=3")
    assert result.returncode == 0, result.stderr
    assert "resuming at step 1" in result.stdout


def test_one_run_at_a_time(tmp_path: Path, synthetic_set: Path, monkeypatch) -> None:
    run = tmp_path / "run"
    inside = []

    def second(self, step: int) -> None:
        if not inside:
            inside.append(step)
            with pytest.raises(DataError, match=r"run is in use by process \d+"):
                train(synthetic_set, run, steps=1)

    monkeypatch.setattr(callbacks.SaveCheckpoints, "on_step", second)
    train(synthetic_set, run, steps=1)
    assert inside == [1]


def test_a_signal_ends_the_run_after_its_step(
    tmp_path: Path, synthetic_set: Path, monkeypatch
) -> None:
    monkeypatch.setattr(
        callbacks.LogMetrics, "on_step", lambda self, step: signal.raise_signal(signal.SIGTERM)
    )
    with pytest.raises(Stopped, match="stopped and saved at step 1; run the same command") as stop:
        train(synthetic_set, tmp_path / "run", steps=9)
    assert stop.value.signal == signal.SIGTERM
    assert (tmp_path / "run" / "checkpoints" / "step-1.index").exists()
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.long
def test_skip_corrupt(tmp_path: Path, synthetic_set: Path, capsys) -> None:
    data = tmp_path / "set"
    data.mkdir()
    for path in synthetic_set.iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    shard = data / "train-00000-of-00001.tfrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"record \d of 10 is corrupt .*--skip_corrupt"):
        train(data, tmp_path / "run", steps=20)
    train(data, tmp_path / "run", steps=20, skip_corrupt=True)
    assert f"skipped: 1 of the 10 records of {shard}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"batch_size": 11}, "--batch_size=11: there are only 10 clips|batch_size=11: there are"),
        ({"replicas": 2, "strategy": "one_device"}, "replicas=2"),
    ],
)
def test_refused_before_training(others, message, tmp_path: Path, synthetic_set: Path) -> None:
    with pytest.raises(ValueError, match=message):
        train(synthetic_set, tmp_path / "run", **others)
    assert not (tmp_path / "run").exists()


def test_the_best_is_kept(tmp_path: Path, synthetic_set: Path, monkeypatch) -> None:
    """In addition to the newest ones, whatever its age."""
    given = iter([0.5, 0.2, 0.4, 0.3, 0.6])
    monkeypatch.setattr(
        callbacks.WriteSamples,
        "on_step",
        lambda self, step: step and self._checkpoints.save_if_best(next(given)),
    )
    run = tmp_path / "run"
    train(synthetic_set, run, steps=5, sample_every=1, checkpoint_every=1, keep_checkpoints=1)
    names = {path.stem for path in (run / "checkpoints").glob("*.index")}
    assert names == {"step-2", "step-5"}
    best = json.loads((run / "checkpoints" / "best.json").read_text())
    assert best == {"step": 2, "content_loss": 0.2}
