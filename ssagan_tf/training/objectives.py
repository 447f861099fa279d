"""What the generator and the discriminator minimise. The weights of the terms are settings.

L_D = −L_adv − λ_rank·L_rank + penalty, and L_G = λ_adv·L_adv + λ_con·L_con + λ_rank·L_rank + …,
without the terms of weight 0. Each network's default weights are in `options.RECIPES`.

What is reported is what is logged and checked for NaN: there is no list of metrics to extend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ssagan_tf import losses, models
from ssagan_tf.models.discriminator import ClipDiscriminator
from ssagan_tf.options import ModelOptions, OptionError, TrainOptions

Scored = tuple[Any, Sequence[Any]]
"""Logits, and the features that the ranking loss compares (none where clips are not ranked)."""
Metrics = dict[str, Any]
Part = Callable[[], tuple[Any, Metrics, Metrics]]
"""Computes one part of the discriminator's loss; returns it, its terms, and mean scores D(·)."""


def check_objective(model: ModelOptions, options: TrainOptions) -> None:
    """Raises OptionError if the network is unknown or cannot be trained with these losses."""
    if options.lambda_rank and not models.spec_of(model).takes_clip:
        raise OptionError(
            "lambda_rank",
            options.lambda_rank,
            f"{model.network} has a single stage: there are no first-stage clips to rank against",
        )


class Objective:
    """The losses of one training run.

    Args:
      options: The adversarial loss, the weights of the terms, and who minimises the ranking loss.
    """

    def __init__(self, options: TrainOptions):
        self._options = options
        self.ranks = options.lambda_rank > 0

    def score(self, discriminator: ClipDiscriminator, clip: Any) -> Scored:
        """The discriminator's output for a clip, in training mode."""
        arguments = {"training": True, **discriminator.training_arguments}
        if self.ranks:
            return discriminator(clip, features=True, **arguments)
        return discriminator(clip, **arguments), ()

    def discriminator_parts(
        self, discriminator: ClipDiscriminator, real: Any, fake: Any, inputs: Any
    ) -> list[Part]:
        """The parts of L_D without the penalty, for gradients taken one part after the other.

        That way the activations of only one forward pass are held at a time. Where clips are
        ranked, all of them meet in a single loss.

        Args:
          discriminator: Real and generated clips go through it separately: their batch statistics
            must not mix.
          real: Clips `[B, T, H, W, 3]`.
          fake: The generator's clips, `[B, T, H, W, 3]`.
          inputs: The generator's inputs: in a second stage, the first stage's clips.
        """
        kind = self._options.adversarial

        def score_real() -> tuple[Any, Metrics, Sequence[Any]]:
            logits, features = self.score(discriminator, real)
            score = tf.reduce_mean(tf.sigmoid(logits))
            return losses.discriminator_real_loss(logits, kind), {"real_score": score}, features

        def score_fake() -> tuple[Any, Metrics, Sequence[Any]]:
            logits, features = self.score(discriminator, fake)
            score = tf.reduce_mean(tf.sigmoid(logits))
            return losses.discriminator_fake_loss(logits, kind), {"fake_score": score}, features

        def ranked() -> tuple[Any, Metrics, Metrics]:
            real_loss, real_score, positive = score_real()
            fake_loss, fake_score, anchor = score_fake()
            _, negative = self.score(discriminator, inputs)
            ranking = losses.ranking_loss(positive, negative, anchor)
            loss = real_loss + fake_loss - self._options.lambda_rank * ranking
            return loss, {"discriminator_ranking": ranking}, {**real_score, **fake_score}

        def without_features(part: Callable) -> tuple[Any, Metrics, Metrics]:
            loss, score, _ = part()
            return loss, {}, score

        if self.ranks and self._options.ranking == "both":
            return [ranked]
        return [lambda: without_features(score_real), lambda: without_features(score_fake)]

    def reference_features(
        self, discriminator: ClipDiscriminator, real: Any, inputs: Any
    ) -> list[Sequence[Any]]:
        """Features of real and of first-stage clips, for `generator_losses`."""
        return [self.score(discriminator, clip)[1] for clip in (real, inputs)] if self.ranks else []

    def generator_losses(
        self, real: Any, fake: Any, scored: Scored, references: list[Sequence[Any]]
    ) -> Metrics:
        """The unweighted terms of L_G, and last L_G itself as `generator_loss`.

        Args:
          real: Clips `[B, T, H, W, 3]`.
          fake: The generator's clips, `[B, T, H, W, 3]`.
          scored: What `score` returned for `fake`.
          references: What `reference_features` returned.
        """
        options = self._options
        logits, features = scored
        adversarial = losses.generator_adversarial_loss(logits, options.adversarial)
        content = losses.content_loss(real, fake)
        terms = {"adversarial_loss": adversarial, "content_loss": content}
        loss = options.lambda_adv * adversarial
        if options.lambda_con:
            loss += options.lambda_con * content  # Eq. 7
        for name, clip_loss in losses.CLIP_LOSSES.items():
            if weight := getattr(options, f"lambda_{name}"):
                term = clip_loss(real, fake)
                terms[f"{name}_loss"] = term
                loss += weight * term
        if self.ranks:
            terms["ranking_loss"] = losses.ranking_loss(*references, features)
            loss += options.lambda_rank * terms["ranking_loss"]
        return {**terms, "generator_loss": loss}

    def __str__(self) -> str:
        """Formats the generator's loss as a sum of weighted terms."""
        options = self._options
        weights = {
            f"{options.adversarial} adversarial": options.lambda_adv,
            "content": options.lambda_con,
            **{name: getattr(options, f"lambda_{name}") for name in losses.CLIP_LOSSES},
            "ranking": options.lambda_rank,
        }
        terms = [f"{weight:g} × {name}" for name, weight in weights.items() if weight]
        return " + ".join(terms).replace("_", " ")
