"""The objectives of the paper (Eq. 4-7), of the released code and of MD-GAN. All return scalars.

The discriminator gives logits; D = sigmoid(logits).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from ssagan_tf.precision import widened

# SSIM (Wang et al., 2004, Sec. III-C): a Gaussian window, and constants for values in [-1, 1].
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2


def discriminator_loss(real_logits: Any, fake_logits: Any, kind: str = "nonsaturating") -> Any:
    """What the discriminator minimises: of real and of generated clips.

    Args:
      real_logits: `[B, 1]`, of real clips.
      fake_logits: `[B, 1]`, of generated clips.
      kind: `"nonsaturating"` or `"minimax"`: -E[log D(Y)] - E[log(1 - D(G(x)))] (Eq. 4, 6).
        `"wasserstein"`: -E[D(Y)] + E[D(G(x))], with the sigmoid kept, as in the released code.

    Raises:
      ValueError: `kind` is none of them.
    """
    return discriminator_real_loss(real_logits, kind) + discriminator_fake_loss(fake_logits, kind)


def discriminator_real_loss(logits: Any, kind: str) -> Any:
    """The part of `discriminator_loss` that is of real clips."""
    if kind in ("nonsaturating", "minimax"):
        return ops.mean(ops.softplus(-logits))
    if kind == "wasserstein":
        return -ops.mean(ops.sigmoid(logits))
    raise _unknown(kind)


def discriminator_fake_loss(logits: Any, kind: str) -> Any:
    """The part of `discriminator_loss` that is of generated clips."""
    if kind in ("nonsaturating", "minimax"):
        return ops.mean(ops.softplus(logits))
    if kind == "wasserstein":
        return ops.mean(ops.sigmoid(logits))
    raise _unknown(kind)


def generator_adversarial_loss(fake_logits: Any, kind: str) -> Any:
    """What the generator minimises against the discriminator.

    Args:
      fake_logits: `[B, 1]`, of generated clips.
      kind: `"minimax"`: E[log(1 - D(G(x)))], Eq. 4 to the letter, whose gradient vanishes while
        the discriminator wins. `"nonsaturating"`: -E[log D(G(x))], which has the same fixed
        point (Goodfellow et al., 2014, Sec. 3). `"wasserstein"`: -E[D(G(x))].

    Raises:
      ValueError: `kind` is none of them.
    """
    if kind == "nonsaturating":
        return ops.mean(ops.softplus(-fake_logits))
    if kind == "minimax":
        return -ops.mean(ops.softplus(fake_logits))
    if kind == "wasserstein":
        return -ops.mean(ops.sigmoid(fake_logits))
    raise _unknown(kind)


def _unknown(kind: str) -> ValueError:
    return ValueError(
        f"`kind` must be 'nonsaturating', 'minimax' or 'wasserstein'. Received: kind={kind!r}"
    )


def gradient_penalty(slopes: Any) -> Any:
    """E[(‖∂D/∂z‖₂ - 1)²] (Gulrajani et al., 2017, Eq. 3).

    Args:
      slopes: ∂D(z)/∂z at points z between real and generated clips, `[B, T, H, W, C]`.
    """
    squares = ops.sum(ops.square(widened(slopes)), axis=(1, 2, 3, 4))
    # The root has no derivative at 0, where a saturated sigmoid ends up.
    norms = ops.sqrt(ops.maximum(squares, 1e-24))
    return ops.mean(ops.square(norms - 1.0))


def content_loss(real: Any, fake: Any) -> Any:
    """L_con (Eq. 5): mean absolute error of clips `[B, T, H, W, C]` in [-1, 1]."""
    return ops.mean(ops.abs(real - fake))


def mse_loss(real: Any, fake: Any) -> Any:
    """Mean squared error of clips `[B, T, H, W, C]` in [-1, 1]: RNN-GAN's content loss."""
    return ops.mean(ops.square(real - fake))


def first_frame_loss(real: Any, fake: Any) -> Any:
    """Mean absolute error of the first frame, which is the photo: conditional VGAN's."""
    return ops.mean(ops.abs(real[:, 0] - fake[:, 0]))


def ssim_loss(real: Any, fake: Any) -> Any:
    """1 - SSIM, of the frames of clips `[B, T, H, W, C]` in [-1, 1], as in the released code.

    A Gaussian window of 11×11 with σ = 1.5, no padding, moments by the weights of the window
    (nothing added for the size of the sample), mean over positions, channels, frames and clips.

    Raises:
      ValueError: A side is smaller than the window.
    """
    height, width = real.shape[2:4]
    if min(height, width) < SSIM_WINDOW:
        raise ValueError(
            f"frames must be at least {SSIM_WINDOW}×{SSIM_WINDOW}. Received: {height}×{width}"
        )
    # Two products with banded matrices: exact, and fast in the gradient as well.
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
    """`[side - 10, side]`: each row weighs the 11 values around a position."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    rows = side - SSIM_WINDOW + 1
    matrix = np.zeros((rows, side))
    for offset, weight in enumerate(weights / weights.sum()):
        matrix[np.arange(rows), np.arange(rows) + offset] = weight
    return matrix


def gram_matrix(features: Any) -> Any:
    """g(F) = F Fᵀ / (M·S): how features go together in a clip, wherever they are.

    Args:
      features: `[B, T, H, W, C]`, seen as F `[M, S]` with M = C·T and S = H·W.

    Returns:
      `[B, M, M]`, at least float32.
    """
    batch, time, height, width, channels = ops.shape(features)
    rows = ops.transpose(widened(features), (0, 1, 4, 2, 3))
    rows = ops.reshape(rows, (batch, time * channels, height * width))
    size = time * channels * height * width
    return ops.matmul(rows, ops.transpose(rows, (0, 2, 1))) / ops.cast(size, rows.dtype)


def ranking_loss(real: Sequence[Any], negative: Sequence[Any], anchor: Sequence[Any]) -> Any:
    """MD-GAN's L_rank (Xiong et al., CVPR 2018): the second stage's clips shall be nearer to real
    ones than to the first stage's.

    With p = ‖g(anchor) − g(real)‖₁ and n = ‖g(anchor) − g(negative)‖₁, sums over the entries of
    Gram matrices, it is −log(e⁻ᵖ / (e⁻ᵖ + e⁻ⁿ)), the cross-entropy of a softmax, as
    log(1 + eᵖ⁻ⁿ); the mean over the batch, summed over the layers.

    Args:
      real: The discriminator's features of real clips, a layer each, `[B, T, H, W, C]`.
      negative: The same of the first stage's clips.
      anchor: The same of the second stage's clips.

    Raises:
      ValueError: They are of different numbers of layers.
    """
    total = 0.0
    for of_real, of_negative, of_anchor in zip(real, negative, anchor, strict=True):
        gram = gram_matrix(of_anchor)
        to_real, to_negative = (
            ops.sum(ops.abs(gram - gram_matrix(features)), axis=(1, 2))
            for features in (of_real, of_negative)
        )
        total = total + ops.mean(ops.softplus(to_real - to_negative))
    return total
