"""Several replicas give the result of one: on a split CPU, and as two processes."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import layers, models
from ssagan_tf.data import pipeline
from ssagan_tf.data.augmentation import Augmentation
from ssagan_tf.data.dataset_info import open_set
from ssagan_tf.errors import DataError
from ssagan_tf.options import ComputeOptions, ModelOptions, OptionError, TrainOptions
from ssagan_tf.skies.any_wind import synthetic_clip
from ssagan_tf.training import strategy
from ssagan_tf.training.gan import GAN
from tests.exactness import assert_exact, draws, fill
from tests.training import tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MODEL = ModelOptions(resolution=64, base_filters=1, ssa_layers="conv4")
# Together they cover every loss and every part of the state.
RELEASED = TrainOptions(
    batch_size=2,
    discriminator_updates=1,
    adversarial="wasserstein",
    lambda_penalty=10.0,
    lambda_ssim=1.0,
    ema_decay=0.5,
)
RANKED = TrainOptions(batch_size=2, discriminator_updates=1, lambda_rank=1.0)


@pytest.fixture(scope="module")  # the all-reduces of a second one would interfere
def two_replicas() -> tf.distribute.Strategy:
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])


def shared(
    devices: tf.distribute.Strategy, values: np.ndarray, first: int | None = None
) -> tf.Tensor:
    """Cuts the first axis into a part for each replica; the first one's may be given."""
    parts = np.split(values, devices.num_replicas_in_sync if first is None else [first])
    return devices.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )


def batch_norm() -> layers.BatchNormalization:
    return layers.BatchNormalization(dtype="float64")


def attention() -> layers.SpatialSelfAttention:
    return layers.SpatialSelfAttention(gate="projected", memory=1, dtype="float64")


