"""Losses of the paper (Eq. 4-7), of the released code and of the baselines. All return scalars.

Discriminators return logits; D = sigmoid(logits).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from ssagan_tf.precision import upcast

# SSIM (Wang et al., 2004, Sec. III-C): a Gaussian window, and constants for values in [-1, 1].
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """An adversarial loss, as three functions of the discriminator's logits `[B, n]` → scalar.

    Attributes:
      real: What the discriminator minimises on real clips.
      fake: What the discriminator minimises on generated clips.
      generator: What the generator minimises.
    """

    real: Callable[[Any], Any]
    fake: Callable[[Any], Any]
    generator: Callable[[Any], Any]


def _minus_log_d(logits: Any) -> Any:
    """-E[log D]."""
    return ops.mean(ops.softplus(-logits))


def _minus_log_one_minus_d(logits: Any) -> Any:
    """-E[log(1 - D)]."""
    return ops.mean(ops.softplus(logits))


def _mean_d(logits: Any) -> Any:
    return ops.mean(ops.sigmoid(logits))


def _minus_mean_d(logits: Any) -> Any:
    return -_mean_d(logits)


# To add one: an entry here, and its name among the choices of `adversarial` in options/training.py.
ADVERSARIAL_LOSSES: dict[str, AdversarialLoss] = {
    # Eq. 4, 6 and 7: the generator minimises log(1 - D(G(x))).
    "minimax": AdversarialLoss(
        _minus_log_d,
        _minus_log_one_minus_d,
        generator=lambda logits: -_minus_log_one_minus_d(logits),
    ),
    # -log D(G(x)): the same fixed point, with a gradient that does not vanish while the
    # discriminator wins (Goodfellow et al., 2014, Sec. 3).
    "nonsaturating": AdversarialLoss(_minus_log_d, _minus_log_one_minus_d, generator=_minus_log_d),
    # As in the released code, which keeps the sigmoid.
    "wasserstein": AdversarialLoss(_minus_mean_d, _mean_d, generator=_minus_mean_d),
}


def discriminator_loss(real_logits: Any, fake_logits: Any, kind: str = "minimax") -> Any:
    """What the discriminator minimises, on real and on generated clips.

    Args:
      real_logits: The logits of real clips, `[B, 1]`.
      fake_logits: The logits of generated clips, `[B, 1]`.
      kind: A key of `ADVERSARIAL_LOSSES`. `"minimax"` or `"nonsaturating"`:
        -E[log D(Y)] - E[log(1 - D(G(x)))] (Eq. 4, 6). `"wasserstein"`: -E[D(Y)] + E[D(G(x))], with
        the sigmoid kept, as in the released code.

    Raises:
      ValueError: `kind` is unknown.
    """
    return discriminator_real_loss(real_logits, kind) + discriminator_fake_loss(fake_logits, kind)


def discriminator_real_loss(logits: Any, kind: str) -> Any:
    """The part of `discriminator_loss` that depends on real clips."""
    return _adversarial_loss(kind).real(logits)


def discriminator_fake_loss(logits: Any, kind: str) -> Any:
    """The part of `discriminator_loss` that depends on generated clips."""
    return _adversarial_loss(kind).fake(logits)


def generator_adversarial_loss(fake_logits: Any, kind: str) -> Any:
    """What the generator minimises against the discriminator.

    Args:
      fake_logits: The logits of generated clips, `[B, 1]`.
      kind: A key of `ADVERSARIAL_LOSSES`. `"minimax"`: E[log(1 - D(G(x)))] (Eq. 4, 7).
        `"nonsaturating"`: -E[log D(G(x))]. `"wasserstein"`: -E[D(G(x))].

    Raises:
      ValueError: `kind` is unknown.
    """
    return _adversarial_loss(kind).generator(fake_logits)


def _adversarial_loss(kind: str) -> AdversarialLoss:
    if kind not in ADVERSARIAL_LOSSES:
        raise ValueError(
            f"`kind` must be one of {', '.join(ADVERSARIAL_LOSSES)}. Received: kind={kind!r}"
        )
    return ADVERSARIAL_LOSSES[kind]


def gradient_penalty(gradients: Any) -> Any:
    """E[(‖∂D/∂z‖₂ - 1)²] (Gulrajani et al., 2017, Eq. 3).

    Args:
      gradients: ∂D(z)/∂z at points z between real and generated clips, `[B, T, H, W, C]`.
    """
    squares = ops.sum(ops.square(upcast(gradients)), axis=(1, 2, 3, 4))
    # The square root has no derivative at 0, which is what a saturated sigmoid gives.
    norms = ops.sqrt(ops.maximum(squares, 1e-24))
    return ops.mean(ops.square(norms - 1.0))


def content_loss(real: Any, fake: Any) -> Any:
    """L_con (Eq. 5): mean absolute error between clips `[B, T, H, W, C]` in [-1, 1]."""
    return ops.mean(ops.abs(real - fake))


def mse_loss(real: Any, fake: Any) -> Any:
    """Mean squared error between clips `[B, T, H, W, C]` in [-1, 1]: RNN-GAN's content loss."""
    return ops.mean(ops.square(real - fake))


