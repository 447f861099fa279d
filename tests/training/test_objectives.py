"""Every network is trained with its own losses: their terms, their schedule, what is frozen."""

from __future__ import annotations

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import losses, models
from ssagan_tf.options import RECIPES, ModelOptions, OptionError, TrainOptions
from ssagan_tf.pixels import to_float
from ssagan_tf.skies import any_wind as synthetic
from ssagan_tf.training import callbacks
from ssagan_tf.training.gan import GAN, STOP, NonFiniteError
from ssagan_tf.training.objectives import Objective, check_objective
from ssagan_tf.training.optimizer import make_optimizer
from tests.exactness import EXACT, assert_exact
from tests.training import tiny

pytestmark = pytest.mark.numeric

FIRST = ModelOptions(network="mdgan_stage1", resolution=64, base_filters=1)
# The weights of the terms that each network's generator minimises, from the publications. Networks
# that are not listed are compared with their own recipe.
PUBLISHED = {
    "ssagan": {"adversarial_loss": 1.0, "content_loss": 1.0},
    "ssagan_stage2": {"adversarial_loss": 1.0, "content_loss": 1.0},
    "mdgan_stage1": {"adversarial_loss": 1.0, "content_loss": 1.0},
    "mdgan_stage2": {"adversarial_loss": 1.0, "content_loss": 1.0, "ranking_loss": 1.0},
    "vgan": {"adversarial_loss": 1.0, "first_frame_loss": 10.0},
    "rnngan": {"adversarial_loss": 0.2, "mse_loss": 1.0},
}
DISCRIMINATOR_UPDATES = {"ssagan": 5, "ssagan_stage2": 5}  # published; 1 for the others above


def make(network: str, **changes) -> GAN:
    """A GAN of small networks, with a first stage if it needs one."""
    keras.utils.set_random_seed(0)
    model = ModelOptions(network=network, resolution=64, base_filters=1)
    options = TrainOptions(**{"batch_size": 2, **RECIPES.get(network, {}), **changes})
    first = models.build_generator(FIRST) if models.REGISTRY[network].takes_clip else None
    return GAN(models.build_generator(model), models.build_discriminator(model), options, first)


@pytest.fixture(scope="module")
def batch() -> tf.Tensor:
    """Two clips for one update."""
    clouds = [synthetic.synthetic_clip(0, index, 64) for index in range(2)]
    return tf.constant(np.stack(clouds)[:, None])


def values(variables) -> list[np.ndarray]:
    return [np.array(variable) for variable in variables]


def terms_of(network: str) -> dict[str, float]:
    """The weights of the terms of a generator's loss, without those of weight 0."""
    if network in PUBLISHED:
        return PUBLISHED[network]
    options = TrainOptions(**RECIPES.get(network, {}))
    weights = {
        "adversarial_loss": options.lambda_adv,
        "content_loss": options.lambda_con,
        "ranking_loss": options.lambda_rank,
    }
    weights |= {f"{name}_loss": getattr(options, f"lambda_{name}") for name in losses.CLIP_LOSSES}
    return {name: weight for name, weight in weights.items() if weight}


@pytest.mark.parametrize("network", PUBLISHED)
def test_discriminator_updates_are_the_published_ones(network: str) -> None:
    updates = RECIPES.get(network, {}).get("discriminator_updates", 5)
    assert updates == DISCRIMINATOR_UPDATES.get(network, 1)


