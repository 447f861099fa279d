"""The objectives (Eq. 4-7), from logits: D = sigmoid(logits); MD-GAN's ranking loss.

All losses are scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops


def discriminator_loss(real_logits: Any, fake_logits: Any) -> Any:
    """L_D = -E[log D(Y)] - E[log(1 - D(G(x)))] (Eq. 4, 6).

    Args:
      real_logits: `[B, 1]`, of real clips.
      fake_logits: `[B, 1]`, of generated clips.
    """
    return ops.mean(ops.softplus(-real_logits)) + ops.mean(ops.softplus(fake_logits))


def generator_adversarial_loss(fake_logits: Any, kind: str) -> Any:
    """What the generator minimises of Eq. 4.

    Args:
      fake_logits: `[B, 1]`, of generated clips.
      kind: `"minimax"`: E[log(1 - D(G(x)))], Eq. 4 to the letter, whose gradient vanishes while
        the discriminator wins. `"nonsaturating"`: -E[log D(G(x))], which has the same fixed
        point (Goodfellow et al., 2014, Sec. 3).

    Raises:
      ValueError: `kind` is neither.
    """
    if kind == "nonsaturating":
        return ops.mean(ops.softplus(-fake_logits))
    if kind == "minimax":
        return -ops.mean(ops.softplus(fake_logits))
    raise ValueError(f"`kind` must be 'nonsaturating' or 'minimax'. Received: kind={kind!r}")


def content_loss(real: Any, fake: Any) -> Any:
    """L_con (Eq. 5): mean absolute error of clips `[B, T, H, W, C]` in [-1, 1]."""
    return ops.mean(ops.abs(real - fake))


def gram_matrix(features: Any) -> Any:
    """g(F) = F Fᵀ / (M·S): how features go together in a clip, wherever they are.

    Args:
      features: `[B, T, H, W, C]`, seen as F `[M, S]` with M = C·T and S = H·W.

    Returns:
      float32 `[B, M, M]`.
    """
    batch, time, height, width, channels = ops.shape(features)
    rows = ops.transpose(ops.cast(features, "float32"), (0, 1, 4, 2, 3))
    rows = ops.reshape(rows, (batch, time * channels, height * width))
    size = time * channels * height * width
    return ops.matmul(rows, ops.transpose(rows, (0, 2, 1))) / ops.cast(size, "float32")


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
