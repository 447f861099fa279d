"""What the networks of each system minimise. The weights of the terms are settings.

L_D = −L_adv − λ_rank·L_rank + penalty, and L_G = λ_adv·L_adv + λ_con·L_con + λ_rank·L_rank + …,
without the terms of weight 0. What the systems have by default is in `options.RECIPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from ssagan_tf import losses, models
from ssagan_tf.options import ModelOptions, OptionError, TrainOptions

# How discriminators are asked where not for a logit per clip: RNN-GAN's scores every frame.
ASKED: dict[str, dict[str, bool]] = {"rnngan": {"every_frame": True}}
# Terms of real and generated clips: as reported, the setting of the weight, the loss.
TERMS: tuple[tuple[str, str, Callable[[Any, Any], Any]], ...] = (
    ("ssim_loss", "lambda_ssim", losses.ssim_loss),
    ("mse_loss", "lambda_mse", losses.mse_loss),
    ("first_frame_loss", "lambda_first_frame", losses.first_frame_loss),
)

Judgement = tuple[Any, Sequence[Any]]
"""Logits, and the features that the ranking loss compares: none where there is no such loss."""
Report = dict[str, Any]
Part = Callable[[], tuple[Any, Report]]
"""Computes a part of a loss, and what to report of it."""


def check_objective(model: ModelOptions, options: TrainOptions) -> None:
    """Raises OptionError if the system cannot have such losses, or does not exist."""
    if options.lambda_rank and not models.spec_of(model).takes_clip:
        raise OptionError(
            "lambda_rank",
            options.lambda_rank,
            f"{model.network} has one stage: there are no earlier clips to rank its own against",
        )


class Objective:
    """The losses of a system.

    Args:
      network: Its registered name.
      options: Which adversarial loss, the weights of the terms, and who ranks.
    """

    def __init__(self, network: str, options: TrainOptions):
        self._options = options
        self._asked = dict(ASKED.get(network, {}))
        self.ranks = options.lambda_rank > 0
        if self.ranks:
            self._asked["features"] = True

    def judge(self, discriminator: keras.Model, clip: Any) -> Judgement:
        """The discriminator's answer, in training mode."""
        answer = discriminator(clip, training=True, **self._asked)
        return answer if self.ranks else (answer, ())

    def discriminator_parts(
        self, discriminator: keras.Model, real: Any, fake: Any, inputs: Any
    ) -> list[Part]:
        """Parts of L_D but the penalty, whose gradients are taken one after the other.

        So the maps of one pass are held at a time, unless the clips are ranked: then all meet in
        one loss.

        Args:
          discriminator: Its real and generated clips go through it separately: their batch
            statistics must not mix.
          real: Clips `[B, T, H, W, 3]`.
          fake: The generator's.
          inputs: What the generator made them of: in a second stage the first one's clips.
        """
        kind = self._options.adversarial

        def of_real() -> tuple[Any, Report, Sequence[Any]]:
            logits, features = self.judge(discriminator, real)
            score = tf.reduce_mean(tf.sigmoid(logits))
            return losses.discriminator_real_loss(logits, kind), {"real_score": score}, features

        def of_fake() -> tuple[Any, Report, Sequence[Any]]:
            logits, features = self.judge(discriminator, fake)
            score = tf.reduce_mean(tf.sigmoid(logits))
            return losses.discriminator_fake_loss(logits, kind), {"fake_score": score}, features

        def of_all() -> tuple[Any, Report]:
            (real_loss, of_score, positive), (fake_loss, of_fakes, anchor) = of_real(), of_fake()
            _, negative = self.judge(discriminator, inputs)
            ranking = losses.ranking_loss(positive, negative, anchor)
            loss = real_loss + fake_loss - self._options.lambda_rank * ranking
            return loss, {**of_score, **of_fakes, "discriminator_ranking": ranking}

        if self.ranks and self._options.ranking == "both":
            return [of_all]
        return [lambda: of_real()[:2], lambda: of_fake()[:2]]

    def references(self, discriminator: keras.Model, real: Any, inputs: Any) -> list[Sequence[Any]]:
        """Features of real clips and of a first stage's, for `generator_losses`."""
        return [self.judge(discriminator, clip)[1] for clip in (real, inputs)] if self.ranks else []

    def generator_losses(
        self, real: Any, fake: Any, judgement: Judgement, references: list[Sequence[Any]]
    ) -> Report:
        """L_G as `generator_loss`, and its terms without their weights.

        Args:
          real: Clips `[B, T, H, W, 3]`.
          fake: The generator's.
          judgement: The discriminator's of the latter.
          references: What `references` gave.
        """
        options = self._options
        logits, features = judgement
        adversarial = losses.generator_adversarial_loss(logits, options.adversarial)
        content = losses.content_loss(real, fake)
        report = {"adversarial_loss": adversarial, "content_loss": content}
        loss = options.lambda_adv * adversarial
        if options.lambda_con:
            loss += options.lambda_con * content  # Eq. 7
        for name, setting, term in TERMS:
            if weight := getattr(options, setting):
                report[name] = term(real, fake)
                loss += weight * report[name]
        if self.ranks:
            report["ranking_loss"] = losses.ranking_loss(*references, features)
            loss += options.lambda_rank * report["ranking_loss"]
        return {**report, "generator_loss": loss}

    def __str__(self) -> str:
        """The generator's loss in words."""
        options = self._options
        weights = {
            f"{options.adversarial} adversarial": options.lambda_adv,
            "content": options.lambda_con,
            **{name.removesuffix("_loss"): getattr(options, weight) for name, weight, _ in TERMS},
            "ranking": options.lambda_rank,
        }
        terms = [f"{weight:g} × {name}" for name, weight in weights.items() if weight]
        return " + ".join(terms).replace("_", " ")