@pytest.mark.parametrize("network", models.REGISTRY)
@pytest.mark.slow
def test_every_network_is_trained_with_its_own_losses(network: str, batch: tf.Tensor) -> None:
    gan = make(network, discriminator_updates=1)
    learning = [*gan.generator.trainable_variables, *gan.discriminator.trainable_variables]
    before = values(learning)
    frozen = [] if gan.first is None else values(gan.first.weights)
    metrics = gan.train_step(batch)
    assert all(np.isfinite(value) for value in metrics.values())
    terms = terms_of(network)
    total = sum(weight * float(metrics[name]) for name, weight in terms.items())
    # A sum of a few float32 numbers.
    np.testing.assert_allclose(metrics["generator_loss"], total, rtol=8 * np.finfo("float32").eps)
    # Only terms with a weight are computed, except the content loss, which is always reported.
    reported = {name for name in metrics if name.endswith("_loss")}
    assert reported == {*terms, "content_loss", "generator_loss", "discriminator_loss"}
    for variable, value in zip(learning, before, strict=True):
        waits = "ssa" in variable.path and variable.name != "gamma"  # for γ, which is 0 at first
        assert waits or (np.asarray(variable) != value).any(), variable.path
    for variable, value in zip([] if gan.first is None else gan.first.weights, frozen, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_metrics_are_named_in_the_order_in_which_they_are_computed(batch: tf.Tensor) -> None:
    """So that the first one that is NaN is where it began."""
    weights = {f"lambda_{name}": 1.0 for name in losses.CLIP_LOSSES}
    gan = make("ssagan", discriminator_updates=1, lambda_penalty=1.0, **weights)
    gan.generator = tiny.build(tiny.TinyGenerator)(gan.generator.options)
    gan.discriminator = tiny.build(tiny.TinyDiscriminator)(gan.discriminator.options)
    gan.generator_optimizer = make_optimizer(gan.generator, gan.options)
    gan.discriminator_optimizer = make_optimizer(gan.discriminator, gan.options)
    for _ in range(2):
        metrics = tf.function(gan.train_step, autograph=False)(batch)
    assert set(metrics) == set(gan.metric_names)
    assert list(gan.metric_names) == [
        "gradient_penalty",
        "discriminator_loss",
        "real_score",
        "fake_score",
        "discriminator_gradient",
        "adversarial_loss",
        "content_loss",
        *(f"{name}_loss" for name in losses.CLIP_LOSSES),
        "generator_loss",
        "generator_gradient",
    ]


def test_every_metric_is_logged_and_checked(tmp_path) -> None:
    """Whatever a step reports: there is no list of names that a new one could be missing from."""
    model = SimpleNamespace(step=1, metric_names=("old", "new_loss"))
    log = callbacks.MetricsLog(tmp_path, 0)
    logger, guard = callbacks.LogMetrics(1, 2, log), callbacks.StopOnNonFinite()
    for each in (logger, guard):
        each.set_model(model)
    for value in (1.0, 3.0):
        logger.on_train_batch_begin(1)
        logger.on_train_batch_end(1, {"new_loss": value, "old": 0.0, STOP: 0.0})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["new_loss"] for line in lines] == [1.0, 3.0]
    assert not any(STOP in line for line in lines)
    [events] = (tmp_path / "tensorboard").glob("events.*")
    assert b"loss/new loss" in events.read_bytes()
    with pytest.raises(NonFiniteError, match="the new_loss became nan"):
        guard.on_train_batch_end(1, {"new_loss": float("nan"), "old": 1.0})


@pytest.mark.parametrize("ranking", ["both", "generator"])
@pytest.mark.usefixtures("quick_float64")
@pytest.mark.slow
def test_step_of_a_second_stage(batch: tf.Tensor, ranking: str, monkeypatch) -> None:
    """Against MD-GAN's objective written out, after a step of SGD."""
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
def test_rnngan_is_trained_on_the_score_of_every_frame(batch: tf.Tensor) -> None:
    gan = make("rnngan")
    real = to_float(batch[:, 0], "float64")
    logits = gan.discriminator(real, training=True, every_frame=True)
    assert logits.shape == (2, 32)
    (loss, _, scores), _ = (
        part() for part in gan.objective.discriminator_parts(gan.discriminator, real, real, None)
    )
    expected = np.mean(np.log1p(np.exp(-np.asarray(logits))))
    np.testing.assert_allclose(loss, expected, rtol=EXACT)
    np.testing.assert_allclose(scores["real_score"], np.mean(tf.sigmoid(logits)), rtol=EXACT)


def test_objective_in_words() -> None:
    vgan = Objective(TrainOptions(**RECIPES["vgan"]))
    assert str(vgan) == "1 × nonsaturating adversarial + 10 × first frame"


def test_ranking_needs_two_stages() -> None:
    with pytest.raises(OptionError, match=r"^lambda_rank=1\.0: ssagan has a single stage: there"):
        check_objective(ModelOptions(), TrainOptions(lambda_rank=1.0))
    with pytest.raises(OptionError, match="network=nothing: must be one of"):
        check_objective(ModelOptions(network="nothing"), TrainOptions(lambda_rank=1.0))
