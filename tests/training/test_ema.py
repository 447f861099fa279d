"""ExponentialMovingAverages of weights and moving statistics, against NumPy in float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf.models import Network
from ssagan_tf.options import ModelOptions, TrainOptions
from ssagan_tf.training.checkpoint import Checkpoints
from ssagan_tf.training.ema import ExponentialMovingAverages
from ssagan_tf.training.gan import GAN
from tests.training import tiny

MODEL = ModelOptions(resolution=64)
STATISTICS = ("moving_mean", "moving_variance")


def generator() -> Network:
    return tiny.build(tiny.TinyGenerator)(MODEL)


def decays(decay: float, ramp_up: str, steps: int) -> list[float]:
    if ramp_up == "off":
        return [0.0] + [decay] * (steps - 1)
    return [0.0] + [min(decay, (1 + step) / (10 + step)) for step in range(1, steps)]


@pytest.mark.parametrize("ramp_up", ["on", "off"])
@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_averages_equal_numpy(decay: float, ramp_up: str) -> None:
    network, averaged = generator(), generator()
    averages = ExponentialMovingAverages(
        network, TrainOptions(ema_decay=decay, ema_ramp_up=ramp_up)
    )
    random = np.random.default_rng(0)
    expected: dict[str, np.ndarray] = {}
    for step, share in enumerate(decays(decay, ramp_up, 12)):
        for weight in network.weights:
            value = random.normal(1, 1, weight.shape).astype("float32")
            weight.assign(value)
            before = expected.get(weight.path, np.zeros(weight.shape))
            expected[weight.path] = share * before + (1 - share) * value.astype("float64")
        averages.update(step)
    averaged.set_weights(network.get_weights())
    averages.assign_to(averaged)
    seen = {"averaged": 0, "own": 0}
    for now, mean in zip(network.weights, averaged.weights, strict=True):
        is_averaged = now.trainable or (ramp_up == "on" and now.name in STATISTICS)
        value = expected[now.path] if is_averaged else now.numpy()
        np.testing.assert_allclose(mean.numpy(), value, rtol=1e-5, atol=1e-6, err_msg=now.path)
        seen["averaged" if is_averaged else "own"] += 1
    assert seen["averaged"] == len(averages.variables)
    assert seen["own"] > 0  # spectral vectors belong to the current kernels


def test_the_first_weights_are_forgotten() -> None:
    """The share of the first weights in the average, with a decay of 0.999."""
    network = generator()
    left = {}
    for ramp_up in ("on", "off"):
        averages = ExponentialMovingAverages(
            network, TrainOptions(ema_decay=0.999, ema_ramp_up=ramp_up)
        )
        for step in range(100):
            network.trainable_variables[0].assign(
                tf.ones_like(network.trainable_variables[0]) * float(step == 0)
            )
            averages.update(step)
        left[ramp_up] = float(averages.variables[0].numpy().max())
    assert left["on"] < 1e-9
    assert left["off"] == pytest.approx(0.999**99, rel=1e-4)


def gan(**options: object) -> GAN:
    common = {"batch_size": 1, "discriminator_updates": 1, "ema_decay": 0.9}
    discriminator = tiny.build(tiny.TinyDiscriminator)(MODEL)
    return GAN(generator(), discriminator, TrainOptions(**{**common, **options}))


def step(network: GAN, number: int) -> None:
    clips = np.random.default_rng(number).integers(0, 256, (1, 1, 32, 64, 64, 3), np.uint8)
    network.train_step(tf.constant(clips))


@pytest.mark.parametrize("ramp_up", ["on", "off"])
def test_a_step_averages_its_result(ramp_up: str) -> None:
    trained, averaged = gan(ema_ramp_up=ramp_up), generator()
    trained.average_into(averaged)  # before there are any
    for mean, now in zip(averaged.weights, trained.generator.weights, strict=True):
        np.testing.assert_array_equal(mean.numpy(), now.numpy())
    expected: list[np.ndarray] = []
    for number, share in enumerate(decays(0.9, ramp_up, 3)):
        step(trained, number)
        now = [weight.numpy().astype("float64") for weight in trained.generator.weights]
        expected = expected or [np.zeros_like(value) for value in now]
        pairs = zip(expected, now, strict=True)
        expected = [share * mean + (1 - share) * value for mean, value in pairs]
    trained.average_into(averaged)
    for mean, value in zip(averaged.weights, expected, strict=True):
        if mean.trainable or (ramp_up == "on" and mean.name in STATISTICS):
            np.testing.assert_allclose(mean.numpy(), value, rtol=1e-5, atol=1e-7)


def test_averages_resume_from_a_checkpoint(tmp_path: Path) -> None:
    whole, parts = gan(), gan()
    Checkpoints(whole, tmp_path, keep=1).save()
    Checkpoints(parts, tmp_path, keep=1).restore_latest()  # the same at first
    for number in range(4):
        step(whole, number)
    for number in range(2):
        step(parts, number)
    Checkpoints(parts, tmp_path, keep=1).save()
    resumed = gan()
    assert Checkpoints(resumed, tmp_path, keep=1).restore_latest()
    for number in range(2, 4):
        step(resumed, number)
    for one, other in zip(whole.averages.variables, resumed.averages.variables, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-7)


def test_names_are_those_of_keras() -> None:
    """Older checkpoints have Keras' own averages."""
    import keras

    network = generator()
    optimizer = keras.optimizers.Adam(use_ema=True, name="adam")
    optimizer.build(network.trainable_variables)
    theirs = {each.path for each in optimizer.variables if each.name.endswith("_average")}
    ours = ExponentialMovingAverages(
        network, TrainOptions(ema_decay=0.5, ema_ramp_up="off")
    ).variables
    assert {each.path for each in ours} == theirs
