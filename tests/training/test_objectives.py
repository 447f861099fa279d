"""Every system learns by its own losses: their terms, their schedule, what stays as it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import losses, models
from ssagan_tf.options import RECIPES, ModelOptions, OptionError, TrainOptions
from ssagan_tf.pixels import to_float
from ssagan_tf.skies import any_wind as synthetic
from ssagan_tf.training.gan import GAN, METRICS
from ssagan_tf.training.objectives import Objective, check_objective
from tests.exactness import EXACT, assert_exact
from tests.training import tiny

pytestmark = pytest.mark.numeric

FIRST = ModelOptions(network="mdgan_stage1", resolution=64, base_filters=1)
# Weights of the terms that each system's generator minimises (reference: their publications).
TERMS = {
    "ssagan": {"adversarial_loss": 1.0, "content_loss": 1.0},
    "ssagan_stage2": {"adversarial_loss": 1.0, "content_loss": 1.0},
    "mdgan_stage1": {"adversarial_loss": 1.0, "content_loss": 1.0},
    "mdgan_stage2": {"adversarial_loss": 1.0, "content_loss": 1.0, "ranking_loss": 1.0},
    "vgan": {"adversarial_loss": 1.0, "first_frame_loss": 10.0},
    "rnngan": {"adversarial_loss": 0.2, "mse_loss": 1.0},
}
UPDATES = {"ssagan": 5, "ssagan_stage2": 5}  # of the discriminator; the others': 1


def make(network: str, **changes) -> GAN:
    """With a first stage where there has to be one."""
    keras.utils.set_random_seed(0)
    model = ModelOptions(network=network, resolution=64, base_filters=1)
    options = TrainOptions(**{"batch_size": 2, **RECIPES.get(network, {}), **changes})
    first = models.build_generator(FIRST) if models.REGISTRY[network].takes_clip else None
    return GAN(models.build_generator(model), models.build_discriminator(model), options, first)


@pytest.fixture(scope="module")
def batch() -> tf.Tensor:
    """Two clips, of one update."""
    clouds = [synthetic.synthetic_clip(0, index, 64) for index in range(2)]
    return tf.constant(np.stack(clouds)[:, None])


def values(variables) -> list[np.ndarray]:
    return [np.array(variable) for variable in variables]


@pytest.mark.parametrize("network", models.REGISTRY)
@pytest.mark.slow
def test_every_system_learns_by_its_own_losses(network: str, batch: tf.Tensor) -> None:
    assert RECIPES.get(network, {}).get("discriminator_updates", 5) == UPDATES.get(network, 1)
    gan = make(network, discriminator_updates=1)
    learning = [*gan.generator.trainable_variables, *gan.discriminator.trainable_variables]
    before = values(learning)
    still = [] if gan.first is None else values(gan.first.weights)
    report = gan.train_step(batch)
    assert set(report) <= set(METRICS)
    assert all(np.isfinite(value) for value in report.values())
    terms = TERMS[network]
    total = sum(weight * float(report[name]) for name, weight in terms.items())
    # A sum of a few float32 numbers.
    np.testing.assert_allclose(report["generator_loss"], total, rtol=8 * np.finfo("float32").eps)
    # No term is there that does not count, but for the content loss, which all are measured by.
    counted = {name for name in report if name.endswith("_loss")}
    assert counted == {*terms, "content_loss", "generator_loss", "discriminator_loss"}
    for variable, value in zip(learning, before, strict=True):
        waits = "ssa" in variable.path and variable.name != "gamma"  # for γ, which is 0 at first
        assert waits or (np.asarray(variable) != value).any(), variable.path
    for variable, value in zip([] if gan.first is None else gan.first.weights, still, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize("ranking", ["both", "generator"])
@pytest.mark.usefixtures("quick_float64")
@pytest.mark.slow
def test_a_step_of_the_second_stage_is_what_it_says(
    batch: tf.Tensor, ranking: str, monkeypatch
) -> None:
    """Against MD-GAN's objective written out plainly, after a step of SGD."""
    # The discriminator is its own, as its features are compared.
    monkeypatch.setattr(models, "build_generator", tiny.build(tiny.TinyGenerator))
    settings = {"lambda_rank": 3.0, "ranking": ranking}
    gan, plain = make("mdgan_stage2", **settings), make("mdgan_stage2", **settings)
    for each in (gan, plain):
        for side in ("generator", "discriminator"):
            optimizer = keras.optimizers.SGD(0.1)
            optimizer.build(getattr(each, side).trainable_variables)
            setattr(each, f"{side}_optimizer", optimizer)

    report = gan.train_step(batch)

    g, d, real = plain.generator, plain.discriminator, to_float(batch[:, 0], "float64")
    rate = tf.cast(plain.generator_optimizer.learning_rate, "float64")  # as optimizers have it
    earlier = plain.first(real[:, 0], training=False)
    with tf.GradientTape(persistent=True) as tape:
        fake = g(earlier, training=True)
        judged = [d(clip, training=True, features=True) for clip in (real, earlier, fake)]
        critic_loss = losses.discriminator_loss(judged[0][0], judged[2][0])
        if ranking == "both":
            critic_loss -= 3.0 * losses.ranking_loss(*(features for _, features in judged))
    gradients = tape.gradient(critic_loss, d.trainable_variables)
    for variable, gradient in zip(d.trainable_variables, gradients, strict=True):
        variable.assign_sub(rate * gradient)
    with tape:
        judged = [d(clip, training=True, features=True) for clip in (real, earlier, fake)]
        ranked = losses.ranking_loss(*(features for _, features in judged))
        loss = losses.generator_adversarial_loss(judged[2][0], "nonsaturating")
        loss += losses.content_loss(real, fake) + 3.0 * ranked
    gradients = tape.gradient(loss, g.trainable_variables)
    for variable, gradient in zip(g.trainable_variables, gradients, strict=True):
        variable.assign_sub(rate * gradient)

    expected = {"discriminator_loss": critic_loss, "ranking_loss": ranked, "generator_loss": loss}
    for name, value in expected.items():
        assert_exact([report[name]], [value])
    assert ("discriminator_ranking" in report) == (ranking == "both")
    assert_exact(
        [*gan.generator.weights, *gan.discriminator.trainable_weights],
        [*g.weights, *d.trainable_weights],
    )