def first_frame_loss(real: Any, fake: Any) -> Any:
    """Mean absolute error of the first frame, which is the photo: conditional VGAN's."""
    return ops.mean(ops.abs(real[:, 0] - fake[:, 0]))


def ssim_loss(real: Any, fake: Any) -> Any:
    """1 - SSIM between the frames of clips `[B, T, H, W, C]` in [-1, 1], as in the released code.

    An 11×11 Gaussian window with σ = 1.5, no padding, window-weighted moments without a correction
    for sample size; the mean over positions, channels, frames and clips.

    Raises:
      ValueError: Height or width is smaller than the window.
    """
    height, width = real.shape[2:4]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(
            f"frames must be at least {SSIM_WINDOW}×{SSIM_WINDOW}. Received: {height}×{width}"
        )
    # The window is separable: two products with banded matrices, whose gradient is fast, too.
    down, across = (ops.cast(_gaussian_window(side), real.dtype) for side in (height, width))

    def local_mean(x: Any) -> Any:
        return ops.einsum("ih,bthwc,jw->btijc", down, x, across)

    real_mean, fake_mean = local_mean(real), local_mean(fake)
    product, squares = real_mean * fake_mean, ops.square(real_mean) + ops.square(fake_mean)
    covariance = local_mean(real * fake) - product
    variances = local_mean(ops.square(real) + ops.square(fake)) - squares
    luminance = (2 * product + SSIM_C1) / (squares + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variances + SSIM_C2)
    return 1.0 - ops.mean(luminance * structure)


def _gaussian_window(side: int) -> np.ndarray:
    """Banded matrix `[side - 10, side]`: each row holds the weights of 11 adjacent values."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    rows = side - SSIM_WINDOW + 1
    matrix = np.zeros((rows, side))
    for offset, weight in enumerate(weights / weights.sum()):
        matrix[np.arange(rows), np.arange(rows) + offset] = weight
    return matrix


def gram_matrix(features: Any) -> Any:
    """g(F) = F Fᵀ / (M·S): which features occur together, wherever they are in the frame.

    Args:
      features: `[B, T, H, W, C]`, reshaped to F `[M, S]` with M = C·T and S = H·W.

    Returns:
      `[B, M, M]` in float32, or float64 for float64 features.
    """
    batch, time, height, width, channels = ops.shape(features)
    rows = ops.transpose(upcast(features), (0, 1, 4, 2, 3))
    rows = ops.reshape(rows, (batch, time * channels, height * width))
    size = time * channels * height * width
    return ops.matmul(rows, ops.transpose(rows, (0, 2, 1))) / ops.cast(size, rows.dtype)


# Further terms of the generator's loss, as functions of real and generated clips. The term `X` is
# weighted by the setting `lambda_X` of options/training.py, is left out where that is 0, and is
# reported as `X_loss`. To add one: a function above, an entry here, and that setting.
CLIP_LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "ssim": ssim_loss,
    "mse": mse_loss,
    "first_frame": first_frame_loss,
}


def ranking_loss(real: Sequence[Any], negative: Sequence[Any], anchor: Sequence[Any]) -> Any:
    """MD-GAN's L_rank (Xiong et al., CVPR 2018): second-stage clips should be closer to real clips
    than to first-stage clips.

    With p = ‖g(anchor) − g(real)‖₁ and n = ‖g(anchor) − g(negative)‖₁, summed over the entries of
    the Gram matrices, it is −log(e⁻ᵖ / (e⁻ᵖ + e⁻ⁿ)), a softmax cross-entropy, computed as
    log(1 + eᵖ⁻ⁿ); averaged over the batch, summed over the layers.

    Args:
      real: The discriminator's features of real clips, one `[B, T, H, W, C]` per layer.
      negative: The same for the first stage's clips.
      anchor: The same for the second stage's clips.

    Raises:
      ValueError: The numbers of layers differ.
    """
    total = 0.0
    for real_layer, negative_layer, anchor_layer in zip(real, negative, anchor, strict=True):
        gram = gram_matrix(anchor_layer)
        to_real, to_negative = (
            ops.sum(ops.abs(gram - gram_matrix(features)), axis=(1, 2))
            for features in (real_layer, negative_layer)
        )
        total = total + ops.mean(ops.softplus(to_real - to_negative))
    return total
