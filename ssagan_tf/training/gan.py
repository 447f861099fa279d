"""The training step: five discriminator updates, then one generator update (Sec. 4).

Other systems have other numbers of them, and other losses (`objectives.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ssagan_tf import losses
from ssagan_tf.data import seeds
from ssagan_tf.models.two_stage import joined
from ssagan_tf.options import TrainOptions
from ssagan_tf.pixels import to_float
from ssagan_tf.precision import at_least_float32
from ssagan_tf.training.ema import ExponentialMovingAverages
from ssagan_tf.training.objectives import Objective
from ssagan_tf.training.optimizer import make_optimizer

# What a step reports, in the order in which it comes about.
METRICS = (
    "discriminator_ranking",
    "gradient_penalty",
    "discriminator_loss",
    "real_score",
    "fake_score",
    "discriminator_gradient",
    "adversarial_loss",
    "content_loss",
    "ssim_loss",
    "mse_loss",
    "first_frame_loss",
    "ranking_loss",
    "generator_loss",
    "generator_gradient",
)
STOP = "stop"  # reported, too: whether a worker was told to stop


class NonFiniteError(Exception):
    """Numbers went bad: infinite, or no numbers. Says which."""


class GAN(keras.Model):
    """A generator, its discriminator, and one Adam each. Ready for `fit` once made.

    One step takes uint8 clips `[B, n, T, H, W, 3]`: n = `discriminator_updates` batches, batch
    axis first because a distributed dataset splits the first axis. The discriminator is updated
    on each of them, the generator on the last, sharing that batch's forward pass. All forward
    passes run in training mode, so the generator's moving statistics move n times a step.

    What a step reports is of this step and of the clips of all replicas; scores are D(·) in
    [0, 1], gradients are the norms of what the optimizer is given, summed over the replicas, and
    what belongs to the discriminator is the mean over its updates.

    Args:
      generator: image `[B, H, W, 3]`, or clip of a first stage, → clip `[B, T, H, W, 3]`, built.
      discriminator: clip → logits `[B, 1]`, built.
      options: Losses, schedule and optimizers.
      first: The first stage, image → clip, for a generator that takes clips. It stays as it is, in
        inference mode, and makes its clips once a batch.

    Attributes:
      objective: The losses.
      averages: Of the generator, where it is averaged.
      rollbacks: How often the run went back to a checkpoint; draws after it are others.
      must_stop: Asked in each step where several hosts train, which have to stop together.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        options: TrainOptions,
        first: keras.Model | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.first = first
        if first is not None:
            first.trainable = False
        self.objective = Objective(generator.options.network, options)
        self.generator = generator
        self.discriminator = discriminator
        self.options = options
        self.clip_dtype = at_least_float32(generator.compute_dtype)
        self.generator_optimizer = make_optimizer(generator, options)
        self.averages = ExponentialMovingAverages(generator, options) if options.ema_decay else None
        self.discriminator_optimizer = make_optimizer(
            discriminator, options, updates=options.discriminator_updates
        )
        self.rollbacks = tf.Variable(0, dtype=tf.int64, trainable=False, name="rollbacks")
        self.must_stop: Callable[[], bool] | None = None
        # XLA's 3D convolutions are slow on CPUs; the optimizers are this class's own.
        self.compile(optimizer=None, jit_compile=False)
        self.built = True

    @property
    def step(self) -> int:
        """Steps made since the run began: the generator is updated once in each."""
        return int(self.generator_optimizer.iterations.numpy())

    def from_photos(self, generator: keras.Model) -> keras.Model:
        """The generator, joined with the first stage where there is one: image → clip."""
        return generator if self.first is None else joined(self.first, generator)

    def average_into(self, network: keras.Model) -> None:
        """Sets a network like the generator to its averages (`ema_decay`)."""
        network.set_weights(self.generator.get_weights())
        if self.step:  # before the first they are zeros
            self.averages.assign_to(network)

    def check_finite(self) -> None:
        """Raises NonFiniteError if a weight of either network is no finite number, naming it."""
        for variable in (*self.generator.weights, *self.discriminator.weights):
            if not np.isfinite(variable.numpy()).all():
                raise NonFiniteError(f"the weight {variable.path} became infinite or no number")

    def train_step(self, clips: Any) -> dict[str, Any]:
        *earlier, last = tf.unstack(clips, axis=1, num=self.options.discriminator_updates)
        done: list[Any] = []
        seen = []
        for batch in earlier:
            # One after the other: forward passes run at once would multiply the memory.
            with tf.control_dependencies(done):
                real = to_float(batch, self.clip_dtype)
                inputs = self._inputs(real)
                fake = self.generator(inputs, training=True)
                values, done = self._update_discriminator(real, fake, inputs)
            seen.append(values)

        with tf.control_dependencies(done), tf.GradientTape() as tape:
            real = to_float(last, self.clip_dtype)
            inputs = self._inputs(real)
            fake = self.generator(inputs, training=True)
            with tape.stop_recording():
                values, done = self._update_discriminator(real, tf.stop_gradient(fake), inputs)
                with tf.control_dependencies(done):
                    references = self.objective.references(self.discriminator, real, inputs)
            seen.append(values)
            with tf.control_dependencies(done):
                judgement = self.objective.judge(self.discriminator, fake)
            report = self.objective.generator_losses(real, fake, judgement, references)
            scaled = report["generator_loss"] / _replicas()
        variables = self.generator.trainable_variables
        gradients = tape.gradient(scaled, variables)
        self.generator_optimizer.apply(gradients, variables)
        if self.averages is not None:
            self.averages.update(self.generator_optimizer.iterations - 1)
        report["generator_gradient"] = _norm(gradients)
        report |= {name: tf.add_n([each[name] for each in seen]) / len(seen) for name in seen[0]}
        if self.must_stop is not None:
            asked = tf.numpy_function(lambda: np.float32(self.must_stop()), [], tf.float32)
            report[STOP] = tf.cast(tf.ensure_shape(asked, []), self.clip_dtype)
        return _of_all_replicas(report)

    def _inputs(self, real: Any) -> Any:
        """What the generator reads: the first frame, or the first stage's clip of it."""
        photo = real[:, 0]
        return photo if self.first is None else tf.stop_gradient(self.first(photo, training=False))

    def _update_discriminator(
        self, real: Any, fake: Any, inputs: Any = None
    ) -> tuple[dict[str, Any], list[Any]]:
        """One update; returns what to report, and what must have run before the next."""
        discriminator = self.discriminator
        variables = discriminator.trainable_variables
        parts = self.objective.discriminator_parts(discriminator, real, fake, inputs)
        if self.options.lambda_penalty:
            parts.append(lambda: self._penalty(real, fake))
        report: dict[str, Any] = {}
        gradients: list[Any] = []
        for part in parts:
            with tf.control_dependencies(gradients), tf.GradientTape() as tape:
                loss, told = part()
                scaled = loss / _replicas()
            gradients = _sums(gradients, tape.gradient(scaled, variables))
            total = report.get("discriminator_loss")
            report |= told | {"discriminator_loss": loss if total is None else total + loss}
        self.discriminator_optimizer.apply(gradients, variables)
        report["discriminator_gradient"] = _norm(gradients)
        return report, [variable.value.read_value() for variable in variables]

    def _penalty(self, real: Any, fake: Any) -> tuple[Any, dict[str, Any]]:
        penalty = self._gradient_penalty(real, fake)
        return self.options.lambda_penalty * penalty, {"gradient_penalty": penalty}

    def _gradient_penalty(self, real: Any, fake: Any) -> Any:
        """At z = Y + α(G(x) - Y), α uniform for each clip; D is the sigmoid, as released."""
        mixed = real + self._mixing(real.shape[0]) * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            scores = tf.sigmoid(self.discriminator(mixed, training=True))
        return losses.gradient_penalty(tape.gradient(scores, mixed))

    def _mixing(self, clips: int) -> Any:
        """α of this replica's clips: the same for a clip whatever the number of replicas."""
        update = self.discriminator_optimizer.iterations
        seed = seeds.seed(self.options.seed, seeds.MIXING, self.rollbacks, update.value)
        alpha = tf.random.stateless_uniform([_replicas() * clips, 1, 1, 1, 1], seed)
        alpha = tf.cast(alpha, self.clip_dtype)
        first = tf.distribute.get_replica_context().replica_id_in_sync_group * clips
        return alpha[first : first + clips]


def _replicas() -> int:
    # Optimizers sum the gradients of the replicas; losses are means over a replica's share.
    return tf.distribute.get_strategy().num_replicas_in_sync


def _sums(gradients: list[Any], others: list[Any]) -> list[Any]:
    """Sums of two lists of gradients; the first may be empty."""
    if not gradients:
        return others
    return [a + b for a, b in zip(gradients, others, strict=True)]


def _norm(gradients: list[Any]) -> Any:
    """Of the sum over the replicas. The optimizer keeps its own sum to itself."""
    if _replicas() > 1:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    return tf.linalg.global_norm(gradients)


def _of_all_replicas(report: dict[str, Any]) -> dict[str, Any]:
    """Means over the replicas, whose shares are of one size."""
    if _replicas() == 1:
        return report
    stacked = tf.stack(list(report.values()))  # one exchange for all
    context = tf.distribute.get_replica_context()
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, stacked)
    return dict(zip(report, tf.unstack(means, num=len(report)), strict=True))
