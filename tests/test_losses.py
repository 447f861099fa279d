from __future__ import annotations

import dataclasses
import functools
from typing import get_args, get_type_hints

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity

from ssagan_tf import losses
from ssagan_tf.options import TrainOptions
from tests.exactness import EXACT

pytestmark = pytest.mark.numeric

# Everything is computed in float64.
equal = functools.partial(np.testing.assert_allclose, rtol=EXACT)

REAL = np.array([[-3.0], [0.5], [2.0]], "float64")
FAKE = np.array([[1.0], [-2.0], [0.25]], "float64")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_discriminator_minimises_minus_equation_4() -> None:
    expected = -(np.mean(np.log(sigmoid(REAL))) + np.mean(np.log(1 - sigmoid(FAKE))))
    equal(losses.discriminator_loss(REAL, FAKE), expected)


def test_generator_minimises_equation_4_or_its_usual_reading() -> None:
    equal(losses.generator_adversarial_loss(FAKE, "minimax"), np.mean(np.log(1 - sigmoid(FAKE))))
    equal(losses.generator_adversarial_loss(FAKE, "nonsaturating"), -np.mean(np.log(sigmoid(FAKE))))
    with pytest.raises(ValueError, match="unheard_of"):
        losses.generator_adversarial_loss(FAKE, "unheard_of")


def test_only_minimax_saturates_while_the_discriminator_wins() -> None:
    logits = tf.constant([[-30.0]], "float64")
    slopes = {}
    for kind in ("minimax", "nonsaturating"):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = losses.generator_adversarial_loss(logits, kind)
        slopes[kind] = float(tape.gradient(loss, logits)[0, 0])
    equal(slopes["minimax"], -np.exp(-30.0))
    equal(slopes["nonsaturating"], -1)


@pytest.mark.parametrize("kind", losses.ADVERSARIAL_LOSSES)
def test_every_adversarial_loss(kind: str) -> None:
    """Finite for large logits; the discriminator tells real from fake, the generator opposes it."""
    far = np.array([[1e4], [-1e4]], "float64")
    assert np.isfinite(losses.discriminator_loss(far, far, kind))
    assert np.isfinite(losses.generator_adversarial_loss(far, kind))
    low, high = np.array([[-1.0]], "float64"), np.array([[1.0]], "float64")
    assert losses.discriminator_loss(high, low, kind) < losses.discriminator_loss(low, high, kind)
    generator = [float(losses.generator_adversarial_loss(x, kind)) for x in (low, high)]
    assert generator[1] < generator[0]


def test_settings_choose_among_the_losses_that_exist() -> None:
    """`adversarial` offers every adversarial loss, and every term has a weight `lambda_…`."""
    choices = get_args(get_type_hints(TrainOptions)["adversarial"])
    assert choices == tuple(losses.ADVERSARIAL_LOSSES)
    weights = {field.name for field in dataclasses.fields(TrainOptions)}
    weights = {name for name in weights if name.startswith("lambda_")}
    others = {"lambda_adv", "lambda_con", "lambda_penalty", "lambda_rank"}
    assert weights == others | {f"lambda_{name}" for name in losses.CLIP_LOSSES}


def test_content_is_the_mean_absolute_error() -> None:
    real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 4, 4, 3))
    equal(losses.content_loss(real, fake), np.mean(np.abs(real - fake)))


def test_wasserstein_keeps_the_sigmoid_as_released() -> None:
    real, fake = sigmoid(REAL).mean(), sigmoid(FAKE).mean()
    equal(losses.discriminator_loss(REAL, FAKE, "wasserstein"), fake - real)
    equal(losses.generator_adversarial_loss(FAKE, "wasserstein"), -fake)
    with pytest.raises(ValueError, match="unheard_of"):
        losses.discriminator_loss(REAL, FAKE, "unheard_of")


def test_gradient_penalty_of_known_slopes() -> None:
    slopes = np.zeros((3, 2, 2, 2, 3), "float64")
    slopes[0, 0, 0, 0, 0], slopes[1, 0, 1], slopes[2] = 3.0, 1.0, 0.0
    norms = np.sqrt(np.square(slopes).sum((1, 2, 3, 4)))
    slopes = tf.constant(slopes)
    with tf.GradientTape() as tape:
        tape.watch(slopes)
        penalty = losses.gradient_penalty(slopes)
    equal(penalty, np.mean((norms - 1) ** 2))
    gradient = tape.gradient(penalty, slopes)
    assert np.isfinite(gradient).all()  # also where the slope is 0
    equal(gradient[0, 0, 0, 0, 0], 2 * (3 - 1) / 3)