# Of four clips: the other replica may have none.
@pytest.mark.parametrize("first", [pytest.param(2, marks=pytest.mark.long), 3, 4])
@pytest.mark.parametrize(
    ("make", "frames", "side"),
    [(batch_norm, None, 4), (batch_norm, 8, 4), (attention, None, 12)],
    ids=["batch_norm", "static", "attention_in_blocks"],
)
def test_moments_are_over_all_replicas(
    two_replicas, make, frames: int | None, side: int, first: int
) -> None:
    slices = 3 if frames else 2
    clips = 3 + draws(4, slices, side, side, 2).numpy()
    weights = draws(4, slices, side, side, 2, seed=1).numpy()

    def built() -> keras.layers.Layer:
        layer = make()
        layer.build((None, slices, side, side, 2))
        fill(layer.trainable_weights, lambda drawn: 0.5 + 0.3 * drawn**2)
        return layer

    def step(layer: keras.layers.Layer, clip: tf.Tensor, weight: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(clip)
            output = layer(clip, training=True, frames=frames)
            loss = tf.reduce_sum(output * weight)
        return output, tape.gradient(loss, clip)

    one = built()
    expected = step(one, tf.constant(clips), tf.constant(weights))
    with two_replicas.scope():
        two = built()

    def run(*tensors: tf.Tensor) -> tuple:  # the batch is unknown, as that of a data set
        shape = (None, slices, side, side, 2)
        return step(
            two, *(tf.raw_ops.PlaceholderWithDefault(input=x, shape=shape) for x in tensors)
        )

    parts = tf.function(
        lambda clip, weight: two_replicas.run(run, (clip, weight)), autograph=False
    )(*(shared(two_replicas, values, first) for values in (clips, weights)))
    whole = [np.concatenate(two_replicas.experimental_local_results(part)) for part in parts]
    assert_exact(
        [*whole, *(weight.numpy() for weight in two.weights)],
        [*expected, *(weight.numpy() for weight in one.weights)],
    )


@pytest.mark.parametrize(
    "options",
    [RELEASED, pytest.param(RANKED, marks=pytest.mark.long)],
    ids=["released", "second_stage"],
)
@pytest.mark.parametrize(
    "real", [False, pytest.param(True, marks=pytest.mark.long)], ids=["tiny", "real"]
)
@pytest.mark.usefixtures("quick_float64")
def test_two_replicas_equal_one(
    two_replicas, options: TrainOptions, real: bool, monkeypatch
) -> None:
    """After one step of SGD: Adam would hide a wrong scale."""
    if not real:
        monkeypatch.setattr(models, "build_generator", tiny.build(tiny.TinyGenerator))
        if options is RELEASED:  # the others' features are ranked
            monkeypatch.setattr(models, "build_discriminator", tiny.build(tiny.TinyDiscriminator))
    network = "ssagan_stage2" if options is RANKED else "ssagan"
    model = dataclasses.replace(MODEL, network=network, spectral_norm=options is RELEASED)
    compute = ComputeOptions(remat=options is RELEASED)
    updates = options.discriminator_updates
    clouds = [synthetic_clip(0, index, 64) for index in range(2 * updates)]
    clips = np.stack(clouds).reshape(2, updates, 32, 64, 64, 3)

    def make() -> GAN:
        keras.utils.set_random_seed(0)
        networks = models.build_generator(model, compute), models.build_discriminator(model)
        first = models.build_generator(MODEL) if options is RANKED else None
        gan = GAN(*networks, options, first)
        for side, network in zip(("generator", "discriminator"), networks, strict=True):
            optimizer = keras.optimizers.SGD(0.01)
            optimizer.build(network.trainable_variables)
            setattr(gan, f"{side}_optimizer", optimizer)
        return gan

    one = make()
    expected = one.train_step(tf.constant(clips))
    with two_replicas.scope():
        two = make()
    step = tf.function(lambda clips: two_replicas.run(two.train_step, (clips,)), autograph=False)
    report = step(shared(two_replicas, clips))

    for name, value in expected.items():
        for part in two_replicas.experimental_local_results(report[name]):
            assert_exact([part], [value])
    assert_exact(*([weight.numpy() for weight in _weights(gan)] for gan in (two, one)))


def _weights(gan: GAN) -> list[keras.Variable]:
    averages = gan.averages.variables if gan.averages else []
    return [*gan.generator.weights, *gan.discriminator.weights, *averages]


@pytest.mark.parametrize("hosts", [1, 2, 4])
def test_hosts_and_replicas_share_each_batch(synthetic_set: Path, hosts: int) -> None:
    """Batches do not depend on the number of hosts, and no clip is used twice."""
    prepared = open_set(synthetic_set)
    common = {"batch": 8, "seed": 3, "start": 8, "augmentation": Augmentation(True, 0.2, 0.3, 0.1)}
    whole = next(iter(pipeline.training_batches(prepared, **common))).numpy()
    parts = []
    for host in range(hosts):
        part = pipeline.training_batches(
            prepared, **common, pipeline=host, pipelines=hosts, replicas=4
        )
        for replica_share in part.take(4 // hosts):
            assert replica_share.shape[0] == 2
            parts.append(replica_share.numpy())
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(
    ("kind", "replicas", "config", "message"),
    [
        ("one_device", 2, None, "--strategy=one_device uses"),
        ("mirrored", 0, None, "no GPU found; to try it, --replicas=2"),
        ("multi_worker", 0, None, "needs the environment variable TF_CONFIG"),
        ("auto", 0, "{not json", "cannot read the environment variable TF_CONFIG"),
        ("auto", 0, '{"cluster": 3}', "cannot read the environment variable TF_CONFIG"),
        ("multi_worker", 2, '{"cluster": {"worker": ["a:1", "b:1"]}}', "leave it out"),
    ],
)
def test_unavailable_devices(kind, replicas, config, message, monkeypatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(OptionError, match=message):
        strategy.make_strategy(kind, replicas)


def test_devices_cannot_be_split_after_first_use() -> None:
    tf.zeros(1).numpy()
    with pytest.raises(DataError, match="before TensorFlow is first used"):
        strategy.make_strategy("mirrored", 3)


def test_a_mean_of_workers_is_traced_once(two_replicas, monkeypatch) -> None:
    monkeypatch.setattr(strategy, "has_other_hosts", lambda _: True)
    for value in (3.0, 0.0, 1e9 + 1, 5, 7, 8):
        assert strategy.mean_of_workers(two_replicas, value) == value
    assert strategy._mean_of_replicas(two_replicas).experimental_get_tracing_count() == 1


def test_one_device_is_the_default_strategy(monkeypatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert strategy.make_strategy("auto", 0) is tf.distribute.get_strategy()


# Two processes.

SMALL = (
    "--resolution=64",
    "--base_filters=2",
    "--ssa_layers=conv4",
    "--batch_size=4",
    "--discriminator_updates=2",
    "--samples=1",
    "--test_clips=1",
    "--sample_every=1000",
    "--checkpoint_every=2",
    "--flip",
)


def start_workers(folder: Path, number: int, *arguments: str) -> list[subprocess.Popen]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(number)]
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    processes = []
    for index in range(number):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        command = [sys.executable, "-m", "ssagan_tf.train", *SMALL, *arguments]
        with (folder / f"log{index}").open("a") as log:
            processes.append(
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env={**os.environ, "TF_CONFIG": json.dumps(cluster)},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    return processes


def wait(processes: list[subprocess.Popen], folder: Path) -> list[int]:
    try:
        return [process.wait(timeout=240) for process in processes]
    except subprocess.TimeoutExpired:
        logs = "\n".join(path.read_text() for path in sorted(folder.glob("log*")))
        raise AssertionError(f"the workers do not end:\n{logs}") from None
    finally:
        for process in processes:
            process.kill()


def until(ready: Callable[[], object], processes: list[subprocess.Popen]) -> None:
    deadline = time.monotonic() + 240
    while not ready():
        assert all(process.poll() is None for process in processes), "a worker ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def weights(run: Path, step: int) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / f"step-{step}"))
    names = [name for name in reader.get_variable_to_shape_map() if name.startswith("generator/")]
    return {name: reader.get_tensor(name) for name in names}


@pytest.mark.long
def test_two_processes_train_stop_and_resume_together(tmp_path: Path, synthetic_set: Path) -> None:
    run = tmp_path / "run"
    data = (f"--data={synthetic_set}", f"--run_dir={run}")
    workers = start_workers(tmp_path, 2, *data, "--steps=100000")
    until(lambda: list(run.glob("checkpoints/*.index")), workers)
    workers[1].send_signal(signal.SIGTERM)  # to the one that does not write
    codes = wait(workers, tmp_path)
    logs = [(tmp_path / f"log{index}").read_text() for index in range(2)]
    assert codes == [143, 143], logs
    assert all("train: stopped and saved at step" in log for log in logs)
    stopped = int(logs[0].rpartition("at step ")[2].split(";")[0])
    assert (run / "checkpoints" / f"step-{stopped}.index").exists()

    steps = stopped + 1
    codes = wait(start_workers(tmp_path, 2, *data, f"--steps={steps}"), tmp_path)
    logs = [(tmp_path / f"log{index}").read_text() for index in range(2)]
    assert codes == [0, 0], logs
    assert all(f"resuming at step {stopped} of {steps}" in log for log in logs)
    assert (run / "generator.keras").is_file()

    # The weights must be close to those of a single process. Adam turns gradients that are only
    # rounding into full steps, which its betas limit to 1.6 times the learning rate.
    apart = 2 * 2 * 1.6 * TrainOptions().learning_rate
    alone = tmp_path / "alone"
    [code] = wait(
        start_workers(
            tmp_path, 1, data[0], f"--run_dir={alone}", "--steps=2", "--strategy=one_device"
        ),
        tmp_path,
    )
    assert code == 0
    two = tmp_path / "two"
    codes = wait(start_workers(tmp_path, 2, data[0], f"--run_dir={two}", "--steps=2"), tmp_path)
    assert codes == [0, 0]
    for name, value in weights(alone, 2).items():
        np.testing.assert_allclose(weights(two, 2)[name], value, atol=apart, err_msg=name)
