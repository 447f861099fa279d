from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ssagan_tf import losses

REAL = np.array([[-3.0], [0.5], [2.0]], "float32")
FAKE = np.array([[1.0], [-2.0], [0.25]], "float32")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype("float64")))


def test_discriminator_minimises_minus_equation_4() -> None:
    expected = -(np.mean(np.log(sigmoid(REAL))) + np.mean(np.log(1 - sigmoid(FAKE))))
    np.testing.assert_allclose(losses.discriminator_loss(REAL, FAKE), expected, rtol=1e-6)


def test_generator_minimises_equation_4_or_its_usual_reading() -> None:
    np.testing.assert_allclose(
        losses.generator_adversarial_loss(FAKE, "minimax"),
        np.mean(np.log(1 - sigmoid(FAKE))),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        losses.generator_adversarial_loss(FAKE, "nonsaturating"),
        -np.mean(np.log(sigmoid(FAKE))),
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="hinge"):
        losses.generator_adversarial_loss(FAKE, "hinge")


def test_only_minimax_saturates_while_the_discriminator_wins() -> None:
    logits = tf.constant([[-30.0]])
    slopes = {}
    for kind in ("minimax", "nonsaturating"):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = losses.generator_adversarial_loss(logits, kind)
        slopes[kind] = float(tape.gradient(loss, logits)[0, 0])
    np.testing.assert_allclose(slopes["minimax"], 0, atol=1e-12)
    np.testing.assert_allclose(slopes["nonsaturating"], -1)


def test_large_logits_stay_finite() -> None:
    far = np.array([[1e4], [-1e4]], "float32")
    assert np.isfinite(losses.discriminator_loss(far, far))
    assert np.isfinite(losses.generator_adversarial_loss(far, "minimax"))


def test_content_is_the_mean_absolute_error() -> None:
    real, fake = np.random.default_rng(0).uniform(-1, 1, (2, 2, 3, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(
        losses.content_loss(real, fake), np.mean(np.abs(real - fake)), rtol=1e-6
    )


def test_the_released_losses_are_of_the_sigmoids_output() -> None:
    real, fake = sigmoid(REAL).mean(), sigmoid(FAKE).mean()
    np.testing.assert_allclose(
        losses.discriminator_loss(REAL, FAKE, "wasserstein"), fake - real, rtol=1e-6
    )
    np.testing.assert_allclose(
        losses.generator_adversarial_loss(FAKE, "wasserstein"), -fake, rtol=1e-6
    )
    with pytest.raises(ValueError, match="hinge"):
        losses.discriminator_loss(REAL, FAKE, "hinge")


def test_gradient_penalty_of_known_slopes() -> None:
    slopes = np.zeros((3, 2, 2, 2, 3), "float32")
    slopes[0, 0, 0, 0, 0], slopes[1, 0, 1], slopes[2] = 3.0, 1.0, 0.0
    norms = np.sqrt(np.square(slopes.astype("float64")).sum((1, 2, 3, 4)))
    slopes = tf.constant(slopes)
    with tf.GradientTape() as tape:
        tape.watch(slopes)
        penalty = losses.gradient_penalty(slopes)
    np.testing.assert_allclose(penalty, np.mean((norms - 1) ** 2), rtol=1e-6)
    gradient = tape.gradient(penalty, slopes)
    assert np.isfinite(gradient).all()  # also where the slope is 0
    np.testing.assert_allclose(gradient[0, 0, 0, 0, 0], 2 * (3 - 1) / 3, rtol=1e-6)


def test_structure_is_ssim() -> None:
    """Against TensorFlow's, which pads nothing and has the same window and constants."""
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (2, 3, 24, 17, 3)).astype("float32")
    fake = (0.7 * real + 0.3 * rng.uniform(-1, 1, real.shape)).astype("float32")
    values, slopes = [], []
    for loss in (
        losses.structure_loss,
        lambda real, fake: 1 - tf.reduce_mean(tf.image.ssim(real, fake, max_val=2.0)),
    ):
        clip = tf.constant(fake)
        with tf.GradientTape() as tape:
            tape.watch(clip)
            value = loss(tf.constant(real), clip)
        values.append(value)
        slopes.append(tape.gradient(value, clip))
    np.testing.assert_allclose(*values, rtol=1e-5)
    np.testing.assert_allclose(*slopes, atol=1e-5 * np.abs(slopes[1]).max())
    np.testing.assert_allclose(losses.structure_loss(real, real), 0, atol=1e-6)
    with pytest.raises(ValueError, match="Received: 8×8"):
        losses.structure_loss(real[:, :, :8, :8], fake[:, :, :8, :8])
