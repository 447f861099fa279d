"""The training step: five discriminator updates, then one generator update (Sec. 4).

The number of updates and the losses (`objectives.py`) are settings; baselines have others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ssagan_tf import losses
from ssagan_tf.data import seeds
from ssagan_tf.models.discriminator import ClipDiscriminator
from ssagan_tf.models.two_stage import join_stages
from ssagan_tf.options import TrainOptions
from ssagan_tf.pixels import to_float
from ssagan_tf.precision import at_least_float32
from ssagan_tf.training.ema import ExponentialMovingAverages
from ssagan_tf.training.objectives import Metrics, Objective
from ssagan_tf.training.optimizer import make_optimizer

STOP = "stop"  # in a step's metrics, where several hosts train: whether one was asked to stop


class NonFiniteError(Exception):
    """A metric or a weight became NaN or infinite; the message names it."""


class GAN(keras.Model):
    """A generator, its discriminator, and an Adam optimizer for each.

    One step takes uint8 clips `[B, n, T, H, W, 3]`: n = `discriminator_updates` batches, with the
    batch axis first because a distributed dataset splits the first axis. The discriminator is
    updated on each of them, the generator on the last, sharing that batch's forward pass. All
    forward passes run in training mode, so the generator's moving statistics are updated n times
    a step.

    `train_step` returns the step's metrics over the clips of all replicas: scores are D(·) in
    [0, 1]; gradients are norms of what the optimizer is given, summed over the replicas; the
    discriminator's metrics are means over its updates.

    Args:
      generator: Image `[B, H, W, 3]`, or first-stage clip, → clip `[B, T, H, W, 3]`, built.
      discriminator: Clip → logits `[B, 1]`, built.
      options: Losses, schedule and optimizers.
      first: The first stage, image → clip, for a generator that takes clips. It is frozen, runs in
        inference mode, and generates its clips once per batch.

    Attributes:
      objective: The losses.
      metric_names: The names of a step's metrics in the order in which they are computed, which
        TensorFlow and Keras do not keep; empty before the first step.
      averages: The generator's moving averages; None without `ema_decay`.
      rollbacks: How often the run went back to a checkpoint; selects the random numbers drawn.
      must_stop: Called in each step where several hosts train, since they have to stop together.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: ClipDiscriminator,
        options: TrainOptions,
        first: keras.Model | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.first = first
        if first is not None:
            first.trainable = False
        self.objective = Objective(options)
        self.metric_names: tuple[str, ...] = ()
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
        """Steps made since the run began. Each updates the generator once."""
        return int(self.generator_optimizer.iterations.numpy())

    def from_photos(self, generator: keras.Model) -> keras.Model:
        """The generator, joined to the first stage if there is one: image → clip."""
        return generator if self.first is None else join_stages(self.first, generator)

    def average_into(self, network: keras.Model) -> None:
        """Copies the generator's averages (`ema_decay`) into a network of the same architecture."""
        network.set_weights(self.generator.get_weights())
        if self.step:  # before the first step they are zeros
            self.averages.assign_to(network)

    def check_finite(self) -> None:
        """Raises NonFiniteError, naming the weight, if one of either network is not finite."""
        for variable in (*self.generator.weights, *self.discriminator.weights):
            if not np.isfinite(variable.numpy()).all():
                raise NonFiniteError(f"the weight {variable.path} became NaN or infinite")

    def train_step(self, clips: Any) -> Metrics:
        *earlier, last = tf.unstack(clips, axis=1, num=self.options.discriminator_updates)
        done: list[Any] = []
        updates = []
        for batch in earlier:
            # Sequentially: forward passes that run in parallel would multiply the memory.
            with tf.control_dependencies(done):
                real = to_float(batch, self.clip_dtype)
                inputs = self._inputs(real)
                fake = self.generator(inputs, training=True)
                metrics, done = self._update_discriminator(real, fake, inputs)
            updates.append(metrics)

        with tf.control_dependencies(done), tf.GradientTape() as tape:
            real = to_float(last, self.clip_dtype)
            inputs = self._inputs(real)
            fake = self.generator(inputs, training=True)
            with tape.stop_recording():
                metrics, done = self._update_discriminator(real, tf.stop_gradient(fake), inputs)
                with tf.control_dependencies(done):
                    references = self.objective.reference_features(self.discriminator, real, inputs)
            updates.append(metrics)
            with tf.control_dependencies(done):
                scored = self.objective.score(self.discriminator, fake)
            generator_metrics = self.objective.generator_losses(real, fake, scored, references)
            scaled = generator_metrics["generator_loss"] / _replicas()
        variables = self.generator.trainable_variables
        gradients = tape.gradient(scaled, variables)
        self.generator_optimizer.apply(gradients, variables)
        if self.averages is not None:
            self.averages.update(self.generator_optimizer.iterations - 1)
        metrics = {
            **{name: tf.add_n([each[name] for each in updates]) / len(updates) for name in metrics},
            **generator_metrics,
            "generator_gradient": _gradient_norm(gradients),
        }
        self.metric_names = tuple(metrics)  # while tracing
        if self.must_stop is not None:
            told = tf.numpy_function(lambda: np.float32(self.must_stop()), [], tf.float32)
            metrics[STOP] = tf.cast(tf.ensure_shape(told, []), self.clip_dtype)
        return _mean_over_replicas(metrics)

    def _inputs(self, real: Any) -> Any:
        """The generator's inputs: the first frames, or the first stage's clips of them."""
        photo = real[:, 0]
        return photo if self.first is None else tf.stop_gradient(self.first(photo, training=False))

    def _update_discriminator(
        self, real: Any, fake: Any, inputs: Any = None
    ) -> tuple[Metrics, list[Any]]:
        """One update; returns its metrics, and what must have run before the next update."""
        discriminator = self.discriminator
        variables = discriminator.trainable_variables
        parts = self.objective.discriminator_parts(discriminator, real, fake, inputs)
        if self.options.lambda_penalty:
            parts.append(lambda: self._penalty(real, fake))
        total, terms, scores = None, {}, {}
        gradients: list[Any] = []
        for part in parts:
            with tf.control_dependencies(gradients), tf.GradientTape() as tape:
                loss, part_terms, part_scores = part()
                scaled = loss / _replicas()
            gradients = _add(gradients, tape.gradient(scaled, variables))
            total = loss if total is None else total + loss
            terms |= part_terms
            scores |= part_scores
        self.discriminator_optimizer.apply(gradients, variables)
        # In the order of cause and effect: the first one that is not finite is where it began.
        metrics = {
            **terms,
            "discriminator_loss": total,
            **scores,
            "discriminator_gradient": _gradient_norm(gradients),
        }
        return metrics, [variable.value.read_value() for variable in variables]

    def _penalty(self, real: Any, fake: Any) -> tuple[Any, Metrics, Metrics]:
        penalty = self._gradient_penalty(real, fake)
        return self.options.lambda_penalty * penalty, {"gradient_penalty": penalty}, {}

    def _gradient_penalty(self, real: Any, fake: Any) -> Any:
        """At z = Y + α(G(x) - Y), α uniform per clip; D includes the sigmoid, as released."""
        mixed = real + self._mixing_weights(real.shape[0]) * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            scores = tf.sigmoid(self.discriminator(mixed, training=True))
        return losses.gradient_penalty(tape.gradient(scores, mixed))

    def _mixing_weights(self, clips: int) -> Any:
        """α for this replica's clips. A clip's α does not depend on the number of replicas."""
        update = self.discriminator_optimizer.iterations
        seed = seeds.seed(self.options.seed, seeds.MIXING, self.rollbacks, update.value)
        alpha = tf.random.stateless_uniform([_replicas() * clips, 1, 1, 1, 1], seed)
        alpha = tf.cast(alpha, self.clip_dtype)
        first = tf.distribute.get_replica_context().replica_id_in_sync_group * clips
        return alpha[first : first + clips]


def _replicas() -> int:
    # Optimizers sum gradients over replicas; a replica's loss is the mean over its own clips.
    return tf.distribute.get_strategy().num_replicas_in_sync


def _add(gradients: list[Any], others: list[Any]) -> list[Any]:
    """Adds two lists of gradients; the first may be empty."""
    if not gradients:
        return others
    return [a + b for a, b in zip(gradients, others, strict=True)]


def _gradient_norm(gradients: list[Any]) -> Any:
    """Norm of the sum over replicas, which the optimizer computes but does not expose."""
    if _replicas() > 1:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    return tf.linalg.global_norm(gradients)


def _mean_over_replicas(metrics: Metrics) -> Metrics:
    """Means over replicas, all of which have the same number of clips."""
    if _replicas() == 1:
        return metrics
    stacked = tf.stack(list(metrics.values()))  # a single all-reduce for all of them
    context = tf.distribute.get_replica_context()
    means = context.all_reduce(tf.distribute.ReduceOp.MEAN, stacked)
    return dict(zip(metrics, tf.unstack(means, num=len(metrics)), strict=True))