@pytest.mark.usefixtures("quick_float64")
def test_rnngans_discriminator_scores_every_frame(batch: tf.Tensor) -> None:
    gan = make("rnngan")
    real = to_float(batch[:, 0], "float64")
    logits = gan.discriminator(real, training=True, every_frame=True)
    assert logits.shape == (2, 32)
    (loss, report), _ = (
        part() for part in gan.objective.discriminator_parts(gan.discriminator, real, real, None)
    )
    expected = np.mean(np.log1p(np.exp(-np.asarray(logits))))
    np.testing.assert_allclose(loss, expected, rtol=EXACT)
    np.testing.assert_allclose(report["real_score"], np.mean(tf.sigmoid(logits)), rtol=EXACT)


def test_what_a_system_minimises_in_words() -> None:
    vgan = Objective("vgan", TrainOptions(**RECIPES["vgan"]))
    assert str(vgan) == "1 × nonsaturating adversarial + 10 × first frame"


def test_one_stage_has_nothing_to_rank_against() -> None:
    with pytest.raises(OptionError, match=r"^lambda_rank=1\.0: ssagan has one stage: there"):
        check_objective(ModelOptions(), TrainOptions(lambda_rank=1.0))
    with pytest.raises(OptionError, match="network=nothing: must be one of"):
        check_objective(ModelOptions(network="nothing"), TrainOptions(lambda_rank=1.0))