def test_ssim_loss() -> None:
    """Against scikit-image, with the published window and constants, and without padding."""
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (2, 3, 24, 17, 3))
    fake = 0.7 * real + 0.3 * rng.uniform(-1, 1, real.shape)

    def by_frame(fake: np.ndarray) -> float:
        frames = zip(real.reshape(6, 24, 17, 3), fake.reshape(6, 24, 17, 3), strict=True)
        return 1 - np.mean(
            [
                structural_similarity(
                    *pair,
                    channel_axis=-1,
                    data_range=2.0,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
                for pair in frames
            ]
        )

    clip = tf.constant(fake)
    with tf.GradientTape() as tape:
        tape.watch(clip)
        value = losses.ssim_loss(tf.constant(real), clip)
    equal(value, by_frame(fake))
    gradient = tape.gradient(value, clip).numpy()
    for seed in range(3):
        direction = np.random.default_rng(seed).standard_normal(fake.shape)
        ends = [by_frame(fake + step * direction) for step in (1e-5, -1e-5)]
        slope = (ends[0] - ends[1]) / 2e-5
        assert abs(slope - np.sum(gradient * direction)) < 1e-7 * np.linalg.norm(gradient)
    equal(losses.ssim_loss(real, real), 0, atol=EXACT)
    with pytest.raises(ValueError, match="Received: 8×8"):
        losses.ssim_loss(real[:, :, :8, :8], fake[:, :, :8, :8])


def test_content_losses_of_the_baselines() -> None:
    draw = np.random.default_rng(0)
    real, fake = (draw.uniform(-1, 1, (2, 3, 4, 5, 3)) for _ in range(2))
    difference = real - fake
    equal(losses.mse_loss(real, fake), (difference**2).mean())
    first = abs(difference[:, 0]).mean()
    equal(losses.first_frame_loss(real, fake), first)


def features(seed: int) -> list[np.ndarray]:
    """Features of two layers, `[B, T, H, W, C]`."""
    draw = np.random.default_rng(seed)
    return [draw.normal(size=shape) for shape in ((2, 3, 4, 5, 2), (2, 2, 3, 2, 4))]


def ranking_by_formula(real: list, negative: list, anchor: list) -> float:
    """MD-GAN's ranking loss, clip by clip and entry by entry, in float64."""

    def gram(clip):
        rows = np.array(
            [clip[t, :, :, c].ravel() for c in range(clip.shape[3]) for t in range(len(clip))]
        )
        return rows @ rows.T / rows.size

    total = 0.0
    for layer in zip(real, negative, anchor, strict=True):
        for y, y1, y2 in zip(*layer, strict=True):
            to_real, to_negative = (np.abs(gram(y2) - gram(other)).sum() for other in (y, y1))
            share = np.exp(-to_real) / (np.exp(-to_real) + np.exp(-to_negative))
            total -= np.log(share) / len(layer[0])
    return total


def test_ranking_loss_against_its_formula() -> None:
    triple = features(0), features(1), features(2)
    expected = ranking_by_formula(*triple)
    assert abs(expected - 2 * np.log(2)) > 0.01  # not the value at equal distances
    equal(losses.ranking_loss(*triple), expected)


def test_ranking_loss_gradients_by_finite_differences() -> None:
    triple = [[tf.constant(layer) for layer in features(seed)] for seed in range(3)]
    with tf.GradientTape() as tape:
        tape.watch(triple)
        loss = losses.ranking_loss(*triple)
    gradients = tape.gradient(loss, triple)
    for who in range(3):
        for layer in range(2):
            for place in ((0, 1, 2, 1, 1), (1, 0, 1, 0, 0)):
                ends = []
                for sign in (1, -1):
                    moved = [[np.array(f, "float64") for f in layers] for layers in triple]
                    moved[who][layer][place] += sign * 1e-5
                    ends.append(ranking_by_formula(*moved))
                slope = (ends[0] - ends[1]) / 2e-5
                assert abs(slope) > 1e-5
                assert abs(gradients[who][layer][place] - slope) < 1e-8


def test_ranking_loss_at_real_halfway_and_negative() -> None:
    """Lowest where the anchor is real, log 2 at equal distances, highest at the negative."""
    real, negative = features(0), features(1)
    apart = [
        np.abs(np.asarray(losses.gram_matrix(y) - losses.gram_matrix(y1))).sum(axis=(1, 2))
        for y, y1 in zip(real, negative, strict=True)
    ]
    at_real, at_negative = (sum(np.mean(np.log1p(np.exp(s * d))) for d in apart) for s in (-1, 1))
    assert at_real < 2 * np.log(2) < at_negative
    equal(losses.ranking_loss(real, negative, real), at_real)
    equal(losses.ranking_loss(real, negative, negative), at_negative)
    equal(losses.ranking_loss(real, real, negative), 2 * np.log(2))


def test_ranking_loss_stays_finite_and_counts_its_layers() -> None:
    real, far = features(0), [1e3 * layer for layer in features(1)]
    assert np.isfinite(losses.ranking_loss(real, far, far))
    with pytest.raises(ValueError, match="zip"):
        losses.ranking_loss(real, far, far[:1])
