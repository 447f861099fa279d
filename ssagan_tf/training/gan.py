"""The training step: five discriminator updates, then one generator update (Sec. 4)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ssagan_tf import losses
from ssagan_tf.errors import DataError
from ssagan_tf.options import TrainOptions
from ssagan_tf.pixels import to_float

METRICS = (
    "generator_loss",
    "adversarial_loss",
    "content_loss",
    "discriminator_loss",
    "real_score",
    "fake_score",
)


class GAN(keras.Model):
    """A generator, its discriminator, and one Adam each. Ready for `fit` once made.

    One step takes uint8 clips `[B, n, T, H, W, 3]`: n = `discriminator_updates` batches, batch
    axis first because a distributed dataset splits the first axis. The discriminator is updated
    on each of them, the generator on the last, sharing that batch's forward pass. All forward
    passes run in training mode, so the generator's moving statistics move n times a step.

    The metrics are means since they were last reset; scores are D(·) in [0, 1].

    Args:
      generator: image `[B, H, W, 3]` → clip `[B, T, H, W, 3]`, built.
      discriminator: clip → logits `[B, 1]`, built.
      options: Losses, schedule and optimizers.
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        options: TrainOptions,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.options = options
        self.generator_optimizer = _adam(generator, options)
        self.discriminator_optimizer = _adam(discriminator, options)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in METRICS}
        # XLA's 3D convolutions are slow on CPUs; the optimizers are this class's own.
        self.compile(optimizer=None, jit_compile=False)
        self.built = True

    @property
    def step(self) -> int:
        """Steps made since the run began: the generator is updated once in each."""
        return int(self.generator_optimizer.iterations.numpy())

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self.trackers.values())

    def check_finite(self) -> None:
        """Raises DataError if a weight of either network is no finite number, naming it."""
        for variable in (*self.generator.weights, *self.discriminator.weights):
            if not np.isfinite(variable.numpy()).all():
                raise DataError(f"the weight {variable.path} became infinite or no number")

    def train_step(self, clips: Any) -> dict[str, Any]:
        *earlier, last = tf.unstack(clips, axis=1, num=self.options.discriminator_updates)
        done: list[Any] = []
        for batch in earlier:
            # One after the other: forward passes run at once would multiply the memory.
            with tf.control_dependencies(done):
                real = to_float(batch)
                fake = self.generator(real[:, 0], training=True)
                done = self._update_discriminator(real, fake)

        with tf.control_dependencies(done), tf.GradientTape() as tape:
            real = to_float(last)
            fake = self.generator(real[:, 0], training=True)
            with tape.stop_recording():
                done = self._update_discriminator(real, tf.stop_gradient(fake))
            with tf.control_dependencies(done):
                logits = self.discriminator(fake, training=True)
            adversarial = losses.generator_adversarial_loss(logits, self.options.adversarial)
            content = losses.content_loss(real, fake)
            loss = adversarial + self.options.lambda_con * content  # Eq. 7
            scaled = loss / _replicas()
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(scaled, variables), variables)

        self.trackers["generator_loss"].update_state(loss)
        self.trackers["adversarial_loss"].update_state(adversarial)
        self.trackers["content_loss"].update_state(content)
        return {name: tracker.result() for name, tracker in self.trackers.items()}

    def _update_discriminator(self, real: Any, fake: Any) -> list[Any]:
        """One update; returns what must have run before the next."""
        with tf.GradientTape() as tape:
            # Real and generated clips separately: their batch statistics must not mix.
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            loss = losses.discriminator_loss(real_logits, fake_logits)
            scaled = loss / _replicas()
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(scaled, variables), variables)

        self.trackers["discriminator_loss"].update_state(loss)
        self.trackers["real_score"].update_state(tf.sigmoid(real_logits))
        self.trackers["fake_score"].update_state(tf.sigmoid(fake_logits))
        return [variable.value.read_value() for variable in variables]


def _replicas() -> int:
    # Optimizers sum the gradients of the replicas; losses are means over a replica's share.
    return tf.distribute.get_strategy().num_replicas_in_sync


def _adam(network: keras.Model, options: TrainOptions) -> keras.optimizers.Optimizer:
    # PyTorch's epsilon, as in the released code. Built here: a checkpoint restores it at once.
    optimizer = keras.optimizers.Adam(
        options.learning_rate,
        beta_1=options.beta_1,
        beta_2=options.beta_2,
        epsilon=1e-8,
        name="adam",  # else Keras numbers it, and a checkpoint could not find its variables
    )
    optimizer.build(network.trainable_variables)
    return optimizer
