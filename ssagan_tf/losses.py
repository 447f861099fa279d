"""The paper's objectives (Eq. 4-7), from logits: D = sigmoid(logits). All return scalars."""

from __future__ import annotations

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
