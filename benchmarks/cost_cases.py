"""The graphs whose cost the tests know: training steps, and parts of them.

They are traced for paper-sized networks, whose weights are never made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import ssagan_tf
from ssagan_tf.layers.blocked_attention import spatial_attention
from ssagan_tf.options import FRAMES, ComputeOptions, ModelOptions, TrainOptions
from ssagan_tf.training.gan import GAN

BATCH = 4


def step(
    model: ModelOptions,
    compute: ComputeOptions | None = None,
    first: str | None = None,
    **training: Any,
) -> tf.Graph:
    """A training step by the network's recipe.

    Args:
      model: The networks.
      compute: How they are computed.
      first: For a second stage, the network of its first stage.
      **training: Settings in place of the recipe's.
    """
    options = TrainOptions.for_network(model.network, batch_size=BATCH, **training)
    side, updates = model.resolution, options.discriminator_updates
    with tf.Graph().as_default():  # weights created here have no values
        stage1 = first and ssagan_tf.build_generator(
            dataclasses.replace(model, network=first), compute
        )
        gan = GAN(
            ssagan_tf.build_generator(model, compute),
            ssagan_tf.build_discriminator(model, compute),
            options,
            stage1,
        )
        clips = tf.TensorSpec((BATCH, updates, FRAMES, side, side, 3), tf.uint8)
        return _traced(gan.train_step, clips)


def generator(
    model: ModelOptions, compute: ComputeOptions | None = None, gradients: bool = True
) -> tf.Graph:
    """A generator's forward pass in training mode, optionally with all gradients."""
    with tf.Graph().as_default():
        network = ssagan_tf.build_generator(model, compute)

        def forward(inputs: tf.Tensor) -> tf.Tensor:
            return network(inputs, training=True)

        def backward(inputs: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(forward(inputs)))
            return tape.gradient(loss, network.trainable_variables)

        inputs = tf.TensorSpec((BATCH, *network.input_axes))
        return _traced(backward if gradients else forward, inputs)


def attention(memory: int) -> tf.Graph:
    """The attention after conv1 at 128², with all gradients.

    Args:
      memory: Its limit in MiB; all maps take 256.
    """

    def gradients(*arguments: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            loss = tf.reduce_sum(tf.square(spatial_attention(*arguments, memory=memory)))
        return tape.gradient(loss, arguments)

    return _traced(gradients, *[tf.TensorSpec((BATCH, 3, 64, 64, 32))] * 3)


def _traced(function: Callable, *specs: tf.TensorSpec) -> tf.Graph:
    return tf.function(function, autograph=False).get_concrete_function(*specs).graph


def _small(network: str = "ssagan", **settings: Any) -> ModelOptions:
    return ModelOptions(network=network, resolution=64, **settings)


BFLOAT16 = ComputeOptions(precision="mixed_bfloat16")
# Of SSA-GAN at 64², unless they say otherwise. Two discriminator updates instead of five: one that
# has a forward pass of its own, and one that shares the generator's.
TWO = {"discriminator_updates": 2}
QUICK: dict[str, Callable[[], tf.Graph]] = {
    "step": lambda: step(_small(), **TWO),
    "attention": lambda: attention(memory=256),
    "attention, blocked": lambda: attention(memory=64),
}
SLOW: dict[str, Callable[[], tf.Graph]] = {
    "step, mdgan_stage2, gradient penalty": lambda: step(
        _small("mdgan_stage2"), first="mdgan_stage1", lambda_penalty=10.0
    ),
    "forward pass, 128, bfloat16": lambda: generator(ModelOptions(), BFLOAT16, gradients=False),
    "step, 128": lambda: step(ModelOptions(), **TWO),
    "step, bfloat16": lambda: step(_small(), BFLOAT16, **TWO),
    "step, blocked": lambda: step(_small(), ComputeOptions(attention_memory=4), **TWO),
    "step, remat": lambda: step(_small(), ComputeOptions(remat=True), **TWO),
    "step, released recipe": lambda: step(
        _small(spectral_norm=True, ssa_gate="projected", bn_gamma_stddev=0.02),
        adversarial="wasserstein",
        lambda_penalty=10.0,
        lambda_ssim=1.0,
        **TWO,
    ),
    "step, ssagan_stage2": lambda: step(_small("ssagan_stage2"), first="mdgan_stage1", **TWO),
    "step, mdgan_stage1": lambda: step(_small("mdgan_stage1")),
    "step, mdgan_stage2": lambda: step(_small("mdgan_stage2"), first="mdgan_stage1"),
    "step, vgan": lambda: step(_small("vgan")),
    "step, rnngan": lambda: step(_small("rnngan")),
    "gradients": lambda: generator(_small()),
    "gradients, 128": lambda: generator(ModelOptions()),
}
CASES = {**QUICK, **SLOW}
