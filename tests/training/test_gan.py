from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import losses, models
from ssagan_tf.layers import ConvolutionBlock
from ssagan_tf.options import ModelOptions, TrainOptions
from ssagan_tf.pixels import to_float
from ssagan_tf.skies import any_wind as synthetic
from ssagan_tf.training.gan import GAN
from tests.exactness import assert_exact
from tests.training import tiny

pytestmark = pytest.mark.numeric

MODEL = ModelOptions(resolution=64, base_filters=2, ssa_layers="conv3,deconv3")
OPTIONS = TrainOptions(batch_size=2, discriminator_updates=2)


def make(model: ModelOptions = MODEL, options: TrainOptions = OPTIONS, seed: int = 0) -> GAN:
    keras.utils.set_random_seed(seed)
    return GAN(models.build_generator(model), models.build_discriminator(model), options)


def make_tiny(options: TrainOptions) -> GAN:
    """With tiny networks, for tests of the step itself."""
    keras.utils.set_random_seed(0)
    return GAN(
        tiny.build(tiny.TinyGenerator)(MODEL), tiny.build(tiny.TinyDiscriminator)(MODEL), options
    )


def clips(number: int, updates: int = 2) -> tf.Tensor:
    clouds = [synthetic.synthetic_clip(0, index, 64) for index in range(number * updates)]
    return tf.constant(np.stack(clouds).reshape(number, updates, 32, 64, 64, 3))


def values(variables) -> list[np.ndarray]:
    return [np.array(variable) for variable in variables]


@pytest.fixture(scope="module")
def batch() -> tf.Tensor:
    return clips(2)


def use_sgd(*gans: GAN) -> None:
    """Adam would hide a wrong scale."""
    for gan in gans:
        for side in ("generator", "discriminator"):
            optimizer = keras.optimizers.SGD(0.1)
            optimizer.build(getattr(gan, side).trainable_variables)
            setattr(gan, f"{side}_optimizer", optimizer)


def step_by_step(gan: GAN, weights: list, gradients: list) -> None:
    rate = gan.generator_optimizer.learning_rate  # float32, as optimizers have it
    for variable, gradient in zip(weights, gradients, strict=True):
        variable.assign_sub(tf.cast(rate, gradient.dtype) * gradient)


@pytest.mark.usefixtures("quick_float64")
@pytest.mark.slow
def test_step_equals_the_written_out_schedule(batch: tf.Tensor) -> None:
    """Against the update schedule written out without any sharing."""
    options = TrainOptions(
        batch_size=2, discriminator_updates=2, adversarial="minimax", lambda_con=3.0
    )
    gan, plain = make_tiny(options), make_tiny(options)
    use_sgd(gan, plain)
    for a, b in zip(gan.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(a, b)

    logs = tf.function(gan.train_step, autograph=False)(batch)

    g, d = plain.generator, plain.discriminator
    statistics = [w for w in g.weights if "moving" in w.name]
    seen = []
    for update in range(2):
        real = to_float(batch[:, update], "float64")
        with tf.GradientTape() as tape:
            fake = g(real[:, 0], training=True)
            real_logits, fake_logits = d(real, training=True), d(fake, training=True)
            loss = losses.discriminator_loss(real_logits, fake_logits)
        seen.append(float(loss))
        step_by_step(plain, d.trainable_variables, tape.gradient(loss, d.trainable_variables))
    kept = values(statistics)
    with tf.GradientTape() as tape:
        fake = g(real[:, 0], training=True)
        logits = d(fake, training=True)
        adversarial_loss = losses.generator_adversarial_loss(logits, "minimax")
        loss = adversarial_loss + 3.0 * losses.content_loss(real, fake)
    for variable, value in zip(statistics, kept, strict=True):
        variable.assign(value)  # the shared forward pass moves them once
    gradients = tape.gradient(loss, g.trainable_variables)
    step_by_step(plain, g.trainable_variables, gradients)

    expected = {
        "generator_gradient": np.sqrt(sum(np.sum(np.square(each)) for each in gradients)),
        "discriminator_loss": np.mean(seen),
        "generator_loss": loss,
        "adversarial_loss": adversarial_loss,
    }
    for name, value in expected.items():
        assert_exact([logs[name]], [np.asarray(value)])
    assert_exact([*gan.generator.weights, *gan.discriminator.weights], [*g.weights, *d.weights])


def test_discriminator_update_leaves_the_generator(batch: tf.Tensor) -> None:
    gan = make()
    generator, discriminator = (
        values(network.trainable_variables) for network in (gan.generator, gan.discriminator)
    )
    real = to_float(batch[:, 0])
    gan._update_discriminator(real, gan.generator(real[:, 0], training=True))
    for variable, before in zip(gan.generator.trainable_variables, generator, strict=True):
        np.testing.assert_array_equal(variable, before)
    for variable, before in zip(gan.discriminator.trainable_variables, discriminator, strict=True):
        assert (np.asarray(variable) != before).any(), variable.path


def test_generator_update_leaves_the_discriminator(batch: tf.Tensor) -> None:
    gan = make()
    # Discriminator updates that do nothing, so that what moves was moved by the generator's.
    gan.discriminator_optimizer.learning_rate = 0.0
    generator, discriminator = (
        values(network.trainable_variables) for network in (gan.generator, gan.discriminator)
    )
    gan.train_step(batch)
    for variable, before in zip(gan.discriminator.trainable_variables, discriminator, strict=True):
        np.testing.assert_array_equal(variable, before)
    # The attention's own weights wait for γ, which is 0 in the first step.
    waiting = ("query", "key", "value")
    for variable, before in zip(gan.generator.trainable_variables, generator, strict=True):
        if not any(name in variable.path for name in waiting):
            assert (np.asarray(variable) != before).any(), variable.path


@pytest.mark.slow
def test_all_weights_are_trained(batch: tf.Tensor) -> None:
    gan = make()
    before = values(gan.generator.trainable_variables)
    for _ in range(3):
        logs = gan.train_step(batch)
    assert gan.step == 3
    expected = {"adversarial_loss", "content_loss", "generator_loss", "discriminator_loss"}
    assert {name for name in logs if name.endswith("_loss")} == expected
    for variable, value in zip(gan.generator.trainable_variables, before, strict=True):
        assert (np.asarray(variable) != value).any(), variable.path


@pytest.mark.slow
def test_one_clip_can_be_overfitted() -> None:
    """The loss falls to a fifth of its initial value, and below that of repeating the photo."""
    model = ModelOptions(resolution=64, base_filters=4, ssa_layers="conv4,deconv2")
    options = TrainOptions(
        batch_size=1, discriminator_updates=1, learning_rate=2e-3, lambda_con=100.0
    )
    gan = make(model, options)
    one = clips(1, 1)
    step = tf.function(gan.train_step, autograph=False)
    real = to_float(one[:, 0])
    first = float(step(one)["content_loss"])
    enough = min(0.2 * first, float(losses.content_loss(real, real[:, :1])))
    # Which step it is depends on the CPU's rounding, so there is room.
    assert any(float(step(one)["content_loss"]) < enough for _ in range(400))


@pytest.mark.slow
def test_spectral_vectors_move_in_training_only(batch: tf.Tensor) -> None:
    gan = make(dataclasses.replace(MODEL, spectral_norm=True))
    vectors = [w for w in gan.discriminator.weights if w.name == "u"]
    before = values(vectors)
    gan.discriminator(to_float(batch[:, 0]), training=False)
    for vector, value in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector, value)
    gan.train_step(batch)
    assert any((np.asarray(v) != b).any() for v, b in zip(vectors, before, strict=True))


@pytest.mark.usefixtures("quick_float64")
def test_the_released_recipe(batch: tf.Tensor) -> None:
    """Compares its losses with independent formulas on clips and scores."""
    options = TrainOptions(
        batch_size=2,
        discriminator_updates=1,
        adversarial="wasserstein",
        lambda_penalty=10.0,
        lambda_ssim=1.0,
    )
    gan, again = make_tiny(options), make_tiny(options)
    clips = batch[:, :1]
    logs = gan.train_step(clips)

    g, d, real = again.generator, again.discriminator, to_float(clips[:, 0], "float64")
    fake = g(real[:, 0], training=True)
    scores = [tf.sigmoid(d(clip, training=True)) for clip in (real, fake)]
    alpha = again._mixing_weights(2)
    assert alpha.shape == (2, 1, 1, 1, 1)
    assert ((alpha >= 0) & (alpha < 1)).numpy().all()
    mixed = alpha * fake + (1 - alpha) * real
    with tf.GradientTape() as tape:
        tape.watch(mixed)
        score = tf.reduce_sum(tf.sigmoid(d(mixed, training=True)))
    slopes = tape.gradient(score, mixed).numpy()
    penalty = np.mean((np.sqrt(np.square(slopes).sum((1, 2, 3, 4))) - 1) ** 2)
    structure = losses.ssim_loss(real, fake)
    expected = {
        "gradient_penalty": penalty,
        "discriminator_loss": np.mean(scores[1]) - np.mean(scores[0]) + 10 * penalty,
        "ssim_loss": structure,
        "generator_loss": logs["adversarial_loss"] + logs["content_loss"] + structure,
    }
    for name, value in expected.items():
        assert_exact([logs[name]], [np.asarray(value)])


@pytest.mark.usefixtures("quick_float64")
@pytest.mark.slow
def test_gradient_of_the_penalty_by_finite_differences(batch: tf.Tensor, monkeypatch) -> None:
    """A gradient of a gradient, through convolutions and batch norm.

    With a smooth activation: where a leaky ReLU bends, slopes jump.
    """
    monkeypatch.setattr(ConvolutionBlock, "_activate", lambda self, x: tf.nn.softplus(x))
    model = dataclasses.replace(MODEL, base_filters=1)
    gan = make(model, dataclasses.replace(OPTIONS, lambda_penalty=1.0))
    real = to_float(batch[:, 0], "float64")
    fake = tf.reverse(real, [1])
    kernel = gan.discriminator.trainable_variables[0]
    penalty = tf.function(lambda: gan._gradient_penalty(real, fake), autograph=False)
    with tf.GradientTape() as tape:
        value = gan._gradient_penalty(real, fake)
    gradient = tape.gradient(value, kernel).numpy()
    direction = gradient / np.linalg.norm(gradient)
    at, step = kernel.numpy(), 1e-5
    ends = []
    for sign in (1, -1):
        kernel.assign(at + sign * step * direction)
        ends.append(float(penalty()))
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(slope, np.linalg.norm(gradient), rtol=1e-6)


def test_mixing_weights_depend_on_update_and_rollbacks() -> None:
    gan = make()
    first = gan._mixing_weights(4)
    np.testing.assert_array_equal(gan._mixing_weights(4), first)
    gan.discriminator_optimizer.iterations.assign_add(1)
    second = gan._mixing_weights(4)
    gan.rollbacks.assign_add(1)
    third = gan._mixing_weights(4)
    assert len({float(draw[0, 0, 0, 0, 0]) for draw in (first, second, third)}) == 3
